import { CommitQueue, type HistoryLimits } from './commit-queue.ts';
import type { Driver } from './driver.ts';
import { Gate, type GateHold } from './gate.ts';
import { recordAt, undoneAfter } from './history.ts';
import { type EncodedKey, encodeKey, encodePrefix, encodeSought } from './key-codec.ts';
import { mergeScan, scanOf } from './merge-scan.ts';
import { RecentWrites } from './recent-writes.ts';
import { decodeRecord, encodeRecord, type StoredRecord } from './record.ts';
import {
  CompactedError,
  type Entry,
  type Key,
  type RangeOptions,
  type Store,
  type Transaction,
  type TransactOptions,
  type Value,
  type Watch,
} from './store.ts';
import { TransactionView } from './transaction-view.ts';
import { WatchHub } from './watch-hub.ts';

/** Runs that a transaction may lose to others before it gets the store for itself. */
const OPTIMISTIC_RUNS = 2;
/** Milliseconds for which it may then keep others from committing. */
const MAX_HOLD = 5000;
const NOTHING: ReadonlyMap<EncodedKey, StoredRecord | undefined> = new Map();

/** The store over a driver: revisions, optimistic transactions, history and watches. */
export class RevisionedStore implements Store {
  readonly directory?: string;
  readonly #driver: Driver;
  readonly #queue: CommitQueue;
  readonly #hub: WatchHub;
  readonly #gate = new Gate();
  readonly #recent = new RecentWrites();
  #closing: Promise<void> | undefined;

  constructor(driver: Driver, limits: HistoryLimits, directory?: string) {
    if (directory !== undefined) this.directory = directory;
    this.#driver = driver;
    this.#queue = new CommitQueue(driver, limits, {
      committed: (changes) => this.#hub.publish(changes),
      rolledBack: () => this.#recent.clear(),
    });
    this.#hub = new WatchHub(driver, this.#queue);
  }

  get revision(): number {
    return this.#queue.durableRevision;
  }

  async get<V = Value>(key: Key, options?: { readonly revision?: number }): Promise<Entry<V> | undefined> {
    this.#assertOpen();
    const encoded = encodeSought(key);
    if (encoded === undefined) return undefined;
    const record =
      options?.revision === undefined
        ? this.#driver.get(encoded)
        : recordAt(this.#driver, encoded, this.#readable(options.revision));
    return record && decodeRecord<V>(encoded, record);
  }

  async range<V = Value>(options: RangeOptions): Promise<Entry<V>[]> {
    this.#assertOpen();
    const scan = scanOf(options);
    const overrides =
      options.revision === undefined
        ? NOTHING
        : undoneAfter(this.#driver, this.#readable(options.revision), scan.start, scan.end);
    const entries: Entry<V>[] = [];
    for (const [key, record] of mergeScan(this.#driver, scan, overrides)) entries.push(decodeRecord<V>(key, record));
    return entries;
  }

  async put(key: Key, value: Value): Promise<number> {
    this.#assertOpen();
    const encoded = encodeKey(key);
    return this.#write(encoded, encodeRecord(value));
  }

  async delete(key: Key): Promise<number> {
    this.#assertOpen();
    return this.#write(encodeKey(key), undefined);
  }

  async transact<T>(body: (transaction: Transaction) => Promise<T>, options: TransactOptions = {}): Promise<T> {
    for (let run = 0; ; run++) {
      this.#assertOpen();
      const hold = run < OPTIMISTIC_RUNS ? undefined : await this.#gate.hold(MAX_HOLD);
      this.#recent.begin();
      const view = new TransactionView(this.#driver, this.#queue);
      try {
        const result = await outcomeOf(body, view);
        view.end();
        const end = await this.#finish(view, hold);
        if (end === 'conflict') continue;
        if (!result.ok) throw result.error;
        if (view.writes.size > 0) options.onCommit?.(end);
        return result.value;
      } finally {
        view.end();
        this.#recent.end();
        hold?.release();
      }
    }
  }

  watch<V = Value>(options: { readonly prefix: Key; readonly fromRevision?: number }): Watch<V> {
    this.#assertOpen();
    return this.#hub.watch<V>(encodePrefix(options.prefix), options.fromRevision ?? this.revision);
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen();
    if (revision > this.revision) throw new RangeError(`revision ${revision} is not there yet`);
    await this.#queue.compact(revision);
  }

  async flush(): Promise<void> {
    await this.#queue.idle();
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#queue.idle();
      this.#hub.close();
      await this.#driver.close();
    })();
    return this.#closing;
  }

  #write(key: EncodedKey, record: StoredRecord | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const accept = () => {
        const revision = this.#queue.append([[key, record]]);
        this.#recent.record(revision, key);
        this.#queue.wait({
          wrote: true,
          durable: () => resolve(revision),
          failed: reject,
          replay: () => this.#gate.enter(accept),
        });
      };
      this.#gate.enter(accept);
    });
  }

  /** Commits what the view wrote, if what it read still holds; resolves to the revision when that is durable. */
  #finish(view: TransactionView, hold: GateHold | undefined): Promise<number | 'conflict'> {
    return new Promise((resolve, reject) => {
      const accept = () => {
        if (view.startFailures !== this.#queue.failures || this.#recent.changed(view)) {
          resolve('conflict');
          return;
        }
        const revision = this.#queue.append(view.writes);
        for (const key of view.writes.keys()) this.#recent.record(revision, key);
        this.#queue.wait({
          wrote: view.writes.size > 0,
          durable: () => resolve(revision),
          failed: reject,
          replay: () => resolve('conflict'),
        });
        hold?.release();
      };
      if (hold?.holding) accept();
      else this.#gate.enter(accept);
    });
  }

  #readable(revision: number): number {
    if (revision < this.#queue.compactedRevision) throw new CompactedError(this.#queue.compactedRevision);
    if (revision > this.revision) throw new RangeError(`revision ${revision} is not there yet`);
    return revision;
  }

  #assertOpen(): void {
    if (this.#closing) throw new Error('the store is closed');
  }
}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

async function outcomeOf<T>(body: (view: Transaction) => Promise<T>, view: TransactionView): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await body(view) };
  } catch (error) {
    view.writes.clear();
    return { ok: false, error };
  }
}
