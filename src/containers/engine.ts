import type { Readable, Writable } from 'node:stream';
import type { Change, Image, Root } from '../images/index.ts';
import type { DeviceTraffic, Endpoint, EndpointSpec } from '../network/index.ts';
import type { Container, ContainerSpec, Resources, RestartPolicy, TerminalSize } from './container.ts';
import type { MountedRoot } from './mounts/mounted-root.ts';

/** A byte stream to a process: `stdin` is `undefined` when it takes none; with a terminal everything is `stdout`. */
export interface AttachedStreams {
  /** Ending it closes the process's standard input where that is what the container was made for. */
  readonly stdin: Writable | undefined;
  /** In order of arrival. Ends when the process has ended and everything was read. */
  readonly output: AsyncIterable<OutputChunk>;
  /** Leaves; the process goes on. */
  detach(): void;
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

export interface LogLine extends OutputChunk {
  /** RFC 3339 with nanoseconds, as in the log file. */
  readonly time: string;
}

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Epoch seconds, with fractions; or, to the nanosecond, RFC 3339 in UTC with nine digits of them, as lines tell their time. */
  readonly since?: number | string;
  readonly until?: number | string;
  /** The last so many lines; all unless told. */
  readonly tail?: number;
  readonly signal?: AbortSignal;
}

export interface ExecSpec {
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly tty: boolean;
  readonly terminalSize?: TerminalSize;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly privileged: boolean;
}

export interface StartExecOptions {
  readonly detach: boolean;
  /** Instead of what it was made with. */
  readonly tty?: boolean;
  readonly size?: TerminalSize | undefined;
}

export interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly spec: ExecSpec;
  readonly running: boolean;
  readonly exitCode: number | undefined;
  readonly pid: number;
}

export interface Stats {
  /** Epoch ms of the machine. */
  readonly read: number;
  /** Nanoseconds. */
  readonly cpuTotal: number;
  readonly cpuUser: number;
  readonly cpuSystem: number;
  readonly cpuPerProcessor: readonly number[];
  /** Of the whole machine, nanoseconds. */
  readonly machineCpuTotal: number;
  readonly onlineCpus: number;
  readonly throttledPeriods: number;
  readonly periods: number;
  readonly throttledTime: number;
  /** Bytes. */
  readonly memoryUsage: number;
  readonly memoryPeak: number;
  readonly memoryLimit: number;
  /** Counters of `memory.stat`, as Docker passes them on. */
  readonly memoryStats: Readonly<Record<string, number>>;
  readonly pids: number;
  readonly pidsLimit: number;
  readonly blockRead: number;
  readonly blockWritten: number;
  readonly network: Readonly<Record<string, DeviceTraffic>>;
}

export interface Volume {
  readonly name: string;
  readonly driver: 'local';
  /** Host path of its files. */
  readonly mountpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly created: number;
  readonly anonymous: boolean;
}

export interface ContainerEvent {
  readonly kind: 'container' | 'volume';
  /** `create start die stop kill oom pause unpause restart rename update destroy attach detach resize exec_create exec_start exec_die top export commit health_status…` */
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Epoch ms. */
  readonly time: number;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * The container engine. Containers outlive this process: `start` adopts those that run and cleans up what a killed run
 * left half-made. Names are a container's name, ID or an unambiguous beginning of it. Throws `ServiceError`: `ContainerNotFound` (404:
 * `No such container: x`), `NameInUse` (409), `NotRunning` (409), `AlreadyRunning` (304), `InvalidContainer` (400), `ContainerInUse` (409),
 * `VolumeNotFound` (404), `VolumeInUse` (409), `ExecNotFound` (404), `CannotStart` (400, 126/127 as exit code), and what images and networks throw.
 */
