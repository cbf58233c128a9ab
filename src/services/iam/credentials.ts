import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { Credential, CredentialLookup } from '../authorization.ts';
import type { Principal, RequestContext } from '../service.ts';
import { newAccessKey } from './operations/access-keys.ts';
import {
  type AccessKeyRecord,
  accessKeyKey,
  entityKey,
  type LastUsed,
  lastUsedKey,
  rootKeyKey,
  type UserRecord,
} from './records.ts';

/** "Last used" is written down at most this often: AWS, too, reports it in steps. */
const LAST_USED_STEP_MS = 15 * 60_000;

/** The root user's access key of an account, made when first asked for. Kept in the data directory. */
export async function rootCredentials(
  store: Store,
  random: Random,
  account = '000000000000',
): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
  const { accessKeyId, secretAccessKey } = await store.transact(async (transaction) => {
    const key = rootKeyKey(account);
    const id = await transaction.get<string>(key);
    const existing = id && (await transaction.get<AccessKeyRecord>(accessKeyKey(id.value)));
    if (existing) return existing.value;
    const made = newAccessKey(account, undefined, random, 0);
    transaction.put(key, made.accessKeyId);
    transaction.put(accessKeyKey(made.accessKeyId), made);
    return made;
  });
  return { accessKeyId, secretAccessKey };
}

/** Long-term access keys of users and of the root user. */
export class AccessKeys implements CredentialLookup {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async find(accessKeyId: string): Promise<Credential | undefined> {
    const key = (await this.#store.get<AccessKeyRecord>(accessKeyKey(accessKeyId)))?.value;
    if (key?.status !== 'Active') return undefined;
    const principal = await this.#principalOf(key);
    return principal && { secretAccessKey: key.secretAccessKey, principal };
  }

  async #principalOf({ accessKeyId, account, user }: AccessKeyRecord): Promise<Principal | undefined> {
    if (user === undefined) {
      return { type: 'Root', account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId };
    }
    const record = (await this.#store.get<UserRecord>(entityKey(account, 'user', user)))?.value;
    return record && { type: 'User', account, arn: record.arn, userId: record.id, accessKeyId };
  }
}

/** Remembers when access keys and roles were last used. Never delays a request. */
export class UsageLog {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #written = new Map<string, number>();

  constructor(parts: { store: Store; clock: Clock; logger: Logger }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  record(principal: Principal, { region, service }: Pick<RequestContext, 'region' | 'service'>): void {
    const what = principal.roleArn ?? principal.accessKeyId;
    if (what === undefined) return;
    const now = this.#clock.now();
    if (now - (this.#written.get(what) ?? Number.NEGATIVE_INFINITY) < LAST_USED_STEP_MS) return;
    if (this.#written.size > 10_000) this.#written.clear();
    this.#written.set(what, now);
    this.#store.put(lastUsedKey(what), { time: now, region, service } satisfies LastUsed).catch((error) => {
      this.#logger.warn('the last use of a key or role was not written down', { error: String(error) });
    });
  }
}
