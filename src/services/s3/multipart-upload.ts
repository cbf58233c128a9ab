import type {
  AbortMultipartUploadCommandInput,
  CreateMultipartUploadCommandInput,
  CreateMultipartUploadCommandOutput,
  UploadPartCommandInput,
  UploadPartCommandOutput,
} from '@aws-sdk/client-s3';
import type { ChecksumKind } from '../../base/checksum/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { dropBody, keepBody } from './bodies.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { announcedChecksum, checksumOutput, multipartChecksumType, parseChecksumKind } from './checksums.ts';
import { invalidArgument, invalidRequest, noSuchUpload, notImplemented } from './errors.ts';
import { uploadedPartKey, uploadKey } from './keys.ts';
import { abortHeaders } from './lifecycle-header.ts';
import { checkKey } from './names.ts';
import { checkEncryption, checkObjectOptions, objectHeaders } from './object-headers.ts';
import { singleHeader } from './put-object.ts';
import { type ReceivedBody, receiveBody } from './receive-body.ts';
import type { UploadedPartRecord, UploadRecord } from './records.ts';
import { newUploadId, type S3State } from './state.ts';
import { parseTaggingHeader } from './tags.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 User Guide, "Amazon S3 multipart upload limits". */
export const maxPartNumber = 10_000;

/** Source: S3 API Reference, "CreateMultipartUpload". */
export async function createMultipartUpload(
  s3: S3State,
  input: CreateMultipartUploadCommandInput,
  context: RequestContext,
): Promise<Output<CreateMultipartUploadCommandOutput>> {
  const key = input.Key ?? '';
  checkKey(key);
  const found = await requireBucket(s3, input, context);
  checkObjectOptions(input);
  const headers = objectHeaders(input);
  const tags = parseTaggingHeader(input.Tagging);
  const checksumKind = parseChecksumKind(input.ChecksumAlgorithm);
  if (checksumKind === undefined && input.ChecksumType !== undefined) {
    throw invalidRequest('The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.');
  }
  const checksumType = checksumKind && multipartChecksumType(checksumKind, input.ChecksumType);
  const uploadId = newUploadId(s3);
  const upload: UploadRecord = {
    initiatedAt: s3.clock.now(),
    headers,
    ...(tags === undefined ? {} : { tags }),
    ...(checksumKind === undefined ? {} : { checksumKind }),
    ...(checksumType === undefined ? {} : { checksumType }),
    initiator: { id: context.principal.arn, name: context.principal.arn.split('/').at(-1) ?? context.account },
  };
  const bucket = await s3.store.transact(async (transaction) => {
    transaction.put(uploadKey(found.name, key, uploadId), upload);
    return bucketInTransaction(transaction, found.name);
  });
  return {
    Bucket: bucket.name,
    Key: key,
    UploadId: uploadId,
    ServerSideEncryption: 'AES256',
    ...(checksumKind === undefined ? {} : { ChecksumAlgorithm: checksumKind, ChecksumType: checksumType }),
    ...(await abortHeaders(s3, bucket, key, upload)),
  };
}

interface UploadInput {
  readonly Bucket?: string | undefined;
  readonly Key?: string | undefined;
  readonly UploadId?: string | undefined;
}

/** The upload that a request names. Throws `NoSuchUpload`. */
export async function requireUpload(reader: Pick<Transaction, 'get'>, input: UploadInput): Promise<UploadRecord> {
  const { Bucket: bucket = '', Key: key = '', UploadId: uploadId = '' } = input;
  const entry = await reader.get<UploadRecord>(uploadKey(bucket, key, uploadId));
  if (!entry) throw noSuchUpload(uploadId);
  return entry.value;
}

export function checkPartNumber(partNumber: number | undefined): number {
  if (partNumber === undefined || !Number.isInteger(partNumber) || partNumber < 1 || partNumber > maxPartNumber) {
    throw invalidArgument(
      'Part number must be an integer between 1 and 10000, inclusive',
      'partNumber',
      String(partNumber),
    );
  }
  return partNumber;
}

/** Source: S3 API Reference, "UploadPart". */
export async function uploadPart(
  s3: S3State,
  input: UploadPartCommandInput,
  context: RequestContext,
): Promise<Output<UploadPartCommandOutput>> {
  const partNumber = checkPartNumber(input.PartNumber);
  await requireBucket(s3, input, context);
  checkEncryption(input);
  const upload = await requireUpload(s3.store, input);
  const announced = announcedChecksum(input, singleHeader(context, 'x-amz-trailer'));
  checkPartChecksumKind(upload, announced?.kind);
  const received = await receiveBody(s3, input.Body, {
    announced,
    defaultKind: upload.checksumKind ?? 'CRC64NVME',
    contentMd5: input.ContentMD5,
  });
  await keepPart(s3, input, partNumber, received);
  const { ChecksumType: _, ...checksum } = checksumOutput(received.checksum);
  return { ETag: `"${received.etag}"`, ServerSideEncryption: 'AES256', ...checksum };
}

function checkPartChecksumKind(upload: UploadRecord, kind: ChecksumKind | undefined): void {
  const expected = upload.checksumKind;
  if (expected === undefined || kind === expected) return;
  // A CRC is computed here when the client sends none; the others must come from the client.
  if (kind === undefined && upload.checksumType === 'FULL_OBJECT') return;
  throw invalidRequest(
    `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${kind?.toLowerCase() ?? 'null'}`,
  );
}

/** Writes a part that has arrived, in place of an earlier one with its number. */
export async function keepPart(
  s3: S3State,
  input: UploadInput,
  partNumber: number,
  received: ReceivedBody,
): Promise<UploadedPartRecord> {
  const record: UploadedPartRecord = {
    number: partNumber,
    size: received.size,
    etag: received.etag,
    body: received.body,
    checksum: received.checksum,
    lastModified: s3.clock.now(),
  };
  try {
    await s3.store.transact(async (transaction) => {
      await requireUpload(transaction, input);
      const key = uploadedPartKey(input.UploadId ?? '', partNumber);
      const earlier = await transaction.get<UploadedPartRecord>(key);
      if (earlier) await dropBody(s3, transaction, earlier.value.body);
      keepBody(s3, transaction, received);
      transaction.put(key, record);
    });
  } finally {
    received.lease?.release();
  }
  return record;
}

/** Source: S3 API Reference, "AbortMultipartUpload". */
export async function abortMultipartUpload(
  s3: S3State,
  input: AbortMultipartUploadCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  await requireBucket(s3, input, context);
  if (input.IfMatchInitiatedTime !== undefined) {
    throw notImplemented('x-amz-if-match-initiated-time', 'it is for directory buckets');
  }
  await s3.store.transact(async (transaction) => {
    await requireUpload(transaction, input);
    await removeUpload(s3, transaction, {
      bucket: input.Bucket ?? '',
      key: input.Key ?? '',
      uploadId: input.UploadId ?? '',
    });
  });
  return {};
}

/** Removes an upload and all its parts. */
export async function removeUpload(
  s3: S3State,
  transaction: Transaction,
  upload: { readonly bucket: string; readonly key: string; readonly uploadId: string },
): Promise<void> {
  transaction.delete(uploadKey(upload.bucket, upload.key, upload.uploadId));
  const parts = await transaction.range<UploadedPartRecord>({ prefix: ['s3', 'uploaded-part', upload.uploadId] });
  for (const part of parts) {
    transaction.delete(part.key);
    await dropBody(s3, transaction, part.value.body);
  }
}
