import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Step, StepRunner } from '../../images/index.ts';
import { type ContainerNetworks, type Kernel, keepDescriptorsToOurselves, openKernel } from '../../network/index.ts';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { removeEmptyGroup, removeGroups } from '../cgroups/remove-groups.ts';
import { standardVariables, withDefaults } from '../environment.ts';
import { hostsFile, resolvConf } from '../host-files.ts';
import { lookUpAccount } from '../runtime/accounts.ts';
import { capabilitiesOf } from '../runtime/capabilities.ts';
import { makeSpec, type NamespaceChoice } from '../runtime/make-spec.ts';
import { complaintOf, findRuntime, forget, type OciRuntime, runRuntime } from '../runtime/oci-runtime.ts';
import type { RuntimeMount } from '../runtime/oci-spec.ts';
import { rlimitsOf } from '../runtime/rlimits.ts';
import { defaultSeccomp } from '../runtime/seccomp.ts';
import { DEFAULT_SHM_BYTES, OPEN_PORTS } from '../runtime/standard.ts';
import { startError } from '../runtime/start-error.ts';
import { signalName } from '../signals.ts';

export interface StepRunnerOptions {
  readonly networks: ContainerNetworks;
  readonly random: Random;
  readonly logger: Logger;
  /** For files of running steps. */
  readonly directory: string;
  readonly instance: string;
}

/** Runs the commands of builds: a container for each, which ends with it. */
export function createStepRunner(options: StepRunnerOptions): StepRunner {
  return new RuncSteps(options);
}

