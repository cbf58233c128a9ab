import type { Logger } from '../../base/logger.ts';
import type { FunctionSpec } from '../../functions/index.ts';
import { CompactedError, type Store, type Watch } from '../../store/index.ts';
import type { CodePackages } from './code-package.ts';
import { toSpec } from './configuration.ts';
import { functionNotFound } from './errors.ts';
import { lineageId } from './lineage.ts';
import {
  type AliasRecord,
  type FunctionRecord,
  keys,
  LATEST,
  type ProvisionedRecord,
  type Scope,
  type VersionRecord,
} from './model.ts';
import { type FunctionName, functionArn, isVersion } from './names.ts';

/** One version, ready to be invoked. */
export interface Target {
  readonly scope: Scope;
  readonly name: string;
  readonly version: string;
  readonly spec: FunctionSpec;
  /** The same for environments that provisioned concurrency keeps; `undefined` when there is none. */
  readonly provisioned: { readonly spec: FunctionSpec; readonly count: number } | undefined;
  /** Reserved concurrency of the function. */
  readonly reserved: number | undefined;
  /** Names the function in the lineage of a chain of requests. */
  readonly lineageId: string;
  readonly recursiveLoop: 'Allow' | 'Terminate';
  readonly state: VersionRecord['state'];
  readonly stateReason: string | undefined;
}

/** What a qualifier leads to: a version, or several with their shares. */
interface Route {
  readonly primary: string;
  readonly weights: readonly (readonly [version: string, weight: number])[];
  /** ARN as the caller named the function, default qualifier left out. */
  readonly invokedArn: string;
}

export interface ResolvedTarget extends Target {
  readonly invokedArn: string;
}

/**
 * What an invocation needs, kept in memory: resolving a known function reads nothing from the store. A change of a function
 * drops what is kept of it: at once for changes made here (`forget`), through a watch for changes made elsewhere.
 */
export class TargetCache {
  readonly #store: Store;
  readonly #code: CodePackages;
  readonly #logger: Logger;
  readonly #fraction: () => number;
  readonly #routes = new Map<string, Route>();
  readonly #targets = new Map<string, Target>();
  readonly #byFunction = new Map<string, Set<string>>();
  /** Raised by each drop: what was read before must not be kept after. */
  #generation = 0;
  #watch: Watch | undefined;
  #watching: Promise<void> = Promise.resolve();
  readonly #listeners: ((scope: Scope) => void)[] = [];

  constructor(store: Store, code: CodePackages, logger: Logger, fraction: () => number) {
    this.#store = store;
    this.#code = code;
    this.#logger = logger;
    this.#fraction = fraction;
  }

  start(): void {
    this.#watch = this.#store.watch({ prefix: keys.all });
    this.#watching = this.#follow(this.#watch);
  }

  async close(): Promise<void> {
    this.#watch?.close();
    await this.#watching;
  }

  /** Calls `listener` whenever something of an account and region changes. */
  onChange(listener: (scope: Scope) => void): void {
    this.#listeners.push(listener);
  }

