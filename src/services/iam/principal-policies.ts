import type { Logger } from '../../base/logger.ts';
import type { Store, Watch } from '../../store/index.ts';
import type { Principal } from '../service.ts';
import { type CompiledPolicy, compilePolicy } from './policy/compiled-policy.ts';
import type { NamedPolicy } from './policy/evaluate.ts';
import { type EntityRecord, entityKey, USAGE, type UserRecord } from './records.ts';
import { defaultDocument, findPolicy } from './state.ts';

const MAX_PRINCIPALS = 5000;
const MAX_DOCUMENTS = 1000;
/** A policy that cannot be read any more allows nothing. */
const NOTHING = '{"Version":"2012-10-17","Statement":[]}';
/** What a resource's policy denies is lost when it cannot be read: so all is denied but to the root user, who can mend it. */
const UNREADABLE = JSON.stringify({
  Version: '2012-10-17',
  Statement: {
    Effect: 'Deny',
    Principal: '*',
    Action: '*',
    Resource: '*',
    Condition: { ArnNotLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:root' } },
  },
});

/** What limits and allows a principal, compiled. */
export interface PrincipalPolicies {
  readonly identity: readonly NamedPolicy[];
  readonly boundary: NamedPolicy | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** Compiled policies of users and roles, kept until something in their account changes. */
export class PrincipalPolicyCache {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #byPrincipal = new Map<string, PrincipalPolicies>();
  readonly #documents = new Map<string, CompiledPolicy>();
  #generation = 0;
  #watch: Watch | undefined;

  constructor(store: Store, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
    this.#startWatch();
  }

  /** The policies of a user or role, when they are known already. */
  known(principal: Principal): PrincipalPolicies | undefined {
    return this.#byPrincipal.get(cacheKey(principal));
  }

  async load(principal: Principal): Promise<PrincipalPolicies> {
    const generation = this.#generation;
    const policies = await this.#read(principal);
    // A change while reading may have been missed: use the result once, do not keep it.
    if (generation === this.#generation) {
      if (this.#byPrincipal.size >= MAX_PRINCIPALS) this.#byPrincipal.clear();
      this.#byPrincipal.set(cacheKey(principal), policies);
    }
    return policies;
  }

  /** The policies of a group by itself, for simulations. */
  async loadGroup(account: string, group: EntityRecord): Promise<PrincipalPolicies> {
    return { identity: await this.#identityOf(account, [group]), boundary: undefined, tags: {} };
  }

  /** A document compiled once and kept: resource and session policies. */
  compiled(document: string, kind: 'identity' | 'resource' | 'trust'): CompiledPolicy {
    const key = `${kind}\n${document}`;
    let policy = this.#documents.get(key);
    if (!policy) {
      try {
        policy = compilePolicy(document, kind);
      } catch (error) {
        const allowed = kind === 'resource' ? 'only what the root user does' : 'nothing';
        this.#logger.warn('a stored policy cannot be read', { allowed, error: String(error) });
        policy = compilePolicy(kind === 'resource' ? UNREADABLE : NOTHING, kind);
      }
      if (this.#documents.size >= MAX_DOCUMENTS) this.#documents.delete(this.#documents.keys().next().value!);
      this.#documents.set(key, policy);
    }
    return policy;
  }

  /** Forgets principals: policies may have changed. */
  invalidate(): void {
    this.#generation++;
    this.#byPrincipal.clear();
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  async #read(principal: Principal): Promise<PrincipalPolicies> {
    const kind = principal.roleArn === undefined ? 'user' : 'role';
    const arn = principal.roleArn ?? principal.arn;
    const name = arn.slice(arn.lastIndexOf('/') + 1);
    const { account } = principal;
    const entity = (await this.#store.get<EntityRecord>(entityKey(account, kind, name)))?.value;
    // A session of a role that was deleted and made again under the same name is none of the new role's.
    if (entity?.id !== uniqueId(principal)) return { identity: [], boundary: undefined, tags: {} };
    const entities: EntityRecord[] = [entity];
    for (const group of kind === 'user' ? (entity as UserRecord).groups : []) {
      const entry = await this.#store.get<EntityRecord>(entityKey(account, 'group', group));
      if (entry) entities.push(entry.value);
    }
    const boundary = entity.boundary === undefined ? undefined : await this.#managed(account, entity.boundary);
    return { identity: await this.#identityOf(account, entities), boundary, tags: entity.tags };
  }

  async #identityOf(account: string, entities: readonly EntityRecord[]): Promise<NamedPolicy[]> {
    const identity: NamedPolicy[] = [];
    for (const { name: owner, inline, attached } of entities) {
      for (const [policyName, document] of Object.entries(inline)) {
        identity.push({ id: `${owner}/${policyName}`, policy: this.compiled(document, 'identity') });
      }
      for (const policyArn of attached) identity.push(await this.#managed(account, policyArn));
    }
    return identity;
  }

  async #managed(account: string, arn: string): Promise<NamedPolicy> {
    const policy = await findPolicy(this.#store, account, arn);
    return { id: arn, policy: this.compiled(policy ? defaultDocument(policy) : NOTHING, 'identity') };
  }

  /** Another process may write too: whatever changes under IAM's keys empties the cache. */
  #startWatch(): void {
    const watch = this.#store.watch({ prefix: ['iam'] });
    this.#watch = watch;
    void (async () => {
      try {
        for await (const { events } of watch) {
          const matters = events.some((event) => (event.type === 'put' ? event.entry.key : event.key)[1] !== USAGE);
          if (matters) this.invalidate();
        }
      } catch (error) {
        this.invalidate();
        if (this.#watch !== watch) return;
        this.#logger.warn('the watch of policies ended and is started again', { error: String(error) });
        this.#startWatch();
      }
    })();
  }
}

/** `AIDA…` of a user, `AROA…` of a role session's role. */
function uniqueId({ userId }: Principal): string {
  return userId.split(':', 1)[0]!;
}

function cacheKey(principal: Principal): string {
  return `${principal.roleArn ?? principal.arn}\n${uniqueId(principal)}`;
}
