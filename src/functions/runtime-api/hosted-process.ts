import { closeSync, lstatSync, readdirSync, statSync } from 'node:fs';
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
import { extensionLogInside, openExtensionLog } from './extension-log.ts';
import { Extensions } from './extensions.ts';
import { connectInside, listenInside, listenOnHost, openNetwork } from './listener.ts';

/** "2,000 ms" for extensions, of which an internal one's process gets 500 (Lambda Developer Guide, "Extensions API"). */
const shutdownMs = 2_000;
const internalShutdownMs = 500;
/** How long subscribers are waited for before they are told of the end. */
const lastTelemetryMs = 500;

/**
 * First process of an environment with extensions or a custom runtime. It waits for a line (the API listens), starts
 * the external extensions, waits for another (they have registered) and becomes the runtime. The end of an extension is
 * told as a frame of type 27: length, type, "name status".
 */
const script = `read -r _
exec 3>&1 4<&0 1>&2 0</dev/null
for e in "$KOBUNE_EXTENSIONS"/*; do
  if [ -f "$e" ] && [ -x "$e" ]; then
    ( ( [ -z "$KOBUNE_EXTENSION_LOG" ] || exec >>"$KOBUNE_EXTENSION_LOG" 2>&1
        unset KOBUNE_EXTENSIONS KOBUNE_EXTENSION_LOG; exec "$e" 3>&- 4<&- ); t="\${e##*/} $?"
      printf "\\\\$(printf %03o $((\${#t} + 1)))\\\\000\\\\000\\\\000\\\\033%s" "$t" >&3 ) 4<&- &
  fi
done
unset KOBUNE_EXTENSIONS KOBUNE_EXTENSION_LOG
read -r _ <&4
exec "$@"`;

export interface HostedOptions {
  readonly sandboxes: SandboxProvider;
  readonly random: Random;
  readonly spec: FunctionSpec;
  /** Host directory that is, or is shown at, `/opt`. */
  readonly opt: string | undefined;
  readonly command: readonly string[];
  readonly sandbox: Omit<SandboxOptions, 'command' | 'memoryMb' | 'tmpMb'>;
  readonly interpreter: Interpreter | undefined;
  readonly runtime: RuntimeApiHandler | undefined;
  readonly log: EnvironmentLog;
  readonly lines: PlatformLines;
  readonly telemetry: EnvironmentTelemetry;
}

/** File names of the external extensions. */
function externalExtensions(opt: string | undefined): string[] {
  const directory = opt && join(opt, 'extensions');
  // An image may make links of these directories, which would lead out of it here.
  const real = [opt, directory].every(
    (path) => path !== undefined && lstatSync(path, { throwIfNoEntry: false })?.isDirectory(),
  );
  if (!directory || !real) return [];
  return readdirSync(directory).filter((name) => {
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    return stat?.isFile() && (stat.mode & 0o111) !== 0;
  });
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
    const extensions = new Extensions(random, externalExtensions(options.opt));
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
    environment.KOBUNE_EXTENSIONS = join(inside ? '/opt' : (options.opt ?? '/nonexistent'), 'extensions');
    if (inside) environment.KOBUNE_EXTENSION_LOG = extensionLogInside;
    const limits = { memoryMb: spec.memoryMb, tmpMb: spec.ephemeralStorageMb };
    const sandbox = await sandboxes.create({
      ...options.sandbox,
      environment,
      command: [...sandboxes.shell(options.sandbox.root), '-c', script, 'sh', ...options.command],
      tmpMb: limits.tmpMb,
      memoryMb: undefined,
      hosts: Object.fromEntries(sandboxNames.map((name) => [name, '127.0.0.1'])),
    });
    const printed = kernel && openExtensionLog(kernel, sandbox);
    const process = new RuntimeProcess(sandbox, options.interpreter, printed);
    if (printed) readExtensions(printed.stream, log);
    try {
      await sandbox.limit({ ...limits, cpuMb: 'all' });
      if (kernel) {
        network = openNetwork(sandbox);
        await listenInside(kernel, network, server);
      }
    } catch (error) {
      process.kill();
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
