import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { bucketArn } from './bucket-access.ts';
import { readPolicy } from './bucket-policy.ts';
import { parseCopySource } from './copy-source.ts';
import { bucketKey } from './keys.ts';
import type { BucketRecord } from './records.ts';
import type { S3State } from './state.ts';
import { parseTaggingHeader } from './tags.ts';

/** What the operations' inputs have that decides who may run them. */
interface AuthorizedInput {
  readonly Bucket?: string | undefined;
  readonly Key?: string | undefined;
  readonly VersionId?: string | undefined;
  readonly CopySource?: string | undefined;
  readonly Tagging?: unknown;
  readonly TaggingDirective?: string | undefined;
  readonly Prefix?: string | undefined;
  readonly Delimiter?: string | undefined;
  readonly MaxKeys?: number | undefined;
  readonly ACL?: string | undefined;
  readonly StorageClass?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
  readonly CreateBucketConfiguration?: { readonly LocationConstraint?: string | undefined } | undefined;
  readonly Delete?: {
    readonly Objects?:
      | readonly { readonly Key?: string | undefined; readonly VersionId?: string | undefined }[]
      | undefined;
  };
}

/** Actions on the bucket itself, by operation. Source: Service Authorization Reference, "Actions for Amazon S3". */
const bucketActions: Readonly<Record<string, string>> = {
  CreateBucket: 'CreateBucket',
  DeleteBucket: 'DeleteBucket',
  DeleteBucketCors: 'PutBucketCORS',
  DeleteBucketEncryption: 'PutEncryptionConfiguration',
  DeleteBucketLifecycle: 'PutLifecycleConfiguration',
  DeleteBucketOwnershipControls: 'PutBucketOwnershipControls',
  DeleteBucketPolicy: 'DeleteBucketPolicy',
  DeleteBucketTagging: 'PutBucketTagging',
  DeletePublicAccessBlock: 'PutBucketPublicAccessBlock',
  GetBucketAccelerateConfiguration: 'GetAccelerateConfiguration',
  GetBucketAcl: 'GetBucketAcl',
  GetBucketCors: 'GetBucketCORS',
  GetBucketEncryption: 'GetEncryptionConfiguration',
  GetBucketLifecycleConfiguration: 'GetLifecycleConfiguration',
  GetBucketLocation: 'GetBucketLocation',
  GetBucketLogging: 'GetBucketLogging',
  GetBucketNotificationConfiguration: 'GetBucketNotification',
  GetBucketOwnershipControls: 'GetBucketOwnershipControls',
  GetBucketPolicy: 'GetBucketPolicy',
  GetBucketPolicyStatus: 'GetBucketPolicyStatus',
  GetBucketReplication: 'GetReplicationConfiguration',
  GetBucketRequestPayment: 'GetBucketRequestPayment',
  GetBucketTagging: 'GetBucketTagging',
  GetBucketVersioning: 'GetBucketVersioning',
  GetBucketWebsite: 'GetBucketWebsite',
  GetObjectLockConfiguration: 'GetBucketObjectLockConfiguration',
  GetPublicAccessBlock: 'GetBucketPublicAccessBlock',
  HeadBucket: 'ListBucket',
  ListMultipartUploads: 'ListBucketMultipartUploads',
  ListObjectVersions: 'ListBucketVersions',
  ListObjects: 'ListBucket',
  ListObjectsV2: 'ListBucket',
  PutBucketAcl: 'PutBucketAcl',
  PutBucketCors: 'PutBucketCORS',
  PutBucketEncryption: 'PutEncryptionConfiguration',
  PutBucketLifecycleConfiguration: 'PutLifecycleConfiguration',
  PutBucketNotificationConfiguration: 'PutBucketNotification',
  PutBucketOwnershipControls: 'PutBucketOwnershipControls',
  PutBucketPolicy: 'PutBucketPolicy',
  PutBucketTagging: 'PutBucketTagging',
  PutBucketVersioning: 'PutBucketVersioning',
  PutPublicAccessBlock: 'PutBucketPublicAccessBlock',
};

/** Actions on one object, without and with a version id. */
const objectActions: Readonly<Record<string, readonly [plain: string, versioned: string][]>> = {
  AbortMultipartUpload: [['AbortMultipartUpload', 'AbortMultipartUpload']],
  CompleteMultipartUpload: [['PutObject', 'PutObject']],
  CopyObject: [['PutObject', 'PutObject']],
  CreateMultipartUpload: [['PutObject', 'PutObject']],
  DeleteObject: [['DeleteObject', 'DeleteObjectVersion']],
  DeleteObjectTagging: [['DeleteObjectTagging', 'DeleteObjectVersionTagging']],
  GetObject: [['GetObject', 'GetObjectVersion']],
  GetObjectAcl: [['GetObjectAcl', 'GetObjectVersionAcl']],
  GetObjectAttributes: [
    ['GetObject', 'GetObjectVersion'],
    ['GetObjectAttributes', 'GetObjectVersionAttributes'],
  ],
  GetObjectTagging: [['GetObjectTagging', 'GetObjectVersionTagging']],
  HeadObject: [['GetObject', 'GetObjectVersion']],
  ListParts: [['ListMultipartUploadParts', 'ListMultipartUploadParts']],
  PostObject: [['PutObject', 'PutObject']],
  PutObject: [['PutObject', 'PutObject']],
  PutObjectAcl: [['PutObjectAcl', 'PutObjectVersionAcl']],
  PutObjectTagging: [['PutObjectTagging', 'PutObjectVersionTagging']],
  UploadPart: [['PutObject', 'PutObject']],
  UploadPartCopy: [['PutObject', 'PutObject']],
};

