/**
 * The store's interface: an ordered key-value store with one global revision, compare-and-swap transactions, range
 * reads and gap-free watches. Everything is asynchronous so that a driver may live in another process.
 */

/** A key is a tuple. Order: by part; numbers before strings before byte arrays; a prefix before its extensions. */
export type KeyPart = string | number | Uint8Array;
export type Key = readonly KeyPart[];

/** Plain data: JSON values plus `Uint8Array` (read back as `Buffer`) and `undefined` members (dropped). Never class instances. */
export type Value = unknown;

export interface Entry<V = Value> {
  readonly key: Key;
  readonly value: V;
  /** Revision of the transaction that created the key (after its last deletion). */
  readonly createRevision: number;
  /** Revision of the transaction that last wrote it. */
  readonly modRevision: number;
}

export interface RangeOptions {
  /** Keys that start with these parts. */
  readonly prefix: Key;
  /** Start strictly after this key. */
  readonly after?: Key;
  /** Start at this key (inclusive). */
  readonly from?: Key;
  /** Stop before this key (exclusive). */
  readonly before?: Key;
  readonly reverse?: boolean;
  /** Most entries to return. */
  readonly limit?: number;
  /** Read as of this revision; `CompactedError` when history no longer reaches it. */
  readonly revision?: number;
}

/**
 * The view inside a transaction: reads see its own writes (with revisions 0: they have none yet); the commit fails and
 * reruns if anything read has changed. It ends with the body: a call after that throws.
 */
export interface Transaction {
  get<V = Value>(key: Key): Promise<Entry<V> | undefined>;
  /** Entries in key order, own writes included; a key that later appears in the range conflicts too. */
  range<V = Value>(options: Omit<RangeOptions, 'revision'>): Promise<Entry<V>[]>;
  put(key: Key, value: Value): void;
  delete(key: Key): void;
}

export type ChangeEvent<V = Value> =
  | {
      readonly type: 'put';
      readonly entry: Entry<V>;
      readonly previous: Entry<V> | undefined;
      readonly revision: number;
    }
  | { readonly type: 'delete'; readonly key: Key; readonly previous: Entry<V>; readonly revision: number };

/** All changes of one revision that match the watch, together. */
export interface ChangeBatch<V = Value> {
  readonly revision: number;
  readonly events: readonly ChangeEvent<V>[];
}

export interface Watch<V = Value> extends AsyncIterable<ChangeBatch<V>> {
  close(): void;
}

export interface TransactOptions {
  /** Told the revision of the commit, once it is durable; not called when nothing was written. */
  onCommit?(revision: number): void;
}

export interface Store {
  /** The directory of this machine that everything is kept in; none when that is in memory, or somewhere else. */
  readonly directory?: string;
  /** The revision of the last commit; 0 for a new store. */
  readonly revision: number;
  get<V = Value>(key: Key, options?: { readonly revision?: number }): Promise<Entry<V> | undefined>;
  range<V = Value>(options: RangeOptions): Promise<Entry<V>[]>;
  /** One write, unconditionally, durable when the promise resolves to its revision. The fast path. */
  put(key: Key, value: Value): Promise<number>;
  /** One deletion, unconditionally; resolves to the revision (unchanged when the key was not there). */
  delete(key: Key): Promise<number>;
  /**
   * Runs `body` and commits its writes atomically, durable when the promise resolves. Runs `body` again when what it
   * read has changed meanwhile, so `body` must have no other effects. What `body` throws aborts and is rethrown.
   */
  transact<T>(body: (transaction: Transaction) => Promise<T>, options?: TransactOptions): Promise<T>;
  /** Changes under `prefix` after `fromRevision` (exclusive; default: now), without gaps; `CompactedError` if too old. */
  watch<V = Value>(options: { readonly prefix: Key; readonly fromRevision?: number }): Watch<V>;
  /** Forgets history up to and including `revision`; current values stay. */
  compact(revision: number): Promise<void>;
  /** Resolves when everything acknowledged so far is on disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** History up to `compactedRevision` is gone. */
export class CompactedError extends Error {
  readonly compactedRevision: number;
  constructor(compactedRevision: number) {
    super(`history up to revision ${compactedRevision} has been compacted`);
    this.name = 'CompactedError';
    this.compactedRevision = compactedRevision;
  }
}
