import type {
  DeleteObjectCommandInput,
  DeleteObjectCommandOutput,
  DeleteObjectsCommandInput,
  DeleteObjectsCommandOutput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { matchesEtag } from './conditional.ts';
import { malformedXml, notImplemented, preconditionFailed } from './errors.ts';
import { currentKey } from './keys.ts';
import { checkKey } from './names.ts';
import { type EventOrigin, notify, originOf } from './notifications.ts';
import type { BucketRecord, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { addVersion, checkVersionId, findVersion, nextSequencer, removeVersion, sequencerOf } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Most keys of one DeleteObjects. */
const maxDeletes = 1000;

interface Deletion {
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly ifMatch?: string | undefined;
}

interface DeletionResult {
  readonly deleteMarker: boolean;
  readonly versionId: string | undefined;
}

/** Source: S3 API Reference, "DeleteObject". */
export async function deleteObject(
  s3: S3State,
  input: DeleteObjectCommandInput,
  context: RequestContext,
): Promise<Output<DeleteObjectCommandOutput>> {
  const key = input.Key ?? '';
  checkKey(key);
  if (input.VersionId !== undefined) checkVersionId(input.VersionId);
  const { name } = await requireBucket(s3, input, context);
  checkDeleteOptions(input);
  const result = await s3.store.transact(async (transaction) =>
    deleteInTransaction(s3, transaction, await bucketInTransaction(transaction, name), {
      key,
      versionId: input.VersionId,
      ifMatch: input.IfMatch,
      origin: originOf(context),
    }),
  );
  return {
    ...(result.deleteMarker ? { DeleteMarker: true } : {}),
    ...(result.versionId === undefined ? {} : { VersionId: result.versionId }),
  };
}

function checkDeleteOptions(input: {
  readonly MFA?: string | undefined;
  readonly BypassGovernanceRetention?: boolean | undefined;
  readonly IfMatchLastModifiedTime?: Date | undefined;
  readonly IfMatchSize?: number | undefined;
}): void {
  if (input.MFA !== undefined) throw notImplemented('MFA delete', 'buckets cannot ask for it here');
  if (input.BypassGovernanceRetention !== undefined) throw notImplemented('Object Lock', 'nothing is retained');
  if (input.IfMatchLastModifiedTime !== undefined || input.IfMatchSize !== undefined) {
    throw notImplemented(
      'x-amz-if-match-last-modified-time and x-amz-if-match-size',
      'they are for directory buckets; use If-Match',
    );
  }
}

/** Source: S3 API Reference, "DeleteObjects". Each key is deleted on its own; failures are reported per key. */
export async function deleteObjects(
  s3: S3State,
  input: DeleteObjectsCommandInput,
  context: RequestContext,
): Promise<Output<DeleteObjectsCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  checkDeleteOptions(input);
  const objects = input.Delete?.Objects ?? [];
  if (objects.length === 0 || objects.length > maxDeletes) throw malformedXml();
  const deleted: NonNullable<DeleteObjectsCommandOutput['Deleted']> = [];
  const errors: NonNullable<DeleteObjectsCommandOutput['Errors']> = [];
  const origin = originOf(context);
  const checked: Deletion[] = [];
  for (const object of objects) {
    const key = object.Key ?? '';
    try {
      checkKey(key);
      if (object.VersionId !== undefined) checkVersionId(object.VersionId);
      checkDeleteOptions({ IfMatchLastModifiedTime: object.LastModifiedTime, IfMatchSize: object.Size });
      checked.push({ key, versionId: object.VersionId, ifMatch: object.ETag });
    } catch (error) {
      errors.push(describeFailure({ key, versionId: object.VersionId }, error));
    }
  }
  const outcomes = await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    const results: (DeletionResult | ServiceError)[] = [];
    for (const deletion of checked) {
      try {
        results.push(await deleteInTransaction(s3, transaction, bucket, { ...deletion, origin }));
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        results.push(error);
      }
    }
    return results;
  });
  checked.forEach((deletion, index) => {
    const outcome = outcomes[index]!;
    if (outcome instanceof ServiceError) errors.push(describeFailure(deletion, outcome));
    else if (!input.Delete?.Quiet) deleted.push(describeDeletion(deletion, outcome));
  });
  return {
    ...(deleted.length === 0 ? {} : { Deleted: deleted }),
    ...(errors.length === 0 ? {} : { Errors: errors }),
  };
}

function describeDeletion(deletion: Deletion, result: DeletionResult) {
  return {
    Key: deletion.key,
    ...(deletion.versionId === undefined ? {} : { VersionId: deletion.versionId }),
    ...(result.deleteMarker ? { DeleteMarker: true, DeleteMarkerVersionId: result.versionId } : {}),
  };
}

function describeFailure(deletion: Deletion, error: unknown) {
  if (!(error instanceof ServiceError)) throw error;
  return {
    Key: deletion.key,
    ...(deletion.versionId === undefined ? {} : { VersionId: deletion.versionId }),
    Code: error.code,
    Message: error.message,
  };
}

/** What expiration by lifecycle calls its events, besides the requests' own. */
export interface DeletionNames {
  readonly deleted: string;
  readonly marked: string;
}

const requestNames: DeletionNames = { deleted: 'ObjectRemoved:Delete', marked: 'ObjectRemoved:DeleteMarkerCreated' };

/**
 * Deletes one version for good, or the object: replaced by a delete marker when the bucket has versioning. Deleting
 * what is not there succeeds. Source: S3 User Guide, "Deleting object versions from a versioning-enabled bucket".
 */
export async function deleteInTransaction(
  s3: S3State,
  transaction: Transaction,
  bucket: BucketRecord,
  deletion: Deletion & { readonly origin: EventOrigin; readonly names?: DeletionNames },
): Promise<DeletionResult> {
  const { key, versionId, origin } = deletion;
  const names = deletion.names ?? requestNames;
  const current = (await transaction.get<VersionRecord>(currentKey(bucket.name, key)))?.value;
  const target =
    versionId === undefined ? current : await findVersion(transaction, bucket.name, key, versionId, current);
  checkDeleteCondition(deletion.ifMatch, target);
  if (versionId !== undefined || bucket.versioning === undefined) {
    if (!target) return { deleteMarker: false, versionId };
    await removeVersion(s3, transaction, bucket.name, key, target.versionId);
    notify(s3, transaction, bucket, {
      name: names.deleted,
      key,
      sequencer: nextSequencer(s3, current),
      version: target,
      origin,
    });
    return { deleteMarker: target.deleteMarker === true, versionId };
  }
  const marker = await addVersion(s3, transaction, { bucket, key }, current, {
    deleteMarker: true as const,
    lastModified: s3.clock.now(),
  });
  notify(s3, transaction, bucket, { name: names.marked, key, sequencer: sequencerOf(marker), version: marker, origin });
  return { deleteMarker: true, versionId: marker.versionId };
}

function checkDeleteCondition(ifMatch: string | undefined, target: VersionRecord | undefined): void {
  if (ifMatch === undefined || !target) return;
  if (target.deleteMarker || !matchesEtag(ifMatch, target.etag)) throw preconditionFailed('If-Match');
}
