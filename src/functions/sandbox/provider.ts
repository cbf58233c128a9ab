import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { SandboxNetwork } from '../../network/index.ts';
import { borrowPrograms, OWN_PROGRAMS, PROGRAMS_INSIDE } from './borrowed-programs.ts';
import { startBwrap } from './bwrap-process.ts';
import { BwrapSandbox } from './bwrap-sandbox.ts';
import { makePlace, writeConfiguration } from './configuration.ts';
import { exploreMachine, type Machine } from './machine.ts';
import { startProcess } from './process-sandbox.ts';
import type { Bind, Sandbox, SandboxCapabilities, SandboxOptions, SandboxProvider, StartPrograms } from './sandbox.ts';
import { createSandboxFiles } from './sandbox-files.ts';

export interface SandboxProviderOptions {
  /** Scratch directory of this Kobune only. What an earlier run left in it is removed. */
  readonly directory: string;
  readonly logger: Logger;
  /** Where no sandbox can be made and this is root: run plain processes as root all the same. */
  readonly rootProcesses?: boolean;
  /** The network that sandboxes join; without one they have only their own loopback. */
  readonly network?: SandboxNetwork;
}

/** The name of the machine inside; Lambda's are of this kind. */
const HOSTNAME = '169-254-100-2';
/** Below the scratch directory, which is closed to all others: what sandboxes' users may pass through. */
const BASE = 's';
/** The `/etc` of all sandboxes. No sandbox's id begins with a dot. */
const CONFIGURATION = '.etc';
/** The host's shell, for sandboxes whose file system may have none. */
const PROGRAMS = '.programs';
/** What of `/etc` is this network's, whatever an image says. */
const NETWORK_CONFIGURATION = ['hosts', 'resolv.conf'];
/** How often running sandboxes are asked whether they are out of memory. */
const MEMORY_WATCH_MS = 100;

/** Finds out what the machine can do and makes the provider for it. */
export async function createSandboxProvider(options: SandboxProviderOptions): Promise<SandboxProvider> {
  const base = join(options.directory, BASE);
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  // Sandboxes of a killed run died with it; their files did not.
  rmSync(base, { recursive: true, force: true });
  mkdirSync(base, { mode: 0o755 });
  const machine = await exploreMachine(options.directory, base);
  if (typeof machine === 'string') {
    const root = process.getuid?.() === 0;
    return root && !options.rootProcesses ? refusingProvider(options, machine) : processProvider(options, machine);
  }
  await writeConfiguration(join(base, CONFIGURATION), {
    hostname: HOSTNAME,
    nameserver: options.network?.gatewayAddress,
  });
  return new BwrapProvider(options, machine);
}

class BwrapProvider implements SandboxProvider {
  readonly capabilities: SandboxCapabilities;
  readonly #options: SandboxProviderOptions;
  readonly #machine: Machine;
  readonly #live = new Set<BwrapSandbox>();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #watch: NodeJS.Timeout | undefined;
  #programs: Promise<StartPrograms> | undefined;
  #closed = false;

