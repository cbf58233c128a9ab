import type {
  DeleteMarkerEntry,
  GetBucketVersioningCommandInput,
  GetBucketVersioningCommandOutput,
  ListObjectVersionsCommandInput,
  ListObjectVersionsCommandOutput,
  ObjectVersion,
  PutBucketVersioningCommandInput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, canonicalUserId, requireBucket } from './bucket-access.ts';
import { invalidArgument, notImplemented } from './errors.ts';
import { bucketKey } from './keys.ts';
import { listLimit, nameEncoder, objectSummary } from './list-objects.ts';
import type { BucketRecord } from './records.ts';
import type { S3State } from './state.ts';
import { wholeSeconds } from './timestamps.ts';
import { type ListedVersion, walkVersions } from './version-walk.ts';
import { checkVersionId } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 API Reference, "PutBucketVersioning". Versioning once on can only be suspended. */
export async function putBucketVersioning(
  s3: S3State,
  input: PutBucketVersioningCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  const { Status: status, MFADelete: mfa } = input.VersioningConfiguration ?? {};
  if (mfa === 'Enabled' || input.MFA !== undefined) {
    throw notImplemented('MFA delete', 'use bucket policies to keep versions from being deleted');
  }
  if (status !== 'Enabled' && status !== 'Suspended') {
    throw new ServiceError('IllegalVersioningConfigurationException', 'The Versioning element must be specified');
  }
  await s3.store.transact(async (transaction) => {
    const bucket: BucketRecord = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), { ...bucket, versioning: status });
  });
  return {};
}

/** Source: S3 API Reference, "GetBucketVersioning": empty until versioning was turned on. */
export async function getBucketVersioning(
  s3: S3State,
  input: GetBucketVersioningCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketVersioningCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  return bucket.versioning === undefined ? {} : { Status: bucket.versioning };
}

/** Source: S3 API Reference, "ListObjectVersions": by key, newest version first. */
export async function listObjectVersions(
  s3: S3State,
  input: ListObjectVersionsCommandInput,
  context: RequestContext,
): Promise<Output<ListObjectVersionsCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  const encode = nameEncoder(input.EncodingType);
  const limit = listLimit(input.MaxKeys, 'max-keys');
  if (input.VersionIdMarker !== undefined && input.VersionIdMarker !== '') {
    if (!input.KeyMarker) {
      throw invalidArgument('A version-id marker cannot be specified without a key marker.', 'version-id-marker');
    }
    checkVersionId(input.VersionIdMarker);
  }
  const walked = await walkVersions(s3.store, {
    bucket: bucket.name,
    prefix: input.Prefix ?? '',
    delimiter: input.Delimiter ?? '',
    keyMarker: input.KeyMarker ?? '',
    versionIdMarker: input.VersionIdMarker ?? '',
    limit,
  });
  const versions: ObjectVersion[] = [];
  const markers: DeleteMarkerEntry[] = [];
  const prefixes: { Prefix: string }[] = [];
  for (const item of walked.items) {
    if (item.type === 'common-prefix') prefixes.push({ Prefix: encode(item.commonPrefix) });
    else if (item.record.deleteMarker) markers.push(identify(bucket, item, encode));
    else versions.push({ ...identify(bucket, item, encode), ...summary(item) });
  }
  const last = walked.items.at(-1);
  const next = !walked.truncated
    ? {}
    : last?.type === 'version'
      ? { NextKeyMarker: encode(last.name), NextVersionIdMarker: last.record.versionId }
      : { NextKeyMarker: encode(last?.commonPrefix ?? '') };
  return {
    Name: bucket.name,
    Prefix: encode(input.Prefix ?? ''),
    KeyMarker: encode(input.KeyMarker ?? ''),
    VersionIdMarker: input.VersionIdMarker ?? '',
    MaxKeys: limit,
    IsTruncated: walked.truncated,
    ...(input.Delimiter === undefined ? {} : { Delimiter: encode(input.Delimiter) }),
    ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
    ...next,
    ...(versions.length === 0 ? {} : { Versions: versions }),
    ...(markers.length === 0 ? {} : { DeleteMarkers: markers }),
    ...(prefixes.length === 0 ? {} : { CommonPrefixes: prefixes }),
  };
}

function identify(bucket: BucketRecord, item: ListedVersion, encode: (name: string) => string): DeleteMarkerEntry {
  return {
    Key: encode(item.name),
    VersionId: item.record.versionId,
    IsLatest: item.latest,
    LastModified: wholeSeconds(item.record.lastModified),
    Owner: { ID: canonicalUserId(bucket.account) },
  };
}

function summary(item: ListedVersion): ObjectVersion {
  if (item.record.deleteMarker) return {};
  const { StorageClass, ...rest } = objectSummary(item.record);
  return { ...rest, StorageClass: StorageClass as ObjectVersion['StorageClass'] };
}
