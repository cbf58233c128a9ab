import { parseArn } from '../../base/arn.ts';
import { ServiceError } from '../../base/errors.ts';
import type { DeliveryTarget } from '../../events/index.ts';
import type { S3Objects } from './s3-objects.ts';

/** Buckets as targets of events: each becomes an object. */
export function bucketTarget(objects: S3Objects): DeliveryTarget {
  return {
    deliver: async (delivery) => {
      const bucket = parseArn(delivery.targetArn)?.resource;
      const object = delivery.parameters?.object;
      if (bucket === undefined || object === undefined) {
        return { type: 'rejected', reason: 'an event for a bucket must name the object to write' };
      }
      try {
        const { contentType = 'application/octet-stream', key } = object;
        await objects.write(delivery.account, bucket, key, delivery.payload, { contentType });
        return { type: 'delivered' };
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        return {
          type: error.code === 'NoSuchBucket' ? 'rejected' : 'failed',
          reason: error.message,
          code: error.code,
        };
      }
    },
  };
}
