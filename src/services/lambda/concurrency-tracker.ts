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
  /** All executions under way. */
  total: number;
  /** Those who wait for an execution to end, first come first. */
  readonly waiting: Waiter[];
  readonly functions: Map<string, number>;
  readonly provisioned: Map<string, number>;
}

interface Waiter {
  readonly name: string;
  readonly wake: () => void;
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
    const area = `${scope.account}/${scope.region}`;
    this.#reservations.delete(area);
    for (const { wake } of this.#usage.get(area)?.waiting.splice(0) ?? []) wake();
  }

  /**
   * Resolves to true when an execution has ended, or limits have changed, so that another try may succeed; to false when
   * nothing is under way that could end, or the signal says that it took too long. Queued events wait here rather than go
   * back to the end of a long queue.
   */
  async freed(scope: Scope, name: string, signal: AbortSignal): Promise<boolean> {
    const usage = this.#usageOf(`${scope.account}/${scope.region}`);
    if (usage.total === 0 || signal.aborted) return false;
    return new Promise((resolve) => {
      const settle = (freed: boolean): void => {
        signal.removeEventListener('abort', onAbort);
        const at = usage.waiting.indexOf(waiter);
        if (at >= 0) usage.waiting.splice(at, 1);
        resolve(freed);
      };
      const waiter: Waiter = { name, wake: () => settle(true) };
      const onAbort = (): void => settle(false);
      signal.addEventListener('abort', onAbort, { once: true });
      usage.waiting.push(waiter);
    });
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
      usage = { unreserved: 0, total: 0, waiting: [], functions: new Map(), provisioned: new Map() };
      this.#usage.set(area, usage);
    }
    return usage;
  }

  #slot(usage: Usage, target: Target, unreserved: boolean): Slot {
    if (unreserved) usage.unreserved += 1;
    return occupy(usage, target, target.spec, () => {
      if (unreserved) usage.unreserved -= 1;
    });
  }

  #provisionedSlot(usage: Usage, target: Target, key: string, spec: FunctionSpec): Slot {
    add(usage.provisioned, key, 1);
    return occupy(usage, target, spec, () => add(usage.provisioned, key, -1));
  }
}

function occupy(usage: Usage, target: Target, spec: FunctionSpec, vacate: () => void): Slot {
  add(usage.functions, target.name, 1);
  usage.total += 1;
  return {
    spec,
    release: () => {
      add(usage.functions, target.name, -1);
      usage.total -= 1;
      vacate();
      wakeNext(usage, target.name);
    },
  };
}

/** The place goes to who waits for the same function, and what is shared to the first of the others. */
function wakeNext(usage: Usage, name: string): void {
  if (usage.waiting.length === 0) return;
  const same = usage.waiting.find((waiter) => waiter.name === name);
  const other = usage.waiting.find((waiter) => waiter.name !== name);
  same?.wake();
  other?.wake();
}

function add(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
