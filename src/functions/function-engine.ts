import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock, Timer } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { writeCertificates } from './certificates.ts';
import type {
  EngineStatus,
  FunctionEngine,
  FunctionLogs,
  FunctionSpec,
  ImageRoots,
  Invocation,
  InvocationResult,
  ResponseSink,
  RoleCredentials,
} from './engine.ts';
import type { Environment } from './environment.ts';
import { EnvironmentFactory } from './environment-factory.ts';
import { LogBatcher } from './environment-log.ts';
import { FunctionEnvironments } from './function-environments.ts';
import { Launcher } from './launcher.ts';
import { findRuntimeSdk } from './runtimes/aws-sdk.ts';
import type { SandboxProvider } from './sandbox/index.ts';

export interface FunctionEngineOptions {
  readonly sandboxes: SandboxProvider;
  /** Functions from images are refused without it. */
  readonly images?: ImageRoots | undefined;
  readonly logs: FunctionLogs;
  readonly credentials: RoleCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Scratch directory of the engine: merged layers, code caches, certificates. */
  readonly directory: string;
  readonly endpoint: {
    /** The cloud's address as a function reaches it: `AWS_ENDPOINT_URL`. */
    readonly url: string;
    /** The port at which programs of the machine reach it, when that is another place than `url`. */
    readonly outsidePort?: number | undefined;
    /** Host path of the local authority's certificate (PEM). */
    readonly caFile?: string | undefined;
  };
  /** Memory that all environments and pools together may use. */
  readonly memoryBudgetMb: number;
  /** Booted runtimes kept waiting per interpreter, once a function wants it. */
  readonly poolSizes?: { readonly nodejs?: number; readonly python?: number };
  /** An environment that was idle for so long is ended; by the clock. */
  readonly idleTimeoutMs?: number;
  /** How long an environment stays runnable after an invocation before its processes are frozen. */
  readonly freezeAfterMs?: number;
  /** Where interpreters that Kobune installed lie. */
  readonly runtimesDirectory?: string;
  /** Directory of `node/` and `python/`, our runtimes' files. */
  readonly runtimeAssets?: string;
  /** Variables that name interpreters (`KOBUNE_NODE_22`), `PATH`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const defaultIdleTimeoutMs = 10 * 60_000;
const defaultFreezeAfterMs = 100;
/** What an environment is taken to need before it was measured, MB. */
const expectedMb = 30;
const megabyte = 1024 * 1024;
/** Started at once at most when provisioning: more would only take each other's processor. */
const provisionParallel = 4;

/** Makes the engine. Interpreters are looked for when the first function wants one. */
export function createFunctionEngine(options: FunctionEngineOptions): FunctionEngine {
  return new Engine(options);
}

class Engine implements FunctionEngine {
  readonly #options: FunctionEngineOptions;
  readonly #batcher: LogBatcher;
  readonly #factory: EnvironmentFactory;
  readonly #functions = new Map<string, FunctionEnvironments>();
  /** Idle environments whose processes still run. */
  readonly #runnable = new Set<Environment>();
  readonly #owners = new Map<Environment, FunctionEnvironments>();
  readonly #ending = new Set<Promise<void>>();
  readonly #freezeAfterMs: number;
  readonly #idleTimeoutMs: number;
  #freezeTimer: NodeJS.Timeout | undefined;
  #reclaimTimer: Timer | undefined;
  #starting = 0;
  #closed = false;

