import { hash } from 'node:crypto';
import type {
  CompletedPart,
  CompleteMultipartUploadCommandInput,
  CompleteMultipartUploadCommandOutput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { dropBody } from './bodies.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { type ChecksumMembers, checksumMismatch, checksumOutput, combinePartChecksums } from './checksums.ts';
import { checkWrite, checkWriteConditionForm } from './conditional.ts';
import { invalidRequest, malformedXml } from './errors.ts';
import { currentKey, partListKey, uploadKey } from './keys.ts';
import { expirationHeader } from './lifecycle-header.ts';
import { maxPartNumber, requireUpload } from './multipart-upload.ts';
import { notify, originOf } from './notifications.ts';
import { checkEncryption } from './object-headers.ts';
import type { PartRecord, StoredChecksum, UploadedPartRecord, UploadRecord, VersionRecord } from './records.ts';
import { newBodyId, type S3State } from './state.ts';
import { versionOutput } from './version-output.ts';
import { addVersion, sequencerOf } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Every part but the last has at least 5 MB. Source: S3 User Guide, "Amazon S3 multipart upload limits". */
const minPartSize = 5 * 1024 ** 2;

/**
 * Makes an object of uploaded parts, without moving their bytes. Source: S3 API Reference,
 * "CompleteMultipartUpload". The object's date is the upload's beginning ("System-defined object metadata").
 */
export async function completeMultipartUpload(
  s3: S3State,
  input: CompleteMultipartUploadCommandInput,
  context: RequestContext,
): Promise<Output<CompleteMultipartUploadCommandOutput>> {
  const { Key: key = '', UploadId: uploadId = '' } = input;
  const found = await requireBucket(s3, input, context);
  checkEncryption(input);
  checkWriteConditionForm(input);
  await requireUpload(s3.store, input);
  const listed = checkPartList(input);
  const { bucket, record } = await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, found.name);
    const upload = await requireUpload(transaction, input);
    const current = (await transaction.get<VersionRecord>(currentKey(bucket.name, key)))?.value;
    checkWrite(input, key, current);
    const parts = await takeParts(s3, transaction, uploadId, upload, listed);
    transaction.delete(uploadKey(bucket.name, key, uploadId));
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    checkObjectSize(input, size);
    const checksum = wholeChecksum(input, upload, parts);
    const bodyId = newBodyId(s3);
    transaction.put(partListKey(bodyId), parts);
    const record = await addVersion(s3, transaction, { bucket, key }, current, {
      ...upload.headers,
      size,
      etag: multipartEtag(parts),
      body: { kind: 'parts' as const, id: bodyId, count: parts.length },
      lastModified: upload.initiatedAt,
      ...(checksum === undefined ? {} : { checksum }),
      ...(upload.tags === undefined ? {} : { tags: upload.tags }),
    });
    notify(s3, transaction, bucket, {
      name: 'ObjectCreated:CompleteMultipartUpload',
      key,
      sequencer: sequencerOf(record),
      version: record,
      origin: originOf(context),
    });
    return { bucket, record };
  });
  return {
    Location: `${context.secure ? 'https' : 'http'}://${context.host}/${bucket.name}/${encodeURIComponent(key)}`,
    Bucket: bucket.name,
    Key: key,
    ETag: `"${record.etag}"`,
    ServerSideEncryption: 'AES256',
    ...checksumOutput(record.checksum),
    ...versionOutput(bucket, record),
    ...(await expirationHeader(s3, bucket, key, record)),
  };
}

/** MD5 of the parts' MD5s, and how many there were. */
function multipartEtag(parts: readonly PartRecord[]): string {
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex')));
  return `${hash('md5', digests)}-${parts.length}`;
}

interface ListedPart {
  readonly number: number;
  readonly etag: string;
  readonly checksums: CompletedPart;
}

