export type { Blob, BlobLease, BlobStore, WriteBlobOptions } from './blob-store.ts';
export type {
  ChangeBatch,
  ChangeEvent,
  Entry,
  Key,
  KeyPart,
  RangeOptions,
  Store,
  Transaction,
  Value,
  Watch,
} from './store.ts';
export { CompactedError } from './store.ts';
