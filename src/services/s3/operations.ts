import type { Operation } from '../service.ts';
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from './buckets.ts';
import { deleteObject, deleteObjects } from './delete-object.ts';
import { listObjects, listObjectsV2 } from './list-objects.ts';
import {
  getBucketNotificationConfiguration,
  putBucketNotificationConfiguration,
} from './notification-configuration.ts';
import { putObject } from './put-object.ts';
import { getObject, headObject } from './read-object.ts';
import type { S3State } from './state.ts';

/** Every operation that is there, by its name in the API. */
const implementations = {
  CreateBucket: createBucket,
  DeleteBucket: deleteBucket,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  GetBucketLocation: getBucketLocation,
  GetBucketNotificationConfiguration: getBucketNotificationConfiguration,
  GetObject: getObject,
  HeadBucket: headBucket,
  HeadObject: headObject,
  ListBuckets: listBuckets,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  PutBucketNotificationConfiguration: putBucketNotificationConfiguration,
  PutObject: putObject,
};

export type S3Operations = {
  readonly [Name in keyof typeof implementations]: (typeof implementations)[Name] extends (
    s3: S3State,
    ...rest: infer Rest
  ) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Binds the operations to the state they work on. */
export function bindOperations(s3: S3State): S3Operations {
  const bound: Record<string, Operation> = {};
  for (const [name, implementation] of Object.entries(implementations)) {
    bound[name] = (implementation as (s3: S3State, ...rest: Parameters<Operation>) => ReturnType<Operation>).bind(
      undefined,
      s3,
    );
  }
  return bound as unknown as S3Operations;
}
