import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource, DeliveryTarget } from '../../events/index.ts';
import type { BlobStore, Store } from '../../store/index.ts';
import type { AwsService } from '../service.ts';
import { authorizationRequests } from './authorization.ts';
import { bucketTarget } from './bucket-target.ts';
import { BufferPool } from './buffer-pool.ts';
import { preflight } from './cors.ts';
import { LifecycleSchedule } from './lifecycle-schedule.ts';
import { Md5Thread } from './md5-thread.ts';
import { notificationSource } from './notification-source.ts';
import { bindOperations, type S3Operations } from './operations.ts';
import { maxGathered } from './receive-body.ts';
import { refused } from './refused.ts';
import { createS3Objects, type S3Objects } from './s3-objects.ts';
import { Sequence } from './sequence.ts';
import type { S3State } from './state.ts';

export interface S3Options {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Pick<Delivery, 'enqueue' | 'supports' | 'permits'>;
  /** True when the wire evaluates policies; otherwise accounts are kept apart by ownership alone. */
  readonly enforcing?: boolean;
  /** Bodies up to this many bytes live in the store; 16 KB unless told. */
  readonly inlineLimit?: number;
}

export interface S3Service extends AwsService {
  readonly operations: S3Operations & AwsService['operations'];
  /** For other services of the same program. */
  readonly objects: S3Objects;
  /** Buckets as targets: a delivery becomes an object. */
  readonly deliveryTarget: DeliveryTarget;
  /** Notifications of buckets. */
  readonly deliverySource: DeliverySource;
  /** Does what lifecycle rules made due while nothing ran, then waits for the next midnight UTC. */
  start(): Promise<void>;
  /** Resolves when no lifecycle run is under way. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** At most 16 MB stay with a server that has been busy. */
const keptBuffers = 16;

/** Amazon S3 on `store` and `blobs`. */
export function createS3(options: S3Options): S3Service {
  const schedule: LifecycleSchedule = new LifecycleSchedule(() => s3);
  const s3: S3State = {
    store: options.store,
    blobs: options.blobs,
    clock: options.clock,
    random: options.random,
    logger: options.logger,
    delivery: options.delivery,
    enforcing: options.enforcing ?? false,
    sequence: new Sequence(options.clock),
    instance: options.random.hex(8),
    inlineLimit: options.inlineLimit ?? 16 * 1024,
    buffers: new BufferPool(maxGathered, keptBuffers),
    md5: new Md5Thread(),
    lifecycleChanged: () => schedule.changed(),
  };
  const objects = createS3Objects(s3);
  return {
    name: 's3',
    operations: bindOperations(s3) as S3Service['operations'],
    refused,
    objects,
    deliveryTarget: bucketTarget(objects),
    deliverySource: notificationSource(s3.logger),
    authorization: (operation, input, context) => authorizationRequests(s3, operation, input, context),
    preflight: (request) => preflight(s3, request),
    start: () => schedule.start(),
    idle: () => schedule.idle(),
    close: async () => {
      await schedule.close();
      await s3.md5.close();
    },
  };
}
