import { Packr, RESERVE_START_SPACE } from 'msgpackr';
import { decodeKey, type EncodedKey } from './key-codec.ts';
import type { Entry, Key, Value } from './store.ts';

/**
 * A value as it lies in a driver: create revision and mod revision (6 bytes each), then MessagePack. The revisions are
 * filled in when the write takes its place in the order of commits.
 */
export type StoredRecord = Buffer;

const HEADER = 12;

// `copyBuffers`: bytes in a decoded value are the caller's own, never a window into the store.
// `skipValues` (missing in the package's types): undefined members are dropped.
const codec = new Packr({
  useRecords: false,
  variableMapSize: true,
  copyBuffers: true,
  skipValues: [undefined],
} as ConstructorParameters<typeof Packr>[0]);

/** Encodes a value, its revisions still to be written by `stamp`. */
export function encodeRecord(value: Value): StoredRecord {
  return codec.pack(value, RESERVE_START_SPACE + HEADER);
}

export function stamp(record: StoredRecord, createRevision: number, modRevision: number): void {
  record.writeUIntBE(createRevision, 0, 6);
  record.writeUIntBE(modRevision, 6, 6);
}

export function createRevisionOf(record: StoredRecord): number {
  return record.readUIntBE(0, 6);
}

export function modRevisionOf(record: StoredRecord): number {
  return record.readUIntBE(6, 6);
}

/** The entry that a record holds. Each call decodes anew: callers may change what they get. */
export function decodeRecord<V>(key: Key | EncodedKey, record: StoredRecord): Entry<V> {
  return {
    key: typeof key === 'string' ? decodeKey(key) : key,
    value: codec.unpack(record, { start: HEADER, end: record.length }) as V,
    createRevision: createRevisionOf(record),
    modRevision: modRevisionOf(record),
  };
}
