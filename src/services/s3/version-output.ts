import type { BucketRecord, VersionRecord } from './records.ts';

/** `x-amz-version-id`, which buckets that never had versioning do not send. */
export function versionOutput(bucket: BucketRecord, record: VersionRecord): { VersionId?: string } {
  return bucket.versioning === undefined ? {} : { VersionId: record.versionId };
}
