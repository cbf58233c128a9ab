import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource, DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { AwsService } from '../service.ts';

export interface SnsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  /** Where this Kobune is reached, `http://127.0.0.1:4566`: for the addresses in messages. */
  readonly endpoint: () => string;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Sns {
  readonly service: AwsService;
  /** Topics as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** The outbox as target of e-mail (`mailto:`) and text messages (`tel:`). */
  readonly outboxTarget: DeliveryTarget;
  /** Messages on their way to subscriptions. */
  readonly deliverySource: DeliverySource;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Simple Notification Service. */
export function createSns(_options: SnsOptions): Sns {
  return {
    service: { name: 'sns', operations: {}, refused: {} },
    deliveryTarget: {},
    outboxTarget: {},
    deliverySource: { policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 0 }) },
    start: async () => {},
    close: async () => {},
  };
}
