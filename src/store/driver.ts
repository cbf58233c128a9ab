import type { EncodedKey } from './key-codec.ts';
import type { StoredRecord } from './record.ts';

/** What a commit changes, one element per key and revision, in order. */
export interface Change {
  readonly revision: number;
  readonly key: EncodedKey;
  /** Undefined: the key is deleted. */
  readonly next: StoredRecord | undefined;
  /** What the key held just before; undefined when there was nothing. */
  readonly previous: StoredRecord | undefined;
}

/** What becomes durable together. */
export interface Commit {
  /** The last revision in it; 0 entries in `writes` and `log` when this only compacts. */
  readonly revision: number;
  /** The last state of each key that changed. */
  readonly writes: Iterable<readonly [EncodedKey, StoredRecord | undefined]>;
  /** Undo log of the revisions in this commit (see history.ts). */
  readonly log: Buffer | undefined;
  /** History up to here is forgotten: log entries whose last revision is not above it go. */
  readonly compactedRevision: number;
}

/** Bounds of a scan over encoded keys: `start` inclusive, `end` exclusive. */
export interface Scan {
  readonly start: EncodedKey;
  readonly end: EncodedKey;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/**
 * Ordered bytes with atomic commits: all that a driver has to offer. Reads are synchronous and see the last commit (or,
 * while one is being acknowledged, already the next). Commits come one at a time.
 */
export interface Driver {
  /** Revision of the last commit found when the driver was opened. */
  readonly openedRevision: number;
  readonly openedCompactedRevision: number;
  /** Commits cost a disk flush: worth waiting for the end of an event-loop turn to gather more writes. */
  readonly gathers: boolean;
  get(key: EncodedKey): StoredRecord | undefined;
  scan(scan: Scan): Iterable<readonly [EncodedKey, StoredRecord]>;
  /** Log entries whose last revision is above `revision`, oldest first, or newest first when `reverse`. */
  log(afterRevision: number, reverse: boolean): Iterable<Buffer>;
  /** About how many bytes the log holds. */
  logSize(): number;
  commit(commit: Commit): Promise<void>;
  close(): Promise<void>;
}
