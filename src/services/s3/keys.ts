import type { Key } from '../../store/index.ts';

/** Where S3 keeps what in the store. Bucket names are one namespace for all accounts. */

export function bucketKey(bucket: string): Key {
  return ['s3', 'bucket', bucket];
}

/** An empty value that puts the bucket into its owner's list. */
export function ownedBucketKey(account: string, bucket: string): Key {
  return ['s3', 'owned', account, bucket];
}

export type ConfigKind = 'cors' | 'lifecycle' | 'policy' | 'tagging' | 'encryption';

/** A configuration that requests for objects do not all need. By kind first, so that one kind can be walked. */
export function configKey(kind: ConfigKind, bucket: string): Key {
  return ['s3', 'config', kind, bucket];
}

/** The newest version of each key, delete markers included. */
export function currentKey(bucket: string, key: string): Key {
  return ['s3', 'current', bucket, key];
}

/** A version that is no longer the newest; `order` sorts newer ones first. */
export function noncurrentKey(bucket: string, key: string, order: string): Key {
  return ['s3', 'noncurrent', bucket, key, order];
}

/** The bytes of a small object, apart from its record so that listings do not read them. */
export function inlineBodyKey(bodyId: string): Key {
  return ['s3', 'inline', bodyId];
}

/** The parts of which an object made by a multipart upload consists. */
export function partListKey(bodyId: string): Key {
  return ['s3', 'parts', bodyId];
}

/** A multipart upload under way. Upload ids start with their time, so that a key's uploads sort by age. */
export function uploadKey(bucket: string, key: string, uploadId: string): Key {
  return ['s3', 'upload', bucket, key, uploadId];
}

export function uploadedPartKey(uploadId: string, partNumber: number): Key {
  return ['s3', 'uploaded-part', uploadId, partNumber];
}

/** Who refers to a blob. */
export function blobOwner(bodyId: string): readonly string[] {
  return ['s3', bodyId];
}
