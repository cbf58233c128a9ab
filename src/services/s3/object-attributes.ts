import type { GetObjectAttributesCommandInput, GetObjectAttributesCommandOutput } from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { readPartList } from './bodies.ts';
import { requireBucket } from './bucket-access.ts';
import { checksumOutput } from './checksums.ts';
import { invalidArgument } from './errors.ts';
import { listLimit } from './list-objects.ts';
import { checkEncryption } from './object-headers.ts';
import { findObject } from './read-object.ts';
import type { ObjectRecord } from './records.ts';
import type { S3State } from './state.ts';
import { wholeSeconds } from './timestamps.ts';
import { versionOutput } from './version-output.ts';

type Output<T> = Omit<T, '$metadata'>;

const known: readonly string[] = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'];

/** Source: S3 API Reference, "GetObjectAttributes". */
export async function getObjectAttributes(
  s3: S3State,
  input: GetObjectAttributesCommandInput,
  context: RequestContext,
): Promise<Output<GetObjectAttributesCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  checkEncryption(input);
  const asked: readonly string[] = input.ObjectAttributes ?? [];
  if (asked.length === 0 || asked.some((name) => !known.includes(name))) {
    throw invalidArgument('Invalid attribute name specified.', 'x-amz-object-attributes', asked.join(','));
  }
  const record = await findObject(s3, bucket, input.Key ?? '', input.VersionId, 'GET');
  const parts = asked.includes('ObjectParts') ? await describeParts(s3, input, record) : undefined;
  return {
    LastModified: wholeSeconds(record.lastModified),
    ...versionOutput(bucket, record),
    ...(asked.includes('ETag') ? { ETag: record.etag } : {}),
    ...(asked.includes('Checksum') && record.checksum ? { Checksum: checksumOutput(record.checksum) } : {}),
    ...(parts === undefined ? {} : { ObjectParts: parts }),
    ...(asked.includes('StorageClass') ? { StorageClass: record.storageClass ?? ('STANDARD' as const) } : {}),
    ...(asked.includes('ObjectSize') ? { ObjectSize: record.size } : {}),
  };
}

/** Only objects made by a multipart upload have parts; they are listed one by one when they have checksums. */
async function describeParts(
  s3: S3State,
  input: GetObjectAttributesCommandInput,
  record: ObjectRecord,
): Promise<GetObjectAttributesCommandOutput['ObjectParts'] | undefined> {
  const parts = await readPartList(s3, record);
  if (!parts) return undefined;
  if (record.checksum?.type !== 'COMPOSITE') return { TotalPartsCount: parts.length };
  const limit = listLimit(input.MaxParts, 'max-parts');
  const marker = Number(input.PartNumberMarker ?? 0);
  const rest = parts.filter((part) => part.number > marker);
  const page = rest.slice(0, limit);
  return {
    TotalPartsCount: parts.length,
    PartNumberMarker: String(marker),
    NextPartNumberMarker: String(page.at(-1)?.number ?? 0),
    MaxParts: limit,
    IsTruncated: rest.length > page.length,
    Parts: page.map((part) => {
      const { ChecksumType: _, ...checksum } = checksumOutput(part.checksum);
      return { PartNumber: part.number, Size: part.size, ...checksum };
    }),
  };
}
