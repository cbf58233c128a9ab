import type { Transaction } from '../../store/index.ts';
import { dropBody } from './bodies.ts';
import { invalidArgument } from './errors.ts';
import { currentKey, noncurrentKey } from './keys.ts';
import type { BucketRecord, DeleteMarkerRecord, ObjectRecord, VersionRecord } from './records.ts';
import { invertSequence } from './sequence.ts';
import { newVersionSuffix, type S3State } from './state.ts';

/**
 * The versions of a key. The newest is kept apart from the noncurrent ones; it remembers where among those the null
 * version is. Source: S3 User Guide, "How S3 Versioning works".
 */

export const nullVersion = 'null';
const orderDigits = 18;

/** Digits that grow with each change of a key: the `sequencer` of its events. */
export function sequencerOf(record: VersionRecord): string {
  return invertSequence(record.order.slice(0, orderDigits)).toUpperCase();
}

function newOrder(s3: S3State, current: VersionRecord | undefined): string {
  const floor = current && invertSequence(current.order.slice(0, orderDigits));
  return invertSequence(s3.sequence.next(floor));
}

/** A sequencer for a change that leaves no version behind. */
export function nextSequencer(s3: S3State, current: VersionRecord | undefined): string {
  return invertSequence(newOrder(s3, current)).toUpperCase();
}

/** Throws `InvalidArgument` for text that cannot be a version id. */
export function checkVersionId(versionId: string): void {
  if (versionId !== nullVersion && !/^[0-9a-f]{18}[0-9A-Za-z]{14}$/.test(versionId)) {
    throw invalidArgument('Invalid version id specified', 'versionId', versionId);
  }
}

/** What a writer tells of a new version; identity and order are given here. */
export type NewVersion =
  | Omit<ObjectRecord, 'versionId' | 'order' | 'nullOrder' | 'noncurrentSince'>
  | Omit<DeleteMarkerRecord, 'versionId' | 'order' | 'nullOrder' | 'noncurrentSince'>;

/**
 * Makes `version` the newest of its key, as the bucket's versioning asks: the one before is replaced or kept as
 * noncurrent. `current` is the newest one as read in the same transaction.
 */
export async function addVersion<V extends NewVersion>(
  s3: S3State,
  transaction: Transaction,
  target: { readonly bucket: BucketRecord; readonly key: string },
  current: VersionRecord | undefined,
  version: V,
): Promise<V & VersionRecord> {
  const { bucket, key } = target;
  const digits = newOrder(s3, current);
  let nullOrder: string | undefined;
  let versionId: string;
  let order: string;
  if (bucket.versioning === 'Enabled') {
    versionId = digits + newVersionSuffix(s3);
    order = versionId;
    nullOrder = current?.versionId === nullVersion ? current.order : current?.nullOrder;
    if (current) retire(s3, transaction, bucket.name, key, current);
  } else {
    versionId = nullVersion;
    order = digits + nullVersion;
    if (current?.versionId === nullVersion) await dropRecordBody(s3, transaction, current);
    else if (current) {
      retire(s3, transaction, bucket.name, key, current);
      if (current.nullOrder !== undefined) await removeNoncurrent(s3, transaction, bucket.name, key, current.nullOrder);
    }
  }
  const record = { ...version, versionId, order, ...(nullOrder === undefined ? {} : { nullOrder }) };
  transaction.put(currentKey(bucket.name, key), record);
  return record as V & VersionRecord;
}

function retire(s3: S3State, transaction: Transaction, bucket: string, key: string, current: VersionRecord): void {
  const { nullOrder: _, ...kept } = current;
  transaction.put(noncurrentKey(bucket, key, current.order), { ...kept, noncurrentSince: s3.clock.now() });
}

async function removeNoncurrent(
  s3: S3State,
  transaction: Transaction,
  bucket: string,
  key: string,
  order: string,
): Promise<VersionRecord | undefined> {
  const storeKey = noncurrentKey(bucket, key, order);
  const entry = await transaction.get<VersionRecord>(storeKey);
  if (!entry) return undefined;
  transaction.delete(storeKey);
  await dropRecordBody(s3, transaction, entry.value);
  return entry.value;
}

async function dropRecordBody(s3: S3State, transaction: Transaction, record: VersionRecord): Promise<void> {
  if (!record.deleteMarker) await dropBody(s3, transaction, record.body);
}

/** Finds one version, `null` or by id; `undefined` when there is none. */
export async function findVersion(
  reader: Pick<Transaction, 'get'>,
  bucket: string,
  key: string,
  versionId: string,
  current: VersionRecord | undefined,
): Promise<VersionRecord | undefined> {
  if (!current) return undefined;
  if (current.versionId === versionId) return current;
  const order = versionId === nullVersion ? current.nullOrder : versionId;
  if (order === undefined) return undefined;
  return (await reader.get<VersionRecord>(noncurrentKey(bucket, key, order)))?.value;
}

/** Deletes one version for good; the next newest becomes current. Returns it, `undefined` when there is none. */
export async function removeVersion(
  s3: S3State,
  transaction: Transaction,
  bucket: string,
  key: string,
  versionId: string,
): Promise<VersionRecord | undefined> {
  const current = (await transaction.get<VersionRecord>(currentKey(bucket, key)))?.value;
  if (!current) return undefined;
  if (current.versionId !== versionId) {
    const order = versionId === nullVersion ? current.nullOrder : versionId;
    if (order === undefined) return undefined;
    const removed = await removeNoncurrent(s3, transaction, bucket, key, order);
    if (removed && versionId === nullVersion) {
      const { nullOrder: _, ...rest } = current;
      transaction.put(currentKey(bucket, key), rest);
    }
    return removed;
  }
  await dropRecordBody(s3, transaction, current);
  const [next] = await transaction.range<VersionRecord>({ prefix: ['s3', 'noncurrent', bucket, key], limit: 1 });
  if (!next) {
    transaction.delete(currentKey(bucket, key));
    return current;
  }
  transaction.delete(next.key);
  const { noncurrentSince: _, ...promoted } = next.value;
  const nullOrder = promoted.versionId === nullVersion ? undefined : current.nullOrder;
  transaction.put(currentKey(bucket, key), { ...promoted, ...(nullOrder === undefined ? {} : { nullOrder }) });
  return current;
}

/** Replaces the record of one version where it is (tags). */
export function rewriteVersion(
  transaction: Transaction,
  bucket: string,
  key: string,
  current: VersionRecord,
  changed: VersionRecord,
): void {
  const isCurrent = current.order === changed.order;
  transaction.put(isCurrent ? currentKey(bucket, key) : noncurrentKey(bucket, key, changed.order), changed);
}