export interface ContainerEngine {
  start(): Promise<void>;
  create(spec: ContainerSpec): Promise<{ readonly container: Container; readonly warnings: readonly string[] }>;
  /** Throws `ContainerNotFound`. */
  get(nameOrId: string): Promise<Container>;
  find(nameOrId: string): Promise<Container | undefined>;
  list(): Promise<readonly Container[]>;
  startContainer(nameOrId: string): Promise<void>;
  /** The stop signal, then SIGKILL after the timeout (the container's own unless told; -1: never). */
  stop(nameOrId: string, options?: { readonly timeoutSeconds?: number; readonly signal?: string }): Promise<void>;
  restart(nameOrId: string, options?: { readonly timeoutSeconds?: number; readonly signal?: string }): Promise<void>;
  kill(nameOrId: string, signal: string): Promise<void>;
  pause(nameOrId: string): Promise<void>;
  unpause(nameOrId: string): Promise<void>;
  rename(nameOrId: string, name: string): Promise<void>;
  update(
    nameOrId: string,
    changes: { readonly resources?: Partial<Resources>; readonly restart?: RestartPolicy },
  ): Promise<readonly string[]>;
  remove(nameOrId: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>;
  /** Resolves with the exit code (and an error text) when the condition is met. Registered at once. */
  wait(
    nameOrId: string,
    condition: WaitCondition,
    signal?: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly error: string }>;
  /** Attaches to the running (or about to be started) process. With `logs`, what came before first. */
  attach(
    nameOrId: string,
    options: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly logs: boolean },
  ): Promise<AttachedStreams>;
  resize(nameOrId: string, size: TerminalSize): Promise<void>;
  logs(nameOrId: string, options: LogOptions): AsyncIterable<LogLine>;
  /** Columns of `ps` and a row for each process. */
  top(
    nameOrId: string,
    psArguments?: string,
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }>;
  stats(nameOrId: string): Promise<Stats>;
  changes(nameOrId: string): Promise<readonly Change[]>;
  /** Its file system: mounted while this is used, also of a container that does not run. */
  root(nameOrId: string): Promise<Root>;
  /** The same with the volumes and binds that are mounted into it, also of a container that does not run. To be disposed of. */
  mountedRoot(nameOrId: string): Promise<MountedRoot>;
  /** The file system as one archive (`docker export`). */
  export(nameOrId: string): Promise<Readable>;
  /** A new image of the container's changes (`docker commit`). */
  commit(
    nameOrId: string,
    options: {
      readonly reference?: string;
      readonly author?: string;
      readonly comment?: string;
      readonly changes?: readonly string[];
      readonly pause: boolean;
    },
  ): Promise<Image>;
  connectNetwork(nameOrId: string, endpoint: EndpointSpec): Promise<Endpoint>;
  disconnectNetwork(nameOrId: string, network: string, force: boolean): Promise<void>;
  createExec(nameOrId: string, spec: ExecSpec): Promise<Exec>;
  startExec(execId: string, options: StartExecOptions): Promise<AttachedStreams | undefined>;
  resizeExec(execId: string, size: TerminalSize): Promise<void>;
  getExec(execId: string): Promise<Exec>;
  pruneContainers(
    matches?: (container: Container) => boolean,
  ): Promise<{ readonly ids: readonly string[]; readonly bytes: number }>;
  /** Bytes written into the container's root. */
  sizes(nameOrId: string): Promise<{ readonly written: number; readonly root: number }>;
  readonly volumes: Volumes;
  onEvent(listener: (event: ContainerEvent) => void): () => void;
  /** Lets go of running containers, which go on; with `stopAll` (an ephemeral Kobune) they end and are removed. */
  close(options?: { readonly stopAll?: boolean }): Promise<void>;
}

export interface Volumes {
  create(options: {
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly driverOptions?: Readonly<Record<string, string>>;
  }): Promise<Volume>;
  get(name: string): Promise<Volume>;
  list(): Promise<readonly Volume[]>;
  remove(name: string, force?: boolean): Promise<void>;
  prune(matches?: (volume: Volume) => boolean): Promise<{ readonly names: readonly string[]; readonly bytes: number }>;
  /** Bytes, and how many containers use it. */
  usage(name: string): Promise<{ readonly size: number; readonly references: number }>;
}