/** What IAM must allow before an operation runs. */
export async function authorizationRequests(
  s3: S3State,
  operation: string,
  input: AuthorizedInput,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  if (operation === 'ListBuckets') return [{ action: 's3:ListAllMyBuckets', resource: '*' }];
  const bucket = input.Bucket ?? '';
  const owner = await ownership(s3, bucket, context);
  const bucketAction = bucketActions[operation];
  if (bucketAction !== undefined) {
    return [{ action: `s3:${bucketAction}`, resource: bucketArn(bucket), conditions: listConditions(input), ...owner }];
  }
  if (operation === 'DeleteObjects') {
    return (input.Delete?.Objects ?? []).map(({ Key = '', VersionId }) => ({
      action: VersionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion',
      resource: objectArn(bucket, Key),
      ...owner,
    }));
  }
  const actions = objectActions[operation] ?? [[operation, operation] as const];
  const conditions = objectConditions(input);
  const requests: AuthorizationRequest[] = actions.map(([plain, versioned]) => ({
    action: `s3:${input.VersionId === undefined ? plain : versioned}`,
    resource: objectArn(bucket, input.Key ?? ''),
    conditions,
    ...owner,
  }));
  if (typeof input.Tagging === 'string') {
    requests.push({
      action: 's3:PutObjectTagging',
      resource: objectArn(bucket, input.Key ?? ''),
      conditions,
      ...owner,
    });
  }
  if (input.CopySource !== undefined) requests.push(...(await sourceRequests(s3, input, context)));
  return requests;
}

async function sourceRequests(
  s3: S3State,
  input: AuthorizedInput,
  context: RequestContext,
): Promise<AuthorizationRequest[]> {
  const source = parseCopySource(input.CopySource);
  const owner = await ownership(s3, source.bucket, context);
  const resource = objectArn(source.bucket, source.key);
  const version = source.versionId === undefined ? '' : 'Version';
  const conditions = present({ 's3:VersionId': source.versionId });
  return [{ action: `s3:GetObject${version}`, resource, conditions, ...owner }];
}

function objectArn(bucket: string, key: string): string {
  return `${bucketArn(bucket)}/${key}`;
}

/** Whose bucket it is and what its policy says. A public policy is not heard from outside when that is restricted. */
async function ownership(
  s3: S3State,
  bucket: string,
  context: RequestContext,
): Promise<Pick<AuthorizationRequest, 'resourcePolicy' | 'resourceAccount'>> {
  const record = (await s3.store.get<BucketRecord>(bucketKey(bucket)))?.value;
  if (!record) return {};
  const { principal } = context;
  const inside =
    principal.type === 'Service' || (principal.type !== 'Anonymous' && principal.account === record.account);
  const restricted = record.hasPublicPolicy && record.publicAccessBlock?.restrictPublicBuckets && !inside;
  const resourcePolicy = record.hasPolicy && !restricted ? await readPolicy(s3, bucket) : undefined;
  return { resourceAccount: record.account, ...(resourcePolicy === undefined ? {} : { resourcePolicy }) };
}

type Conditions = Readonly<Record<string, readonly string[]>>;

function present(values: Readonly<Record<string, string | number | undefined>>): Conditions {
  const conditions: Record<string, readonly string[]> = {};
  for (const [key, value] of Object.entries(values)) if (value !== undefined) conditions[key] = [String(value)];
  return conditions;
}

function listConditions(input: AuthorizedInput): Conditions {
  return present({
    's3:prefix': input.Prefix,
    's3:delimiter': input.Delimiter,
    's3:max-keys': input.MaxKeys,
    's3:LocationConstraint': input.CreateBucketConfiguration?.LocationConstraint,
    's3:x-amz-acl': input.ACL,
  });
}

function objectConditions(input: AuthorizedInput): Conditions {
  const tags = typeof input.Tagging === 'string' ? (parseTaggingHeader(input.Tagging) ?? []) : [];
  return {
    ...present({
      's3:VersionId': input.VersionId,
      's3:x-amz-acl': input.ACL,
      's3:x-amz-storage-class': input.StorageClass,
      's3:x-amz-server-side-encryption': input.ServerSideEncryption,
      's3:x-amz-copy-source': input.CopySource,
    }),
    ...Object.fromEntries(tags.map(([key, value]) => [`s3:RequestObjectTag/${key}`, [value]])),
    ...(tags.length === 0 ? {} : { 's3:RequestObjectTagKeys': tags.map(([key]) => key) }),
  };
}
