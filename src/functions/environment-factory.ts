import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { BootLimit } from './boot-limit.ts';
import { CodeCache } from './code-cache.ts';
import { bringsExtensions, bringsLibraries, OptDirectories } from './code-directories.ts';
import type { FunctionSpec, ImageRoot, ImageRoots, RoleCredentials } from './engine.ts';
import { Environment } from './environment.ts';
import { EnvironmentLog, type LogBatcher } from './environment-log.ts';
import type { Connection, EnvironmentHost } from './environment-parts.ts';
import { type EnvironmentPlan, functionBinds, runtimeSettings, taskRoot, whenReady } from './environment-plan.ts';
import { functionVariables, needsOwnProcess } from './environment-variables.ts';
import { FailedLink } from './failed-link.ts';
import { FramedLink } from './framed-link.ts';
import type { Launcher } from './launcher.ts';
import { platformLines } from './platform-lines.ts';
import { connectCustom, connectHosted, connectImage } from './runtime-api/hosted-runtimes.ts';
import { runtimeApiAddress } from './runtime-api/listener.ts';
import type { RuntimeLink } from './runtime-link.ts';
import { RuntimePool } from './runtime-pool.ts';
import { IMAGE_RUNTIME, parseRuntime, type RuntimeIdentity } from './runtimes/catalogue.ts';
import { chooseInterpreter, findInterpreters, type Interpreter, type InterpreterSearch } from './runtimes/installed.ts';
import { EnvironmentTelemetry } from './telemetry/environment-telemetry.ts';

export interface EnvironmentFactoryOptions {
  readonly launcher: Launcher;
  readonly batcher: LogBatcher;
  readonly host: EnvironmentHost;
  readonly images: ImageRoots | undefined;
  readonly credentials: RoleCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly directory: string;
  readonly poolSizes: { readonly nodejs: number; readonly python: number };
  readonly search: InterpreterSearch;
}

/** An environment is not used any more when its credentials have less than this left. */
const credentialMarginMs = 5 * 60_000;

/** Makes environments: finds the interpreter, takes a runtime from its pool or starts one, and tells it what to become. */
export class EnvironmentFactory {
  readonly #options: EnvironmentFactoryOptions;
  readonly #opt: OptDirectories;
  readonly #cache: CodeCache;
  readonly #boots = new BootLimit(2 * availableParallelism());
  readonly #pools = new Map<string, RuntimePool>();
  #interpreters: Promise<readonly Interpreter[]> | undefined;

  constructor(options: EnvironmentFactoryOptions) {
    this.#options = options;
    this.#opt = new OptDirectories(`${options.directory}/layers`);
    this.#cache = new CodeCache(`${options.directory}/code-cache`, options.launcher, options.logger);
  }

  async create(spec: FunctionSpec): Promise<Environment> {
    const image = await this.#image(spec);
    try {
      return await this.#create(spec, image);
    } catch (error) {
      image?.release();
      throw error;
    }
  }

  async #create(spec: FunctionSpec, image: ImageRoot | undefined): Promise<Environment> {
    const runtime = this.#runtime(spec);
    const interpreter = await this.#interpreter(runtime);
    const credentials = await this.#options.credentials.credentialsFor(spec.roleArn, spec.name, spec.region);
    const { clock, random, batcher } = this.#options;
    const stream = `${new Date(clock.now()).toISOString().slice(0, 10).replaceAll('-', '/')}/[${spec.version}]${random.hex(32)}`;
    const destination = { account: spec.account, region: spec.region, group: spec.logging.group, stream };
    const context = {
      runtimeVersion: runtimeVersion(runtime, interpreter),
      runtimeVersionArn: runtimeVersionArn(spec.region, runtime, interpreter),
      functionName: spec.name,
      functionVersion: spec.version,
      initializationType: spec.initializationType,
      now: () => clock.now(),
    };
    const lines = platformLines(spec.logging, context);
    // An image has no version of a runtime to tell of.
    if (image) lines.initStart = () => undefined;
    // Others have no interface by which anybody inside could subscribe.
    const hosted = !interpreter || bringsExtensions(spec);
    const telemetry = hosted ? new EnvironmentTelemetry(clock, context, spec.logging.format === 'JSON') : undefined;
    const log = new EnvironmentLog(batcher, destination, () => clock.now(), telemetry);
    const variables = functionVariables({
      spec,
      runtime,
      credentials,
      endpoint: this.#options.launcher.endpoint(),
      logStream: stream,
      image,
      taskRoot: taskRoot(this.#options.launcher, spec),
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
      lines,
      telemetry,
      host: this.#options.host,
      release: image && (() => image.release()),
      connect: () => this.#connect({ spec, runtime, interpreter, image, variables, log, lines, telemetry }),
    });
    environment.expiresAt = credentials.expiration - credentialMarginMs;
    return environment;
  }

