import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { BootLimit } from './boot-limit.ts';
import { CodeCache } from './code-cache.ts';
import { bringsExtensions, bringsLibraries, OptDirectories } from './code-directories.ts';
import type { FunctionSpec, RoleCredentials, TemporaryCredentials } from './engine.ts';
import { type Connection, Environment, type EnvironmentHost } from './environment.ts';
import { EnvironmentLog, type LogBatcher } from './environment-log.ts';
import { functionVariables, needsOwnProcess } from './environment-variables.ts';
import { FailedLink } from './failed-link.ts';
import { FramedLink } from './framed-link.ts';
import { type Launcher, startTimeoutMs } from './launcher.ts';
import { platformLines } from './platform-lines.ts';
import { ApiLink } from './runtime-api/api-link.ts';
import { HostedProcess } from './runtime-api/hosted-process.ts';
import { runtimeApiAddress } from './runtime-api/listener.ts';
import type { InitOutcome, RuntimeLink } from './runtime-link.ts';
import { RuntimePool } from './runtime-pool.ts';
import type { RuntimeProcess } from './runtime-process.ts';
import { parseRuntime, type RuntimeIdentity } from './runtimes/catalogue.ts';
import { chooseInterpreter, findInterpreters, type Interpreter, type InterpreterSearch } from './runtimes/installed.ts';
import type { Bind } from './sandbox/index.ts';

export interface EnvironmentFactoryOptions {
  readonly launcher: Launcher;
  readonly batcher: LogBatcher;
  readonly host: EnvironmentHost;
  readonly credentials: RoleCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly directory: string;
  readonly poolSizes: { readonly nodejs: number; readonly python: number };
  readonly search: InterpreterSearch;
}

/** A custom runtime is the first of these files that exists; what a missing one means is said as Lambda says it. */
const startBootstrap =
  'for b in "$@"; do if [ -e "$b" ]; then exec "$b" 3>&- 4<&-; fi; done; ' +
  'echo "Couldn\'t find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"; exit 1';

/** An environment is not used any more when its credentials have less than this left. */
const credentialMarginMs = 5 * 60_000;

/** Makes environments: finds the interpreter, takes a runtime from its pool or starts one, and tells it what to become. */
export class EnvironmentFactory {
  readonly #options: EnvironmentFactoryOptions;
  readonly #opt: OptDirectories;
  readonly #cache: CodeCache;
  readonly #boots = new BootLimit(2 * availableParallelism());
  readonly #pools = new Map<string, RuntimePool>();
  readonly #credentials = new Map<string, TemporaryCredentials>();
  #interpreters: Promise<readonly Interpreter[]> | undefined;

  constructor(options: EnvironmentFactoryOptions) {
    this.#options = options;
    this.#opt = new OptDirectories(`${options.directory}/layers`);
    this.#cache = new CodeCache(`${options.directory}/code-cache`, options.launcher, options.logger);
  }

  async create(spec: FunctionSpec): Promise<Environment> {
    const runtime = this.#runtime(spec);
    const interpreter = await this.#interpreter(runtime);
    const credentials = await this.#credentialsFor(spec);
    const { clock, random, batcher } = this.#options;
    const stream = `${new Date(clock.now()).toISOString().slice(0, 10).replaceAll('-', '/')}/[${spec.version}]${random.hex(32)}`;
    const destination = { account: spec.account, region: spec.region, group: spec.logging.group, stream };
    const log = new EnvironmentLog(batcher, destination, () => clock.now());
    const variables = functionVariables({
      spec,
      runtime,
      credentials,
      endpoint: this.#options.launcher.endpoint(),
      logStream: stream,
      taskRoot: this.#taskRoot(spec),
      optRoot: await this.#optRoot(spec),
      sdkDirectory: this.#options.launcher.sdkDirectory(),
      runtimeDirectory: this.#options.launcher.runtimeDirectory(runtime.family),
      runtimeApi: runtimeApiAddress,
    });
    if (interpreter && interpreter.version !== runtime.version) {
      const language = interpreter.family === 'nodejs' ? 'Node.js' : 'Python';
      log.event(
        `KOBUNE ${runtime.name} runs on ${language} ${interpreter.fullVersion}, the nearest one installed on this machine.\n`,
      );
    }
    const environment = new Environment({
      id: random.hex(32),
      spec,
      log,
      lines: platformLines(spec.logging, {
        runtimeVersion: runtimeVersion(runtime, interpreter),
        runtimeVersionArn: runtimeVersionArn(spec.region, runtime, interpreter),
        functionName: spec.name,
        functionVersion: spec.version,
        initializationType: spec.initializationType,
        now: () => clock.now(),
      }),
      host: this.#options.host,
      connect: () => this.#connect(spec, runtime, interpreter, variables, log),
    });
    environment.expiresAt = credentials.expiration - credentialMarginMs;
    return environment;
  }

