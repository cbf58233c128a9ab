import type { Readable } from 'node:stream';
import type { Blob, BlobLease, BlobRange, Transaction } from '../store/index.ts';

export interface WriteContentOptions {
  /** What the content must have; rejects with `BlobDigestError`, keeping nothing. Of SHA-256 or SHA-512. */
  readonly digest?: string;
  /** The size it must have; rejects with `SizeMismatchError`. */
  readonly size?: number;
  /** Refuse past this many bytes. */
  readonly maxSize?: number;
}

/**
 * Blobs of images and registries, by digest: one store for both, over the data directory's blobs. A `sha512:` digest is
 * a second name of a blob that is kept by its SHA-256. Nothing is deleted while it is referenced or leased.
 */
export interface ContentStore {
  /** Size in bytes, `undefined` when it is not there. */
  stat(digest: string): Promise<{ readonly size: number } | undefined>;
  /** Streams bytes `start`..`end`, both inclusive; everything by default. `BlobNotFoundError`. */
  open(digest: string, range?: BlobRange): Promise<Readable>;
  /** For what is small: manifests, configurations. `BlobNotFoundError`. */
  read(digest: string): Promise<Buffer>;
  /** Writes and verifies. The result's digest is the one that was asked for, SHA-256 unless told; leased until `release`. */
  write(source: AsyncIterable<Uint8Array> | Uint8Array, options?: WriteContentOptions): Promise<Blob & BlobLease>;
  /**
   * Takes over a complete file without copying it: it is gone from `path` then. `blob.digest` is its SHA-256 and `blob.size` its
   * size, both computed by the caller while it wrote the file; `name` a SHA-512 digest that the caller has verified and
   * by which it is to be known, too. The result has that digest if there is one. Leased until `release`.
   */
  adopt(path: string, blob: Blob, name?: string): Promise<Blob & BlobLease>;
  /** Holds what is there already; `undefined` when it is not. */
  lease(digest: string): Promise<(Blob & BlobLease) | undefined>;
  reference(transaction: Transaction, digest: string, owner: readonly string[]): void;
  dereference(transaction: Transaction, digest: string, owner: readonly string[]): void;
  /** Path of the finished file. */
  path(digest: string): Promise<string>;
  /** Deletes what is neither referenced nor leased. */
  collect(): Promise<{ readonly deleted: number; readonly bytes: number }>;
}

/** More or fewer bytes came than were told; nothing of them is kept. */
export class SizeMismatchError extends Error {
  readonly expected: number;
  constructor(expected: number, actual: number) {
    super(
      actual > expected
        ? `the content is larger than the ${expected} bytes that were told`
        : `the content has ${actual} bytes instead of ${expected}`,
    );
    this.name = 'SizeMismatchError';
    this.expected = expected;
  }
}
