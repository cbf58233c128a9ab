import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import type { AdjustableClock } from './base/clock.ts';
import { lockDirectory } from './base/directory-lock.ts';
import { ServiceError } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import type { Random } from './base/random.ts';
import { createSystemClock } from './base/system-clock.ts';
import { createSystemRandom } from './base/system-random.ts';
import {
  type Control,
  createAdmin,
  type FrontEnd,
  Gateway,
  LocalAuthority,
  Metrics,
  processGauges,
} from './gateway/index.ts';

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
  /** Further host names and web origins that clients may use. */
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
  readonly logger: Logger;
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

/** Requests under way get this long at a stop, ms. */
const GRACE_MS = 10_000;

/** Starts everything and resolves when requests are answered. Rejects with `DirectoryInUseError` or the system's error. */
export async function startKobune(options: KobuneOptions): Promise<Kobune> {
  const stops: (() => Promise<void> | void)[] = [];
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const lock = await lockDirectory(options.dataDirectory);
    stops.push(() => lock.release());
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
        services: [],
        environments: [],
        pools: {},
        missing: [],
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
        return control.clock();
      },
      reset: async (service) => {
        throw new ServiceError('NotImplemented', `reset ${service ?? ''} is not there yet`, { status: 501 });
      },
      logs: async function* () {},
      certificates: () => authority.files(),
      shutdown: options.onShutdown,
    };
    const frontEnds: FrontEnd[] = [];
    const gateway = new Gateway({
      frontEnds,
      admin: createAdmin({ control, metrics, logger: options.logger }),
      authority,
      logger: options.logger,
      hosts: options.hosts,
      origins: options.origins,
      enforced: options.iam === 'enforce',
    });
    stops.push(() => gateway.close(GRACE_MS));
    const { port } = await gateway.listen({ host: options.host, port: options.port }, 'host');
    endpoint = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
    return { endpoint, port, close: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function createBase(options: KobuneOptions, stops: (() => Promise<void> | void)[]): Promise<Base> {
  const clock = createSystemClock();
  stops.push(() => clock.close());
  let directory = options.dataDirectory;
  if (options.ephemeral) {
    directory = await mkdtemp(join(tmpdir(), 'kobune-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return { clock, random: createSystemRandom(), logger: options.logger, directory };
}
