import type {
  DeleteBucketPolicyCommandInput,
  DeletePublicAccessBlockCommandInput,
  GetBucketPolicyCommandInput,
  GetBucketPolicyCommandOutput,
  GetBucketPolicyStatusCommandInput,
  GetBucketPolicyStatusCommandOutput,
  GetPublicAccessBlockCommandInput,
  GetPublicAccessBlockCommandOutput,
  PutBucketPolicyCommandInput,
  PutPublicAccessBlockCommandInput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { bucketArn, bucketInTransaction, requireBucket } from './bucket-access.ts';
import { isPublicPolicy, parseBucketPolicy } from './bucket-policy-document.ts';
import { bucketKey, configKey } from './keys.ts';
import type { S3State } from './state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: S3 API Reference, "PutBucketPolicy". */
export async function putBucketPolicy(
  s3: S3State,
  input: PutBucketPolicyCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  const policy = input.Policy ?? '';
  const isPublic = isPublicPolicy(parseBucketPolicy(policy, name));
  await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    if (isPublic && bucket.publicAccessBlock?.blockPublicPolicy) {
      throw new ServiceError(
        'AccessDenied',
        `User: ${context.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "${bucketArn(name)}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.`,
        { status: 403 },
      );
    }
    transaction.put(bucketKey(name), { ...bucket, hasPolicy: true, hasPublicPolicy: isPublic });
    transaction.put(configKey('policy', name), policy);
  });
  return {};
}

/** The policy document, or `undefined`. */
export async function readPolicy(s3: S3State, bucket: string): Promise<string | undefined> {
  return (await s3.store.get<string>(configKey('policy', bucket)))?.value;
}

async function requirePolicy(s3: S3State, bucket: string): Promise<string> {
  const policy = await readPolicy(s3, bucket);
  if (policy !== undefined) return policy;
  throw new ServiceError('NoSuchBucketPolicy', 'The bucket policy does not exist', {
    status: 404,
    members: { BucketName: bucket },
  });
}

/** Source: S3 API Reference, "GetBucketPolicy": the text as it was given. */
export async function getBucketPolicy(
  s3: S3State,
  input: GetBucketPolicyCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketPolicyCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  return { Policy: await requirePolicy(s3, name) };
}

/** Source: S3 API Reference, "GetBucketPolicyStatus". */
export async function getBucketPolicyStatus(
  s3: S3State,
  input: GetBucketPolicyStatusCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketPolicyStatusCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  const policy = await requirePolicy(s3, name);
  return { PolicyStatus: { IsPublic: isPublicPolicy(parseBucketPolicy(policy, name)) } };
}

/** Source: S3 API Reference, "DeleteBucketPolicy". */
export async function deleteBucketPolicy(
  s3: S3State,
  input: DeleteBucketPolicyCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  await s3.store.transact(async (transaction) => {
    const { hasPolicy: _, hasPublicPolicy: __, ...bucket } = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), bucket);
    transaction.delete(configKey('policy', name));
  });
  return {};
}

/** Source: S3 API Reference, "PutPublicAccessBlock". */
export async function putPublicAccessBlock(
  s3: S3State,
  input: PutPublicAccessBlockCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  const given = input.PublicAccessBlockConfiguration ?? {};
  await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    const publicAccessBlock = {
      blockPublicAcls: given.BlockPublicAcls ?? false,
      ignorePublicAcls: given.IgnorePublicAcls ?? false,
      blockPublicPolicy: given.BlockPublicPolicy ?? false,
      restrictPublicBuckets: given.RestrictPublicBuckets ?? false,
    };
    transaction.put(bucketKey(name), { ...bucket, publicAccessBlock });
  });
  return {};
}

/** Source: S3 API Reference, "GetPublicAccessBlock". */
export async function getPublicAccessBlock(
  s3: S3State,
  input: GetPublicAccessBlockCommandInput,
  context: RequestContext,
): Promise<Output<GetPublicAccessBlockCommandOutput>> {
  const { name, publicAccessBlock: block } = await requireBucket(s3, input, context);
  if (!block) {
    throw new ServiceError(
      'NoSuchPublicAccessBlockConfiguration',
      'The public access block configuration was not found',
      { status: 404, members: { BucketName: name } },
    );
  }
  return {
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: block.blockPublicAcls,
      IgnorePublicAcls: block.ignorePublicAcls,
      BlockPublicPolicy: block.blockPublicPolicy,
      RestrictPublicBuckets: block.restrictPublicBuckets,
    },
  };
}

/** Source: S3 API Reference, "DeletePublicAccessBlock". */
export async function deletePublicAccessBlock(
  s3: S3State,
  input: DeletePublicAccessBlockCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  await s3.store.transact(async (transaction) => {
    const { publicAccessBlock: _, ...bucket } = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), bucket);
  });
  return {};
}
