/** For tests of this room: an engine on scratch directories, with real images and networks. */
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { silentLogger } from '../../base/json-logger.ts';
import type { Logger } from '../../base/logger.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import { addBusybox, noRootsReason, openTestImages, type TestImages } from '../../images/test-support.ts';
import { type ContainerNetworks, createContainerNetworks } from '../../network/index.ts';
import type { ContainerSpec } from '../container.ts';
import { createContainerEngine } from '../container-engine.ts';
import type { ContainerEngine, ExecSpec, OutputChunk } from '../engine.ts';
import type { ContainerEngineOptions } from '../options.ts';
import { findProgram } from '../runtime/oci-runtime.ts';

/** Why no container can run here, in `doctor`'s words; `false` when one can. */
export const noContainersReason: string | false =
  noRootsReason ??
  (findProgram('runc', 'crun') === undefined
    ? 'runc is missing: apt-get install runc'
    : findProgram('conmon') === undefined && 'conmon is missing: apt-get install conmon');

export interface TestEngineOptions {
  readonly clock?: Clock;
  readonly cloud?: ContainerEngineOptions['cloud'];
  readonly logger?: Logger;
  /** Chooses names of containers, among others. */
  readonly fraction?: () => number;
}

/** An engine of its own with the image `busybox`; everything that it made goes with it. */
export class TestEngine implements AsyncDisposable {
  readonly engine: ContainerEngine;
  readonly networks: ContainerNetworks;
  readonly at: TestImages;
  readonly imageId: string;
  readonly instance: string;

  private constructor(parts: Pick<TestEngine, 'engine' | 'networks' | 'at' | 'imageId' | 'instance'>) {
    this.engine = parts.engine;
    this.networks = parts.networks;
    this.at = parts.at;
    this.imageId = parts.imageId;
    this.instance = parts.instance;
  }

  static async open(options: TestEngineOptions = {}): Promise<TestEngine> {
    const at = await openTestImages();
    const { id: imageId } = await addBusybox(at);
    const system = createSystemRandom();
    const random = { ...system, fraction: options.fraction ?? system.fraction };
    const instance = random.hex(8);
    const logger = options.logger ?? silentLogger;
    const common = { store: at.store, random, logger, instance, ephemeral: true };
    const openGateway = async () => ({ port: 1, close: async () => {} });
    const networks = createContainerNetworks({ ...common, names: [], openGateway });
    await networks.start();
    const engine = createContainerEngine({
      ...common,
      images: at.images,
      networks,
      clock: options.clock ?? createSystemClock(),
      directory: join(at.directory, 'docker'),
      ...(options.cloud ? { cloud: options.cloud } : {}),
    });
    await engine.start();
    return new TestEngine({ engine, networks, at, imageId, instance });
  }

  /** A specification of a busybox container without a network. */
  spec(changes: Partial<ContainerSpec> = {}): ContainerSpec {
    return { ...defaultSpec(this.imageId), ...changes };
  }

  /** Makes a container of a shell script. */
  async create(script: string, changes: Partial<ContainerSpec> = {}): Promise<string> {
    const { container } = await this.engine.create(this.spec({ command: ['sh', '-c', script], ...changes }));
    return container.id;
  }

  /** Makes and starts it. */
  async start(script: string, changes: Partial<ContainerSpec> = {}): Promise<string> {
    const id = await this.create(script, changes);
    await this.engine.startContainer(id);
    return id;
  }

  /** Runs it to its end; answers what it printed. */
  async run(script: string, changes: Partial<ContainerSpec> = {}) {
    const id = await this.create(script, changes);
    const { output } = await this.engine.attach(id, { stdin: false, stdout: true, stderr: true, logs: false });
    const exit = this.engine.wait(id, 'next-exit');
    await this.engine.startContainer(id);
    const [{ stdout, stderr }, { exitCode }] = await Promise.all([textOf(output), exit]);
    return { id, stdout, stderr, exitCode };
  }

  /** Runs a further command in a container to its end. */
  async exec(id: string, command: readonly string[], changes: Partial<ExecSpec> = {}) {
    const { id: exec } = await this.engine.createExec(id, { ...EXEC, command, ...changes });
    const streams = await this.engine.startExec(exec, { detach: false });
    const text = await textOf(streams!.output);
    return { ...text, exitCode: (await this.engine.getExec(exec)).exitCode };
  }

  /** Everything that the container's log holds. */
  async logText(id: string): Promise<string> {
    let text = '';
    for await (const { bytes } of this.engine.logs(id, { stdout: true, stderr: true, follow: false })) {
      text += Buffer.from(bytes);
    }
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close({ stopAll: true });
    await this.networks.close();
    await this.at[Symbol.asyncDispose]();
  }
}

/** Resolves when a line that holds `text` is in the container's log. */
export async function printed(engine: ContainerEngine, id: string, text: string): Promise<void> {
  for await (const { bytes } of engine.logs(id, { stdout: true, stderr: true, follow: true })) {
    if (Buffer.from(bytes).includes(text)) return;
  }
  throw new Error(`it ended without ${text}`);
}

/** What came on each stream until the end. */
export async function textOf(
  output: AsyncIterable<OutputChunk>,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const parts: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] };
  for await (const { stream, bytes } of output) parts[stream].push(bytes);
  return { stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString() };
}

export const EXEC: Omit<ExecSpec, 'command'> = {
  environment: [],
  tty: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  privileged: false,
};

export function defaultSpec(imageId: string): ContainerSpec {
  return {
    image: { reference: 'busybox:latest', id: imageId },
    entrypoint: [],
    command: ['sh'],
    environment: [],
    workingDirectory: '',
    user: '',
    additionalGroups: [],
    labels: {},
    tty: false,
    openStdin: false,
    stdinOnce: false,
    stopSignal: 'SIGTERM',
    stopTimeoutSeconds: 10,
    exposedPorts: [],
    mounts: [],
    imageVolumes: [],
    volumesFrom: [],
    restart: { name: 'no', maximumRetries: 0 },
    autoRemove: false,
    init: false,
    readOnlyRoot: false,
    privileged: false,
    capabilitiesAdd: [],
    capabilitiesDrop: [],
    securityOptions: [],
    sysctls: {},
    ulimits: [],
    devices: [],
    resources: {
      memory: 0,
      memoryReservation: 0,
      memorySwap: 0,
      nanoCpus: 0,
      cpuShares: 0,
      cpuPeriod: 0,
      cpuQuota: 0,
      cpusetCpus: '',
      cpusetMems: '',
      pidsLimit: 0,
      blkioWeight: 0,
    },
    shmSizeBytes: 64 * 1024 * 1024,
    oomScoreAdjust: 0,
    oomKillDisable: false,
    extraHosts: [],
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    network: { mode: 'none' },
    pidMode: 'private',
    ipcMode: 'private',
    utsMode: 'private',
    usernsMode: 'host',
    cgroupnsMode: 'host',
    log: { driver: 'json-file', maxSizeBytes: -1, maxFiles: 1 },
  };
}
