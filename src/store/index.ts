export type { Blob, BlobLease, BlobRange, BlobStore, WriteBlobOptions } from './blob-store.ts';
export { BlobDigestError, BlobNotFoundError, BlobTooLargeError } from './blob-store.ts';
export { type BlobStoreOptions, openBlobStore } from './blobs/blob-files.ts';
export { type HistoryLimits, StoreWriteError } from './commit-queue.ts';
export { type LmdbStoreOptions, openLmdbStore } from './lmdb-store.ts';
export { type MemoryStoreOptions, openMemoryStore } from './memory-store.ts';
export type {
  ChangeBatch,
  ChangeEvent,
  Entry,
  Key,
  KeyPart,
  RangeOptions,
  Store,
  Transaction,
  TransactOptions,
  Value,
  Watch,
} from './store.ts';
export { CompactedError } from './store.ts';
export { isGone, noteStorePlace, type StorePlace } from './store-place.ts';
