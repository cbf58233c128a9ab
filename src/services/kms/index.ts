import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService } from '../service.ts';

export interface KmsOptions {
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

export interface Kms {
  readonly service: AwsService;
  /** For other services of the same program. */
  readonly encryption: Encryption;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Key Management Service. */
export function createKms(_options: KmsOptions): Kms {
  return {
    service: { name: 'kms', operations: {}, refused: {} },
    encryption: {
      encrypt: async () => Promise.reject(new Error('KMS')),
      decrypt: async () => Promise.reject(new Error('KMS')),
      generateDataKey: async () => Promise.reject(new Error('KMS')),
    },
    start: async () => {},
    close: async () => {},
  };
}