  /** Does ahead of the first call what can be done ahead: the interpreter, a pool, merged layers, credentials. */
  async prepare(spec: FunctionSpec): Promise<void> {
    const runtime = this.#runtime(spec);
    const interpreter = await this.#interpreter(runtime);
    const large = runtime.family === 'nodejs' && (await this.#cache.large(spec)) !== undefined;
    await Promise.all([
      this.#opt.for(spec),
      this.#credentialsFor(spec),
      interpreter && this.#poolable(spec) ? this.#pool(interpreter, large).fill() : undefined,
      interpreter?.family === 'nodejs' ? this.#cache.prepare(spec, interpreter) : undefined,
    ]);
  }

  pooledMemory(): number {
    let sum = 0;
    for (const pool of this.#pools.values()) sum += pool.memory();
    return sum;
  }

  poolSizes(): Record<string, number> {
    return Object.fromEntries([...this.#pools].map(([path, pool]) => [path, pool.waiting]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  #runtime(spec: FunctionSpec): RuntimeIdentity {
    const runtime = parseRuntime(spec.runtime);
    if (!runtime) {
      throw new ServiceError('InvalidRuntimeException', `The runtime ${spec.runtime} is not supported.`, {
        status: 502,
      });
    }
    return runtime;
  }

  async #interpreter(runtime: RuntimeIdentity): Promise<Interpreter | undefined> {
    if (runtime.family === 'provided') return undefined;
    this.#interpreters ??= findInterpreters(this.#options.search);
    const interpreter = chooseInterpreter(runtime, await this.#interpreters);
    if (!interpreter) {
      throw new ServiceError(
        'InvalidRuntimeException',
        `No interpreter for ${runtime.name} is installed on this machine; "kobune doctor" says how to get one.`,
        { status: 502 },
      );
    }
    return interpreter;
  }

  async #credentialsFor(spec: FunctionSpec): Promise<TemporaryCredentials> {
    const key = `${spec.roleArn}|${spec.name}|${spec.region}`;
    const now = this.#options.clock.now();
    const known = this.#credentials.get(key);
    // Half an hour at least, so that a new environment does not have to go soon.
    if (known && known.expiration - now > 30 * 60_000) return known;
    const fresh = await this.#options.credentials.credentialsFor(spec.roleArn, spec.name, spec.region);
    this.#credentials.set(key, fresh);
    return fresh;
  }

  #taskRoot(spec: FunctionSpec): string {
    return this.#options.launcher.mounts ? '/var/task' : spec.code.directory;
  }

  async #optRoot(spec: FunctionSpec): Promise<string> {
    return this.#options.launcher.mounts ? '/opt' : ((await this.#opt.for(spec)) ?? '/opt');
  }

  #poolable(spec: FunctionSpec): boolean {
    return (
      this.#options.launcher.mounts &&
      !needsOwnProcess(spec.environment) &&
      !bringsLibraries(spec) &&
      !bringsExtensions(spec)
    );
  }

