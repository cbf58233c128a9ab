import { basename, dirname, join } from 'node:path';
import type { Random } from '../base/random.ts';
import type { FunctionSpec } from './engine.ts';
import { baseVariables, type CloudEndpoint } from './environment-variables.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { type RuntimeSdk, sdkDirectoryInside } from './runtimes/aws-sdk.ts';
import type { Interpreter } from './runtimes/installed.ts';
import type { Bind, Sandbox, SandboxOptions, SandboxProvider } from './sandbox/index.ts';

/** Paths of the host that runtimes need. */
export interface LauncherPaths {
  /** Directory of `node/` and `python/`: our runtimes' own files. */
  readonly runtimeAssets: string;
  /** Directory of `authority.pem` and `bundle.pem`; `undefined` when the endpoint needs neither. */
  readonly certificates: string | undefined;
  /** The AWS SDK that comes with the Node.js runtimes; `undefined` where none is installed. */
  readonly sdk: RuntimeSdk | undefined;
}

export interface LaunchOptions {
  /** `undefined`: waits in a pool, its limits are set later. */
  readonly memoryMb: number | undefined;
  readonly tmpMb: number;
  /** Variables that the process must start with, beyond the base ones. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where a function's own directories are shown; a pooled process gets them later. */
  readonly binds?: readonly Bind[];
  /** `AWS_LAMBDA_EXEC_WRAPPER`: starts the runtime in its place. */
  readonly wrapper?: string | undefined;
  /** Another file of ours than the runtime's. */
  readonly script?: string;
  /** It loads what an SDK needs while it waits: Node's own modules, or boto3. */
  readonly rich?: boolean;
  /** Host directory that stands for `/var/task` where nothing can be mounted. */
  readonly taskRoot: string;
}

export interface LaunchPlan {
  /** To be started with its frames on descriptors 3 and 4. */
  readonly command: readonly string[];
  readonly sandbox: Omit<SandboxOptions, 'command' | 'memoryMb' | 'tmpMb'>;
}

const certificatesInside = '/etc/kobune';
export const startTimeoutMs = 20_000;

/**
 * Gives the runtime's frames descriptors 3 and 4 of their own, so that whatever writes to standard output or error is
 * the function's output, in order, and nothing else can get between the frames.
 */
const descriptorShuffle = 'exec 3>&1 4<&0 1>&2 0</dev/null; exec "$@"';

/** Starts our runtimes in sandboxes. */
export class Launcher {
  readonly #sandboxes: SandboxProvider;
  readonly #paths: LauncherPaths;
  readonly #random: Random;
  readonly #cloud: Pick<CloudEndpoint, 'url' | 'outsidePort'>;

  constructor(options: {
    sandboxes: SandboxProvider;
    paths: LauncherPaths;
    random: Random;
    cloud: Pick<CloudEndpoint, 'url' | 'outsidePort'>;
  }) {
    this.#sandboxes = options.sandboxes;
    this.#paths = options.paths;
    this.#random = options.random;
    this.#cloud = options.cloud;
  }

  /** False where sandboxes are plain processes: paths inside are then those of the host. */
  get mounts(): boolean {
    return this.#sandboxes.capabilities.kind === 'bwrap';
  }

  get sandboxes(): SandboxProvider {
    return this.#sandboxes;
  }

  /** The cloud's endpoint as functions see it. */
  endpoint(): CloudEndpoint {
    const directory = this.#paths.certificates && (this.mounts ? certificatesInside : this.#paths.certificates);
    return {
      url: this.#cloud.url,
      outsidePort: this.#cloud.outsidePort,
      caFile: directory && join(directory, 'authority.pem'),
      caBundleFile: directory && join(directory, 'bundle.pem'),
    };
  }

