import type { StorageClass } from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import { invalidArgument, notImplemented } from './errors.ts';
import { checkMetadata } from './names.ts';
import type { ObjectHeaders } from './records.ts';

/** What PutObject, CopyObject and CreateMultipartUpload have in common. */
export interface ObjectHeaderInput {
  readonly ACL?: string | undefined;
  readonly CacheControl?: string | undefined;
  readonly ContentDisposition?: string | undefined;
  readonly ContentEncoding?: string | undefined;
  readonly ContentLanguage?: string | undefined;
  readonly ContentType?: string | undefined;
  readonly Expires?: Date | undefined;
  readonly Metadata?: Record<string, string> | undefined;
  readonly StorageClass?: string | undefined;
  readonly WebsiteRedirectLocation?: string | undefined;
}

const storageClasses: readonly string[] = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
];
const archiveClasses: readonly string[] = ['GLACIER', 'DEEP_ARCHIVE'];

/** Reads and checks the headers that an object keeps. */
export function objectHeaders(input: ObjectHeaderInput): ObjectHeaders {
  checkMetadata(input.Metadata);
  checkStorageClass(input.StorageClass);
  const redirect = input.WebsiteRedirectLocation;
  if (redirect !== undefined && !/^(\/|https?:\/\/)/.test(redirect)) {
    throw new ServiceError(
      'InvalidRedirectLocation',
      'The website redirect location must have a prefix of "http://" or "https://" or "/".',
    );
  }
  const metadata = input.Metadata && Object.keys(input.Metadata).length > 0 ? input.Metadata : undefined;
  const contentEncoding = withoutAwsChunked(input.ContentEncoding);
  return {
    contentType: input.ContentType ?? 'binary/octet-stream',
    ...(input.CacheControl === undefined ? {} : { cacheControl: input.CacheControl }),
    ...(input.ContentDisposition === undefined ? {} : { contentDisposition: input.ContentDisposition }),
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    ...(input.ContentLanguage === undefined ? {} : { contentLanguage: input.ContentLanguage }),
    ...(input.Expires === undefined ? {} : { expires: input.Expires.getTime() }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(input.StorageClass === undefined || input.StorageClass === 'STANDARD'
      ? {}
      : { storageClass: input.StorageClass as StorageClass }),
    ...(redirect === undefined ? {} : { websiteRedirect: redirect }),
  };
}

/** `aws-chunked` is a transfer encoding, not the object's: S3 stores what is left. */
function withoutAwsChunked(header: string | undefined): string | undefined {
  if (header === undefined || !header.includes('aws-chunked')) return header;
  const rest = header
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== 'aws-chunked' && name !== '');
  return rest.length === 0 ? undefined : rest.join(',');
}

function checkStorageClass(name: string | undefined): void {
  if (name === undefined || storageClasses.includes(name)) return;
  if (archiveClasses.includes(name)) {
    throw notImplemented(`The storage class ${name}`, 'archived objects need RestoreObject; GLACIER_IR is supported');
  }
  throw new ServiceError('InvalidStorageClass', 'The storage class you specified is not valid', {
    members: { StorageClassRequested: name },
  });
}

interface UnsupportedInput {
  readonly GrantFullControl?: string | undefined;
  readonly GrantRead?: string | undefined;
  readonly GrantReadACP?: string | undefined;
  readonly GrantWrite?: string | undefined;
  readonly GrantWriteACP?: string | undefined;
  readonly ACL?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
  readonly SSECustomerAlgorithm?: string | undefined;
  readonly SSECustomerKey?: string | undefined;
  readonly CopySourceSSECustomerAlgorithm?: string | undefined;
  readonly CopySourceSSECustomerKey?: string | undefined;
  readonly SSEKMSKeyId?: string | undefined;
  readonly SSEKMSEncryptionContext?: string | undefined;
  readonly BucketKeyEnabled?: boolean | undefined;
  readonly ObjectLockMode?: string | undefined;
  readonly ObjectLockRetainUntilDate?: Date | undefined;
  readonly ObjectLockLegalHoldStatus?: string | undefined;
  readonly ObjectLockEventHold?: string | undefined;
  readonly ObjectLockEventHoldDurationDays?: number | undefined;
  readonly ObjectLockEventHoldDurationYears?: number | undefined;
  readonly WriteOffsetBytes?: number | undefined;
  readonly AnnotationDirective?: string | undefined;
  readonly RequestPayer?: string | undefined;
  readonly MFA?: string | undefined;
}

/** Throws for members of object requests that ask for something that is not there. */
export function checkObjectOptions(input: UnsupportedInput): void {
  checkAcl(input);
  checkEncryption(input);
  if (
    input.ObjectLockMode !== undefined ||
    input.ObjectLockRetainUntilDate !== undefined ||
    input.ObjectLockLegalHoldStatus !== undefined ||
    input.ObjectLockEventHold !== undefined ||
    input.ObjectLockEventHoldDurationDays !== undefined ||
    input.ObjectLockEventHoldDurationYears !== undefined
  ) {
    throw notImplemented('Object Lock', 'use bucket versioning to keep deleted objects');
  }
  if (input.WriteOffsetBytes !== undefined) {
    throw notImplemented('Appending with x-amz-write-offset-bytes', 'it is for directory buckets; write whole objects');
  }
  if (input.AnnotationDirective !== undefined) {
    throw notImplemented('x-amz-annotation-directive', 'objects have no annotations; use tags or metadata');
  }
}

/** With ACLs off, only those are taken that change nothing. Source: S3 User Guide, "Controlling ownership of objects". */
function checkAcl(input: UnsupportedInput): void {
  const grants = [
    input.GrantFullControl,
    input.GrantRead,
    input.GrantReadACP,
    input.GrantWrite,
    input.GrantWriteACP,
  ].some((grant) => grant !== undefined);
  if (grants || (input.ACL !== undefined && input.ACL !== 'bucket-owner-full-control')) throw aclNotSupported();
}

export function aclNotSupported(): ServiceError {
  return new ServiceError('AccessControlListNotSupported', 'The bucket does not allow ACLs');
}

/** Every object is marked AES256 as on AWS; other kinds are refused. */
export function checkEncryption(input: UnsupportedInput): void {
  if (
    input.SSECustomerAlgorithm !== undefined ||
    input.SSECustomerKey !== undefined ||
    input.CopySourceSSECustomerAlgorithm !== undefined ||
    input.CopySourceSSECustomerKey !== undefined
  ) {
    throw notImplemented('Server-side encryption with customer-provided keys (SSE-C)', 'use AES256');
  }
  const kind = input.ServerSideEncryption;
  if (kind === 'aws:kms' || kind === 'aws:kms:dsse' || kind === 'aws:fsx' || input.SSEKMSKeyId !== undefined) {
    throw notImplemented(`Server-side encryption with ${kind ?? 'aws:kms'}`, 'use AES256');
  }
  if (kind !== undefined && kind !== 'AES256') {
    throw invalidArgument(
      'The encryption method specified is not supported',
      'x-amz-server-side-encryption',
      String(kind),
    );
  }
}
