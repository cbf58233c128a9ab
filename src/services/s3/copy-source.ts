import type { ChecksumKind } from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { openBody } from './bodies.ts';
import { requireBucket } from './bucket-access.ts';
import { checkCopySource } from './conditional.ts';
import { invalidArgument, invalidRequest, notImplemented } from './errors.ts';
import { parseCopyRange } from './range.ts';
import { findObject } from './read-object.ts';
import { maxSingleUpload, type ReceivedBody, receiveBody } from './receive-body.ts';
import type { BucketRecord, ObjectRecord } from './records.ts';
import { newBodyId, type S3State } from './state.ts';

/** What CopyObject and UploadPartCopy say of their source. */
export interface CopySourceInput {
  readonly CopySource?: string | undefined;
  readonly CopySourceIfMatch?: string | undefined;
  readonly CopySourceIfNoneMatch?: string | undefined;
  readonly CopySourceIfModifiedSince?: Date | undefined;
  readonly CopySourceIfUnmodifiedSince?: Date | undefined;
  readonly CopySourceRange?: string | undefined;
  readonly ExpectedSourceBucketOwner?: string | undefined;
}

export interface SourceName {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
}

/** Reads `x-amz-copy-source`: `bucket/key`, percent-encoded, perhaps with `?versionId=`. */
export function parseCopySource(header: string | undefined): SourceName {
  const text = header ?? '';
  if (text.startsWith('arn:')) throw notImplemented('An access point as copy source', 'give bucket/key');
  const question = text.lastIndexOf('?versionId=');
  const path = question < 0 ? text : text.slice(0, question);
  const versionId = question < 0 ? undefined : text.slice(question + '?versionId='.length);
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw invalidCopySource(text);
  }
  const match = /^\/?([^/]+)\/(.+)$/s.exec(decoded);
  if (!match) throw invalidCopySource(text);
  return { bucket: match[1]!, key: match[2]!, versionId };
}

function invalidCopySource(value: string): ServiceError {
  return invalidArgument(
    'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
    'x-amz-copy-source',
    value,
  );
}

export interface CopySource {
  readonly name: SourceName;
  readonly bucket: BucketRecord;
  readonly record: ObjectRecord;
}

/** Finds the source of a copy and checks its conditions. */
export async function findCopySource(
  s3: S3State,
  input: CopySourceInput,
  context: RequestContext,
): Promise<CopySource> {
  const name = parseCopySource(input.CopySource);
  // The source may be in another region than the request.
  const bucket = await requireBucket(
    s3,
    { Bucket: name.bucket, ExpectedBucketOwner: input.ExpectedSourceBucketOwner },
    { ...context, headers: {} },
  );
  const record = await findSource(s3, bucket, name);
  checkCopySource(
    {
      ifMatch: input.CopySourceIfMatch,
      ifNoneMatch: input.CopySourceIfNoneMatch,
      ifModifiedSince: input.CopySourceIfModifiedSince,
      ifUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
    },
    record,
  );
  return { name, bucket, record };
}

async function findSource(s3: S3State, bucket: BucketRecord, name: SourceName): Promise<ObjectRecord> {
  try {
    return await findObject(s3, bucket, name.key, name.versionId, 'GET');
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'MethodNotAllowed') {
      throw invalidRequest('The source of a copy request may not specifically refer to a delete marker by version id.');
    }
    throw error;
  }
}

/** Times that a copy starts again because its source was replaced meanwhile. */
const maxAttempts = 5;

/**
 * Takes the bytes of a copy's source: a file that is one upload is shared, the rest is read through. The checksum is
 * of `kind`; the source's own when it has that.
 */
export async function copyBytes(
  s3: S3State,
  input: CopySourceInput,
  context: RequestContext,
  kindFor: (source: ObjectRecord) => ChecksumKind,
): Promise<CopySource & { readonly received: ReceivedBody }> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const source = await findCopySource(s3, input, context);
    const { record } = source;
    const range = parseCopyRange(input.CopySourceRange, record.size) ?? { start: 0, end: record.size - 1 };
    const size = range.end - range.start + 1;
    if (size > maxSingleUpload) {
      throw invalidRequest(
        `The specified copy source is larger than the maximum allowable size for a copy source: ${maxSingleUpload}`,
      );
    }
    const kind = kindFor(record);
    const shared = size === record.size ? await shareBlob(s3, record, kind) : undefined;
    if (shared) return { ...source, received: shared };
    const opened = record.size === 0 ? new Uint8Array(0) : await openBody(s3, record, range);
    if (opened === undefined) continue;
    return { ...source, received: await receiveBody(s3, opened, { announced: undefined, defaultKind: kind }) };
  }
  throw new ServiceError(
    'OperationAborted',
    'A conflicting conditional operation is currently in progress against this resource. Please try again.',
    {
      status: 409,
    },
  );
}

async function shareBlob(s3: S3State, record: ObjectRecord, kind: ChecksumKind): Promise<ReceivedBody | undefined> {
  if (record.body.kind !== 'blob' || record.checksum?.kind !== kind) return undefined;
  const lease = await s3.blobs.lease(record.body.digest);
  return (
    lease && {
      body: { kind: 'blob', id: newBodyId(s3), digest: record.body.digest },
      size: record.size,
      etag: record.etag,
      checksum: record.checksum,
      lease,
    }
  );
}
