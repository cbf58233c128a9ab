import type {
  ListMultipartUploadsCommandInput,
  ListMultipartUploadsCommandOutput,
  ListPartsCommandInput,
  ListPartsCommandOutput,
} from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { canonicalUserId, requireBucket } from './bucket-access.ts';
import { checksumOutput } from './checksums.ts';
import { invalidArgument } from './errors.ts';
import { type WalkStart, walkKeys } from './key-walk.ts';
import { uploadKey } from './keys.ts';
import { abortHeaders } from './lifecycle-header.ts';
import { listLimit, nameEncoder } from './list-objects.ts';
import { requireUpload } from './multipart-upload.ts';
import type { UploadedPartRecord, UploadRecord } from './records.ts';
import type { S3State } from './state.ts';
import { wholeSeconds } from './timestamps.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 API Reference, "ListParts". */
export async function listParts(
  s3: S3State,
  input: ListPartsCommandInput,
  context: RequestContext,
): Promise<Output<ListPartsCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  const upload = await requireUpload(s3.store, input);
  const limit = listLimit(input.MaxParts, 'max-parts');
  const marker = Number(input.PartNumberMarker ?? 0);
  if (!Number.isInteger(marker) || marker < 0) {
    throw invalidArgument(
      'Provided part-number-marker not an integer or within integer range',
      'part-number-marker',
      input.PartNumberMarker,
    );
  }
  const uploadId = input.UploadId ?? '';
  const prefix = ['s3', 'uploaded-part', uploadId];
  const found = await s3.store.range<UploadedPartRecord>({ prefix, after: [...prefix, marker], limit: limit + 1 });
  const parts = found.slice(0, limit).map(({ value: part }) => {
    const { ChecksumType: _, ...checksum } = checksumOutput(part.checksum);
    return {
      PartNumber: part.number,
      LastModified: wholeSeconds(part.lastModified),
      ETag: `"${part.etag}"`,
      Size: part.size,
      ...(upload.checksumKind === undefined ? {} : checksum),
    };
  });
  return {
    Bucket: bucket.name,
    Key: input.Key,
    UploadId: uploadId,
    PartNumberMarker: String(marker),
    NextPartNumberMarker: String(parts.at(-1)?.PartNumber ?? 0),
    MaxParts: limit,
    IsTruncated: limit > 0 && found.length > limit,
    ...(parts.length === 0 ? {} : { Parts: parts }),
    Initiator: { ID: upload.initiator.id, DisplayName: upload.initiator.name },
    Owner: { ID: canonicalUserId(bucket.account) },
    StorageClass: upload.headers.storageClass ?? 'STANDARD',
    ...(upload.checksumKind === undefined
      ? {}
      : { ChecksumAlgorithm: upload.checksumKind, ChecksumType: upload.checksumType }),
    ...(await abortHeaders(s3, bucket, input.Key ?? '', upload)),
  };
}

/** Source: S3 API Reference, "ListMultipartUploads": by key, then by age. */
export async function listMultipartUploads(
  s3: S3State,
  input: ListMultipartUploadsCommandInput,
  context: RequestContext,
): Promise<Output<ListMultipartUploadsCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  const encode = nameEncoder(input.EncodingType);
  const limit = listLimit(input.MaxUploads, 'max-uploads');
  const delimiter = input.Delimiter ?? '';
  const walked = await walkKeys<UploadRecord>(s3.store, {
    space: ['s3', 'upload', bucket.name],
    prefix: input.Prefix ?? '',
    delimiter,
    start: uploadStart(bucket.name, input),
    limit,
  });
  const uploads: NonNullable<ListMultipartUploadsCommandOutput['Uploads']> = [];
  const prefixes: { Prefix: string }[] = [];
  for (const item of walked.items) {
    if (item.type === 'common-prefix') prefixes.push({ Prefix: encode(item.commonPrefix) });
    else {
      const upload = item.entry.value;
      uploads.push({
        UploadId: item.entry.key[4] as string,
        Key: encode(item.name),
        Initiated: wholeSeconds(upload.initiatedAt),
        StorageClass: upload.headers.storageClass ?? 'STANDARD',
        Owner: { ID: canonicalUserId(bucket.account) },
        Initiator: { ID: upload.initiator.id, DisplayName: upload.initiator.name },
        ...(upload.checksumKind === undefined
          ? {}
          : { ChecksumAlgorithm: upload.checksumKind, ChecksumType: upload.checksumType }),
      });
    }
  }
  const last = walked.items.at(-1);
  const next = !walked.truncated
    ? {}
    : last?.type === 'entry'
      ? { NextKeyMarker: encode(last.name), NextUploadIdMarker: last.entry.key[4] as string }
      : { NextKeyMarker: encode(last?.commonPrefix ?? '') };
  return {
    Bucket: bucket.name,
    KeyMarker: encode(input.KeyMarker ?? ''),
    UploadIdMarker: input.UploadIdMarker ?? '',
    Prefix: encode(input.Prefix ?? ''),
    MaxUploads: limit,
    IsTruncated: walked.truncated,
    ...(input.Delimiter === undefined ? {} : { Delimiter: encode(delimiter) }),
    ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
    ...next,
    ...(uploads.length === 0 ? {} : { Uploads: uploads }),
    ...(prefixes.length === 0 ? {} : { CommonPrefixes: prefixes }),
  };
}

function uploadStart(bucket: string, input: ListMultipartUploadsCommandInput): WalkStart {
  const marker = input.KeyMarker ?? '';
  if (marker === '') return { after: 'nothing' };
  if (input.UploadIdMarker) return { after: 'entry', key: uploadKey(bucket, marker, input.UploadIdMarker) };
  const delimiter = input.Delimiter ?? '';
  if (delimiter !== '' && marker.endsWith(delimiter)) return { after: 'common-prefix', commonPrefix: marker };
  return { after: 'name', name: marker };
}
