import type { KeyUser } from '../encryption.ts';
import { deadLetterQueueOf, receivedTooOften, sendToDeadLetterQueue } from './dead-letters.ts';
import { overLimit, queueDoesNotExist } from './errors.ts';
import type { IndexedMessage } from './indexed-message.ts';
import type { Queue } from './queue.ts';
import { encodeHandle } from './receipt-handle.ts';
import { keys, type MessageRecord, type ReceiptRecord } from './records.ts';
import type { SqsState } from './state.ts';

/** Source: SQS Developer Guide, "Amazon SQS quotas": in-flight messages of standard and FIFO queues. */
export const IN_FLIGHT_LIMIT = 120_000;

/** Nonces are small integers: they cost no memory of their own. */
const MAX_NONCE = 0x7fff_ffff;

/** A message as it was received. */
export interface Received {
  readonly message: IndexedMessage;
  readonly receiptHandle: string;
  readonly record: MessageRecord;
  /** In the clear. */
  readonly body: string;
  /** Receives so far, those in earlier queues included. */
  readonly receives: number;
  /** Epoch ms. */
  readonly firstReceive: number;
}

export interface ReceiveOptions {
  readonly maximum: number;
  readonly visibilitySeconds: number;
  /** Epoch ms until which to wait for a message; `undefined`: for ever. */
  readonly until: number | undefined;
  readonly signal: AbortSignal;
  readonly keyUser: Pick<KeyUser, 'principal' | 'caller'>;
}

/**
 * Receives up to `maximum` messages; waits for the first one. They are hidden, durably, before this resolves.
 * Throws OverLimit when a standard queue has too many in flight and nothing was to be waited for; QueueDoesNotExist.
 */
export async function receive(state: SqsState, queue: Queue, options: ReceiveOptions): Promise<readonly Received[]> {
  const { signal, until } = options;
  for (;;) {
    if (signal.aborted) {
      // Whoever waits next may have what this one was woken for.
      queue.waiters.wake(1);
      return [];
    }
    const waits = until === undefined || until > state.clock.now();
    const received = await receiveNow(state, queue, options, waits);
    if (received.length > 0) return received;
    if (queue.deleted) throw queueDoesNotExist();
    if (!waits) return [];
    const waiting = queue.waiters.wait(until, signal);
    queue.watch();
    if (!(await waiting)) {
      if (queue.deleted) throw queueDoesNotExist();
      return [];
    }
  }
}

async function receiveNow(
  state: SqsState,
  queue: Queue,
  options: ReceiveOptions,
  waits: boolean,
): Promise<readonly Received[]> {
  for (;;) {
    queue.settle();
    const room = IN_FLIGHT_LIMIT - queue.index.inFlight;
    if (room <= 0) {
      // Only short polling of a standard queue is told.
      if (queue.fifo || waits) return [];
      throw overLimit(`Too many messages in flight: the limit is ${IN_FLIGHT_LIMIT}.`);
    }
    // Hidden before anything is awaited, so that nobody else takes them.
    const until = state.clock.now() + options.visibilitySeconds * 1000;
    const taken = queue.index.take(Math.min(options.maximum, room), until);
    if (taken.length === 0) return [];
    const deadLetterQueue = taken.some((message) => receivedTooOften(queue, message))
      ? await deadLetterQueueOf(state, queue)
      : undefined;
    const dead = deadLetterQueue ? taken.filter((message) => receivedTooOften(queue, message)) : [];
    const live = dead.length === 0 ? taken : taken.filter((message) => !dead.includes(message));
    if (deadLetterQueue && dead.length > 0) {
      try {
        await sendToDeadLetterQueue(state, queue, deadLetterQueue, dead);
      } catch (error) {
        for (const message of live) queue.index.show(message);
        throw error;
      }
    }
    const received = await open(state, queue, live, until, options);
    if (received.length > 0 || dead.length === 0) return received;
  }
}

/** Reads messages that were taken, and writes their receive down. */
async function open(
  state: SqsState,
  queue: Queue,
  messages: readonly IndexedMessage[],
  until: number,
  { keyUser }: ReceiveOptions,
): Promise<readonly Received[]> {
  const now = state.clock.now();
  const opened: { readonly received: Received; readonly receipt: ReceiptRecord }[] = [];
  try {
    for (const message of messages) {
      const receipt: ReceiptRecord = {
        count: message.receives + 1,
        first: message.firstReceive || now,
        last: now,
        visibleAt: until,
        nonce: Math.floor(state.random.fraction() * MAX_NONCE),
      };
      const received = await read(state, queue, message, receipt, keyUser);
      if (received) opened.push({ received, receipt });
    }
    await write(state, queue, opened);
  } catch (error) {
    for (const message of messages) queue.index.show(message);
    throw error;
  }
  const kept: Received[] = [];
  for (const { received, receipt } of opened) {
    const { message } = received;
    if (message.stage === 'gone') {
      // Deleted meanwhile, by an earlier handle.
      queue.erase([message.place]);
      continue;
    }
    message.receives = receipt.count;
    message.firstReceive = receipt.first;
    message.nonce = receipt.nonce;
    kept.push(received);
  }
  queue.watch();
  return kept;
}

/** A message with its body; `undefined` when it has been deleted meanwhile. */
async function read(
  state: SqsState,
  queue: Queue,
  message: IndexedMessage,
  { count, first, nonce }: Pick<ReceiptRecord, 'count' | 'first' | 'nonce'>,
  keyUser: ReceiveOptions['keyUser'],
): Promise<Received | undefined> {
  const entry = await state.store.get<MessageRecord>(keys.message(queue.id, message.place));
  if (!entry) return undefined;
  const record = entry.value;
  return {
    message,
    receiptHandle: encodeHandle({ queueId: queue.id, place: message.place, nonce }),
    record,
    body: typeof record.body === 'string' ? record.body : await state.encryption.open(queue, record, keyUser),
    receives: count + (record.receivesBefore ?? 0),
    firstReceive: first,
  };
}

/** Messages that are in flight again as they were received, hidden for so long from now. */
export async function receiveAgain(
  state: SqsState,
  queue: Queue,
  messages: readonly IndexedMessage[],
  { keyUser, visibilitySeconds }: Pick<ReceiveOptions, 'keyUser' | 'visibilitySeconds'>,
): Promise<Received[]> {
  const visibleAt = state.clock.now() + visibilitySeconds * 1000;
  const again: Received[] = [];
  for (const message of messages) {
    const { receives: count, firstReceive: first, nonce } = message;
    const received = await read(state, queue, message, { count, first, nonce }, keyUser);
    if (received) again.push(received);
  }
  await state.store.transact(async (transaction) => {
    for (const { message } of again) {
      const key = keys.receipt(queue.id, message.place);
      const receipt = await transaction.get<ReceiptRecord>(key);
      if (receipt) transaction.put(key, { ...receipt.value, visibleAt });
    }
  });
  for (const { message } of again) if (message.stage === 'inFlight') queue.index.hide(message, visibleAt);
  queue.watch();
  return again;
}

async function write(
  state: SqsState,
  queue: Queue,
  opened: readonly { readonly received: Received; readonly receipt: ReceiptRecord }[],
): Promise<void> {
  const [first] = opened;
  if (first && opened.length === 1) {
    await state.store.put(keys.receipt(queue.id, first.received.message.place), first.receipt);
    return;
  }
  await state.store.transact(async (transaction) => {
    for (const { received, receipt } of opened) {
      transaction.put(keys.receipt(queue.id, received.message.place), receipt);
    }
  });
}
