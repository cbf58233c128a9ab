import {
  BucketLocationConstraint,
  type CreateBucketCommandInput,
  type CreateBucketCommandOutput,
  type DeleteBucketCommandInput,
  type GetBucketLocationCommandInput,
  type GetBucketLocationCommandOutput,
  type HeadBucketCommandInput,
  type HeadBucketCommandOutput,
  type ListBucketsCommandInput,
  type ListBucketsCommandOutput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { dropBody } from './bodies.ts';
import { bucketArn, canonicalUserId, checkAccess, requireBucket } from './bucket-access.ts';
import { invalidArgument, invalidRequest, notImplemented } from './errors.ts';
import { bucketKey, type ConfigKind, configKey, ownedBucketKey } from './keys.ts';
import { checkBucketName } from './names.ts';
import type { BucketRecord, UploadedPartRecord } from './records.ts';
import type { S3State } from './state.ts';
import { checkBucketTags } from './tags.ts';
import { wholeSeconds } from './timestamps.ts';

type Output<T> = Omit<T, '$metadata'>;

const homeRegion = 'us-east-1';
const configKinds: readonly ConfigKind[] = ['cors', 'lifecycle', 'policy', 'tagging', 'encryption'];
/** Source: S3 User Guide, "General purpose bucket quotas". */
const maxBucketsPerAccount = 10_000;

/** Source: S3 API Reference, "CreateBucket". */
export async function createBucket(
  s3: S3State,
  input: CreateBucketCommandInput,
  context: RequestContext,
): Promise<Output<CreateBucketCommandOutput>> {
  const name = input.Bucket ?? '';
  checkBucketName(name);
  checkCreateOptions(input);
  const region = bucketRegion(input, context);
  const tags = checkBucketTags(input.CreateBucketConfiguration?.Tags ?? []);
  await s3.store.transact(async (transaction) => {
    const existing = await transaction.get<BucketRecord>(bucketKey(name));
    if (existing) return checkRecreation(existing.value, context);
    const owned = await transaction.range({ prefix: ['s3', 'owned', context.account], limit: maxBucketsPerAccount });
    if (owned.length >= maxBucketsPerAccount) {
      throw new ServiceError('TooManyBuckets', 'You have attempted to create more buckets than allowed');
    }
    const record: BucketRecord = {
      name,
      account: context.account,
      region,
      createdAt: s3.clock.now(),
      // As AWS has set for every new bucket since April 2023.
      publicAccessBlock: {
        blockPublicAcls: true,
        ignorePublicAcls: true,
        blockPublicPolicy: true,
        restrictPublicBuckets: true,
      },
      ownershipControls: true,
    };
    transaction.put(bucketKey(name), record);
    transaction.put(ownedBucketKey(context.account, name), true);
    if (tags.length > 0) transaction.put(configKey('tagging', name), tags);
  });
  return {
    Location: region === homeRegion ? `/${name}` : `http://${name}.s3.amazonaws.com/`,
    BucketArn: bucketArn(name),
  };
}

function checkCreateOptions(input: CreateBucketCommandInput): void {
  if (input.ObjectLockEnabledForBucket) {
    throw notImplemented('Object Lock', 'use bucket versioning to keep deleted objects');
  }
  if (input.ObjectOwnership !== undefined && input.ObjectOwnership !== 'BucketOwnerEnforced') {
    throw notImplemented(`Object ownership ${input.ObjectOwnership}`, 'ACLs are off: use BucketOwnerEnforced');
  }
  const grants = [
    input.GrantFullControl,
    input.GrantRead,
    input.GrantReadACP,
    input.GrantWrite,
    input.GrantWriteACP,
  ].some((grant) => grant !== undefined);
  if (grants || (input.ACL !== undefined && input.ACL !== 'private')) {
    throw new ServiceError(
      'InvalidBucketAclWithObjectOwnership',
      "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    );
  }
  const { Location: location, Bucket: bucket } = input.CreateBucketConfiguration ?? {};
  if (location !== undefined || bucket !== undefined) {
    throw notImplemented('Directory buckets', 'general purpose buckets are served');
  }
  if (input.BucketNamespace !== undefined && input.BucketNamespace !== 'global') {
    throw notImplemented(`The bucket namespace ${input.BucketNamespace}`, 'bucket names are global');
  }
}

function bucketRegion(input: CreateBucketCommandInput, context: RequestContext): string {
  const constraint: string | undefined = input.CreateBucketConfiguration?.LocationConstraint;
  const known: readonly string[] = Object.values(BucketLocationConstraint);
  if (constraint === undefined || constraint === '') {
    if (context.region === homeRegion) return homeRegion;
    throw illegalLocation('unspecified', context.region);
  }
  if (!known.includes(constraint)) {
    throw new ServiceError('InvalidLocationConstraint', 'The specified location-constraint is not valid', {
      members: { LocationConstraint: constraint },
    });
  }
  const region = constraint === 'EU' ? 'eu-west-1' : constraint;
  if (context.region !== homeRegion && context.region !== region) throw illegalLocation(constraint, context.region);
  return region;
}

function illegalLocation(constraint: string, region: string): ServiceError {
  return new ServiceError(
    'IllegalLocationConstraintException',
    `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    { detail: `request for ${region}` },
  );
}

/** In us-east-1 creating one's own bucket again succeeds; elsewhere it is an error. */
function checkRecreation(existing: BucketRecord, context: RequestContext): void {
  if (existing.account !== context.account) {
    throw new ServiceError(
      'BucketAlreadyExists',
      'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
      { status: 409, members: { BucketName: existing.name } },
    );
  }
  if (existing.region === homeRegion && context.region === homeRegion) return;
  throw new ServiceError(
    'BucketAlreadyOwnedByYou',
    'Your previous request to create the named bucket succeeded and you already own it.',
    { status: 409, members: { BucketName: existing.name } },
  );
}

/** Source: S3 API Reference, "DeleteBucket". Uploads under way go with the bucket. */
export async function deleteBucket(
  s3: S3State,
  input: DeleteBucketCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  await s3.store.transact(async (transaction) => {
    const bucket = await requireBucket(s3, input, context, transaction);
    const [object] = await transaction.range({ prefix: ['s3', 'current', bucket.name], limit: 1 });
    if (object) {
      throw new ServiceError(
        'BucketNotEmpty',
        bucket.versioning === undefined
          ? 'The bucket you tried to delete is not empty'
          : 'The bucket you tried to delete is not empty. You must delete all versions in the bucket.',
        { status: 409, members: { BucketName: bucket.name } },
      );
    }
    for (const upload of await transaction.range({ prefix: ['s3', 'upload', bucket.name] })) {
      transaction.delete(upload.key);
      const uploadId = upload.key[4] as string;
      for (const part of await transaction.range<UploadedPartRecord>({ prefix: ['s3', 'uploaded-part', uploadId] })) {
        transaction.delete(part.key);
        await dropBody(s3, transaction, part.value.body);
      }
    }
    for (const kind of configKinds) transaction.delete(configKey(kind, bucket.name));
    transaction.delete(ownedBucketKey(bucket.account, bucket.name));
    transaction.delete(bucketKey(bucket.name));
  });
  return {};
}

/**
 * Source: S3 API Reference, "HeadBucket". A HEAD answer has no body: errors are told by status alone, and the region
 * by a header even when the bucket is another account's or elsewhere.
 */
export async function headBucket(
  s3: S3State,
  input: HeadBucketCommandInput,
  context: RequestContext,
): Promise<Output<HeadBucketCommandOutput>> {
  const entry = await s3.store.get<BucketRecord>(bucketKey(input.Bucket ?? ''));
  if (!entry) throw new ServiceError('NotFound', 'Not Found', { status: 404 });
  const bucket = entry.value;
  const headers = { 'x-amz-bucket-region': bucket.region };
  try {
    checkAccess(s3, bucket, context, input.ExpectedBucketOwner);
  } catch {
    throw new ServiceError('403', 'Forbidden', { status: 403, headers });
  }
  if (context.headers.authorization !== undefined && context.region !== bucket.region) {
    throw new ServiceError('PermanentRedirect', 'Moved Permanently', { status: 301, headers });
  }
  return { BucketRegion: bucket.region, BucketArn: bucketArn(bucket.name), AccessPointAlias: false };
}

/** Source: S3 API Reference, "GetBucketLocation": null means us-east-1. */
export async function getBucketLocation(
  s3: S3State,
  input: GetBucketLocationCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketLocationCommandOutput>> {
  // The location may be asked for from any region.
  const bucket = await requireBucket(s3, input, { ...context, headers: {} });
  return bucket.region === homeRegion ? {} : { LocationConstraint: bucket.region as BucketLocationConstraint };
}

/** Source: S3 API Reference, "ListBuckets". */
export async function listBuckets(
  s3: S3State,
  input: ListBucketsCommandInput,
  context: RequestContext,
): Promise<Output<ListBucketsCommandOutput>> {
  const limit = input.MaxBuckets ?? maxBucketsPerAccount;
  if (limit < 1 || limit > maxBucketsPerAccount) {
    throw invalidArgument('MaxBuckets must be between 1 and 10000', 'max-buckets', String(limit));
  }
  const after = input.ContinuationToken === undefined ? undefined : parseToken(input.ContinuationToken);
  const prefix = input.Prefix ?? '';
  const space = ['s3', 'owned', context.account] as const;
  const names = (
    await s3.store.range({ prefix: space, ...(after === undefined ? {} : { after: [...space, after] }) })
  ).map((entry) => entry.key[3] as string);
  const found: BucketRecord[] = [];
  let more = false;
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const bucket = (await s3.store.get<BucketRecord>(bucketKey(name)))?.value;
    if (!bucket || (input.BucketRegion !== undefined && bucket.region !== input.BucketRegion)) continue;
    if (found.length === limit) {
      more = true;
      break;
    }
    found.push(bucket);
  }
  const told = input.MaxBuckets !== undefined || input.Prefix !== undefined || input.BucketRegion !== undefined;
  return {
    Buckets: found.map((bucket) => ({
      Name: bucket.name,
      CreationDate: wholeSeconds(bucket.createdAt),
      ...(told ? { BucketRegion: bucket.region } : {}),
      BucketArn: bucketArn(bucket.name),
    })),
    Owner: { ID: canonicalUserId(context.account) },
    ...(input.Prefix === undefined ? {} : { Prefix: input.Prefix }),
    ...(more ? { ContinuationToken: Buffer.from(found.at(-1)!.name).toString('base64url') } : {}),
  };
}

function parseToken(token: string): string {
  const name = Buffer.from(token, 'base64url').toString();
  if (!/^[a-z0-9.-]+$/.test(name)) throw invalidRequest('The continuation token provided is incorrect');
  return name;
}