  constructor(options: SandboxProviderOptions, machine: Machine) {
    this.#options = options;
    this.#machine = machine;
    const { network } = options;
    this.capabilities = {
      kind: 'bwrap',
      cgroups: machine.cgroups?.version ?? 'none',
      network: network ? 'namespace' : 'none',
      seccomp: machine.seccomp !== undefined,
      missing: [...machine.missing, ...(network?.missing ?? [])],
    };
    if (machine.cgroups) {
      this.#watch = setInterval(() => {
        for (const sandbox of this.#live) sandbox.endIfOutOfMemory();
      }, MEMORY_WATCH_MS).unref();
    }
  }

  create(wanted: SandboxOptions): Promise<Sandbox> {
    if (this.#closed) return Promise.reject(new Error('the sandbox provider is closed'));
    const started = this.#create(wanted);
    this.#starting.add(started);
    const done = () => this.#starting.delete(started);
    started.then(done, done);
    return started;
  }

  async programs(root: string | undefined): Promise<StartPrograms> {
    if (root === undefined) return OWN_PROGRAMS;
    if (!this.#programs) {
      this.#programs = borrowPrograms(join(this.#options.directory, BASE, PROGRAMS));
      this.#programs.catch(() => {
        this.#programs = undefined;
      });
    }
    return this.#programs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    await Promise.allSettled(this.#starting);
    const all = [...this.#live];
    for (const sandbox of all) sandbox.kill();
    await Promise.all(all.map((sandbox) => sandbox.removed));
    await this.#machine.close();
    rmSync(this.#options.directory, { recursive: true, force: true });
  }

  async #create(wanted: SandboxOptions): Promise<Sandbox> {
    const { network, logger } = this.#options;
    const base = join(this.#options.directory, BASE);
    const { users, kernel, stage, cgroups, seccomp } = this.#machine;
    const files = createSandboxFiles(base, {
      id: wanted.id,
      hostname: HOSTNAME,
      hosts: wanted.hosts,
      mounts: stage !== undefined,
    });
    const cgroup = await cgroups?.create(wanted.id).catch((error: unknown) => {
      files.remove();
      throw error;
    });
    cgroups?.prepareToAdd();
    let sandbox: BwrapSandbox | undefined;
    try {
      const { root } = wanted;
      if (root === undefined) for (const bind of wanted.binds) makePlace(join(base, CONFIGURATION), bind);
      const held = await startBwrap({
        root,
        shell: (await this.programs(root)).shell,
        command: wanted.command,
        environment: wanted.environment,
        binds: [
          ...(root === undefined
            ? [{ source: join(base, CONFIGURATION), target: '/etc', readOnly: true }]
            : imageBinds(base, files.binds)),
          ...files.binds,
          ...wanted.binds,
        ],
        workingDirectory: wanted.workingDirectory,
        tmpMb: wanted.tmpMb,
        users,
        seccomp,
        hostname: HOSTNAME,
        stage,
        kernel,
      });
      sandbox = new BwrapSandbox({
        id: wanted.id,
        process: held,
        files,
        cgroup,
        mounter: stage && kernel,
        logger,
        onExit: (ended) => this.#live.delete(ended),
      });
      this.#live.add(sandbox);
      // Nothing of the user's runs before its limits and its network are there.
      const limited = cgroup?.add(held.pid);
      const { memoryMb, tmpMb } = wanted;
      if (memoryMb !== undefined) cgroup?.limit({ memoryMb, tmpMb, cpuMb: memoryMb });
      await Promise.all([limited, network?.attach(held.pid)]).catch(held.explain);
      await held.release();
      return sandbox;
    } catch (error) {
      if (sandbox) {
        sandbox.kill();
        await sandbox.removed;
        for (const output of [sandbox.stdout, sandbox.stderr]) output.destroy();
      } else {
        await cgroup?.remove();
        files.remove();
      }
      throw error;
    }
  }
}

/** What an image's own file system is shown: the names and addresses of this network, and programs to start with. */
function imageBinds(base: string, own: readonly Bind[]): Bind[] {
  const shared = NETWORK_CONFIGURATION.map((name) => ({
    source: join(base, CONFIGURATION, name),
    target: `/etc/${name}`,
    readOnly: true,
  }));
  return [
    // Each mount takes its time: what the sandbox has of its own is not shown twice.
    ...shared.filter(({ target }) => own.every((bind) => bind.target !== target)),
    { source: join(base, PROGRAMS), target: PROGRAMS_INSIDE, readOnly: true },
  ];
}

function imagesNeedSandboxes(): ServiceError {
  return new ServiceError(
    'ServiceException',
    'Functions from images need sandboxes, which this machine cannot make: see "kobune doctor".',
    { status: 500 },
  );
}

/** A function that may do what root may is refused: nothing would stand between it and the machine. */
function refusingProvider({ directory, logger }: SandboxProviderOptions, reason: string): SandboxProvider {
  const missing = `${reason}: functions do not run, for they would have all rights of root; --unsandboxed lets them`;
  logger.warn('functions cannot run', { reason });
  return {
    capabilities: { kind: 'process', cgroups: 'none', network: 'none', seccomp: false, missing: [missing] },
    programs: async () => OWN_PROGRAMS,
    create: async () => {
      throw new ServiceError(
        'ServiceException',
        `Functions cannot be sandboxed on this machine (${reason}), and would have all rights of root. ` +
          'See "kobune doctor", run Kobune as another user, or start it with --unsandboxed.',
        { status: 500 },
      );
    },
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

function processProvider({ directory, logger }: SandboxProviderOptions, reason: string): SandboxProvider {
  const missing = `${reason}: functions run as plain processes, see this machine's files, network and processes, and have no limits`;
  logger.warn('functions are not isolated', { reason });
  const live = new Set<Sandbox>();
  return {
    capabilities: { kind: 'process', cgroups: 'none', network: 'none', seccomp: false, missing: [missing] },
    programs: async () => OWN_PROGRAMS,
    async create(wanted) {
      if (wanted.root !== undefined) throw imagesNeedSandboxes();
      const sandbox: Sandbox = await startProcess(join(directory, BASE), wanted, () => live.delete(sandbox));
      live.add(sandbox);
      return sandbox;
    },
    async close() {
      const all = [...live];
      for (const sandbox of all) sandbox.kill();
      await Promise.all(all.map(({ exited }) => exited));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
