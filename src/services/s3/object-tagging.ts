import type {
  DeleteObjectTaggingCommandInput,
  DeleteObjectTaggingCommandOutput,
  GetObjectTaggingCommandInput,
  GetObjectTaggingCommandOutput,
  PutObjectTaggingCommandInput,
  PutObjectTaggingCommandOutput,
} from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { methodNotAllowed, noSuchKey, noSuchVersion } from './errors.ts';
import { currentKey } from './keys.ts';
import { notify, originOf } from './notifications.ts';
import { findObject } from './read-object.ts';
import type { BucketRecord, ObjectRecord, TagList, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { checkObjectTags } from './tags.ts';
import { versionOutput } from './version-output.ts';
import { checkVersionId, findVersion, nextSequencer, rewriteVersion } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 API Reference, "GetObjectTagging". */
export async function getObjectTagging(
  s3: S3State,
  input: GetObjectTaggingCommandInput,
  context: RequestContext,
): Promise<Output<GetObjectTaggingCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  const record = await findObject(s3, bucket, input.Key ?? '', input.VersionId, 'GET');
  return {
    TagSet: (record.tags ?? []).map(([Key, Value]) => ({ Key, Value })),
    ...versionOutput(bucket, record),
  };
}

/** Source: S3 API Reference, "PutObjectTagging". */
export async function putObjectTagging(
  s3: S3State,
  input: PutObjectTaggingCommandInput,
  context: RequestContext,
): Promise<Output<PutObjectTaggingCommandOutput>> {
  const tags = checkObjectTags(input.Tagging?.TagSet ?? []);
  const { bucket, record } = await setTags(s3, input, context, tags, 'ObjectTagging:Put');
  return versionOutput(bucket, record);
}

/** Source: S3 API Reference, "DeleteObjectTagging". */
export async function deleteObjectTagging(
  s3: S3State,
  input: DeleteObjectTaggingCommandInput,
  context: RequestContext,
): Promise<Output<DeleteObjectTaggingCommandOutput>> {
  const { bucket, record } = await setTags(s3, input, context, [], 'ObjectTagging:Delete');
  return versionOutput(bucket, record);
}

async function setTags(
  s3: S3State,
  input: DeleteObjectTaggingCommandInput,
  context: RequestContext,
  tags: TagList,
  event: string,
): Promise<{ readonly bucket: BucketRecord; readonly record: ObjectRecord }> {
  const key = input.Key ?? '';
  if (input.VersionId !== undefined) checkVersionId(input.VersionId);
  const { name } = await requireBucket(s3, input, context);
  return s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    const current = (await transaction.get<VersionRecord>(currentKey(name, key)))?.value;
    const found =
      input.VersionId === undefined ? current : await findVersion(transaction, name, key, input.VersionId, current);
    if (!current || !found) throw input.VersionId === undefined ? noSuchKey(key) : noSuchVersion(key, input.VersionId);
    if (found.deleteMarker) {
      if (input.VersionId === undefined) throw noSuchKey(key);
      throw methodNotAllowed('PUT', { 'x-amz-delete-marker': 'true' });
    }
    const { tags: _, ...rest } = found;
    const record: ObjectRecord = tags.length === 0 ? rest : { ...rest, tags };
    rewriteVersion(transaction, name, key, current, record);
    const sequencer = nextSequencer(s3, current);
    notify(s3, transaction, bucket, { name: event, key, sequencer, version: record, origin: originOf(context) });
    return { bucket, record };
  });
}
