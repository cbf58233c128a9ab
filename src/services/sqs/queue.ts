import { setImmediate } from 'node:timers/promises';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Key, Store } from '../../store/index.ts';
import { Deduplications } from './deduplications.ts';
import { IndexedMessage } from './indexed-message.ts';
import { MessageIndex } from './message-index.ts';
import { isFifo, queueArn } from './names.ts';
import {
  type DeduplicationRecord,
  keys,
  type MessageRecord,
  type QueueRecord,
  type ReceiptRecord,
  type RemainsRecord,
} from './records.ts';
import { orderOf } from './sequence-number.ts';
import { Waiters } from './waiters.ts';

/** Entries that are read or erased at once: each may have 1 MiB. */
const PAGE = 50;
/** Pages after which others get their turn, while a long queue is read. */
const TURN = 10;

interface QueueParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A queue in use: its record, and the index of its messages. */
export class Queue {
  readonly id: string;
  readonly arn: string;
  readonly fifo: boolean;
  readonly index: MessageIndex;
  readonly waiters: Waiters;
  readonly deduplications: Deduplications;
  /** As it was last committed. */
  record: QueueRecord;
  deleted = false;
  readonly #parts: QueueParts;
  #lastPlace = 0;
  #purgedUpTo = 0;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(record: QueueRecord, parts: QueueParts) {
    this.id = record.id;
    this.arn = queueArn(record);
    this.fifo = isFifo(record.name);
    this.index = new MessageIndex(this.fifo);
    this.record = record;
    this.#parts = parts;
    this.waiters = new Waiters(parts.clock);
    this.deduplications = new Deduplications(parts);
  }

  /** Reads which messages are there. */
  async load(): Promise<void> {
    const remains = await this.#parts.store.get<RemainsRecord>(keys.remainsOf(this.id));
    this.#purgedUpTo = remains?.value.upTo ?? 0;
    this.#lastPlace = this.#purgedUpTo;
    const receipts = new Map<number, ReceiptRecord>();
    for await (const { key, value } of this.#entries<ReceiptRecord>(keys.receipts(this.id))) {
      const place = key.at(-1) as number;
      receipts.set(place, value);
      // A place is not given out again while something is left there.
      this.#lastPlace = Math.max(this.#lastPlace, place);
    }
    for await (const { key, value, createRevision } of this.#entries<MessageRecord>(keys.messages(this.id))) {
      const place = key.at(-1) as number;
      if (place <= this.#purgedUpTo) continue;
      this.#insert(place, value, createRevision, receipts.get(place));
      receipts.delete(place);
    }
    for await (const { key, value } of this.#entries<DeduplicationRecord>(keys.deduplications(this.id))) {
      this.deduplications.note(value.until, key);
    }
    this.erase([...receipts.keys()]);
    this.settle();
  }

  /** Where the next message is kept. */
  nextPlace(): number {
    this.#lastPlace += 1;
    return this.#lastPlace;
  }

  /** A message is durable, since this revision: it can be received from now on. */
  added(place: number, record: MessageRecord, revision: number): void {
    if (this.deleted || place <= this.#purgedUpTo) {
      // It came while the queue was being emptied.
      this.erase([place]);
      return;
    }
    this.#insert(place, record, revision, undefined);
    if (this.waiters.count > 0 && record.delayedUntil === undefined) this.waiters.wake(1);
    this.watch();
  }

  /** Everything up to this place has been purged. */
  purge(upTo: number): void {
    this.#purgedUpTo = upTo;
    this.index.removeAll();
  }

  /** The queue is gone. */
  remove(): void {
    this.deleted = true;
    this.index.removeAll();
    this.close();
  }

  /** Time has passed: shows what is to be shown, and lets go of what is too old to be kept. */
  settle(): void {
    const now = this.#parts.clock.now();
    this.index.settle(now);
    const expired = this.index.removeSentUntil(now - this.#retentionMs);
    if (expired.length > 0) this.erase(expired.map(({ place }) => place));
    this.watch();
  }

  /** Waits for the next thing that time brings: a message too old or, while somebody waits for one, to be shown. */
  watch(): void {
    if (this.#closed) return;
    const oldest = this.index.oldest();
    const expiry = oldest === undefined ? Number.POSITIVE_INFINITY : oldest + this.#retentionMs;
    const show = this.waiters.count === 0 ? undefined : this.index.nextShow();
    const next = Math.min(expiry, show ?? Number.POSITIVE_INFINITY);
    if (next >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = next;
    this.#timer = this.#parts.clock.at(next, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.settle();
      this.waiters.wake(this.index.visible);
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.waiters.close();
  }

  get #retentionMs(): number {
    return this.record.settings.messageRetentionPeriod * 1000;
  }

  #insert(place: number, record: MessageRecord, revision: number, receipt: ReceiptRecord | undefined): void {
    this.#lastPlace = Math.max(this.#lastPlace, place);
    const order = this.fifo ? orderOf(revision, record.position ?? 0) : place;
    const message = new IndexedMessage(place, order, record.sent, record.groupId);
    if (receipt) {
      message.receives = receipt.count;
      message.firstReceive = receipt.first;
      message.nonce = receipt.nonce;
      message.stage = 'inFlight';
      message.hiddenUntil = receipt.visibleAt;
    } else if (record.delayedUntil !== undefined) {
      message.stage = 'delayed';
      message.hiddenUntil = record.delayedUntil;
    }
    this.index.add(message);
  }

  async *#entries<V>(prefix: Key) {
    let after: Key | undefined;
    for (let pages = 1; ; pages += 1) {
      const page = await this.#parts.store.range<V>({ prefix, limit: PAGE, ...(after ? { after } : {}) });
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)!.key;
      if (pages % TURN === 0) await setImmediate();
    }
  }

  /** Erases messages, in the background: what is left over is left out when the queue is read again. */
  erase(places: readonly number[]): void {
    if (places.length === 0) return;
    this.#erase(places).catch((error: unknown) => {
      if (!this.#closed) this.#parts.logger.warn('messages could not be erased', { queue: this.arn, error });
    });
  }

  async #erase(places: readonly number[]): Promise<void> {
    for (let from = 0; from < places.length && !this.#closed; from += PAGE) {
      await this.#parts.store.transact(async (transaction) => {
        for (const place of places.slice(from, from + PAGE)) {
          transaction.delete(keys.message(this.id, place));
          transaction.delete(keys.receipt(this.id, place));
        }
      });
    }
  }
}
