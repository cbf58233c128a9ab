import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { EngineStatus, FunctionEngine, FunctionLogs, ImageRoots, RoleCredentials } from '../functions/index.ts';
import type { Gateway, LocalAuthority } from '../gateway/index.ts';
import { type Stop, stopEach } from './stop-each.ts';

export interface ComputeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly directory: string;
  readonly gateway: () => Gateway;
  readonly authority: LocalAuthority;
  /** Where programs of this machine find the APIs. */
  readonly endpoint: () => string;
  /** Names, beyond AWS's, that are the gateway inside sandboxes. */
  readonly names: readonly string[];
  readonly logs: () => Promise<FunctionLogs>;
  readonly credentials: () => Promise<RoleCredentials>;
  /** File systems of functions that are images. */
  readonly images: ImageRoots;
  /** Root may run functions as plain processes where no sandbox can be made. */
  readonly unsandboxed: boolean;
  /** Given to interpreters' search (`PATH`, `KOBUNE_NODE_22`). */
  readonly environment: NodeJS.ProcessEnv;
}

/** What runs functions: sandboxes, their network and the engine. Made when the first function needs it. */
export interface Compute {
  readonly engine: FunctionEngine;
  /** What the machine cannot do, as far as it has been found out. */
  missing(): readonly string[];
  close(): Promise<void>;
}

interface Started {
  readonly engine: FunctionEngine;
  readonly missing: readonly string[];
  close(): Promise<void>;
}

const IDLE: EngineStatus = { environments: [], poolSizes: {} };
/** Functions may use this part of the memory that the machine, or this process's container, has. */
const MEMORY_SHARE = 0.75;
const MIB = 1024 * 1024;

/** An engine that starts its parts when it is first asked to run something. */
export function createCompute(options: ComputeOptions): Compute {
  let starting: Promise<Started> | undefined;
  let started: Started | undefined;
  const engine = async (): Promise<FunctionEngine> => {
    // What could not be started, as when the disk was full, is tried anew with the next call.
    starting ??= startCompute(options).catch((error: unknown) => {
      starting = undefined;
      throw error;
    });
    started = await starting;
    return started.engine;
  };
  return {
    engine: {
      invoke: async (spec, invocation) => (await engine()).invoke(spec, invocation),
      invokeStreaming: async (spec, invocation, sink) => (await engine()).invokeStreaming(spec, invocation, sink),
      provision: async (spec, count) => (await engine()).provision(spec, count),
      prepare: async (spec) => (await engine()).prepare(spec),
      retire: (arn, keepRevision) => started?.engine.retire(arn, keepRevision),
      status: () => started?.engine.status() ?? IDLE,
      close: async () => {},
    },
    missing: () => started?.missing ?? [],
    close: async () => {
      await (await starting?.catch(() => undefined))?.close();
    },
  };
}

async function startCompute(options: ComputeOptions): Promise<Started> {
  const stops: Stop[] = [];
  try {
    return await startParts(options, stops);
  } catch (error) {
    await stopEach(stops.toReversed(), options.logger);
    throw error;
  }
}

/** Notes in `stops` how to end what it has started, in order. */
async function startParts(options: ComputeOptions, stops: Stop[]): Promise<Started> {
  const [{ createSandboxNetwork }, { createFunctionEngine, createSandboxProvider }, files, logs, credentials] =
    await Promise.all([
      import('../network/index.ts'),
      import('../functions/index.ts'),
      options.authority.files(),
      options.logs(),
      options.credentials(),
    ]);
  const { clock, random, logger, directory } = options;
  const network = await createSandboxNetwork({ logger, names: options.names });
  const connected = typeof network !== 'string';
  if (connected) {
    stops.push({ what: 'the network of sandboxes', stop: () => network.close() });
    for (const { fd, port } of network.listeners) {
      const open = await options.gateway().listen({ fd }, 'sandbox');
      stops.push({ what: `port ${port} for sandboxes`, stop: () => open.close(0) });
    }
  }
  const sandboxes = await createSandboxProvider({
    directory: join(directory, 'sandboxes'),
    logger,
    rootProcesses: options.unsandboxed,
    ...(connected ? { network } : {}),
  });
  stops.push({ what: 'sandboxes', stop: () => sandboxes.close() });
  const engine = createFunctionEngine({
    sandboxes,
    images: options.images,
    logs,
    credentials,
    clock,
    random,
    logger,
    directory: join(directory, 'functions'),
    endpoint: {
      ...(connected
        ? { url: `http://${network.gatewayAddress}:4566`, outsidePort: Number(new URL(options.endpoint()).port) }
        : { url: options.endpoint() }),
      caFile: files.certificate,
    },
    memoryBudgetMb: Math.floor((availableMemory() * MEMORY_SHARE) / MIB),
    environment: options.environment,
  });
  stops.push({ what: 'the function engine', stop: () => engine.close() });
  return {
    engine,
    missing: [...sandboxes.capabilities.missing, ...(connected ? [] : [network])],
    close: async () => {
      await stopEach(stops.toReversed(), logger);
    },
  };
}

function availableMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < Number.MAX_SAFE_INTEGER
    ? Math.min(limit, process.availableMemory())
    : process.availableMemory();
}
