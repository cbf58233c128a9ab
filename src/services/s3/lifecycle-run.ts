import type { Entry, Key, Transaction } from '../../store/index.ts';
import { deleteInTransaction } from './delete-object.ts';
import { bucketKey, currentKey } from './keys.ts';
import { abortOf, expirationOf, markerExpirationOf, noncurrentExpirationOf } from './lifecycle-due.ts';
import type { StoredRule } from './lifecycle-rules.ts';
import { removeUpload } from './multipart-upload.ts';
import type { EventOrigin } from './notifications.ts';
import type { BucketRecord, UploadRecord, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';

const pageSize = 500;
const eventNames = {
  deleted: 'LifecycleExpiration:Delete',
  marked: 'LifecycleExpiration:DeleteMarkerCreated',
};

/**
 * Does for one bucket what was due at `asOf`, a midnight: removes expired objects and versions, delete markers with
 * nothing under them, and uploads that nobody completed. Doing it again does no more.
 * Source: S3 User Guide, "Managing the lifecycle of objects".
 */
export async function runLifecycle(s3: S3State, name: string, asOf: number): Promise<void> {
  const rules =
    (await s3.store.get<readonly StoredRule[]>(['s3', 'config', 'lifecycle', name]))?.value.filter((r) => r.enabled) ??
    [];
  if (rules.length === 0) return;
  const run: Run = { s3, name, rules, asOf, origin: lifecycleOrigin(s3) };
  // Versions first: a delete marker may be left alone by it.
  if (rules.some((rule) => rule.noncurrent)) await expireNoncurrent(run);
  if (rules.some((rule) => rule.expiration)) await expireCurrent(run);
  if (rules.some((rule) => rule.abortDays !== undefined)) await abortUploads(run);
}

interface Run {
  readonly s3: S3State;
  readonly name: string;
  readonly rules: readonly StoredRule[];
  readonly asOf: number;
  readonly origin: EventOrigin;
}

function lifecycleOrigin(s3: S3State): EventOrigin {
  return {
    requestId: s3.random.hex(16).toUpperCase(),
    sourceIp: 's3.amazonaws.com',
    principalId: 's3.amazonaws.com',
    requester: 's3.amazonaws.com',
  };
}

async function* pages<V>(s3: S3State, prefix: Key): AsyncGenerator<Entry<V>[]> {
  let after: Key | undefined;
  for (;;) {
    const page = await s3.store.range<V>({ prefix, ...(after === undefined ? {} : { after }), limit: pageSize });
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    after = page.at(-1)!.key;
  }
}

const isDue = (run: Run, due: { readonly time: number } | undefined): boolean =>
  due !== undefined && due.time <= run.asOf;

/** Runs `change` for a bucket that is still there. */
async function change(
  run: Run,
  body: (transaction: Transaction, bucket: BucketRecord) => Promise<void>,
): Promise<void> {
  await run.s3.store.transact(async (transaction) => {
    const bucket = (await transaction.get<BucketRecord>(bucketKey(run.name)))?.value;
    if (bucket) await body(transaction, bucket);
  });
}

async function expireNoncurrent(run: Run): Promise<void> {
  const { s3, name, rules, origin } = run;
  let key: string | undefined;
  let newer = 0;
  for await (const page of pages<VersionRecord>(s3, ['s3', 'noncurrent', name])) {
    const expired: { readonly key: string; readonly versionId: string }[] = [];
    for (const entry of page) {
      const name = entry.key[3] as string;
      newer = name === key ? newer + 1 : 0;
      key = name;
      if (isDue(run, noncurrentExpirationOf(rules, name, entry.value, newer))) {
        expired.push({ key: name, versionId: entry.value.versionId });
      }
    }
    if (expired.length === 0) continue;
    await change(run, async (transaction, bucket) => {
      for (const version of expired) {
        await deleteInTransaction(s3, transaction, bucket, { ...version, origin, names: eventNames });
      }
    });
  }
}

async function expireCurrent(run: Run): Promise<void> {
  const { s3, name, rules } = run;
  for await (const page of pages<VersionRecord>(s3, ['s3', 'current', name])) {
    const candidates: string[] = [];
    for (const entry of page) {
      const key = entry.key[3] as string;
      const due = entry.value.deleteMarker
        ? markerExpirationOf(rules, key, entry.value)
        : expirationOf(rules, key, entry.value);
      if (isDue(run, due)) candidates.push(key);
    }
    if (candidates.length === 0) continue;
    await change(run, async (transaction, bucket) => {
      for (const key of candidates) await expireKey(run, transaction, bucket, key);
    });
  }
}

/** Looks again inside the transaction: the key may have been written since. */
async function expireKey(run: Run, transaction: Transaction, bucket: BucketRecord, key: string): Promise<void> {
  const { s3, rules, origin } = run;
  const current = (await transaction.get<VersionRecord>(currentKey(bucket.name, key)))?.value;
  if (!current) return;
  if (!current.deleteMarker) {
    if (!isDue(run, expirationOf(rules, key, current))) return;
    await deleteInTransaction(s3, transaction, bucket, { key, origin, names: eventNames });
    return;
  }
  if (!isDue(run, markerExpirationOf(rules, key, current))) return;
  const [version] = await transaction.range({ prefix: ['s3', 'noncurrent', bucket.name, key], limit: 1 });
  if (version) return;
  await deleteInTransaction(s3, transaction, bucket, {
    key,
    versionId: current.versionId,
    origin,
    names: eventNames,
  });
}

async function abortUploads(run: Run): Promise<void> {
  const { s3, name, rules } = run;
  for await (const page of pages<UploadRecord>(s3, ['s3', 'upload', name])) {
    for (const entry of page) {
      const key = entry.key[3] as string;
      if (!isDue(run, abortOf(rules, key, entry.value.initiatedAt))) continue;
      await change(run, (transaction) =>
        removeUpload(s3, transaction, { bucket: name, key, uploadId: entry.key[4] as string }),
      );
    }
  }
}
