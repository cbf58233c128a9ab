import { hash } from 'node:crypto';
import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { accessDenied, noSuchBucket } from './errors.ts';
import { bucketKey } from './keys.ts';
import type { BucketRecord } from './records.ts';
import type { S3State } from './state.ts';

interface BucketInput {
  readonly Bucket?: string | undefined;
  readonly ExpectedBucketOwner?: string | undefined;
}

/**
 * The bucket that a request names. Throws `NoSuchBucket`; `AccessDenied` for another account's bucket or an
 * `ExpectedBucketOwner` that is not the owner; `AuthorizationHeaderMalformed` for a request signed for another region.
 */
export async function requireBucket(
  s3: S3State,
  input: BucketInput,
  context: RequestContext,
  reader: Pick<Transaction, 'get'> = s3.store,
): Promise<BucketRecord> {
  const name = input.Bucket ?? '';
  const entry = await reader.get<BucketRecord>(bucketKey(name));
  if (!entry) throw noSuchBucket(name);
  checkAccess(s3, entry.value, context, input.ExpectedBucketOwner);
  checkRegion(entry.value, context);
  return entry.value;
}

/** Reads the bucket again inside the transaction that writes to it, so that a deleted bucket gets no object. */
export async function bucketInTransaction(transaction: Transaction, name: string): Promise<BucketRecord> {
  const entry = await transaction.get<BucketRecord>(bucketKey(name));
  if (!entry) throw noSuchBucket(name);
  return entry.value;
}

export function checkAccess(
  s3: S3State,
  bucket: BucketRecord,
  context: RequestContext,
  expectedOwner: string | undefined,
): void {
  if (expectedOwner !== undefined && expectedOwner !== bucket.account) {
    throw accessDenied('the bucket belongs to another account than ExpectedBucketOwner');
  }
  if (context.account === bucket.account) return;
  // Other services act for an account and are not asked for permission by the wire: they stay within it.
  if (context.principal.type === 'Service')
    throw accessDenied('a service acts for an account that does not own the bucket');
  if (s3.enforcing) return;
  // Without enforcement policies are not evaluated: one that exists may well allow this, none certainly does not.
  if (!bucket.hasPolicy) throw accessDenied('the bucket belongs to another account and has no policy');
}

/** Only a signature names a region: a request without one reaches a bucket wherever it is. */
function checkRegion(bucket: BucketRecord, context: RequestContext): void {
  if (context.region === bucket.region || context.headers.authorization === undefined) return;
  throw new ServiceError(
    'AuthorizationHeaderMalformed',
    `The authorization header is malformed; the region '${context.region}' is wrong; expecting '${bucket.region}'`,
    { members: { Region: bucket.region }, headers: { 'x-amz-bucket-region': bucket.region } },
  );
}

/** The id that S3 shows as an owner: 64 hexadecimal digits made from the account. */
export function canonicalUserId(account: string): string {
  return hash('sha256', `canonical user of ${account}`);
}

export function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}
