import type { Operation, RequestContext } from '../service.ts';
import * as policy from './bucket-policy.ts';
import * as settings from './bucket-settings.ts';
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from './buckets.ts';
import { completeMultipartUpload } from './complete-multipart-upload.ts';
import { copyObject, uploadPartCopy } from './copy-object.ts';
import { addCorsHeaders, deleteBucketCors, getBucketCors, putBucketCors } from './cors.ts';
import { deleteObject, deleteObjects } from './delete-object.ts';
import {
  deleteBucketLifecycle,
  getBucketLifecycleConfiguration,
  putBucketLifecycleConfiguration,
} from './lifecycle-configuration.ts';
import { listObjects, listObjectsV2 } from './list-objects.ts';
import { listMultipartUploads, listParts } from './list-uploads.ts';
import { abortMultipartUpload, createMultipartUpload, uploadPart } from './multipart-upload.ts';
import {
  getBucketNotificationConfiguration,
  putBucketNotificationConfiguration,
} from './notification-configuration.ts';
import { getObjectAttributes } from './object-attributes.ts';
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './object-tagging.ts';
import { putObject } from './put-object.ts';
import { getObject, headObject } from './read-object.ts';
import type { S3State } from './state.ts';
import { getBucketVersioning, listObjectVersions, putBucketVersioning } from './versioning.ts';

/** Every operation that is there, by its name in the API. */
const implementations = {
  AbortMultipartUpload: abortMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  CopyObject: copyObject,
  CreateBucket: createBucket,
  CreateMultipartUpload: createMultipartUpload,
  DeleteBucket: deleteBucket,
  DeleteBucketCors: deleteBucketCors,
  DeleteBucketEncryption: settings.deleteBucketEncryption,
  DeleteBucketLifecycle: deleteBucketLifecycle,
  DeleteBucketOwnershipControls: settings.deleteBucketOwnershipControls,
  DeleteBucketPolicy: policy.deleteBucketPolicy,
  DeleteBucketTagging: settings.deleteBucketTagging,
  DeleteObject: deleteObject,
  DeleteObjectTagging: deleteObjectTagging,
  DeleteObjects: deleteObjects,
  DeletePublicAccessBlock: policy.deletePublicAccessBlock,
  GetBucketAccelerateConfiguration: settings.getBucketAccelerateConfiguration,
  GetBucketAcl: settings.getBucketAcl,
  GetBucketCors: getBucketCors,
  GetBucketEncryption: settings.getBucketEncryption,
  GetBucketLifecycleConfiguration: getBucketLifecycleConfiguration,
  GetBucketLocation: getBucketLocation,
  GetBucketLogging: settings.getBucketLogging,
  GetBucketNotificationConfiguration: getBucketNotificationConfiguration,
  GetBucketOwnershipControls: settings.getBucketOwnershipControls,
  GetBucketPolicy: policy.getBucketPolicy,
  GetBucketPolicyStatus: policy.getBucketPolicyStatus,
  GetBucketReplication: settings.getBucketReplication,
  GetBucketRequestPayment: settings.getBucketRequestPayment,
  GetBucketTagging: settings.getBucketTagging,
  GetBucketVersioning: getBucketVersioning,
  GetBucketWebsite: settings.getBucketWebsite,
  GetObject: getObject,
  GetObjectAcl: settings.getObjectAcl,
  GetObjectAttributes: getObjectAttributes,
  GetObjectLockConfiguration: settings.getObjectLockConfiguration,
  GetObjectTagging: getObjectTagging,
  GetPublicAccessBlock: policy.getPublicAccessBlock,
  HeadBucket: headBucket,
  HeadObject: headObject,
  ListBuckets: listBuckets,
  ListMultipartUploads: listMultipartUploads,
  ListObjectVersions: listObjectVersions,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListParts: listParts,
  PutBucketAcl: settings.putBucketAcl,
  PutBucketCors: putBucketCors,
  PutBucketEncryption: settings.putBucketEncryption,
  PutBucketLifecycleConfiguration: putBucketLifecycleConfiguration,
  PutBucketNotificationConfiguration: putBucketNotificationConfiguration,
  PutBucketOwnershipControls: settings.putBucketOwnershipControls,
  PutBucketPolicy: policy.putBucketPolicy,
  PutBucketTagging: settings.putBucketTagging,
  PutBucketVersioning: putBucketVersioning,
  PutObject: putObject,
  PutObjectAcl: settings.putObjectAcl,
  PutObjectTagging: putObjectTagging,
  PutPublicAccessBlock: policy.putPublicAccessBlock,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
};

export type S3Operations = {
  readonly [Name in keyof typeof implementations]: (typeof implementations)[Name] extends (
    s3: S3State,
    ...rest: infer Rest
  ) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

type Implementation = (s3: S3State, input: never, context: RequestContext) => Promise<unknown>;

/** Binds the operations to the state they work on; answers to other origins get their CORS headers. */
export function bindOperations(s3: S3State): S3Operations {
  const bound: Record<string, Operation> = {};
  for (const [name, run] of Object.entries(implementations) as [string, Implementation][]) {
    bound[name] = (input, context) =>
      context.headers.origin === undefined
        ? run(s3, input, context)
        : addCorsHeaders(s3, (input as { Bucket?: string }).Bucket ?? '', context).then(() => run(s3, input, context));
  }
  return bound as unknown as S3Operations;
}
