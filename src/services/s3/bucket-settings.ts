import type {
  DeleteBucketEncryptionCommandInput,
  DeleteBucketOwnershipControlsCommandInput,
  DeleteBucketTaggingCommandInput,
  GetBucketAclCommandInput,
  GetBucketAclCommandOutput,
  GetBucketEncryptionCommandInput,
  GetBucketEncryptionCommandOutput,
  GetBucketOwnershipControlsCommandInput,
  GetBucketOwnershipControlsCommandOutput,
  GetBucketTaggingCommandInput,
  GetBucketTaggingCommandOutput,
  GetObjectAclCommandInput,
  GetObjectAclCommandOutput,
  PutBucketAclCommandInput,
  PutBucketEncryptionCommandInput,
  PutBucketOwnershipControlsCommandInput,
  PutBucketTaggingCommandInput,
  PutObjectAclCommandInput,
  ServerSideEncryptionRule,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, canonicalUserId, requireBucket } from './bucket-access.ts';
import { malformedXml, notImplemented } from './errors.ts';
import { bucketKey, configKey } from './keys.ts';
import { aclNotSupported } from './object-headers.ts';
import { findObject } from './read-object.ts';
import type { BucketRecord, TagList } from './records.ts';
import type { S3State } from './state.ts';
import { checkBucketTags } from './tags.ts';

type Output<T> = Omit<T, '$metadata'>;
type Nothing = Promise<Record<string, never>>;

/** Source: S3 API Reference, "PutBucketTagging". */
export async function putBucketTagging(
  s3: S3State,
  input: PutBucketTaggingCommandInput,
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  const tags = checkBucketTags(input.Tagging?.TagSet ?? []);
  await s3.store.transact(async (transaction) => {
    await bucketInTransaction(transaction, name);
    if (tags.length === 0) transaction.delete(configKey('tagging', name));
    else transaction.put(configKey('tagging', name), tags);
  });
  return {};
}

/** Source: S3 API Reference, "GetBucketTagging". */
export async function getBucketTagging(
  s3: S3State,
  input: GetBucketTaggingCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketTaggingCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  const entry = await s3.store.get<TagList>(configKey('tagging', name));
  if (!entry) throw notFound('NoSuchTagSet', 'The TagSet does not exist', name);
  return { TagSet: entry.value.map(([Key, Value]) => ({ Key, Value })) };
}

/** Source: S3 API Reference, "DeleteBucketTagging". */
export async function deleteBucketTagging(
  s3: S3State,
  input: DeleteBucketTaggingCommandInput,
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  await s3.store.delete(configKey('tagging', name));
  return {};
}

/** Source: S3 API Reference, "PutBucketEncryption". Only the default of every bucket is there. */
export async function putBucketEncryption(
  s3: S3State,
  input: PutBucketEncryptionCommandInput,
  context: RequestContext,
): Nothing {
  await requireBucket(s3, input, context);
  const rules = input.ServerSideEncryptionConfiguration?.Rules ?? [];
  const [rule] = rules;
  if (!rule || rules.length > 1) throw malformedXml('one encryption rule');
  checkEncryptionRule(rule);
  return {};
}

function checkEncryptionRule(rule: ServerSideEncryptionRule): void {
  const algorithm = rule.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
  if (algorithm !== undefined && algorithm !== 'AES256') {
    throw notImplemented(`Default encryption with ${algorithm}`, 'use AES256');
  }
  if (rule.ApplyServerSideEncryptionByDefault?.KMSMasterKeyID !== undefined || rule.BucketKeyEnabled) {
    throw notImplemented('Encryption with KMS keys', 'use AES256');
  }
  if (rule.BlockedEncryptionTypes?.EncryptionType?.includes('NONE')) {
    throw notImplemented('Unblocking SSE-C', 'uploads with customer keys are always refused here');
  }
}

/** Source: S3 API Reference, "GetBucketEncryption". */
export async function getBucketEncryption(
  s3: S3State,
  input: GetBucketEncryptionCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketEncryptionCommandOutput>> {
  await requireBucket(s3, input, context);
  return {
    ServerSideEncryptionConfiguration: {
      Rules: [
        {
          ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' },
          BucketKeyEnabled: false,
          BlockedEncryptionTypes: { EncryptionType: ['SSE-C'] },
        },
      ],
    },
  };
}

/** Source: S3 API Reference, "DeleteBucketEncryption": back to the default. */
export async function deleteBucketEncryption(
  s3: S3State,
  input: DeleteBucketEncryptionCommandInput,
  context: RequestContext,
): Nothing {
  await requireBucket(s3, input, context);
  return {};
}

/** Source: S3 API Reference, "PutBucketOwnershipControls". */
export async function putBucketOwnershipControls(
  s3: S3State,
  input: PutBucketOwnershipControlsCommandInput,
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  const rules = input.OwnershipControls?.Rules ?? [];
  const ownership = rules[0]?.ObjectOwnership;
  if (rules.length !== 1 || ownership === undefined) throw malformedXml('one ownership rule');
  if (ownership !== 'BucketOwnerEnforced') {
    throw notImplemented(`Object ownership ${ownership}`, 'ACLs are off: use BucketOwnerEnforced');
  }
  await setOwnershipControls(s3, name, true);
  return {};
}

/** Source: S3 API Reference, "GetBucketOwnershipControls". */
export async function getBucketOwnershipControls(
  s3: S3State,
  input: GetBucketOwnershipControlsCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketOwnershipControlsCommandOutput>> {
  const { name, ownershipControls } = await requireBucket(s3, input, context);
  if (!ownershipControls) {
    throw notFound('OwnershipControlsNotFoundError', 'The bucket ownership controls were not found', name);
  }
  return { OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] } };
}

