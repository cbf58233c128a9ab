import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { AwsService } from '../service.ts';

export interface SchedulerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Scheduler {
  readonly service: AwsService;
  /** What schedules send. */
  readonly deliverySource: DeliverySource;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** EventBridge Scheduler. */
export function createScheduler(_options: SchedulerOptions): Scheduler {
  return {
    service: { name: 'scheduler', operations: {}, refused: {} },
    deliverySource: { policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 0 }) },
    start: async () => {},
    close: async () => {},
  };
}
