import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import type { AdjustableClock } from './base/clock.ts';
import { lockDirectory } from './base/directory-lock.ts';
import { ServiceError } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import type { Random } from './base/random.ts';
import { createSystemClock } from './base/system-clock.ts';
import { createSystemRandom } from './base/system-random.ts';
import { type Control, createAdmin, Gateway, LocalAuthority, Metrics, processGauges } from './gateway/index.ts';
import { makeEphemeralDirectory, sweepEphemeralDirectories } from './world/ephemeral-directory.ts';
import { Stage } from './world/stage.ts';
import { openState } from './world/state.ts';
import { type Stop, stopEach } from './world/stop-each.ts';
import { createWorld, SERVICE_KEYS } from './world/world.ts';

export const version: string = manifest.version;

export interface KobuneOptions {
  /** Keeps all state; locked while it runs. */
  readonly dataDirectory: string;
  /** Keep nothing: state lives in memory and a temporary directory. */
  readonly ephemeral: boolean;
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly iam: 'off' | 'enforce';
  /** Serve the Docker API by TLS here, too, on `host`; 0: the system chooses. Off unless told. */
  readonly dockerPort?: number | 'off';
  /** Root may run functions as plain processes where no sandbox can be made. */
  readonly unsandboxed: boolean;
  /** `HOST=URL`: asked before the registry HOST when images are pulled. */
  readonly registryMirrors?: readonly string[];
  /** Further host names and web origins that clients may use. */
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
  readonly logger: Logger;
  /** Where interpreters of functions are looked for (`PATH`, `KOBUNE_NODE_22`). */
  readonly environment: NodeJS.ProcessEnv;
  /** Asked to stop by the admin API; whoever started it then calls `close`. */
  readonly onShutdown: () => void;
}

export interface Kobune {
  /** `http://127.0.0.1:4566` */
  readonly endpoint: string;
  readonly port: number;
  /** Lets requests under way end (bounded), writes what is not yet on disk, and stops everything it started. */
  close(): Promise<void>;
}

/** What a room is made with. */
interface Base {
  readonly clock: AdjustableClock;
  readonly random: Random;
  readonly logger: Logger;
  /** Directory for files; a temporary one when ephemeral. */
  readonly directory: string;
}

/** Holds the root user's access key while requests are verified; for the owner of the data directory alone. */
const ROOT_KEY_FILE = 'root-key.json';

/** Requests under way get this long at a stop, ms. */
const GRACE_MS = 10_000;