  constructor(options: FunctionEngineOptions) {
    this.#options = options;
    this.#freezeAfterMs = options.freezeAfterMs ?? defaultFreezeAfterMs;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#batcher = new LogBatcher(options.logs);
    const launcher = new Launcher({
      sandboxes: options.sandboxes,
      paths: {
        runtimeAssets: options.runtimeAssets ?? fileURLToPath(new URL('./runtimes/', import.meta.url)),
        sdk: findRuntimeSdk(import.meta.dirname),
        certificates: writeCertificates(join(options.directory, 'certificates'), options.endpoint.caFile),
      },
      random: options.random,
      cloud: options.endpoint,
    });
    this.#factory = new EnvironmentFactory({
      launcher,
      batcher: this.#batcher,
      host: {
        now: () => options.clock.now(),
        segmentId: () => options.random.hex(16),
        onIdle: (environment) => this.#onIdle(environment),
        onGone: (environment) => this.#onGone(environment),
      },
      images: options.images,
      credentials: options.credentials,
      clock: options.clock,
      random: options.random,
      logger: options.logger,
      directory: options.directory,
      poolSizes: { nodejs: options.poolSizes?.nodejs ?? 2, python: options.poolSizes?.python ?? 2 },
      search: {
        environment: options.environment ?? process.env,
        runtimesDirectory: options.runtimesDirectory,
      },
    });
  }

  invoke(spec: FunctionSpec, invocation: Invocation): Promise<InvocationResult> {
    return this.#run(spec, invocation, undefined);
  }

  invokeStreaming(spec: FunctionSpec, invocation: Invocation, sink: ResponseSink): Promise<InvocationResult> {
    return this.#run(spec, invocation, sink);
  }

  async #run(spec: FunctionSpec, invocation: Invocation, sink: ResponseSink | undefined): Promise<InvocationResult> {
    for (;;) {
      const group = this.#group(spec);
      let environment = group.takeIdle();
      if (environment) this.#runnable.delete(environment);
      else {
        environment = await this.#start(group);
        if (!environment.claim()) continue;
      }
      const result = await environment.invoke(invocation, sink);
      if (result) return result;
    }
  }

  #group(spec: FunctionSpec): FunctionEnvironments {
    if (this.#closed) throw new ServiceError('ServiceException', 'The function engine is stopping.', { status: 500 });
    const key = `${spec.arn}|${spec.version}|${spec.initializationType}`;
    let group = this.#functions.get(key);
    if (group && group.spec.revision !== spec.revision) {
      this.#retireGroup(group);
      group = undefined;
    }
    if (!group) {
      group = new FunctionEnvironments(spec);
      this.#functions.set(key, group);
    }
    return group;
  }

  #retireGroup(group: FunctionEnvironments): void {
    group.provisioned = 0;
    group.retireAll();
    group.close();
  }

  /** A new environment whose init phase is over. */
  async #start(group: FunctionEnvironments): Promise<Environment> {
    this.#makeRoom();
    this.#starting += 1;
    let environment: Environment | undefined;
    try {
      environment = await this.#factory.create(group.spec);
      group.all.add(environment);
      this.#owners.set(environment, group);
      await environment.start();
      return environment;
    } catch (error) {
      environment?.stop();
      if (error instanceof ServiceError) throw error;
      throw new ServiceError('ServiceException', 'The execution environment could not be started.', {
        status: 500,
        detail: String(error),
        cause: error,
      });
    } finally {
      this.#starting -= 1;
    }
  }

  /** Memory in use: what was measured, and what those that just start are expected to need. */
  #usedBytes(): number {
    let used = this.#starting * expectedMb * megabyte + this.#factory.pooledMemory();
    for (const environment of this.#owners.keys()) used += Math.max(environment.memoryBytes, 8 * megabyte);
    return used;
  }

  /**
   * Ends the environments that were idle longest until another fits. When all are busy the caller is told to come
   * again, as when a concurrency limit is reached.
   */
  #makeRoom(): void {
    const budget = this.#options.memoryBudgetMb * megabyte;
    let used = this.#usedBytes() + expectedMb * megabyte;
    if (used <= budget) return;
    const idle = [...this.#owners.keys()].filter((environment) => environment.state === 'idle');
    idle.sort((a, b) => a.idleSinceTicks - b.idleSinceTicks);
    for (const environment of idle) {
      if (used <= budget) return;
      used -= Math.max(environment.memoryBytes, 8 * megabyte);
      environment.stop();
    }
    if (used <= budget) return;
    throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', {
      status: 429,
      members: { Reason: 'ConcurrentInvocationLimitExceeded', Type: 'User' },
      detail: `the memory budget of ${this.#options.memoryBudgetMb} MB is in use`,
    });
  }

  #onIdle(environment: Environment): void {
    const group = this.#owners.get(environment);
    if (!group) return;
    group.idle.push(environment);
    if (environment.expiresAt <= this.#options.clock.now()) {
      environment.stop();
      return;
    }
    this.#runnable.add(environment);
    this.#freezeTimer ??= this.#scheduleFreeze(this.#freezeAfterMs);
    this.#reclaimTimer ??= this.#options.clock.at(this.#options.clock.now() + this.#idleTimeoutMs, () =>
      this.#reclaim(),
    );
  }

  #scheduleFreeze(delayMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => this.#freezeIdle(), delayMs);
    timer.unref();
    return timer;
  }

  /** The set is in the order in which they became idle, so only the due ones are looked at. */
  #freezeIdle(): void {
    this.#freezeTimer = undefined;
    const now = performance.now();
    for (const environment of this.#runnable) {
      const due = environment.idleSinceTicks + this.#freezeAfterMs - now;
      if (due > 0) {
        this.#freezeTimer = this.#scheduleFreeze(Math.ceil(due));
        return;
      }
      this.#runnable.delete(environment);
      environment.freeze().catch((error) => {
        this.#options.logger.warn('cannot freeze an environment', { id: environment.id, error: String(error) });
        environment.stop();
      });
    }
  }

  #reclaim(): void {
    this.#reclaimTimer = undefined;
    const now = this.#options.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const group of this.#functions.values()) {
      for (const environment of [...group.idle]) {
        if (environment.expiresAt <= now) environment.stop();
        else if (group.all.size > group.provisioned && environment.idleSince + this.#idleTimeoutMs <= now) {
          environment.stop();
        } else {
          next = Math.min(next, Math.max(now + 1_000, environment.idleSince + this.#idleTimeoutMs));
        }
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#reclaimTimer = this.#options.clock.at(next, () => this.#reclaim());
  }

  #onGone(environment: Environment): void {
    this.#runnable.delete(environment);
    const group = this.#owners.get(environment);
    this.#owners.delete(environment);
    group?.remove(environment);
    const ended = environment.ended().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    if (group && group.all.size < group.provisioned && !this.#closed) {
      void this.#fillProvisioned(group).catch((error) =>
        this.#options.logger.warn('cannot replace a provisioned environment', { error: String(error) }),
      );
    } else if (group && group.all.size === 0 && group.provisioned === 0) {
      this.#forget(group);
    }
  }

  /** A function without environments leaves nothing behind. */
  #forget(group: FunctionEnvironments): void {
    const { spec } = group;
    if (spec.code.hotReload) return;
    const key = `${spec.arn}|${spec.version}|${spec.initializationType}`;
    if (this.#functions.get(key) === group && this.#starting === 0) this.#functions.delete(key);
  }

  async provision(spec: FunctionSpec, count: number): Promise<void> {
    const group = this.#group(spec);
    group.provisioned = count;
    for (const environment of [...group.all].slice(count)) environment.retire();
    await this.#fillProvisioned(group);
  }

  async #fillProvisioned(group: FunctionEnvironments): Promise<void> {
    const worker = async () => {
      while (!this.#closed && group.all.size < group.provisioned) {
        const environment = await this.#start(group);
        if (!environment.initialised) {
          environment.stop();
          throw new ServiceError('ServiceException', 'A provisioned environment failed to initialise.', {
            status: 500,
          });
        }
        await environment.release();
      }
    };
    const missing = Math.min(provisionParallel, group.provisioned - group.all.size);
    await Promise.all(Array.from({ length: Math.max(0, missing) }, worker));
  }

  retire(arn: string, keepRevision?: string): void {
    for (const [key, group] of this.#functions) {
      if (group.spec.arn !== arn || group.spec.revision === keepRevision) continue;
      this.#functions.delete(key);
      this.#retireGroup(group);
    }
  }

  prepare(spec: FunctionSpec): Promise<void> {
    return this.#factory.prepare(spec);
  }

  status(): EngineStatus {
    return {
      environments: [...this.#owners.keys()].map((environment) => environment.status()),
      poolSizes: this.#factory.poolSizes(),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#freezeTimer);
    this.#reclaimTimer?.cancel();
    for (const group of this.#functions.values()) {
      group.provisioned = 0;
      group.close();
    }
    for (const environment of [...this.#owners.keys()]) environment.stop();
    await this.#factory.close();
    await Promise.all(this.#ending);
    this.#batcher.flush();
  }
}
