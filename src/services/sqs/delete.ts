import { invalidParameterValue } from './errors.ts';
import type { IndexedMessage } from './indexed-message.ts';
import type { Queue } from './queue.ts';
import { decodeHandle } from './receipt-handle.ts';
import { keys } from './records.ts';
import type { SqsState } from './state.ts';

/**
 * The message that a handle may delete; `undefined` when there is nothing to do: it is gone, or (of a standard queue) has
 * been received again. Throws ReceiptHandleIsInvalid; InvalidParameterValue for an expired handle of a FIFO queue.
 * Source: SQS API Reference, "DeleteMessage".
 */
export function deletable(queue: Queue, handle: string): IndexedMessage | undefined {
  const { nonce, place } = decodeHandle(handle, queue.id);
  queue.settle();
  const message = queue.index.received(place);
  if (!message) return undefined;
  if (message.nonce === nonce && (!queue.fifo || message.stage === 'inFlight')) return message;
  if (!queue.fifo) return undefined;
  throw invalidParameterValue(
    `Value ${handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
  );
}

/** Deletes messages, durably, all together. */
export async function deleteMessages(
  state: SqsState,
  queue: Queue,
  messages: readonly IndexedMessage[],
): Promise<void> {
  if (messages.length === 0) return;
  await state.store.transact(async (transaction) => {
    for (const { place } of messages) {
      transaction.delete(keys.message(queue.id, place));
      transaction.delete(keys.receipt(queue.id, place));
    }
  });
  for (const message of messages) queue.index.remove(message);
  // There may have been too many in flight, and the next messages of their groups may be received now.
  if (queue.index.visible > 0) queue.waiters.wake(messages.length);
}
