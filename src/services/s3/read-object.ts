import type {
  GetObjectCommandInput,
  GetObjectCommandOutput,
  HeadObjectCommandInput,
  HeadObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { openBody, readPartList } from './bodies.ts';
import { requireBucket } from './bucket-access.ts';
import { checksumOutput } from './checksums.ts';
import { checkRead } from './conditional.ts';
import { invalidArgument, invalidRequest, methodNotAllowed, noSuchKey, noSuchVersion } from './errors.ts';
import { currentKey } from './keys.ts';
import { expirationHeader } from './lifecycle-header.ts';
import { checkKey } from './names.ts';
import { checkEncryption } from './object-headers.ts';
import { type ByteRange, parseRange } from './range.ts';
import type { BucketRecord, ObjectRecord, StoredChecksum, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { wholeSeconds } from './timestamps.ts';
import { versionOutput } from './version-output.ts';
import { checkVersionId, findVersion } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Times that a read starts again because the object was replaced between its record and its bytes. */
const maxRereads = 5;

/** Source: S3 API Reference, "GetObject". */
export async function getObject(
  s3: S3State,
  input: GetObjectCommandInput,
  context: RequestContext,
): Promise<Output<GetObjectCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  checkEncryption(input);
  for (let attempt = 0; attempt < maxRereads; attempt++) {
    const { record, range, part, head } = await readObject(s3, bucket, input, 'GET');
    const wanted = range ?? { start: 0, end: record.size - 1 };
    const body = record.size === 0 ? new Uint8Array(0) : await openBody(s3, record, wanted);
    if (body === undefined) continue;
    const output = await describe(s3, bucket, input, { record, range, part });
    return { ...output, ...head, Body: body as GetObjectCommandOutput['Body'] };
  }
  throw new ServiceError('InternalError', 'We encountered an internal error. Please try again.', {
    status: 500,
    detail: 'the bytes of an object are missing',
  });
}

/** Source: S3 API Reference, "HeadObject". */
export async function headObject(
  s3: S3State,
  input: HeadObjectCommandInput,
  context: RequestContext,
): Promise<Output<HeadObjectCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  checkEncryption(input);
  const { record, range, part, head } = await readObject(s3, bucket, input, 'HEAD');
  return { ...(await describe(s3, bucket, input, { record, range, part })), ...head };
}

type ReadInput = GetObjectCommandInput & HeadObjectCommandInput;

interface SelectedPart {
  readonly count: number;
  readonly checksum: StoredChecksum | undefined;
}

interface Selection {
  readonly record: ObjectRecord;
  /** Set when less than the whole object is sent. */
  readonly range: ByteRange | undefined;
  readonly part: SelectedPart | undefined;
}

async function readObject(
  s3: S3State,
  bucket: BucketRecord,
  input: ReadInput,
  method: 'GET' | 'HEAD',
): Promise<Selection & { head: Record<string, never> | { ContentRange: string } }> {
  const key = input.Key ?? '';
  checkKey(key);
  const record = await findObject(s3, bucket, key, input.VersionId, method);
  checkRead(
    {
      ifMatch: input.IfMatch,
      ifNoneMatch: input.IfNoneMatch,
      ifModifiedSince: input.IfModifiedSince,
      ifUnmodifiedSince: input.IfUnmodifiedSince,
    },
    record,
  );
  if (input.PartNumber !== undefined) {
    if (input.Range !== undefined)
      throw invalidRequest('Cannot specify both Range header and partNumber query parameter');
    return selectPart(s3, record, input.PartNumber);
  }
  const range = parseRange(input.Range, record.size);
  return { record, range, part: undefined, head: range ? contentRange(range, record.size) : {} };
}

function contentRange(range: ByteRange, size: number): { ContentRange: string } {
  return { ContentRange: `bytes ${range.start}-${range.end}/${size}` };
}