  /** Large Node handlers get runtimes of their own pool, which have loaded the parts of Node that an SDK needs. */
  #pool(interpreter: Interpreter, rich: boolean): RuntimePool {
    const key = rich ? `${interpreter.path} (rich)` : interpreter.path;
    let pool = this.#pools.get(key);
    if (!pool) {
      const { launcher, logger, poolSizes } = this.#options;
      pool = new RuntimePool(
        launcher,
        interpreter,
        rich || interpreter.family === 'python',
        poolSizes[interpreter.family],
        logger,
      );
      this.#pools.set(key, pool);
    }
    return pool;
  }

  async #connect(
    spec: FunctionSpec,
    runtime: RuntimeIdentity,
    interpreter: Interpreter | undefined,
    variables: Record<string, string>,
    log: EnvironmentLog,
  ): Promise<Connection> {
    const opt = await this.#opt.for(spec);
    const begunAt = performance.now();
    const pooled = interpreter && (await this.#takePooled(spec, runtime, interpreter, variables, log, opt));
    if (pooled) return { link: pooled, begunAt };
    return this.#boots.run(async () => {
      const begunAt = performance.now();
      if (!interpreter) return { link: await this.#connectCustom(spec, variables, log, opt), begunAt };
      const connect = bringsExtensions(spec) ? this.#connectHosted : this.#startAlone;
      return { link: await connect.call(this, spec, runtime, interpreter, variables, log, opt), begunAt };
    });
  }

  /** A runtime from the pool, with this function's limits, code and variables. */
  async #takePooled(
    spec: FunctionSpec,
    runtime: RuntimeIdentity,
    interpreter: Interpreter,
    variables: Record<string, string>,
    log: EnvironmentLog,
    opt: string | undefined,
  ): Promise<RuntimeLink | undefined> {
    if (!this.#poolable(spec)) return undefined;
    const large = runtime.family === 'nodejs' && (await this.#cache.large(spec)) !== undefined;
    const pooled = this.#pool(interpreter, large).take();
    if (!pooled) return undefined;
    const codeCache = large ? await this.#cache.show(spec, interpreter, pooled.sandbox) : undefined;
    pooled.channel.prepare({ ...this.#settings(spec, runtime, variables), codeCache });
    try {
      await pooled.sandbox.limit({ memoryMb: spec.memoryMb, tmpMb: spec.ephemeralStorageMb, cpuMb: 'all' });
      await pooled.sandbox.attach(spec.code.directory, '/var/task');
      if (opt) await pooled.sandbox.attach(opt, '/opt');
    } catch (error) {
      pooled.kill();
      throw error;
    }
    const early = pooled.takeEarlyOutput();
    if (early) log.output(early);
    return new FramedLink(pooled, log);
  }

  /** What a runtime of ours is told to become. One that was started with its variables keeps them: a wrapper may have changed them. */
  #settings(
    spec: FunctionSpec,
    runtime: RuntimeIdentity,
    variables: Record<string, string> | undefined,
    opt?: string,
  ): object {
    return {
      sdkDirectory: this.#options.launcher.sdkDirectory(),
      optRoot: this.#options.launcher.mounts ? '/opt' : (opt ?? '/opt'),
      environment: variables,
      handler: spec.handler,
      taskRoot: this.#taskRoot(spec),
      logFormat: spec.logging.format,
      logLevel: spec.logging.format === 'JSON' ? spec.logging.applicationLevel : undefined,
      runtimeMajor: runtime.version,
      runtimeMinor: runtime.version,
    };
  }

  /** A runtime of ours with extensions beside it. */
  async #connectHosted(
    spec: FunctionSpec,
    runtime: RuntimeIdentity,
    interpreter: Interpreter,
    variables: Record<string, string>,
    log: EnvironmentLog,
    opt: string | undefined,
  ): Promise<RuntimeLink> {
    const plan = this.#options.launcher.plan(interpreter, {
      environment: variables,
      binds: this.#functionBinds(spec, opt),
      wrapper: variables.AWS_LAMBDA_EXEC_WRAPPER,
      taskRoot: this.#taskRoot(spec),
    });
    const hosted = await HostedProcess.create({
      sandboxes: this.#options.launcher.sandboxes,
      random: this.#options.random,
      spec,
      opt,
      command: plan.command,
      sandbox: plan.sandbox,
      interpreter,
      runtime: undefined,
    });
    hosted.process.onRawOutput = (bytes) => log.output(bytes);
    const ready = whenReady(hosted.process);
    const failed = (await hosted.start()) ?? (await ready);
    if (failed) return new FailedLink(hosted.process, failed);
    hosted.process.channel.prepare(this.#settings(spec, runtime, undefined, opt));
    return new FramedLink(hosted.process, log, hosted);
  }

  async #connectCustom(
    spec: FunctionSpec,
    variables: Record<string, string>,
    log: EnvironmentLog,
    opt: string | undefined,
  ): Promise<RuntimeLink> {
    const link = new ApiLink();
    const mounts = this.#options.launcher.mounts;
    const taskRoot = this.#taskRoot(spec);
    const places = mounts ? ['/var/task', '/opt'] : [spec.code.directory, opt ?? '/nonexistent'];
    const hosted = await HostedProcess.create({
      sandboxes: this.#options.launcher.sandboxes,
      random: this.#options.random,
      spec,
      opt,
      command: ['/bin/sh', '-c', startBootstrap, 'sh', ...places.map((place) => `${place}/bootstrap`)],
      sandbox: {
        id: this.#options.launcher.newId('custom'),
        environment: variables,
        binds: [...this.#options.launcher.commonBinds(), ...this.#functionBinds(spec, opt)],
        workingDirectory: taskRoot,
      },
      interpreter: undefined,
      runtime: link,
    });
    hosted.process.onRawOutput = (bytes) => {
      log.output(bytes);
      const backlog = log.backlog;
      if (!backlog) return;
      hosted.process.pause();
      void backlog.then(() => hosted.process.resume());
    };
    link.attach({
      sandbox: hosted.process.sandbox,
      ended: hosted.process.ended,
      start: () => hosted.start(),
      extensionsReady: () => hosted.extensionsReady(),
      tellExtensions: (invocation, deadlineMs) => hosted.tell(invocation, deadlineMs),
      settled: () => hosted.settled(),
      shutdown: () => void hosted.shutdown(),
      kill: () => hosted.process.kill(),
    });
    return link;
  }

  #functionBinds(spec: FunctionSpec, opt: string | undefined): Bind[] {
    if (!this.#options.launcher.mounts) return [];
    const binds: Bind[] = [{ source: spec.code.directory, target: '/var/task', readOnly: true }];
    if (opt) binds.push({ source: opt, target: '/opt', readOnly: true });
    return binds;
  }

  /** A process for this function alone, where the pool is empty or the function wants another start. */
  async #startAlone(
    spec: FunctionSpec,
    runtime: RuntimeIdentity,
    interpreter: Interpreter,
    variables: Record<string, string>,
    log: EnvironmentLog,
    opt: string | undefined,
  ): Promise<RuntimeLink> {
    const process = await this.#options.launcher.start(interpreter, {
      memoryMb: spec.memoryMb,
      tmpMb: spec.ephemeralStorageMb,
      environment: variables,
      binds: this.#functionBinds(spec, opt),
      wrapper: variables.AWS_LAMBDA_EXEC_WRAPPER,
      taskRoot: this.#taskRoot(spec),
    });
    const failed = await whenReady(process);
    const early = process.takeEarlyOutput();
    if (early) log.output(early);
    if (failed) return new FailedLink(process, failed);
    const codeCache =
      runtime.family === 'nodejs' ? await this.#cache.show(spec, interpreter, process.sandbox) : undefined;
    process.channel.prepare({ ...this.#settings(spec, runtime, undefined, opt), codeCache });
    return new FramedLink(process, log);
  }
}

/** What the function's own variables or wrapper can spoil is the function's error, not the engine's. */
async function whenReady(process: RuntimeProcess): Promise<InitOutcome | undefined> {
  try {
    await process.whenReady(startTimeoutMs);
    return undefined;
  } catch {
    return { kind: 'exit', exit: await process.ended };
  }
}

function runtimeVersion(runtime: RuntimeIdentity, interpreter: Interpreter | undefined): string {
  const name = runtime.family === 'provided' ? runtime.name.replace('.', ':') : runtime.name.replace(/\.x$/, '');
  const [, family, version] = /^([a-z]+)(.*)$/.exec(name) ?? [];
  return `${runtime.family === 'provided' ? name : `${family}:${version}`}.v${interpreter?.fullVersion.split('.')[2] ?? '1'}`;
}

/** Lambda's ends in a digest that names the runtime's build; here it names the interpreter that is used. */
function runtimeVersionArn(region: string, runtime: RuntimeIdentity, interpreter: Interpreter | undefined): string {
  const digest = createHash('sha256')
    .update(`${runtime.name} ${interpreter?.fullVersion ?? ''}`)
    .digest('hex');
  return `arn:aws:lambda:${region}::runtime:${digest}`;
}
