import type {
  _Object,
  ListObjectsCommandInput,
  ListObjectsCommandOutput,
  ListObjectsV2CommandInput,
  ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { canonicalUserId, requireBucket } from './bucket-access.ts';
import { invalidArgument } from './errors.ts';
import { urlEncodeKey } from './key-encoding.ts';
import { type WalkItem, type WalkResult, type WalkStart, walkKeys } from './key-walk.ts';
import type { BucketRecord, ObjectRecord, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { wholeSeconds } from './timestamps.ts';

type Output<T> = Omit<T, '$metadata'>;

const maxListed = 1000;

/** Reads `max-keys` and its like: 1,000 unless fewer are asked for. */
export function listLimit(asked: number | undefined, name: string): number {
  if (asked === undefined) return maxListed;
  if (!Number.isInteger(asked) || asked < 0 || asked > 2_147_483_647) {
    throw invalidArgument(`Argument ${name} must be an integer between 0 and 2147483647`, name, String(asked));
  }
  return Math.min(asked, maxListed);
}

/** How names are written: as they are, or percent-encoded. Throws for an unknown `encoding-type`. */
export function nameEncoder(encodingType: string | undefined): (name: string) => string {
  if (encodingType === undefined) return (name) => name;
  if (encodingType !== 'url')
    throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', encodingType);
  return urlEncodeKey;
}

/** Source: S3 API Reference, "ListObjectsV2". */
export async function listObjectsV2(
  s3: S3State,
  input: ListObjectsV2CommandInput,
  context: RequestContext,
): Promise<Output<ListObjectsV2CommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  const encode = nameEncoder(input.EncodingType);
  const limit = listLimit(input.MaxKeys, 'max-keys');
  const start: WalkStart =
    input.ContinuationToken !== undefined
      ? parseContinuationToken(input.ContinuationToken)
      : startAfterName(input.StartAfter);
  const walked = await walkCurrent(s3, bucket, input, start, limit);
  const owner = input.FetchOwner ? { Owner: { ID: canonicalUserId(bucket.account) } } : {};
  return {
    Name: bucket.name,
    Prefix: encode(input.Prefix ?? ''),
    MaxKeys: input.MaxKeys === undefined ? maxListed : limit,
    KeyCount: walked.items.length,
    IsTruncated: walked.truncated,
    ...(input.Delimiter === undefined ? {} : { Delimiter: encode(input.Delimiter) }),
    ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
    ...(input.ContinuationToken === undefined ? {} : { ContinuationToken: input.ContinuationToken }),
    ...(input.StartAfter === undefined ? {} : { StartAfter: encode(input.StartAfter) }),
    ...(walked.truncated ? { NextContinuationToken: continuationToken(walked.items.at(-1)!) } : {}),
    ...listed(walked, encode, owner),
  };
}

/** Source: S3 API Reference, "ListObjects". */
export async function listObjects(
  s3: S3State,
  input: ListObjectsCommandInput,
  context: RequestContext,
): Promise<Output<ListObjectsCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  const encode = nameEncoder(input.EncodingType);
  const limit = listLimit(input.MaxKeys, 'max-keys');
  const delimiter = input.Delimiter ?? '';
  const marker = input.Marker ?? '';
  // NextMarker may be a common prefix; going on after it means after all that it stands for.
  const rolledUp = delimiter !== '' && marker.endsWith(delimiter) && marker.startsWith(input.Prefix ?? '');
  const start: WalkStart = rolledUp ? { after: 'common-prefix', commonPrefix: marker } : startAfterName(marker);
  const walked = await walkCurrent(s3, bucket, input, start, limit);
  const last = walked.items.at(-1);
  return {
    Name: bucket.name,
    Prefix: encode(input.Prefix ?? ''),
    Marker: encode(marker),
    MaxKeys: limit,
    IsTruncated: walked.truncated,
    ...(input.Delimiter === undefined ? {} : { Delimiter: encode(input.Delimiter) }),
    ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
    ...(walked.truncated && delimiter !== '' && last ? { NextMarker: encode(itemName(last)) } : {}),
    ...listed(walked, encode, { Owner: { ID: canonicalUserId(bucket.account) } }),
  };
}

function walkCurrent(
  s3: S3State,
  bucket: BucketRecord,
  input: { readonly Prefix?: string | undefined; readonly Delimiter?: string | undefined },
  start: WalkStart,
  limit: number,
): Promise<WalkResult<VersionRecord>> {
  return walkKeys<VersionRecord>(
    s3.store,
    {
      space: ['s3', 'current', bucket.name],
      prefix: input.Prefix ?? '',
      delimiter: input.Delimiter ?? '',
      start,
      limit,
    },
    (entry) => !entry.value.deleteMarker,
  );
}

function startAfterName(name: string | undefined): WalkStart {
  return name === undefined || name === '' ? { after: 'nothing' } : { after: 'name', name };
}

function listed(
  walked: WalkResult<VersionRecord>,
  encode: (name: string) => string,
  owner: Pick<_Object, 'Owner'>,
): { Contents?: _Object[]; CommonPrefixes?: { Prefix: string }[] } {
  const contents: _Object[] = [];
  const prefixes: { Prefix: string }[] = [];
  for (const item of walked.items) {
    if (item.type === 'common-prefix') prefixes.push({ Prefix: encode(item.commonPrefix) });
    else contents.push({ Key: encode(item.name), ...objectSummary(item.entry.value as ObjectRecord), ...owner });
  }
  return {
    ...(contents.length === 0 ? {} : { Contents: contents }),
    ...(prefixes.length === 0 ? {} : { CommonPrefixes: prefixes }),
  };
}

/** What listings tell of an object besides its key. */
export function objectSummary(record: ObjectRecord) {
  return {
    LastModified: wholeSeconds(record.lastModified),
    ETag: `"${record.etag}"`,
    Size: record.size,
    StorageClass: record.storageClass ?? ('STANDARD' as const),
    ...(record.checksum === undefined
      ? {}
      : { ChecksumAlgorithm: [record.checksum.kind], ChecksumType: record.checksum.type }),
  };
}

export function itemName(item: WalkItem<unknown>): string {
  return item.type === 'entry' ? item.name : item.commonPrefix;
}

function continuationToken(item: WalkItem<unknown>): string {
  return Buffer.from(`${item.type === 'entry' ? 'k' : 'p'}${itemName(item)}`).toString('base64url');
}

function parseContinuationToken(token: string): WalkStart {
  const text = /^[A-Za-z0-9_-]+$/.test(token) ? Buffer.from(token, 'base64url').toString() : '';
  if (text.startsWith('k')) return { after: 'name', name: text.slice(1) };
  if (text.startsWith('p')) return { after: 'common-prefix', commonPrefix: text.slice(1) };
  throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token);
}