/** Selects the bytes that were uploaded as one part; part 1 of an object that was not is all of it. */
async function selectPart(
  s3: S3State,
  record: ObjectRecord,
  partNumber: number,
): Promise<Selection & { head: Record<string, never> | { ContentRange: string } }> {
  if (partNumber < 1 || partNumber > 10_000) {
    throw invalidArgument(
      'Part number must be an integer between 1 and 10000, inclusive',
      'partNumber',
      String(partNumber),
    );
  }
  const parts = await readPartList(s3, record);
  if (!parts) {
    if (partNumber !== 1) throw invalidPartNumber(partNumber, 1);
    if (record.size === 0) return { record, range: undefined, part: undefined, head: {} };
    const whole = { start: 0, end: record.size - 1 };
    return { record, range: whole, part: undefined, head: contentRange(whole, record.size) };
  }
  const part = parts[partNumber - 1];
  if (!part) throw invalidPartNumber(partNumber, parts.length);
  let start = 0;
  for (const before of parts.slice(0, partNumber - 1)) start += before.size;
  const range = { start, end: start + part.size - 1 };
  return {
    record,
    range,
    part: { count: parts.length, checksum: part.checksum },
    head: contentRange(range, record.size),
  };
}

function invalidPartNumber(asked: number, count: number): ServiceError {
  return new ServiceError('InvalidPartNumber', 'The requested partnumber is not satisfiable', {
    status: 416,
    members: { PartNumberRequested: String(asked), ActualPartCount: String(count) },
  });
}

/**
 * The object that a read names, by version or the newest. Throws `NoSuchKey`, `NoSuchVersion` or, for a delete marker,
 * what S3 answers: 404 for the newest, 405 when it was asked for by id.
 */
export async function findObject(
  s3: S3State,
  bucket: BucketRecord,
  key: string,
  versionId: string | undefined,
  method: string,
): Promise<ObjectRecord> {
  if (versionId !== undefined) checkVersionId(versionId);
  const current = (await s3.store.get<VersionRecord>(currentKey(bucket.name, key)))?.value;
  const record = versionId === undefined ? current : await findVersion(s3.store, bucket.name, key, versionId, current);
  if (!record) throw versionId === undefined ? missing(key, method) : missingVersion(key, versionId, method);
  if (!record.deleteMarker) return record;
  const headers = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': record.versionId };
  if (versionId !== undefined) {
    throw methodNotAllowed(method, { ...headers, 'last-modified': new Date(record.lastModified).toUTCString() });
  }
  const error = missing(key, method);
  throw new ServiceError(error.code, error.message, { status: 404, members: error.members, headers });
}

/** An answer to HEAD has no body, so its error has the general name that the API model gives it. */
function missing(key: string, method: string): ServiceError {
  return method === 'HEAD' ? new ServiceError('NotFound', 'Not Found', { status: 404 }) : noSuchKey(key);
}

function missingVersion(key: string, versionId: string, method: string): ServiceError {
  return method === 'HEAD' ? new ServiceError('NotFound', 'Not Found', { status: 404 }) : noSuchVersion(key, versionId);
}

async function describe(
  s3: S3State,
  bucket: BucketRecord,
  input: ReadInput,
  { record, range, part }: Selection,
): Promise<Output<HeadObjectCommandOutput>> {
  // A checksum of the whole object says nothing about some of its bytes.
  const wholeSent = range === undefined || (range.start === 0 && range.end === record.size - 1);
  const checksum = part ? part.checksum : wholeSent ? record.checksum : undefined;
  const overrides = input as Partial<GetObjectCommandInput>;
  const expires = overrides.ResponseExpires?.getTime() ?? record.expires;
  return {
    AcceptRanges: 'bytes',
    LastModified: wholeSeconds(record.lastModified),
    ContentLength: range ? range.end - range.start + 1 : record.size,
    ETag: `"${record.etag}"`,
    ContentType: overrides.ResponseContentType ?? record.contentType,
    CacheControl: overrides.ResponseCacheControl ?? record.cacheControl,
    ContentDisposition: overrides.ResponseContentDisposition ?? record.contentDisposition,
    ContentEncoding: overrides.ResponseContentEncoding ?? record.contentEncoding,
    ContentLanguage: overrides.ResponseContentLanguage ?? record.contentLanguage,
    ...(expires === undefined ? {} : { Expires: new Date(expires) }),
    ...(record.metadata === undefined ? {} : { Metadata: { ...record.metadata } }),
    StorageClass: record.storageClass,
    WebsiteRedirectLocation: record.websiteRedirect,
    ServerSideEncryption: 'AES256',
    ...(record.tags === undefined || record.tags.length === 0 ? {} : { TagCount: record.tags.length }),
    ...(part === undefined ? {} : { PartsCount: part.count }),
    ...(input.ChecksumMode === 'ENABLED' ? checksumOutput(checksum) : {}),
    ...versionOutput(bucket, record),
    ...(await expirationHeader(s3, bucket, input.Key ?? '', record)),
  };
}