  runtimeDirectory(family: 'nodejs' | 'python' | 'provided'): string {
    if (this.mounts || family === 'provided') return '/var/runtime';
    return join(this.#paths.runtimeAssets, family === 'nodejs' ? 'node' : 'python');
  }

  /** Where modules of the SDK that comes with the Node.js runtimes are found. */
  sdkDirectory(): string | undefined {
    return this.#paths.sdk && (this.mounts ? sdkDirectoryInside : this.#paths.sdk.nodeModules);
  }

  /** What every sandbox of the engine shows besides the base files and the function's own. */
  commonBinds(): Bind[] {
    const certificates = this.#paths.certificates;
    return certificates ? [{ source: certificates, target: certificatesInside, readOnly: true }] : [];
  }

  newId(kind: string): string {
    return `${kind}-${this.#random.hex(12)}`;
  }

  /** What is started for an interpreter, and in which sandbox. */
  plan(interpreter: Interpreter, options: Omit<LaunchOptions, 'memoryMb' | 'tmpMb'>): LaunchPlan {
    const runtimeDirectory = this.runtimeDirectory(interpreter.family);
    const assets = join(this.#paths.runtimeAssets, interpreter.family === 'nodejs' ? 'node' : 'python');
    const binds: Bind[] = [{ source: assets, target: '/var/runtime', readOnly: true }, ...this.commonBinds()];
    let program = interpreter.path;
    if (interpreter.prefix && this.mounts) {
      // A lone binary needs its own directory only; a Python brings its library.
      const whole = interpreter.family === 'python';
      const source = whole ? interpreter.prefix : dirname(interpreter.path);
      binds.push({ source, target: whole ? '/var/lang' : '/var/lang/bin', readOnly: true });
      program = `/var/lang/bin/${basename(interpreter.path)}`;
    }
    const command: string[] = [];
    if (options.wrapper) command.push(options.wrapper);
    command.push(program);
    if (interpreter.family === 'nodejs') {
      const sdk = this.#paths.sdk;
      for (const entry of sdk?.entries ?? []) {
        binds.push({ source: join(sdk!.nodeModules, entry), target: `${sdkDirectoryInside}/${entry}`, readOnly: true });
      }
      command.push('--max-http-header-size=81920', join(runtimeDirectory, options.script ?? 'bootstrap.cjs'));
      if (options.rich) command.push('--rich');
    } else {
      command.push('-u', join(runtimeDirectory, 'bootstrap.py'));
      // Not when somebody waits for it: the function may not need it.
      if (interpreter.boto3 && options.rich) command.push('--preload');
    }
    return {
      command,
      sandbox: {
        id: this.newId(interpreter.family),
        environment: {
          ...baseVariables(interpreter, this.endpoint(), runtimeDirectory, options.taskRoot),
          ...options.environment,
        },
        binds: [...binds, ...(options.binds ?? [])],
        workingDirectory: this.mounts ? '/' : options.taskRoot,
      },
    };
  }

  /** A booted runtime. Rejects when it does not come up. */
  async launch(interpreter: Interpreter, options: LaunchOptions): Promise<RuntimeProcess> {
    const process = await this.start(interpreter, options);
    await process.whenReady(startTimeoutMs);
    return process;
  }

  /** A sandbox in which a handler's file is compiled; the result comes on its standard output. */
  startCompiler(interpreter: Interpreter, spec: FunctionSpec, args: readonly string[]): Promise<Sandbox> {
    const plan = this.plan(interpreter, {
      binds: [{ source: spec.code.directory, target: '/var/task', readOnly: true }],
      taskRoot: '/var/task',
      script: 'compile.cjs',
    });
    return this.#sandboxes.create({
      ...plan.sandbox,
      command: ['/bin/sh', '-c', descriptorShuffle, 'sh', ...plan.command, ...args],
      tmpMb: 512,
      memoryMb: 1_769,
    });
  }

  /** A runtime that boots. */
  async start(interpreter: Interpreter, options: LaunchOptions): Promise<RuntimeProcess> {
    const plan = this.plan(interpreter, options);
    const sandbox = await this.#sandboxes.create({
      ...plan.sandbox,
      command: ['/bin/sh', '-c', descriptorShuffle, 'sh', ...plan.command],
      tmpMb: options.tmpMb,
      memoryMb: undefined,
    });
    // All of the processor while it starts, as on Lambda; memory is limited at once.
    if (options.memoryMb !== undefined) {
      await sandbox.limit({ memoryMb: options.memoryMb, tmpMb: options.tmpMb, cpuMb: 'all' });
    }
    return new RuntimeProcess(sandbox, interpreter);
  }
}
