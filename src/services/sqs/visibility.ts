import { ServiceError } from '../../base/errors.ts';
import { invalidParameterValue } from './errors.ts';
import type { IndexedMessage } from './indexed-message.ts';
import type { Queue } from './queue.ts';
import { decodeHandle } from './receipt-handle.ts';
import { keys, type ReceiptRecord } from './records.ts';
import type { SqsState } from './state.ts';

/** Source: SQS Developer Guide, "Amazon SQS visibility timeout": 12 hours from the receive, seconds. */
const MAXIMUM_SECONDS = 43_200;

export interface VisibilityChange {
  readonly message: IndexedMessage;
  readonly handle: string;
  /** From now; 0 shows the message. */
  readonly seconds: number;
}

/**
 * A change of visibility that a handle allows. Throws ReceiptHandleIsInvalid, MessageNotInflight, InvalidParameterValue.
 * Source: SQS API Reference, "ChangeMessageVisibility".
 */
export function visibilityChange(queue: Queue, handle: string, seconds: number): VisibilityChange {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAXIMUM_SECONDS) {
    throw invalidParameterValue(
      `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and ${MAXIMUM_SECONDS}.`,
    );
  }
  const { nonce, place } = decodeHandle(handle, queue.id);
  queue.settle();
  const message = queue.index.received(place);
  if (message?.nonce !== nonce) throw notAvailable(handle);
  if (message.stage !== 'inFlight') {
    throw new ServiceError('MessageNotInflight', 'The specified message is not in flight.');
  }
  return { message, handle, seconds };
}

const notAvailable = (handle: string) =>
  invalidParameterValue(
    `Value ${handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
  );

/** Changes a message's visibility, durably. Throws InvalidParameterValue beyond 12 hours from the receive. */
export async function changeVisibility(state: SqsState, queue: Queue, change: VisibilityChange): Promise<void> {
  const { message, handle, seconds } = change;
  const key = keys.receipt(queue.id, message.place);
  const until = await state.store.transact(async (transaction) => {
    const receipt = (await transaction.get<ReceiptRecord>(key))?.value;
    if (receipt?.nonce !== message.nonce) throw notAvailable(handle);
    const visibleAt = state.clock.now() + seconds * 1000;
    if (visibleAt > receipt.last + MAXIMUM_SECONDS * 1000) {
      throw invalidParameterValue(
        `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [${MAXIMUM_SECONDS} seconds].`,
      );
    }
    transaction.put(key, { ...receipt, visibleAt });
    return visibleAt;
  });
  // Shown or gone meanwhile: there is nothing left to hide.
  if (message.stage !== 'inFlight') return;
  if (seconds > 0) queue.index.hide(message, until);
  else {
    queue.index.show(message);
    queue.waiters.wake(1);
  }
  queue.watch();
}
