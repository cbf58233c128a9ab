import type { BucketRecord, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';

export async function expirationHeader(
  _s3: S3State,
  bucket: BucketRecord,
  _key: string,
  _record: VersionRecord,
): Promise<{ Expiration?: string }> {
  if (!bucket.hasLifecycle) return {};
  return {};
}
