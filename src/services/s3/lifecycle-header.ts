import { configKey } from './keys.ts';
import { abortOf, expirationOf } from './lifecycle-due.ts';
import type { StoredRule } from './lifecycle-rules.ts';
import type { BucketRecord, UploadRecord, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';

async function rulesOf(s3: S3State, bucket: BucketRecord): Promise<readonly StoredRule[]> {
  if (!bucket.hasLifecycle) return [];
  return (await s3.store.get<readonly StoredRule[]>(configKey('lifecycle', bucket.name)))?.value ?? [];
}

/** `x-amz-expiration`, which tells when lifecycle will remove the object. Source: S3 API Reference, "HeadObject". */
export async function expirationHeader(
  s3: S3State,
  bucket: BucketRecord,
  key: string,
  record: VersionRecord,
): Promise<{ Expiration?: string }> {
  if (!bucket.hasLifecycle || record.deleteMarker || record.noncurrentSince !== undefined) return {};
  const due = expirationOf(await rulesOf(s3, bucket), key, record);
  if (!due) return {};
  const date = new Date(due.time).toUTCString();
  return { Expiration: `expiry-date="${date}", rule-id="${encodeURIComponent(due.ruleId)}"` };
}

/** `x-amz-abort-date` and its rule, which tell when lifecycle will abort the upload. */
export async function abortHeaders(
  s3: S3State,
  bucket: BucketRecord,
  key: string,
  upload: UploadRecord,
): Promise<{ AbortDate?: Date; AbortRuleId?: string }> {
  const due = abortOf(await rulesOf(s3, bucket), key, upload.initiatedAt);
  return due ? { AbortDate: new Date(due.time), AbortRuleId: due.ruleId } : {};
}
