import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { BodyEncryption } from './body-encryption.ts';
import type { Queues } from './queues.ts';
import type { ReceiveAttempts } from './receive-attempts.ts';
import type { RequestRate } from './request-rate.ts';

/** What the operations work on. */
export interface SqsState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly access: ServiceAccess;
  /** Policies decide. */
  readonly enforce: boolean;
  readonly queues: Queues;
  readonly encryption: BodyEncryption;
  readonly rate: RequestRate;
  readonly attempts: ReceiveAttempts;
}