  /** Drops what is kept of a function. */
  forget(scope: Scope, name: string): void {
    this.#generation += 1;
    const key = `${scope.account}/${scope.region}/${name}`;
    for (const kept of this.#byFunction.get(key) ?? []) {
      this.#routes.delete(kept);
      this.#targets.delete(kept);
    }
    this.#byFunction.delete(key);
    for (const listener of this.#listeners) listener(scope);
  }

  #forgetAll(): void {
    this.#generation += 1;
    this.#routes.clear();
    this.#targets.clear();
    const functions = [...this.#byFunction.keys()];
    this.#byFunction.clear();
    for (const key of functions) {
      const [account, region] = key.split('/') as [string, string];
      for (const listener of this.#listeners) listener({ account, region });
    }
  }

  /**
   * The version that an invocation of `name` runs on; an alias with weights draws one. Throws ResourceNotFoundException.
   */
  async resolve(name: FunctionName): Promise<ResolvedTarget> {
    const qualifier = name.qualifier ?? '';
    const key = `${name.account}/${name.region}/${name.name}:${qualifier}`;
    const route = this.#routes.get(key) ?? (await this.#readRoute(name, key));
    const version = route.weights.length === 0 ? route.primary : this.#draw(route);
    const targetKey = `${name.account}/${name.region}/${name.name}#${version}`;
    const target = this.#targets.get(targetKey) ?? (await this.#readTarget(name, version, targetKey));
    return { ...target, invokedArn: route.invokedArn };
  }

  #draw(route: Route): string {
    let rest = this.#fraction();
    for (const [version, weight] of route.weights) {
      if (rest < weight) return version;
      rest -= weight;
    }
    return route.primary;
  }

  async #readRoute(name: FunctionName, key: string): Promise<Route> {
    const generation = this.#generation;
    const qualifier = name.qualifier ?? LATEST;
    const invokedArn = functionArn(name, name.name, name.qualifier);
    let route: Route = { primary: qualifier, weights: [], invokedArn };
    if (qualifier !== LATEST && !isVersion(qualifier)) {
      const alias = (await this.#store.get<AliasRecord>(keys.alias(name, name.name, qualifier)))?.value;
      if (!alias) throw functionNotFound(invokedArn);
      route = { primary: alias.version, weights: Object.entries(alias.weights), invokedArn };
    }
    this.#keep(generation, name, key, () => this.#routes.set(key, route));
    return route;
  }

  async #readTarget(name: FunctionName, version: string, key: string): Promise<Target> {
    const generation = this.#generation;
    const [entry, owner] = await Promise.all([
      this.#store.get<VersionRecord>(keys.version(name, name.name, version)),
      this.#store.get<FunctionRecord>(keys.function(name, name.name)),
    ]);
    if (!entry || !owner) throw functionNotFound(functionArn(name, name.name, name.qualifier));
    const record = entry.value;
    const [code, ...layers] = await Promise.all(
      [record.code, ...record.layers.map((layer) => layer.code)].map((part) => this.#code.locate(part)),
    );
    const scope: Scope = { account: name.account, region: name.region };
    const spec = toSpec(scope, record, code!, layers);
    const target: Target = {
      scope,
      name: record.name,
      version,
      spec,
      provisioned: await this.#provisioned(scope, record, spec),
      reserved: owner.value.reservedConcurrency,
      lineageId: lineageId(name),
      recursiveLoop: owner.value.recursiveLoop ?? 'Terminate',
      state: record.state,
      stateReason: record.stateReason,
    };
    this.#keep(generation, name, key, () => this.#targets.set(key, target));
    return target;
  }

  /** Provisioned concurrency is set on a version or on an alias that leads to it. */
  async #provisioned(scope: Scope, record: VersionRecord, spec: FunctionSpec): Promise<Target['provisioned']> {
    const configs = await this.#store.range<ProvisionedRecord>({ prefix: keys.provisionedOf(scope, record.name) });
    for (const entry of configs) {
      const qualifier = String(entry.key[entry.key.length - 1]);
      const alias = isVersion(qualifier)
        ? undefined
        : (await this.#store.get<AliasRecord>(keys.alias(scope, record.name, qualifier)))?.value;
      if ((alias?.version ?? qualifier) !== record.version || entry.value.status !== 'READY') continue;
      return { spec: { ...spec, initializationType: 'provisioned-concurrency' }, count: entry.value.allocated };
    }
    return undefined;
  }

  #keep(generation: number, name: FunctionName, key: string, put: () => void): void {
    if (generation !== this.#generation) return;
    put();
    const owner = `${name.account}/${name.region}/${name.name}`;
    const kept = this.#byFunction.get(owner);
    if (kept) kept.add(key);
    else this.#byFunction.set(owner, new Set([key]));
  }

  async #follow(watch: Watch): Promise<void> {
    try {
      for await (const batch of watch) {
        for (const event of batch.events) {
          const [, account, region, , name] = event.type === 'put' ? event.entry.key : event.key;
          if (!/^\d{12}$/.test(String(account))) continue;
          this.forget({ account: String(account), region: String(region) }, String(name));
        }
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) {
        this.#logger.error('the watch on functions ended', { error });
        return;
      }
      // History was forgotten faster than it was read here: nothing that is kept can be trusted.
      this.#forgetAll();
      this.start();
    }
  }
}