/** Starts everything and resolves when requests are answered. Rejects with `DirectoryInUseError` or the system's error. */
export async function startKobune(options: KobuneOptions): Promise<Kobune> {
  const stops: Stop[] = [];
  const stopAll = async () => {
    await stopEach(stops.splice(0).reverse(), options.logger);
  };
  try {
    const lock = await lockDirectory(options.dataDirectory);
    stops.push({ what: 'the lock', stop: () => lock.release() });
    const base = await createBase(options, stops);
    const authority = new LocalAuthority({
      directory: join(base.directory, 'tls'),
      random: base.random,
      names: () => [options.host],
    });
    const metrics = new Metrics();
    for (const gauge of processGauges()) metrics.addGauge(gauge);
    const startedAt = Date.now();
    let endpoint = '';
    const state = await openState({ ...base, ephemeral: options.ephemeral });
    stops.push({ what: 'the state', stop: () => state.close() });
    const keyFile = join(options.dataDirectory, ROOT_KEY_FILE);
    stops.push({ what: ROOT_KEY_FILE, stop: () => rm(keyFile, { force: true }) });
    const makeWorld = () =>
      createWorld({
        ...base,
        state,
        authority,
        iam: options.iam,
        unsandboxed: options.unsandboxed,
        dockerTls:
          typeof options.dockerPort === 'number' ? { host: options.host, port: options.dockerPort } : undefined,
        registryMirrors: options.registryMirrors ?? [],
        version,
        ephemeral: options.ephemeral,
        dataDirectory: options.dataDirectory,
        hosts: options.hosts,
        gateway: () => gateway,
        endpoint: () => endpoint,
        observe: metrics.observe,
        environment: options.environment,
        rootKey: (key) => writeFile(keyFile, `${JSON.stringify(key)}\n`, { mode: 0o600 }),
      });
    const stage = new Stage(makeWorld);
    stops.push({ what: 'the services', stop: () => stage.close() });
    metrics.addGauge({
      name: 'kobune_environments',
      help: 'Environments of functions, by state.',
      read: () => environmentCounts(stage.world.compute().environments),
    });
    const control: Control = {
      status: async () => ({
        pid: process.pid,
        version,
        endpoint,
        dataDirectory: options.ephemeral ? undefined : options.dataDirectory,
        startedAt,
        iam: options.iam,
        clock: control.clock(),
        memoryBytes: process.memoryUsage.rss(),
        services: stage.world.services.map(({ model }) => model.name).sort(),
        environments: stage.world.compute().environments,
        containers: await stage.world.containers(),
        pools: stage.world.compute().poolSizes,
        missing: await stage.world.missing(),
      }),
      clock: () => ({
        now: new Date(base.clock.now()).toISOString(),
        offsetMs: base.clock.offset,
        frozen: base.clock.frozen,
      }),
      adjustClock: async ({ advanceMs, frozen }) => {
        if (frozen === true) base.clock.freeze();
        if (frozen === false) base.clock.unfreeze();
        if (advanceMs !== undefined) base.clock.advance(advanceMs);
        await state.saveClock();
        return control.clock();
      },
      reset: async (service) => {
        const keys = keysOf(service);
        await stage.replace(() => state.erase(keys), { erase: service === undefined || service === 'containers' });
      },
      logs: (query, signal) => stage.world.logs(query, signal),
      outgoing: {
        list: (query, limit) => stage.world.outgoing.list(query, limit),
        follow: (query, limit, signal) => stage.world.outgoing.follow(query, limit, signal),
        clear: (query) => stage.world.outgoing.clear(query),
      },
      certificates: () => authority.files(),
      shutdown: options.onShutdown,
    };
    const gateway = new Gateway({
      frontEnds: [stage],
      admin: createAdmin({ control, metrics, logger: options.logger }),
      authority,
      logger: options.logger,
      hosts: options.hosts,
      origins: options.origins,
      enforced: options.iam === 'enforce',
    });
    stops.push({ what: 'the front door', stop: () => gateway.close(GRACE_MS) });
    const { port } = await gateway.listen({ host: options.host, port: options.port }, 'host');
    endpoint = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
    await stage.world.start();
    // Nobody waits for it.
    const sweeping = sweepEphemeralDirectories(options.logger);
    stops.push({ what: 'files of killed ones', stop: () => sweeping });
    return { endpoint, port, close: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function keysOf(service: string | undefined): readonly string[] | undefined {
  if (service === undefined) return undefined;
  const keys = SERVICE_KEYS[service];
  if (keys) return keys;
  const served = Object.keys(SERVICE_KEYS).join(', ');
  throw new ServiceError('ValidationException', `There is no service "${service}". Served: ${served}.`);
}

function environmentCounts(environments: readonly { readonly state: string }[]) {
  const byState = Map.groupBy(environments, ({ state }) => state);
  return [...byState].map(([state, { length }]) => ({ labels: { state }, value: length }));
}

async function createBase(options: KobuneOptions, stops: Stop[]): Promise<Base> {
  const clock = createSystemClock();
  stops.push({ what: 'the clock', stop: () => clock.close() });
  let directory = options.dataDirectory;
  if (options.ephemeral) {
    const ephemeral = await makeEphemeralDirectory();
    directory = ephemeral.path;
    stops.push({ what: directory, stop: () => ephemeral.remove() });
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return { clock, random: createSystemRandom(), logger: options.logger, directory };
}