/** Source: S3 API Reference, "DeleteBucketOwnershipControls". ACLs stay off: there are none here. */
export async function deleteBucketOwnershipControls(
  s3: S3State,
  input: DeleteBucketOwnershipControlsCommandInput,
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  await setOwnershipControls(s3, name, false);
  return {};
}

async function setOwnershipControls(s3: S3State, name: string, ownershipControls: boolean): Promise<void> {
  await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), { ...bucket, ownershipControls });
  });
}

/** Source: S3 User Guide, "Controlling ownership of objects": setting an ACL fails. */
export async function putBucketAcl(s3: S3State, input: PutBucketAclCommandInput, context: RequestContext): Nothing {
  await requireBucket(s3, input, context);
  throw aclNotSupported();
}

/** Source: S3 User Guide, "Controlling ownership of objects": setting an ACL fails. */
export async function putObjectAcl(s3: S3State, input: PutObjectAclCommandInput, context: RequestContext): Nothing {
  await requireBucket(s3, input, context);
  throw aclNotSupported();
}

/** Source: S3 API Reference, "GetBucketAcl": the owner has full control. */
export async function getBucketAcl(
  s3: S3State,
  input: GetBucketAclCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketAclCommandOutput>> {
  return ownersAcl(await requireBucket(s3, input, context));
}

/** Source: S3 API Reference, "GetObjectAcl": the bucket's owner has full control. */
export async function getObjectAcl(
  s3: S3State,
  input: GetObjectAclCommandInput,
  context: RequestContext,
): Promise<Output<GetObjectAclCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  await findObject(s3, bucket, input.Key ?? '', input.VersionId, 'GET');
  return ownersAcl(bucket);
}

function ownersAcl(bucket: BucketRecord) {
  const owner = { ID: canonicalUserId(bucket.account) };
  return {
    Owner: owner,
    Grants: [{ Grantee: { ...owner, Type: 'CanonicalUser' as const }, Permission: 'FULL_CONTROL' as const }],
  };
}

/** What tools ask for that no bucket here has: the answer of a bucket without it. */

/** Source: S3 API Reference, "GetBucketAccelerateConfiguration". */
export async function getBucketAccelerateConfiguration(
  s3: S3State,
  input: { readonly Bucket?: string | undefined },
  context: RequestContext,
): Nothing {
  await requireBucket(s3, input, context);
  return {};
}

/** Source: S3 API Reference, "GetBucketLogging". */
export async function getBucketLogging(
  s3: S3State,
  input: { readonly Bucket?: string | undefined },
  context: RequestContext,
): Nothing {
  await requireBucket(s3, input, context);
  return {};
}

/** Source: S3 API Reference, "GetBucketRequestPayment". */
export async function getBucketRequestPayment(
  s3: S3State,
  input: { readonly Bucket?: string | undefined },
  context: RequestContext,
): Promise<{ Payer: 'BucketOwner' }> {
  await requireBucket(s3, input, context);
  return { Payer: 'BucketOwner' };
}

/** Source: S3 API Reference, "GetBucketWebsite". */
export async function getBucketWebsite(
  s3: S3State,
  input: { readonly Bucket?: string | undefined },
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  throw notFound('NoSuchWebsiteConfiguration', 'The specified bucket does not have a website configuration', name);
}

/** Source: S3 API Reference, "GetBucketReplication". */
export async function getBucketReplication(
  s3: S3State,
  input: { readonly Bucket?: string | undefined },
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  throw notFound('ReplicationConfigurationNotFoundError', 'The replication configuration was not found', name);
}

/** Source: S3 API Reference, "GetObjectLockConfiguration". */
export async function getObjectLockConfiguration(
  s3: S3State,
  input: { readonly Bucket?: string | undefined },
  context: RequestContext,
): Nothing {
  const { name } = await requireBucket(s3, input, context);
  throw notFound(
    'ObjectLockConfigurationNotFoundError',
    'Object Lock configuration does not exist for this bucket',
    name,
  );
}

function notFound(code: string, message: string, bucket: string): ServiceError {
  return new ServiceError(code, message, { status: 404, members: { BucketName: bucket } });
}
