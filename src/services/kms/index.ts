import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { Authorizer, ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService } from '../service.ts';
import { kmsAuthorization } from './authorization.ts';
import { DueDates } from './due-dates.ts';
import { createEncryption } from './encryption-port.ts';
import { KeyRing } from './key-ring.ts';
import { KeyUsageLog } from './key-usage.ts';
import { keyUserCheck } from './key-users.ts';
import { performDue } from './lifecycle.ts';
import { kmsOperations } from './operations.ts';
import { REFUSED } from './refused.ts';
import { loadRootKey } from './root-key.ts';
import type { KmsState } from './state.ts';

export interface KmsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Decides what callers of other services may do with keys. */
  readonly authorizer: Authorizer;
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
export function createKms(options: KmsOptions): Kms {
  const { access, authorizer, clock, enforce, logger, store } = options;
  let loading: Promise<KmsState> | undefined;
  const load = (): Promise<KmsState> => {
    loading ??= makeState(options).catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  const check = enforce ? keyUserCheck({ load, access, authorizer }) : async () => {};
  return {
    service: {
      name: 'kms',
      operations: kmsOperations(load),
      refused: REFUSED,
      authorization: async (operation, input, context) => kmsAuthorization(await load(), operation, input, context),
    },
    encryption: createEncryption(load, check),
    start: async () => (await load()).dueDates.start(),
    close: async () => {
      if (loading === undefined) return;
      const { dueDates, usage } = await loading;
      await dueDates.close();
      await usage.flush();
    },
  };

  async function makeState({ delivery, random }: KmsOptions): Promise<KmsState> {
    const root = await loadRootKey(store, random);
    const ring = new KeyRing(store, root);
    const dueDates = new DueDates({ store, clock, logger, perform: (record) => performDue(state, record) });
    const usage = new KeyUsageLog({ store, clock, logger });
    const state: KmsState = { store, clock, random, logger, delivery, root, ring, dueDates, usage };
    return state;
  }
}
