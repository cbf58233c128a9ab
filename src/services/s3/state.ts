import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { BlobStore, Store } from '../../store/index.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Md5Thread } from './md5-thread.ts';
import type { Sequence } from './sequence.ts';

/** What the operations work on. */
export interface S3State {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Pick<Delivery, 'enqueue' | 'supports' | 'permits'>;
  /** True when the wire asks `authorization` before each operation; else accounts are kept apart here. */
  readonly enforcing: boolean;
  readonly sequence: Sequence;
  /** Told apart from what other runs and processes make. */
  readonly instance: string;
  /** Bodies up to this many bytes live in the store, larger ones in files. */
  readonly inlineLimit: number;
  /** For bodies on their way to a file. */
  readonly buffers: BufferPool;
  readonly md5: Md5Thread;
  /** Called when a bucket got lifecycle rules. */
  readonly lifecycleChanged: () => void;
}

const idAlphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A name for a body's bytes that is never used again; starts with the time, so that new ones are appended. */
export function newBodyId(s3: S3State): string {
  return s3.sequence.next() + s3.instance;
}

export function newUploadId(s3: S3State): string {
  return s3.sequence.next() + s3.random.from(idAlphabet, 46);
}

/** Makes a version's public id from its order's digits. */
export function newVersionSuffix(s3: S3State): string {
  return s3.random.from(idAlphabet, 14);
}
