import type { PutObjectCommandInput, PutObjectCommandOutput } from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { keepBody } from './bodies.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { announcedChecksum, checksumOutput } from './checksums.ts';
import { checkWrite, checkWriteConditionForm } from './conditional.ts';
import { currentKey } from './keys.ts';
import { expirationHeader } from './lifecycle-header.ts';
import { checkKey } from './names.ts';
import { notify, originOf } from './notifications.ts';
import { checkObjectOptions, objectHeaders } from './object-headers.ts';
import { receiveBody } from './receive-body.ts';
import type { VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { parseTaggingHeader } from './tags.ts';
import { versionOutput } from './version-output.ts';
import { addVersion, sequencerOf } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 API Reference, "PutObject". */
export async function putObject(
  s3: S3State,
  input: PutObjectCommandInput,
  context: RequestContext,
): Promise<Output<PutObjectCommandOutput>> {
  const key = input.Key ?? '';
  checkKey(key);
  const found = await requireBucket(s3, input, context);
  checkObjectOptions(input);
  checkWriteConditionForm(input);
  const headers = objectHeaders(input);
  const tags = parseTaggingHeader(input.Tagging);
  const announced = announcedChecksum(input, singleHeader(context, 'x-amz-trailer'));
  const received = await receiveBody(s3, input.Body, {
    announced,
    defaultKind: 'CRC64NVME',
    contentMd5: input.ContentMD5,
  });
  try {
    const written = await s3.store.transact(async (transaction) => {
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
        name: context.operation === 'PostObject' ? 'ObjectCreated:Post' : 'ObjectCreated:Put',
        key,
        sequencer: sequencerOf(record),
        version: record,
        origin: originOf(context),
      });
      return { bucket, record };
    });
    return {
      ETag: `"${received.etag}"`,
      ServerSideEncryption: 'AES256',
      ...checksumOutput(received.checksum),
      ...versionOutput(written.bucket, written.record),
      ...(await expirationHeader(s3, written.bucket, key, written.record)),
    };
  } finally {
    received.lease?.release();
  }
}

/** A request header's value when it was sent once. */
export function singleHeader(context: RequestContext, name: string): string | undefined {
  const value = context.headers[name];
  return typeof value === 'string' ? value : undefined;
}