  /** Does ahead of the first call what can be done ahead: the interpreter, a pool, merged layers, credentials. */
  async prepare(spec: FunctionSpec): Promise<void> {
    const runtime = this.#runtime(spec);
    if (spec.image) {
      const { credentials } = this.#options;
      await Promise.all([
        this.#image(spec).then((image) => image?.release()),
        credentials.credentialsFor(spec.roleArn, spec.name, spec.region),
      ]);
      return;
    }
    const interpreter = await this.#interpreter(runtime);
    const large = runtime.family === 'nodejs' && (await this.#cache.large(spec)) !== undefined;
    await Promise.all([
      this.#opt.for(spec),
      this.#options.credentials.credentialsFor(spec.roleArn, spec.name, spec.region),
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
    if (spec.image) return IMAGE_RUNTIME;
    const runtime = parseRuntime(spec.runtime);
    if (!runtime) {
      throw new ServiceError('InvalidRuntimeException', `The runtime ${spec.runtime} is not supported.`, {
        status: 502,
      });
    }
    return runtime;
  }

  /** Its file system, unpacked and mounted; `undefined` for a function that is no image. */
  async #image({ image }: FunctionSpec): Promise<ImageRoot | undefined> {
    if (!image) return undefined;
    if (!this.#options.images) {
      throw new ServiceError('ServiceException', 'This Kobune runs no functions from images.', { status: 500 });
    }
    return this.#options.images.open(image.id);
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

  async #connect(plan: EnvironmentPlan): Promise<Connection> {
    const { spec, interpreter } = plan;
    const opt = await this.#opt.for(spec);
    const begunAt = performance.now();
    const pooled = interpreter && (await this.#takePooled(plan, interpreter, opt));
    if (pooled) return { link: pooled, begunAt };
    return this.#boots.run(async () => {
      const begunAt = performance.now();
      const { launcher, random } = this.#options;
      if (plan.image) return { link: await connectImage({ launcher, random }, plan, plan.image), begunAt };
      if (!interpreter) return { link: await connectCustom({ launcher, random }, plan, opt), begunAt };
      if (bringsExtensions(spec)) {
        return { link: await connectHosted({ launcher, random }, plan, interpreter, opt), begunAt };
      }
      return { link: await this.#startAlone(plan, interpreter, opt), begunAt };
    });
  }

  /** A runtime from the pool, with this function's limits, code and variables. */
  async #takePooled(
    { spec, runtime, variables, log }: EnvironmentPlan,
    interpreter: Interpreter,
    opt: string | undefined,
  ): Promise<RuntimeLink | undefined> {
    if (!this.#poolable(spec)) return undefined;
    const large = runtime.family === 'nodejs' && (await this.#cache.large(spec)) !== undefined;
    const pooled = this.#pool(interpreter, large).take();
    if (!pooled) return undefined;
    const codeCache = large ? await this.#cache.show(spec, interpreter, pooled.sandbox) : undefined;
    const settings = runtimeSettings(this.#options.launcher, { spec, runtime, variables, opt: undefined });
    pooled.channel.prepare({ ...settings, codeCache });
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

  /** A process for this function alone, where the pool is empty or the function wants another start. */
  async #startAlone(
    { spec, runtime, variables, log }: EnvironmentPlan,
    interpreter: Interpreter,
    opt: string | undefined,
  ): Promise<RuntimeLink> {
    const { launcher } = this.#options;
    const process = await launcher.start(interpreter, {
      memoryMb: spec.memoryMb,
      tmpMb: spec.ephemeralStorageMb,
      environment: variables,
      binds: functionBinds(launcher, spec, opt),
      wrapper: variables.AWS_LAMBDA_EXEC_WRAPPER,
      taskRoot: taskRoot(launcher, spec),
    });
    const failed = await whenReady(process);
    const early = process.takeEarlyOutput();
    if (early) log.output(early);
    if (failed) return new FailedLink(process, failed);
    const codeCache =
      runtime.family === 'nodejs' ? await this.#cache.show(spec, interpreter, process.sandbox) : undefined;
    const settings = runtimeSettings(launcher, { spec, runtime, variables: undefined, opt });
    process.channel.prepare({ ...settings, codeCache });
    return new FramedLink(process, log);
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
