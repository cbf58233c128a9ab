import type { Change, Driver } from './driver.ts';
import { encodeLog } from './history.ts';
import type { EncodedKey } from './key-codec.ts';
import { createRevisionOf, type StoredRecord, stamp } from './record.ts';

/** How many revisions, and about how many bytes, of history to keep. */
export interface HistoryLimits {
  readonly revisions: number;
  readonly bytes: number;
}

/** Enough for watchers that were away for some minutes, small enough not to matter on disk. */
export const DEFAULT_HISTORY: HistoryLimits = { revisions: 10_000, bytes: 64 * 1024 * 1024 };

/** Somebody who waits for a batch to become durable. Exactly one of the three is called. */
export interface Waiter {
  durable(): void;
  /** The batch that held its writes could not be written. */
  failed(error: Error): void;
  /** What it built on could not be written: begin again. */
  replay(): void;
  /** Whether it has writes in the batch (else it only waits for what it has read). */
  readonly wrote: boolean;
}

export interface CommitListener {
  /** These changes, in order, are durable now. */
  committed(changes: readonly Change[]): void;
  /** The head is back at what is durable. */
  rolledBack(): void;
}

/** A write was not stored: nothing of its commit is there, and the store goes on. The cause tells why. */
export class StoreWriteError extends Error {
  constructor(cause: unknown) {
    super(`the store could not write: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'StoreWriteError';
  }
}

/**
 * Puts writes in order, gives each its revision, and commits as many together as have gathered while the previous
 * commit was under way. `head` is the state with everything accepted; what is durable follows behind. Only
 * transactions read the head: their own commit can never become durable before what they have read.
 */
export class CommitQueue {
  readonly #driver: Driver;
  readonly #limits: HistoryLimits;
  readonly #listener: CommitListener;
  /** Accepted but not yet durable. */
  readonly #pending = new Map<EncodedKey, { readonly revision: number; readonly record: StoredRecord | undefined }>();
  #changes: Change[] = [];
  #waiters: Waiter[] = [];
  #headRevision: number;
  #durableRevision: number;
  #compactedRevision: number;
  #compactTo: number;
  #scheduled = false;
  #commits = 0;
  /** Counts the failures: a transaction that began before one may have read what never was. */
  #failures = 0;
  #idle: (() => void)[] = [];

  constructor(driver: Driver, limits: HistoryLimits, listener: CommitListener) {
    this.#driver = driver;
    this.#limits = limits;
    this.#listener = listener;
    this.#headRevision = driver.openedRevision;
    this.#durableRevision = driver.openedRevision;
    this.#compactedRevision = driver.openedCompactedRevision;
    this.#compactTo = driver.openedCompactedRevision;
  }

  get headRevision(): number {
    return this.#headRevision;
  }

  get durableRevision(): number {
    return this.#durableRevision;
  }

  get compactedRevision(): number {
    return this.#compactedRevision;
  }

  get failures(): number {
    return this.#failures;
  }

  /** What `key` holds at the head. */
  read(key: EncodedKey): StoredRecord | undefined {
    const pending = this.#pending.get(key);
    return pending ? pending.record : this.#driver.get(key);
  }

  /** The keys in [start, end) that are not yet as the head has them in the driver. */
  pendingIn(start: EncodedKey, end: EncodedKey): Map<EncodedKey, StoredRecord | undefined> {
    const found = new Map<EncodedKey, StoredRecord | undefined>();
    for (const [key, { record }] of this.#pending) if (key >= start && key < end) found.set(key, record);
    return found;
  }

  /** Accepts writes (undefined deletes) as one revision; returns it, or the present one when nothing changes. */
  append(writes: Iterable<readonly [EncodedKey, StoredRecord | undefined]>): number {
    const revision = this.#headRevision + 1;
    for (const [key, next] of writes) {
      const previous = this.read(key);
      if (!next && !previous) continue;
      if (next) stamp(next, previous ? createRevisionOf(previous) : revision, revision);
      this.#changes.push({ revision, key, next, previous });
      this.#pending.set(key, { revision, record: next });
      this.#headRevision = revision;
    }
    return this.#headRevision;
  }

  /** Calls one of the waiter's functions when everything accepted so far is durable, or could not be written. */
  wait(waiter: Waiter): void {
    if (this.#headRevision === this.#durableRevision) {
      waiter.durable();
      return;
    }
    this.#waiters.push(waiter);
    this.#schedule();
  }

  /** Forgets history up to `revision` with the next commit. */
  compact(revision: number): Promise<void> {
    this.#compactTo = Math.max(this.#compactTo, revision);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ wrote: true, durable: resolve, failed: reject, replay: resolve });
      this.#schedule();
    });
  }

  /** Resolves when nothing is waiting to be written. */
  idle(): Promise<void> {
    if (!this.#scheduled) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#driver.gathers) setImmediate(() => void this.#run());
    else queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiters.length > 0 || this.#changes.length > 0) {
      const changes = this.#changes;
      const waiters = this.#waiters;
      this.#changes = [];
      this.#waiters = [];
      const revision = changes.at(-1)?.revision ?? this.#durableRevision;
      this.#compactSoon(revision);
      const compactedRevision = this.#compactTo;
      try {
        await this.#driver.commit({
          revision,
          writes: this.#latest(changes),
          log: changes.length > 0 ? encodeLog(changes) : undefined,
          compactedRevision,
        });
      } catch (error) {
        this.#fail(waiters, new StoreWriteError(error));
        continue;
      }
      this.#durableRevision = revision;
      this.#compactedRevision = compactedRevision;
      for (const change of changes) {
        if (this.#pending.get(change.key)?.revision === change.revision) this.#pending.delete(change.key);
      }
      if (changes.length > 0) this.#listener.committed(changes);
      for (const waiter of waiters) waiter.durable();
    }
    this.#scheduled = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Of several changes of a key in one commit, the last is written. */
  *#latest(changes: readonly Change[]): Iterable<readonly [EncodedKey, StoredRecord | undefined]> {
    for (const { key, revision, next } of changes) {
      if (this.#pending.get(key)?.revision === revision) yield [key, next];
    }
  }

  /** Takes back everything that is not durable. Whoever did not have writes in the failed batch begins again. */
  #fail(waiters: readonly Waiter[], error: Error): void {
    const later = this.#waiters;
    this.#waiters = [];
    this.#changes = [];
    this.#pending.clear();
    this.#headRevision = this.#durableRevision;
    this.#compactTo = this.#compactedRevision;
    this.#failures++;
    this.#listener.rolledBack();
    for (const waiter of waiters) {
      if (waiter.wrote) waiter.failed(error);
      else waiter.replay();
    }
    for (const waiter of later) waiter.replay();
  }

  /** Moves the compaction on in strides of an eighth of what is kept. */
  #compactSoon(revision: number): void {
    const { revisions, bytes } = this.#limits;
    if (revision - this.#compactTo > revisions + revisions / 8) this.#compactTo = revision - revisions;
    if (++this.#commits % 64 !== 0) return;
    const size = this.#driver.logSize();
    if (size > bytes + bytes / 8) {
      const kept = this.#durableRevision - this.#compactTo;
      this.#compactTo += Math.ceil(kept * (1 - bytes / size));
    }
  }
}
