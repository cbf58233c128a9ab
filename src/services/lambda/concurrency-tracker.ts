import type { FunctionSpec } from '../../functions/index.ts';
import type { Store } from '../../store/index.ts';
import { throttled } from './errors.ts';
import { type FunctionRecord, keys, type ProvisionedRecord, type Scope } from './model.ts';
import type { Target } from './target-cache.ts';

/** A place among the concurrent executions. */
export interface Slot {
  /** What to run: the provisioned environments' spec while they last, else the on-demand one. */
  readonly spec: FunctionSpec;
  release(): void;
}

/** What an account's functions have set aside in a region. */
export interface Reservations {
  readonly reserved: number;
  /** Provisioned for functions without a reservation: it comes out of the shared pool. */
  readonly provisionedUnreserved: number;
}

interface Usage {
  unreserved: number;
  readonly functions: Map<string, number>;
  readonly provisioned: Map<string, number>;
}

/**
 * Counts executions under way. Source: Lambda Developer Guide, "Understanding Lambda function scaling", "Configuring
 * reserved concurrency", "Configuring provisioned concurrency".
 */
export class ConcurrencyTracker {
  readonly #store: Store;
  readonly #limit: number;
  readonly #usage = new Map<string, Usage>();
  readonly #reservations = new Map<string, Reservations>();
  #generation = 0;

  constructor(store: Store, limit: number) {
    this.#store = store;
    this.#limit = limit;
  }

  /** Drops what is known of an account's reservations: they have changed. */
  forget(scope: Scope): void {
    this.#generation += 1;
    this.#reservations.delete(`${scope.account}/${scope.region}`);
  }

  /** Takes a slot or throws TooManyRequestsException, naming the limit that was met. */
  async acquire(target: Target): Promise<Slot> {
    const area = `${target.scope.account}/${target.scope.region}`;
    const usage = this.#usageOf(area);
    const running = usage.functions.get(target.name) ?? 0;
    if (target.reserved !== undefined && running >= target.reserved) {
      throw throttled('ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    if (target.provisioned !== undefined) {
      const key = `${target.name}:${target.version}`;
      const used = usage.provisioned.get(key) ?? 0;
      if (used < target.provisioned.count) return this.#provisionedSlot(usage, target, key, target.provisioned.spec);
    }
    if (target.reserved !== undefined) return this.#slot(usage, target, false);
    const aside = this.#reservations.get(area) ?? (await this.reservations(target.scope));
    if (usage.unreserved >= this.#limit - aside.reserved - aside.provisionedUnreserved) {
      throw throttled('ConcurrentInvocationLimitExceeded');
    }
    return this.#slot(usage, target, true);
  }

  /** What is set aside in an account and region. */
  async reservations(scope: Scope): Promise<Reservations> {
    const generation = this.#generation;
    const functions = await this.#store.range<FunctionRecord>({ prefix: keys.functions(scope) });
    const reservedOf = new Map(functions.map(({ value }) => [value.name, value.reservedConcurrency]));
    let reserved = 0;
    for (const amount of reservedOf.values()) reserved += amount ?? 0;
    let provisionedUnreserved = 0;
    for (const entry of await this.#store.range<ProvisionedRecord>({ prefix: keys.provisionedAll(scope) })) {
      if (reservedOf.get(String(entry.key[4])) === undefined) provisionedUnreserved += entry.value.requested;
    }
    const result = { reserved, provisionedUnreserved };
    if (generation === this.#generation) this.#reservations.set(`${scope.account}/${scope.region}`, result);
    return result;
  }

  #usageOf(area: string): Usage {
    let usage = this.#usage.get(area);
    if (!usage) {
      usage = { unreserved: 0, functions: new Map(), provisioned: new Map() };
      this.#usage.set(area, usage);
    }
    return usage;
  }

  #slot(usage: Usage, target: Target, unreserved: boolean): Slot {
    add(usage.functions, target.name, 1);
    if (unreserved) usage.unreserved += 1;
    return {
      spec: target.spec,
      release: () => {
        add(usage.functions, target.name, -1);
        if (unreserved) usage.unreserved -= 1;
      },
    };
  }

  #provisionedSlot(usage: Usage, target: Target, key: string, spec: FunctionSpec): Slot {
    add(usage.functions, target.name, 1);
    add(usage.provisioned, key, 1);
    return {
      spec,
      release: () => {
        add(usage.functions, target.name, -1);
        add(usage.provisioned, key, -1);
      },
    };
  }
}

function add(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
