import type { Transaction } from '../../store/index.ts';
import { invalidParameterValue } from './errors.ts';
import type { IndexedMessage } from './indexed-message.ts';
import { parseQueueArn, type QueueName, queueArn } from './names.ts';
import type { Queue } from './queue.ts';
import { keys, type MessageRecord, type QueueSettings } from './records.ts';
import type { SqsState } from './state.ts';

/** The queue's dead-letter queue; `undefined` when it has none, or none any more: then nothing leaves it. */
export async function deadLetterQueueOf(state: SqsState, queue: Queue): Promise<Queue | undefined> {
  const name = parseQueueArn(queue.record.settings.redrivePolicy?.deadLetterTargetArn ?? '');
  return name && state.queues.find(name);
}

/** The dead-letter queue must be there and let this one use it. Throws InvalidParameterValue. */
export async function checkRedrive(state: SqsState, settings: QueueSettings, name: QueueName): Promise<void> {
  const { redrivePolicy } = settings;
  if (!redrivePolicy) return;
  const refused = (reason: string) =>
    invalidParameterValue(
      `Value ${JSON.stringify(redrivePolicy)} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
    );
  const target = await state.queues.find(parseQueueArn(redrivePolicy.deadLetterTargetArn)!);
  if (!target) throw refused('Dead letter target does not exist.');
  const allowed = target.record.settings.redriveAllowPolicy;
  const denied =
    allowed?.redrivePermission === 'denyAll' ||
    (allowed?.redrivePermission === 'byQueue' && !allowed.sourceQueueArns?.includes(queueArn(name)));
  if (denied) throw refused('Queue does not have permission to use the dead-letter queue.');
}

/** True when the next receive of the message is one too many. */
export const receivedTooOften = (queue: Queue, message: IndexedMessage): boolean =>
  message.receives >= (queue.record.settings.redrivePolicy?.maxReceiveCount ?? Number.POSITIVE_INFINITY);

/**
 * Moves messages that were received too often, in one transaction. They keep identity, body and encryption; in a standard
 * queue their age, too. Source: SQS Developer Guide, "Using dead-letter queues in Amazon SQS".
 */
export async function sendToDeadLetterQueue(
  state: SqsState,
  from: Queue,
  to: Queue,
  messages: readonly IndexedMessage[],
): Promise<void> {
  try {
    await moveMessages(state, from, messages, (record, message) => ({
      to,
      record: {
        ...record,
        ...(to.fifo ? { sent: state.clock.now() } : {}),
        deadLetterSource: from.arn,
        receivesBefore: (record.receivesBefore ?? 0) + message.receives,
      },
    }));
  } catch (error) {
    for (const message of messages) from.index.show(message);
    throw error;
  }
}

interface Move {
  readonly to: Queue;
  readonly record: MessageRecord;
}

/**
 * Moves messages that were taken from a queue to others, in one transaction, together with what `also` writes.
 */
export async function moveMessages(
  state: SqsState,
  from: Queue,
  messages: readonly IndexedMessage[],
  moveOf: (record: MessageRecord, message: IndexedMessage) => Move | Promise<Move>,
  also: (transaction: Transaction, moved: number) => Promise<void> = async () => {},
): Promise<void> {
  let revision = 0;
  const moved = await state.store.transact(
    async (transaction) => {
      const moves: (Move & { readonly place: number })[] = [];
      for (const message of messages) {
        const entry = await transaction.get<MessageRecord>(keys.message(from.id, message.place));
        if (!entry) continue;
        transaction.delete(keys.message(from.id, message.place));
        transaction.delete(keys.receipt(from.id, message.place));
        const { delayedUntil: _, ...kept } = entry.value;
        const { record, to } = await moveOf(kept, message);
        const move = { to, place: to.nextPlace(), record: { ...record, position: moves.length } };
        transaction.put(keys.message(to.id, move.place), move.record);
        moves.push(move);
      }
      await also(transaction, moves.length);
      return moves;
    },
    {
      onCommit: (committed) => {
        revision = committed;
      },
    },
  );
  for (const message of messages) from.index.remove(message);
  for (const { to, place, record } of moved) to.added(place, record, revision);
  // The next ones of their groups can be received now.
  if (from.fifo) from.waiters.wake(messages.length);
}
