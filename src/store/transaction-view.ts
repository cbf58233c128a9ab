import type { CommitQueue } from './commit-queue.ts';
import type { Driver, Scan } from './driver.ts';
import { type EncodedKey, encodeKey, encodeSought } from './key-codec.ts';
import { mergeScan, scanOf } from './merge-scan.ts';
import { decodeRecord, encodeRecord, type StoredRecord, stamp } from './record.ts';
import type { Entry, Key, RangeOptions, Transaction, Value } from './store.ts';

/** One run of a transaction's body: its writes, and what it has read at which revision of the head. */
export class TransactionView implements Transaction {
  readonly reads = new Map<EncodedKey, number>();
  readonly ranges: { readonly start: EncodedKey; readonly end: EncodedKey; readonly revision: number }[] = [];
  readonly writes = new Map<EncodedKey, StoredRecord | undefined>();
  readonly startRevision: number;
  readonly startFailures: number;
  readonly #driver: Driver;
  readonly #queue: CommitQueue;
  #over = false;

  constructor(driver: Driver, queue: CommitQueue) {
    this.#driver = driver;
    this.#queue = queue;
    this.startRevision = queue.headRevision;
    this.startFailures = queue.failures;
  }

  async get<V = Value>(key: Key): Promise<Entry<V> | undefined> {
    this.#open();
    const encoded = encodeSought(key);
    if (encoded === undefined) return undefined;
    let record = this.writes.get(encoded);
    if (record === undefined && !this.writes.has(encoded)) {
      if (!this.reads.has(encoded)) this.reads.set(encoded, this.#queue.headRevision);
      record = this.#queue.read(encoded);
    }
    return record && decodeRecord<V>(key, record);
  }

  async range<V = Value>(options: Omit<RangeOptions, 'revision'>): Promise<Entry<V>[]> {
    this.#open();
    const scan = scanOf(options);
    const overrides = this.#queue.pendingIn(scan.start, scan.end);
    for (const [key, record] of this.writes) if (key >= scan.start && key < scan.end) overrides.set(key, record);
    const found: (readonly [EncodedKey, StoredRecord])[] = [...mergeScan(this.#driver, scan, overrides)];
    this.#recordRange(scan, found);
    return found.map(([key, record]) => decodeRecord<V>(key, record));
  }

  put(key: Key, value: Value): void {
    const record = encodeRecord(value);
    stamp(record, 0, 0); // unknown until the commit
    this.writes.set(this.#open(key), record);
  }

  delete(key: Key): void {
    this.writes.set(this.#open(key), undefined);
  }

  /** Nothing can be read or written through this view any more. */
  end(): void {
    this.#over = true;
  }

  /** A range that its limit has cut short depends only on the part that was seen. */
  #recordRange({ start, end, reverse, limit }: Scan, found: readonly (readonly [EncodedKey, StoredRecord])[]): void {
    const revision = this.#queue.headRevision;
    const last = found.at(-1)?.[0];
    if (last === undefined || found.length < (limit ?? Number.POSITIVE_INFINITY)) {
      if (limit !== 0) this.ranges.push({ start, end, revision });
    } else if (reverse) this.ranges.push({ start: last, end, revision });
    else this.ranges.push({ start, end: `${last}\x00`, revision });
  }

  #open(): undefined;
  #open(key: Key): EncodedKey;
  #open(key?: Key): EncodedKey | undefined {
    if (this.#over) throw new Error('this transaction is over: await everything inside its body');
    return key && encodeKey(key);
  }
}