class RuncSteps implements StepRunner {
  readonly #options: StepRunnerOptions;
  readonly #hierarchies = findHierarchies();
  #running = 0;
  #swept: Promise<void> | undefined;
  #tools: { readonly kernel: Kernel; readonly runtime: OciRuntime } | undefined;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
  }

  async run(step: Step): Promise<{ readonly exitCode: number; readonly signal?: string }> {
    step.signal?.throwIfAborted();
    const { random, networks, logger } = this.#options;
    const { runtime } = this.#open();
    this.#swept ??= this.#sweep(runtime);
    await this.#swept;
    const id = `step-${random.hex(24)}`;
    const directory = join(this.#options.directory, 'steps', id);
    const group = this.#groupOf(id);
    this.#running++;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await this.#prepare(step, id, directory, group);
      return await this.#execute(step, runtime, id, directory);
    } finally {
      await removeGroups(this.#hierarchies, group);
      await forget(runtime, id);
      if (step.network === 'default') await networks.release(id);
      await rm(directory, { recursive: true, force: true }).catch((error: unknown) =>
        logger.warn('files of a build step remain', { directory, error }),
      );
      this.#running--;
      // Another step that begins meanwhile makes it anew.
      if (this.#running === 0) this.#tidy(runtime);
    }
  }

  #groupOf(id: string): string {
    return `/kobune-${this.#options.instance}-steps/${id}`;
  }

  /** Nothing runs: what steps have in common goes, at once, so that no step can begin meanwhile. */
  #tidy(runtime: OciRuntime): void {
    removeEmptyGroup(this.#hierarchies, this.#groupOf(''));
    rmSync(runtime.stateDirectory, { recursive: true, force: true });
  }

  /** Ends steps that an earlier Kobune was killed in the middle of. */
  async #sweep(runtime: OciRuntime): Promise<void> {
    const directory = join(this.#options.directory, 'steps');
    await removeGroups(this.#hierarchies, this.#groupOf(''));
    for (const id of await readdir(directory).catch(() => [])) {
      await forget(runtime, id);
      await this.#options.networks.release(id);
      await rm(join(directory, id), { recursive: true, force: true });
    }
  }

  #open(): { readonly kernel: Kernel; readonly runtime: OciRuntime } {
    if (!this.#tools) {
      const kernel = openKernel();
      const runtime = findRuntime(this.#options.instance, this.#hierarchies.version, 'steps');
      if (!kernel) throw new ServiceError('CannotStart', 'containers need node:ffi, which this Node has not');
      if (typeof runtime === 'string') throw new ServiceError('CannotStart', runtime);
      keepDescriptorsToOurselves(kernel);
      this.#tools = { kernel, runtime };
    }
    return this.#tools;
  }

  async #prepare(step: Step, id: string, directory: string, group: string): Promise<void> {
    const { kernel } = this.#open();
    const account = lookUpAccount(kernel, step.root.path, step.user);
    const hostname = id.slice(-12);
    const network = await this.#connect(step, id, hostname);
    const files = await this.#writeFiles(step, directory, hostname, network);
    const capabilities = capabilitiesOf({ privileged: false, add: [], drop: [] });
    const spec = makeSpec({
      rootPath: step.root.path,
      readOnlyRoot: false,
      hostname: step.network === 'host' ? undefined : hostname,
      args: step.command,
      env: withDefaults(step.environment, standardVariables({ terminal: false, home: account.home })),
      workingDirectory: step.workingDirectory || '/',
      account,
      terminal: false,
      privileged: false,
      capabilities,
      noNewPrivileges: false,
      openPaths: false,
      seccomp: defaultSeccomp(capabilities),
      mounts: [...files, ...step.mounts.map(mountOf)],
      shmSizeBytes: step.shmSizeBytes ?? DEFAULT_SHM_BYTES,
      network: network.namespace,
      pid: 'private',
      ipc: 'private',
      uts: step.network === 'host' ? 'host' : 'private',
      cgroupNamespace: this.#hierarchies.version === 2 ? 'private' : 'host',
      cgroupsPath: group,
      resources: {},
      devices: [],
      deviceRules: [],
      rlimits: rlimitsOf(step.ulimits ?? []).rlimits,
      oomScoreAdjust: undefined,
      sysctls: step.network === 'host' ? {} : OPEN_PORTS,
      propagation: undefined,
    });
    await writeFile(join(directory, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
  }

  async #connect(step: Step, id: string, hostname: string): Promise<StepNetwork> {
    const { networks } = this.#options;
    if (step.network === 'none') return { namespace: 'private', endpoints: [], nameServer: undefined };
    if (step.network === 'host') return { namespace: 'host', endpoints: [], nameServer: undefined };
    const namespace = await networks.createNamespace(id);
    const { endpoints } = await networks.connect(
      { id, name: hostname, hostname },
      namespace,
      [{ network: 'bridge' }],
      [],
    );
    return { namespace, endpoints, nameServer: networks.nameServer(endpoints) };
  }

  async #writeFiles(step: Step, directory: string, hostname: string, network: StepNetwork): Promise<RuntimeMount[]> {
    const { endpoints, nameServer } = network;
    const contents = {
      hosts: hostsFile({ hostname, endpoints, extraHosts: step.extraHosts }),
      hostname: `${hostname}\n`,
      'resolv.conf':
        nameServer === undefined
          ? readFileSync('/etc/resolv.conf', 'utf8')
          : resolvConf({ nameServers: [nameServer], search: [], options: ['ndots:0'] }),
    };
    const mounts: RuntimeMount[] = [];
    for (const [name, text] of Object.entries(contents)) {
      await writeFile(join(directory, name), text, { mode: 0o644 });
      const options = ['rbind', 'rprivate'];
      mounts.push({ destination: `/etc/${name}`, type: 'bind', source: join(directory, name), options });
    }
    return mounts;
  }

  async #execute(
    step: Step,
    runtime: OciRuntime,
    id: string,
    directory: string,
  ): Promise<{ readonly exitCode: number; readonly signal?: string }> {
    const [pidFile, log] = [join(directory, 'pid'), join(directory, 'runtime.log')];
    const args = [
      '--root',
      runtime.stateDirectory,
      '--log',
      log,
      'run',
      '--bundle',
      directory,
      '--pid-file',
      pidFile,
      id,
    ];
    // While it was being prepared nobody listened.
    step.signal?.throwIfAborted();
    const child = spawn(runtime.path, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const complaint = forward(child.stderr!, step.stderr, () => existsSync(pidFile));
    child.stdout!.pipe(step.stdout, { end: false });
    const stop = () => {
      child.kill('SIGKILL');
      // The process inside is no child of ours: the runtime knows it, and its group does.
      runRuntime(runtime, ['delete', '--force', id]).catch(() => {});
      void removeGroups(this.#hierarchies, this.#groupOf(id));
    };
    step.signal?.addEventListener('abort', stop, { once: true });
    try {
      const exitCode = await new Promise<number>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code) => resolve(code ?? 137));
      });
      step.signal?.throwIfAborted();
      // A command that ended at once has written before the runtime noted that it runs: that is handed on now.
      const held = complaint();
      if (!existsSync(pidFile))
        throw startError(complaintOf(held) || 'the command could not be started', step.command[0] ?? '');
      const signal = exitCode > 128 ? signalName(exitCode - 128) : undefined;
      return { exitCode, ...(signal === undefined ? {} : { signal }) };
    } finally {
      step.signal?.removeEventListener('abort', stop);
    }
  }
}

interface StepNetwork {
  readonly namespace: NamespaceChoice;
  readonly endpoints: Parameters<typeof hostsFile>[0]['endpoints'];
  readonly nameServer: string | undefined;
}

/** Until the command runs, what comes on its error stream is the runtime's own; answers what it was. */
function forward(from: NodeJS.ReadableStream, to: Writable, running: () => boolean): () => string {
  const held: Buffer[] = [];
  let started = false;
  from.on('data', (chunk: Buffer) => {
    started ||= running();
    held.push(chunk);
    if (started) flush();
  });
  const flush = () => {
    const bytes = Buffer.concat(held.splice(0));
    if (bytes.length > 0 && !to.write(bytes)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  };
  return () => {
    if (running()) {
      flush();
      return '';
    }
    return Buffer.concat(held.splice(0)).toString();
  };
}

function mountOf(mount: Step['mounts'][number]): RuntimeMount {
  if (mount.type === 'bind') {
    const options = ['rbind', 'rprivate', ...(mount.readOnly ? ['ro'] : [])];
    return { destination: mount.target, type: 'bind', source: mount.source, options };
  }
  const options = ['nosuid', 'nodev', 'mode=1777', ...(mount.sizeBytes ? [`size=${mount.sizeBytes}`] : [])];
  return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options };
}
