import type { Readable } from 'node:stream';
import type { Transaction } from './store.ts';

/** A finished blob. `digest` is `sha256:<64 hex digits>`. */
export interface Blob {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

export interface WriteBlobOptions {
  /** Refuse (and leave nothing behind) past this many bytes: rejects with `BlobTooLargeError`. */
  readonly maxSize?: number;
  /** The digest it must have: rejects with `BlobDigestError`, leaving nothing behind, when it has another. */
  readonly digest?: string;
}

/**
 * Content-addressed files. A blob is written to a temporary file, synced, renamed to its digest, and lives as long as
 * a reference to it is in the store (references are written in the same transaction as the data that names the blob)
 * or a `Lease` holds it.
 */
export interface BlobStore {
  /**
   * Streams `source` to disk in constant memory (bytes that are in memory already are written without a copy). The
   * result is held by a lease until `release`. Chunks must not be changed by the caller afterwards.
   */
  write(source: AsyncIterable<Uint8Array> | Uint8Array, options?: WriteBlobOptions): Promise<Blob & BlobLease>;
  /**
   * Takes over a complete file without copying it, where it is on the same file system: it is gone from `path` then. The
   * caller has computed `digest` and `size` while it wrote the file. Held by a lease until `release`.
   */
  adopt(path: string, blob: Blob): Promise<Blob & BlobLease>;
  /** Opens bytes `start`..`end` (inclusive, like HTTP ranges); the whole blob by default. `BlobNotFoundError`. */
  open(digest: string, range?: BlobRange): Promise<Readable>;
  /** The same bytes in one buffer: the fast way for what is small enough to be held in memory. `BlobNotFoundError`. */
  read(digest: string, range?: BlobRange): Promise<Buffer>;
  /**
   * Holds a blob that is there already; undefined when it is not. Whoever wants to refer to a blob that it neither
   * wrote nor finds referenced in the same transaction takes a lease first.
   */
  lease(digest: string): Promise<(Blob & BlobLease) | undefined>;
  /** Path of the finished file, for mounting and for sendfile. */
  path(digest: string): string;
  /**
   * Adds a reference inside `transaction`. `owner` names who refers to it, e.g. `['s3', account, bucket, key, version]`. A SHA-512
   * digest names no file here, but references by it are kept like others, for who gives blobs second names.
   */
  reference(transaction: Transaction, digest: string, owner: readonly string[]): void;
  /** Removes that reference inside `transaction`; the file goes at the next collection when none is left. */
  dereference(transaction: Transaction, digest: string, owner: readonly string[]): void;
  /** Whether anything refers to it. */
  isReferenced(digest: string, reader?: Pick<Transaction, 'range'>): Promise<boolean>;
  /** Has `forget` take away references that mean nothing any more, before each collection; a later one takes its place. */
  beforeCollecting(forget: () => Promise<void>): void;
  /** Has files collected by and by, when there is a clock. */
  collectLater(): void;
  /** Deletes files without a reference or lease. */
  collect(): Promise<{ readonly deleted: number; readonly bytes: number }>;
  close(): Promise<void>;
}

/** Bytes `start`..`end`, both inclusive. */
export interface BlobRange {
  readonly start: number;
  readonly end: number;
}

/** More bytes came than the caller allows; nothing of them is kept. */
export class BlobTooLargeError extends Error {
  readonly maxSize: number;
  constructor(maxSize: number) {
    super(`the blob is larger than ${maxSize} bytes`);
    this.name = 'BlobTooLargeError';
    this.maxSize = maxSize;
  }
}

/** The content is not the one that was asked for; nothing of it is kept. */
export class BlobDigestError extends Error {
  readonly expected: string;
  readonly actual: string;
  constructor(expected: string, actual: string) {
    super(`the content has digest ${actual} instead of ${expected}`);
    this.name = 'BlobDigestError';
    this.expected = expected;
    this.actual = actual;
  }
}

/** There is no such blob: never was, or it was collected after its last reference went. */
export class BlobNotFoundError extends Error {
  readonly digest: string;
  constructor(digest: string, cause?: unknown) {
    super(`there is no blob ${digest}`, { cause });
    this.name = 'BlobNotFoundError';
    this.digest = digest;
  }
}

/** Keeps a blob from being collected until a reference to it has been committed. */
export interface BlobLease {
  release(): void;
}
