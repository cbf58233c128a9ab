import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService } from '../service.ts';

export interface SqsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Keys for queues with server-side encryption by KMS. */
  readonly encryption: Encryption;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Sqs {
  readonly service: AwsService;
  /** Queues as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Simple Queue Service. */
export function createSqs(_options: SqsOptions): Sqs {
  return {
    service: { name: 'sqs', operations: {}, refused: {} },
    deliveryTarget: {},
    start: async () => {},
    close: async () => {},
  };
}