function checkPartList(input: CompleteMultipartUploadCommandInput): readonly ListedPart[] {
  const parts = input.MultipartUpload?.Parts ?? [];
  if (parts.length === 0) throw malformedXml('no parts');
  if (parts.length > maxPartNumber) throw malformedXml('more than 10,000 parts');
  let previous = 0;
  return parts.map((part) => {
    if (part.PartNumber === undefined || part.ETag === undefined) throw malformedXml('a part without number or ETag');
    if (part.PartNumber <= previous) {
      throw new ServiceError(
        'InvalidPartOrder',
        'The list of parts was not in ascending order. Parts must be ordered by part number.',
      );
    }
    previous = part.PartNumber;
    return { number: part.PartNumber, etag: part.ETag.replaceAll('"', ''), checksums: part };
  });
}

/** Checks the listed parts against the uploaded ones, takes them over and drops the rest. */
async function takeParts(
  s3: S3State,
  transaction: Transaction,
  uploadId: string,
  upload: UploadRecord,
  listed: readonly ListedPart[],
): Promise<readonly PartRecord[]> {
  const uploaded = await transaction.range<UploadedPartRecord>({ prefix: ['s3', 'uploaded-part', uploadId] });
  const byNumber = new Map(uploaded.map(({ value }) => [value.number, value]));
  const parts = listed.map((wanted, index) => {
    const part = byNumber.get(wanted.number);
    if (!part || part.etag !== wanted.etag || !sameChecksum(upload, part, wanted)) throw invalidPart(uploadId, wanted);
    if (part.size < minPartSize && index < listed.length - 1) throw entityTooSmall(part);
    byNumber.delete(wanted.number);
    const { lastModified: _, ...kept } = part;
    return kept;
  });
  for (const { key } of uploaded) transaction.delete(key);
  for (const unlisted of byNumber.values()) await dropBody(s3, transaction, unlisted.body);
  return parts;
}

function sameChecksum(upload: UploadRecord, part: PartRecord, wanted: ListedPart): boolean {
  const kind = upload.checksumKind;
  const told = part.checksum && (wanted.checksums as ChecksumMembers)[`Checksum${part.checksum.kind}`];
  if (told === undefined && kind !== undefined && upload.checksumType === 'COMPOSITE') {
    throw invalidRequest(
      `The upload was created using a ${kind.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${wanted.number} in the request.`,
    );
  }
  return told === undefined || told === part.checksum?.value;
}

function invalidPart(uploadId: string, part: ListedPart): ServiceError {
  return new ServiceError(
    'InvalidPart',
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    { members: { UploadId: uploadId, PartNumber: String(part.number), ETag: part.etag } },
  );
}

function entityTooSmall(part: PartRecord): ServiceError {
  return new ServiceError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
    members: {
      ProposedSize: String(part.size),
      MinSizeAllowed: String(minPartSize),
      PartNumber: String(part.number),
      ETag: part.etag,
    },
  });
}

function checkObjectSize(input: CompleteMultipartUploadCommandInput, size: number): void {
  if (input.MpuObjectSize === undefined || Number(input.MpuObjectSize) === size) return;
  throw invalidRequest(
    `The provided 'x-amz-mp-object-size' header value ${input.MpuObjectSize} does not match what was computed: ${size}`,
  );
}

/** The object's checksum; without a declared kind S3 gives every object a CRC64NVME. */
function wholeChecksum(
  input: CompleteMultipartUploadCommandInput,
  upload: UploadRecord,
  parts: readonly PartRecord[],
): StoredChecksum | undefined {
  const kind = upload.checksumKind ?? 'CRC64NVME';
  const type = upload.checksumType ?? 'FULL_OBJECT';
  if (input.ChecksumType !== undefined && input.ChecksumType !== type) {
    throw invalidRequest(
      `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
    );
  }
  const checksum = combinePartChecksums(kind, type, parts);
  const told = (input as ChecksumMembers)[`Checksum${kind}`];
  if (told !== undefined && told.replace(/-\d+$/, '') !== checksum?.value.replace(/-\d+$/, '')) {
    throw checksumMismatch(kind);
  }
  return checksum;
}
