import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { FunctionInvoker } from '../function-invoker.ts';
import type { AwsService } from '../service.ts';

export interface SecretsManagerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly encryption: Encryption;
  /** Runs rotation functions. */
  readonly functions: FunctionInvoker;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface SecretsManager {
  readonly service: AwsService;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Secrets Manager. */
export function createSecretsManager(_options: SecretsManagerOptions): SecretsManager {
  return {
    service: { name: 'secretsmanager', operations: {}, refused: {} },
    start: async () => {},
    close: async () => {},
  };
}
