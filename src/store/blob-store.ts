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
}

/**
 * Content-addressed files. A blob is written to a temporary file, synced, renamed to its digest, and lives as long as
 * a reference to it is in the store (references are written in the same transaction as the data that names the blob)
 * or a `Lease` holds it.
 */
export interface BlobStore {
  /** Streams `source` to disk in constant memory. The result is held by a lease until `release`. */
  write(source: AsyncIterable<Uint8Array>, options?: WriteBlobOptions): Promise<Blob & BlobLease>;
  /** Opens bytes `start`..`end` (inclusive, like HTTP ranges); the whole blob by default. */
  open(digest: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  /** Path of the finished file, for mounting and for sendfile. */
  path(digest: string): string;
  /** Adds a reference inside `transaction`. `owner` names who refers to it, e.g. `['s3', account, bucket, key, version]`. */
  reference(transaction: Transaction, digest: string, owner: readonly string[]): void;
  /** Removes that reference inside `transaction`; the file goes at the next collection when none is left. */
  dereference(transaction: Transaction, digest: string, owner: readonly string[]): void;
  /** Deletes files without a reference or lease. */
  collect(): Promise<{ readonly deleted: number; readonly bytes: number }>;
  close(): Promise<void>;
}

/** Keeps a blob from being collected until a reference to it has been committed. */
export interface BlobLease {
  release(): void;
}
