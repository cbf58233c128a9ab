import { hash } from 'node:crypto';
import type { Transaction } from '../../store/index.ts';
import { md5OfBody } from './message-digest.ts';
import type { Outgoing } from './outgoing.ts';
import type { Queue } from './queue.ts';
import { type DeduplicationRecord, keys, type MessageRecord } from './records.ts';
import { orderOf } from './sequence-number.ts';
import type { SqsState } from './state.ts';

/** Source: SQS Developer Guide, "Exactly-once processing in Amazon SQS": a five-minute interval. */
const DEDUPLICATION_MS = 300_000;

export interface Sent {
  readonly messageId: string;
  readonly md5OfBody: string;
  /** In a FIFO queue: what its sequence number is made of. */
  readonly order: number | undefined;
}

/** A message in the caller's transaction. `committed` must be called, with the revision, when that is durable. */
export interface Accepted {
  committed(revision: number): Sent;
}

/** The body as it is kept. */
type Sealed = Pick<MessageRecord, 'body' | 'key'>;

/** Sends one message, which has been checked. Resolves when it is durable; throws the store's error when it is not. */
export async function send(state: SqsState, queue: Queue, message: Outgoing): Promise<Sent> {
  if (queue.fifo) return (await sendAll(state, queue, [message]))[0]!;
  const sealed = state.encryption.applies(queue) ? await seal(state, queue, message) : { body: message.body };
  const place = queue.nextPlace();
  const record = recordOf(state, queue, message, sealed);
  const revision = await state.store.put(keys.message(queue.id, place), record);
  queue.added(place, record, revision);
  return { messageId: record.messageId, md5OfBody: record.md5OfBody, order: undefined };
}

/** Sends messages, which have been checked, all together or none. Resolves when they are durable. */
export async function sendAll(state: SqsState, queue: Queue, messages: readonly Outgoing[]): Promise<Sent[]> {
  const sealed: Sealed[] = [];
  for (const message of messages) sealed.push(await seal(state, queue, message));
  let revision = 0;
  const accepted = await state.store.transact(
    async (transaction) => {
      const all: Accepted[] = [];
      for (const [position, message] of messages.entries()) {
        all.push(await accept(state, queue, message, sealed[position]!, position, transaction));
      }
      return all;
    },
    {
      onCommit: (committed) => {
        revision = committed;
      },
    },
  );
  return accepted.map(({ committed }) => committed(revision));
}

/** Sends a message, which has been checked, as part of the caller's transaction. */
export async function acceptMessage(
  state: SqsState,
  queue: Queue,
  message: Outgoing,
  transaction: Transaction,
): Promise<Accepted> {
  return accept(state, queue, message, await seal(state, queue, message), 0, transaction);
}

/** The body encrypted, when the queue has a key. Throws KmsNotFound, KmsDisabled … */
async function seal(state: SqsState, queue: Queue, { body, keyUser }: Outgoing): Promise<Sealed> {
  return state.encryption.applies(queue) ? state.encryption.seal(queue, body, keyUser) : { body };
}

async function accept(
  state: SqsState,
  queue: Queue,
  message: Outgoing,
  sealed: Sealed,
  position: number,
  transaction: Transaction,
): Promise<Accepted> {
  const place = queue.nextPlace();
  if (!queue.fifo) {
    const record = recordOf(state, queue, message, sealed);
    transaction.put(keys.message(queue.id, place), record);
    return { committed: (revision) => added(queue, place, record, revision) };
  }
  // Read in the transaction: of two sends with the same identifier, one sees the other.
  const deduplicationId = message.deduplicationId ?? hash('sha256', message.body);
  const scope = queue.record.settings.deduplicationScope === 'messageGroup' ? (message.groupId ?? '') : '';
  const key = keys.deduplication(queue.id, scope, deduplicationId);
  const earlier = await transaction.get<DeduplicationRecord>(key);
  const now = state.clock.now();
  if (earlier && earlier.value.until > now) {
    const { messageId, position: place } = earlier.value;
    // Without a revision it is of this transaction.
    const order = (revision: number) => orderOf(earlier.modRevision || revision, place);
    return {
      committed: (revision) => ({ messageId, md5OfBody: md5OfBody(message.body), order: order(revision) }),
    };
  }
  const record = { ...recordOf(state, queue, { ...message, deduplicationId }, sealed), position };
  const until = now + DEDUPLICATION_MS;
  transaction.put(key, { messageId: record.messageId, position, until } satisfies DeduplicationRecord);
  transaction.put(keys.message(queue.id, place), record);
  return {
    committed: (revision) => {
      queue.deduplications.note(until, key);
      return added(queue, place, record, revision);
    },
  };
}

function added(queue: Queue, place: number, record: MessageRecord, revision: number): Sent {
  queue.added(place, record, revision);
  const { messageId, md5OfBody, position } = record;
  return { messageId, md5OfBody, order: queue.fifo ? orderOf(revision, position ?? 0) : undefined };
}

function recordOf(state: SqsState, queue: Queue, message: Outgoing, { body, key }: Sealed): MessageRecord {
  const sent = state.clock.now();
  const delay = (queue.fifo ? undefined : message.delaySeconds) ?? queue.record.settings.delaySeconds;
  return {
    messageId: state.random.uuid(),
    body,
    key,
    md5OfBody: md5OfBody(message.body),
    senderId: message.senderId,
    sent,
    messageAttributes: message.attributes,
    delayedUntil: delay > 0 ? sent + delay * 1000 : undefined,
    traceHeader: message.traceHeader,
    groupId: message.groupId,
    deduplicationId: message.deduplicationId,
  };
}
