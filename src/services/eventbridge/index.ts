import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource, DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService } from '../service.ts';

export interface EventBridgeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly encryption: Encryption;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface EventBridge {
  readonly service: AwsService;
  /** Buses and API destinations as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** Events on their way to the targets of rules. */
  readonly deliverySource: DeliverySource;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** EventBridge: buses, rules, targets, archives, API destinations. */
export function createEventBridge(_options: EventBridgeOptions): EventBridge {
  return {
    service: { name: 'events', operations: {}, refused: {} },
    deliveryTarget: {},
    deliverySource: { policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 0 }) },
    start: async () => {},
    close: async () => {},
  };
}
