import type {
  CopyObjectCommandInput,
  CopyObjectCommandOutput,
  UploadPartCopyCommandInput,
  UploadPartCopyCommandOutput,
} from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { keepBody } from './bodies.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { checksumOutput, parseChecksumKind } from './checksums.ts';
import { checkWrite, checkWriteConditionForm } from './conditional.ts';
import { type CopySource, copyBytes, parseCopySource } from './copy-source.ts';
import { invalidArgument, invalidRequest } from './errors.ts';
import { currentKey } from './keys.ts';
import { expirationHeader } from './lifecycle-header.ts';
import { checkPartNumber, keepPart, requireUpload } from './multipart-upload.ts';
import { checkKey } from './names.ts';
import { notify, originOf } from './notifications.ts';
import { checkEncryption, checkObjectOptions, objectHeaders } from './object-headers.ts';
import type { ObjectHeaders, TagList, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { parseTaggingHeader } from './tags.ts';
import { wholeSeconds } from './timestamps.ts';
import { versionOutput } from './version-output.ts';
import { addVersion, sequencerOf } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 API Reference, "CopyObject". */
export async function copyObject(
  s3: S3State,
  input: CopyObjectCommandInput,
  context: RequestContext,
): Promise<Output<CopyObjectCommandOutput>> {
  const key = input.Key ?? '';
  checkKey(key);
  const found = await requireBucket(s3, input, context);
  checkObjectOptions(input);
  checkDirectives(input);
  checkWriteConditionForm(input);
  checkSelfCopy(input);
  const kind = parseChecksumKind(input.ChecksumAlgorithm);
  const source = await copyBytes(s3, input, context, (record) => kind ?? record.checksum?.kind ?? 'CRC64NVME');
  const { received } = source;
  try {
    const headers = copiedHeaders(input, source);
    const tags = copiedTags(input, source);
    const { bucket, record } = await s3.store.transact(async (transaction) => {
      const bucket = await bucketInTransaction(transaction, found.name);
      const current = (await transaction.get<VersionRecord>(currentKey(bucket.name, key)))?.value;
      checkWrite(input, key, current);
      keepBody(s3, transaction, received);
      const record = await addVersion(s3, transaction, { bucket, key }, current, {
        ...headers,
        size: received.size,
        etag: received.etag,
        body: received.body,
        checksum: received.checksum,
        lastModified: s3.clock.now(),
        ...(tags === undefined ? {} : { tags }),
      });
      notify(s3, transaction, bucket, {
        name: 'ObjectCreated:Copy',
        key,
        sequencer: sequencerOf(record),
        version: record,
        origin: originOf(context),
      });
      return { bucket, record };
    });
    return {
      CopyObjectResult: {
        ETag: `"${record.etag}"`,
        LastModified: wholeSeconds(record.lastModified),
        ...checksumOutput(record.checksum),
      },
      ServerSideEncryption: 'AES256',
      ...sourceVersion(source),
      ...versionOutput(bucket, record),
      ...(await expirationHeader(s3, bucket, key, record)),
    };
  } finally {
    received.lease?.release();
  }
}

function sourceVersion(source: CopySource): { CopySourceVersionId?: string } {
  return source.bucket.versioning === undefined ? {} : { CopySourceVersionId: source.record.versionId };
}

function checkDirectives(input: CopyObjectCommandInput): void {
  for (const [name, directive] of [
    ['x-amz-metadata-directive', input.MetadataDirective],
    ['x-amz-tagging-directive', input.TaggingDirective],
  ] as const) {
    if (directive !== undefined && directive !== 'COPY' && directive !== 'REPLACE') {
      throw invalidArgument('Unknown directive: use COPY or REPLACE', name, directive);
    }
  }
  if (input.Tagging !== undefined && input.TaggingDirective !== 'REPLACE') {
    throw invalidArgument('x-amz-tagging needs x-amz-tagging-directive: REPLACE', 'x-amz-tagging', input.Tagging);
  }
}

/** Copying an object onto itself must change something. */
function checkSelfCopy(input: CopyObjectCommandInput): void {
  const source = parseCopySource(input.CopySource);
  const same = source.bucket === input.Bucket && source.key === input.Key && source.versionId === undefined;
  const changes =
    input.MetadataDirective === 'REPLACE' ||
    input.TaggingDirective === 'REPLACE' ||
    input.StorageClass !== undefined ||
    input.WebsiteRedirectLocation !== undefined ||
    input.ServerSideEncryption !== undefined ||
    input.ChecksumAlgorithm !== undefined;
  if (!same || changes) return;
  throw invalidRequest(
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  );
}

function copiedHeaders(input: CopyObjectCommandInput, { record }: CopySource): ObjectHeaders {
  if (input.MetadataDirective === 'REPLACE') return objectHeaders(input);
  // Storage class and redirect belong to the copy, not to what is copied.
  const own = objectHeaders({
    StorageClass: input.StorageClass,
    WebsiteRedirectLocation: input.WebsiteRedirectLocation,
  });
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, metadata } = record;
  return {
    ...own,
    contentType,
    ...(cacheControl === undefined ? {} : { cacheControl }),
    ...(contentDisposition === undefined ? {} : { contentDisposition }),
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    ...(contentLanguage === undefined ? {} : { contentLanguage }),
    ...(expires === undefined ? {} : { expires }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function copiedTags(input: CopyObjectCommandInput, { record }: CopySource): TagList | undefined {
  return input.TaggingDirective === 'REPLACE' ? parseTaggingHeader(input.Tagging) : record.tags;
}

/** Source: S3 API Reference, "UploadPartCopy". */
export async function uploadPartCopy(
  s3: S3State,
  input: UploadPartCopyCommandInput,
  context: RequestContext,
): Promise<Output<UploadPartCopyCommandOutput>> {
  const partNumber = checkPartNumber(input.PartNumber);
  await requireBucket(s3, input, context);
  checkEncryption(input);
  const upload = await requireUpload(s3.store, input);
  const source = await copyBytes(s3, input, context, () => upload.checksumKind ?? 'CRC64NVME');
  const part = await keepPart(s3, input, partNumber, source.received);
  const { ChecksumType: _, ...checksum } = checksumOutput(part.checksum);
  return {
    CopyPartResult: {
      ETag: `"${part.etag}"`,
      LastModified: wholeSeconds(part.lastModified),
      ...(upload.checksumKind === undefined ? {} : checksum),
    },
    ServerSideEncryption: 'AES256',
    ...sourceVersion(source),
  };
}
