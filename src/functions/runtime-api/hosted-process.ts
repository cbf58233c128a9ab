import { closeSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { type Kernel, openKernel } from '../../network/index.ts';
import type { FunctionSpec, Invocation } from '../engine.ts';
import type { EnvironmentLog } from '../environment-log.ts';
import type { PlatformLines } from '../platform-lines.ts';
import type { InitOutcome, ShutdownReason } from '../runtime-link.ts';
import { RuntimeProcess } from '../runtime-process.ts';
import type { Interpreter } from '../runtimes/installed.ts';
import type { SandboxOptions, SandboxProvider } from '../sandbox/index.ts';
import type { EnvironmentTelemetry } from '../telemetry/environment-telemetry.ts';
import { sandboxNames } from '../telemetry/subscription.ts';
import { createApiServer, type RuntimeApiHandler } from './api-server.ts';
import { exchangeInside, extensionLogInside, openExtensionLog } from './extension-log.ts';
import { Extensions } from './extensions.ts';
import { becomeRuntime, firstProcess, firstProcessVariables, parametersFile } from './first-process.ts';
import { connectInside, listenInside, listenOnHost, openNetwork } from './listener.ts';

/** "2,000 ms" for extensions, of which an internal one's process gets 500 (Lambda Developer Guide, "Extensions API"). */
const shutdownMs = 2_000;
const internalShutdownMs = 500;
/** How long subscribers are waited for before they are told of the end. */
const lastTelemetryMs = 500;
/** More words than these go to the first process by a file. */
const mostWords = 1_000;
const parametersName = 'parameters.sh';

export interface HostedOptions {
  readonly sandboxes: SandboxProvider;
  readonly random: Random;
  readonly spec: FunctionSpec;
  /** Where extensions are: a host directory that is, or is shown at, `/opt`; or in an image, which alone knows them. */
  readonly extensions: { readonly opt: string | undefined } | 'inside' | 'none';
  readonly command: readonly string[];
  /** `NAME=value`: set when the first process runs, so that it does not heed them itself. */
  readonly exports?: readonly string[];
  /** Words that go before the command of each program inside. */
  readonly prefix?: readonly string[];
  /** How the first process becomes the runtime; by `exec` unless told. */
  readonly enter?: string;
  readonly sandbox: Omit<SandboxOptions, 'command' | 'memoryMb' | 'tmpMb'>;
  readonly interpreter: Interpreter | undefined;
  readonly runtime: RuntimeApiHandler | undefined;
  readonly log: EnvironmentLog;
  readonly lines: PlatformLines;
  readonly telemetry: EnvironmentTelemetry;
}

/** File names of the external extensions; `undefined` when only the inside can tell them. */
function externalExtensions(where: HostedOptions['extensions']): string[] | undefined {
  if (where === 'inside') return undefined;
  const directory = where === 'none' || where.opt === undefined ? undefined : join(where.opt, 'extensions');
  if (directory === undefined || !statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(directory).filter((name) => {
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    return stat?.isFile() && (stat.mode & 0o111) !== 0;
  });
}

/** Their directory as the first process sees it. */
function extensionsInside(where: HostedOptions['extensions'], mounted: boolean): string {
  if (where === 'none') return '/nonexistent';
  return join(where === 'inside' || mounted ? '/opt' : (where.opt ?? '/nonexistent'), 'extensions');
}

/** A sandbox with the HTTP interface of an environment: custom runtimes live in one, and whatever has extensions. */
export class HostedProcess {
  readonly process: RuntimeProcess;
  readonly #extensions: Extensions;
  readonly #telemetry: EnvironmentTelemetry;
  #ending = false;

  private constructor(
    process: RuntimeProcess,
    extensions: Extensions,
    server: Server,
    telemetry: EnvironmentTelemetry,
    network: number | undefined,
  ) {
    this.process = process;
    this.#telemetry = telemetry;
    this.#extensions = extensions;
    process.onProcessExit = (description) => {
      const space = description.lastIndexOf(' ');
      extensions.onExit(description.slice(0, space), description.slice(space + 1));
    };
    process.onExtension = (name) => {
      if (name !== '') return extensions.expect(name);
      extensions.listed();
      process.sandbox.stdin.write('\n');
    };
    void process.ended.then(() => {
      server.close();
      server.closeAllConnections();
      telemetry.close();
      if (network !== undefined) closeSync(network);
    });
  }

  /** Starts the sandbox and its extensions; the runtime waits for {@link start}. */
  static async create(options: HostedOptions): Promise<HostedProcess> {
    const { sandboxes, spec, random, log, lines, telemetry } = options;
    const extensions = new Extensions(random, externalExtensions(options.extensions));
    extensions.onState = (name, state, events, errorType) => {
      telemetry.extension(name, state, events, errorType);
      const line = lines.extension(name, state, events, errorType);
      if (line) log.event(line);
    };
    let network: number | undefined;
    const server = createApiServer({
      spec,
      random,
      extensions,
      runtime: options.runtime,
      subscribe: (name, body) => {
        const { state, types } = telemetry.subscribe(name, body, (port) => open(kernel, network, port));
        const line = lines.subscription(name, state, types);
        if (line) log.event(line);
      },
    });
    const inside = sandboxes.capabilities.kind === 'bwrap';
    const kernel = inside ? kernelOrRefusal() : undefined;
    const environment: Record<string, string> = { ...options.sandbox.environment };
    if (!inside) environment.AWS_LAMBDA_RUNTIME_API = await listenOnHost(server);
    environment[firstProcessVariables.extensions] = extensionsInside(options.extensions, inside);
    if (inside) environment[firstProcessVariables.extensionLog] = extensionLogInside;
    const limits = { memoryMb: spec.memoryMb, tmpMb: spec.ephemeralStorageMb };
    const { shell } = await sandboxes.programs(options.sandbox.root);
    const { exports = [], prefix = [], enter = becomeRuntime } = options;
    const words = [String(exports.length), ...exports, String(prefix.length), ...prefix, ...options.command];
    const parameters = words.length > mostWords ? parametersName : undefined;
    const script = firstProcess({
      asks: options.extensions === 'inside',
      enter,
      parameters: parameters && join(exchangeInside, parameters),
    });
    const sandbox = await sandboxes.create({
      ...options.sandbox,
      environment,
      command: [...shell, '-c', script, 'sh', ...(parameters === undefined ? words : [])],
      tmpMb: limits.tmpMb,
      memoryMb: undefined,
      hosts: Object.fromEntries(sandboxNames.map((name) => [name, '127.0.0.1'])),
    });
    let process: RuntimeProcess;
    try {
      const printed = kernel && openExtensionLog(kernel, sandbox);
      process = new RuntimeProcess(sandbox, options.interpreter, printed);
      if (printed) readExtensions(printed.stream, log);
      if (parameters !== undefined) {
        writeFileSync(join(sandbox.exchangeDirectory, parameters), parametersFile(words), { mode: 0o644 });
      }
      await sandbox.limit({ ...limits, cpuMb: 'all' });
      if (kernel) {
        network = openNetwork(sandbox);
        await listenInside(kernel, network, server);
      }
    } catch (error) {
      sandbox.kill();
      if (network !== undefined) closeSync(network);
      throw error;
    }
    const hosted = new HostedProcess(process, extensions, server, telemetry, network);
    sandbox.stdin.write('\n');
    return hosted;
  }

  /** Lets the runtime start when every external extension has registered. Answers what went wrong with one. */
  async start(): Promise<InitOutcome | undefined> {
    await this.#extensions.registered();
    if (this.#extensions.failure) return this.#failed();
    this.process.sandbox.stdin.write('\n');
    return undefined;
  }

  /** The init phase is over when every extension has asked for its next event. */
  async extensionsReady(): Promise<InitOutcome | undefined> {
    this.#telemetry.initRuntimeDone('success');
    await this.#extensions.ready();
    return this.#failed();
  }

  #failed(): InitOutcome | undefined {
    const failure = this.#extensions.failure;
    if (!failure) return undefined;
    return { kind: 'error', errorType: failure.errorType, payload: Buffer.from(JSON.stringify(failure)) };
  }

  tell(invocation: Invocation, deadlineMs: number): void {
    this.#extensions.invoke({
      eventType: 'INVOKE',
      deadlineMs,
      requestId: invocation.requestId,
      invokedFunctionArn: invocation.invokedArn,
      tracing: { type: 'X-Amzn-Trace-Id', value: invocation.traceId },
    });
  }

  /** Resolves when the extensions are done with the invocation; `undefined` when they already are. */
  settled(): Promise<void> | undefined {
    return this.#extensions.busy ? this.#extensions.ready() : undefined;
  }

  /** Tells the extensions, gives them their time, then ends everything. */
  async shutdown(shutdownReason: ShutdownReason): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    if (this.#extensions.count > 0) {
      await this.process.sandbox.thaw();
      await withTimeout(this.#telemetry.flush(), lastTelemetryMs);
      const deadlineMs = Date.now() + shutdownMs;
      const event = { eventType: 'SHUTDOWN', shutdownReason, deadlineMs } as const;
      const external = this.#extensions.hasExternal;
      if (!external) this.process.sandbox.terminate();
      const done = external ? this.#extensions.shutdown(event) : this.process.ended.then(() => {});
      await withTimeout(
        Promise.race([done, this.process.ended.then(() => {})]),
        external ? shutdownMs : internalShutdownMs,
      );
    }
    this.process.kill();
  }
}

/** A connection to a port inside; where sandboxes have no network of their own, to one of the machine's loopback. */
function open(kernel: Kernel | undefined, network: number | undefined, port: number): Socket {
  if (!kernel) return connect(port, '127.0.0.1');
  if (network === undefined) throw new Error('the sandbox has no network yet');
  return connectInside(kernel, network, port);
}

function readExtensions(stream: Readable, log: EnvironmentLog): void {
  stream.on('data', (bytes: Buffer) => {
    log.extensionOutput(bytes);
    const { backlog } = log;
    if (!backlog) return;
    stream.pause();
    void backlog.then(() => stream.resume());
  });
  stream.on('end', () => log.endExtensionOutput());
}

async function withTimeout(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function kernelOrRefusal(): Kernel {
  const kernel = process.getuid?.() === 0 ? openKernel() : undefined;
  if (kernel) return kernel;
  throw new ServiceError(
    'InvalidRuntimeException',
    'Custom runtimes and extensions need Kobune to run as root on Node.js 26.1 or later on this machine.',
    { status: 502 },
  );
}
