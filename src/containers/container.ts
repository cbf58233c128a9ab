import type { HealthcheckConfig } from '../images/index.ts';
import type { Endpoint, EndpointSpec, PortRequest, PublishedPort } from '../network/index.ts';

/** What a container is made from. The image's own configuration has been merged in by whoever makes this. */
export interface ContainerSpec {
  /** Made up unless told. `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, unique. */
  readonly name?: string;
  /** Reference as the user wrote it, and the ID that it meant. */
  readonly image: { readonly reference: string; readonly id: string };
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `NAME=value` */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  /** `user`, `uid`, `user:group`, … looked up in the container's own `/etc/passwd` and `/etc/group`. */
  readonly user: string;
  readonly additionalGroups: readonly string[];
  readonly hostname?: string;
  readonly domainname?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** Of the terminal, from the beginning. */
  readonly terminalSize?: TerminalSize;
  /** Standard input stays open for who attaches. */
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly stopSignal: string;
  readonly stopTimeoutSeconds: number;
  readonly healthcheck?: HealthcheckConfig;
  readonly exposedPorts: readonly string[];
  readonly mounts: readonly MountSpec[];
  /** Anonymous volumes that the image declares: paths inside. */
  readonly imageVolumes: readonly string[];
  readonly volumesFrom: readonly string[];
  readonly restart: RestartPolicy;
  readonly autoRemove: boolean;
  /** `tini` is process 1 and reaps. */
  readonly init: boolean;
  readonly readOnlyRoot: boolean;
  readonly privileged: boolean;
  readonly capabilitiesAdd: readonly string[];
  readonly capabilitiesDrop: readonly string[];
  /** `no-new-privileges`, `seccomp=unconfined`, `seccomp=<json>`; `apparmor=…` and `label=…` only as `unconfined`/`disable`. */
  readonly securityOptions: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly devices: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly permissions: string;
  }[];
  readonly resources: Resources;
  readonly shmSizeBytes: number;
  readonly oomScoreAdjust: number;
  readonly oomKillDisable: boolean;
  readonly extraHosts: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `bridge` (endpoints below), `none`, `host`, or another container's namespace. */
  readonly network:
    | { readonly mode: 'bridge'; readonly endpoints: readonly EndpointSpec[]; readonly ports: readonly PortRequest[] }
    | { readonly mode: 'none' | 'host' }
    | { readonly mode: 'container'; readonly container: string };
  readonly pidMode: 'private' | 'host' | { readonly container: string };
  readonly ipcMode: 'private' | 'shareable' | 'host' | 'none' | { readonly container: string };
  readonly utsMode: 'private' | 'host';
  readonly usernsMode: 'host';
  readonly cgroupnsMode: 'private' | 'host';
  readonly log: LogConfig;
  /** Free for who made it: front ends keep what they must give back here. Plain data. */
  readonly annotations?: Readonly<Record<string, unknown>>;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface LogConfig {
  readonly driver: 'json-file' | 'none';
  /** Bytes; rotated past this. -1: never. */
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
}

export interface RestartPolicy {
  readonly name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** For `on-failure`; 0: without end. */
  readonly maximumRetries: number;
}

export interface Resources {
  /** Bytes; 0: not limited. */
  readonly memory: number;
  readonly memoryReservation: number;
  /** Memory and swap; -1: not limited, 0: twice the memory. */
  readonly memorySwap: number;
  readonly memorySwappiness?: number;
  /** Billionths of a processor; 0: not limited. */
  readonly nanoCpus: number;
  readonly cpuShares: number;
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly pidsLimit: number;
  readonly blkioWeight: number;
}

export type MountSpec =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation?: string;
      /** Make a missing source as a directory (`-v`), or refuse (`--mount`). */
      readonly createSource: boolean;
    }
  | {
      readonly type: 'volume';
      /** Empty: anonymous. */
      readonly volume: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly noCopy: boolean;
      readonly labels?: Readonly<Record<string, string>>;
      readonly driverOptions?: Readonly<Record<string, string>>;
      readonly subpath?: string;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      readonly mode?: number;
      readonly options?: readonly string[];
    };

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerState {
  readonly status: ContainerStatus;
  /** Process 1 as the host sees it; 0 when it does not run. */
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  /** Epoch ms of this machine's clock. */
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly health: Health | undefined;
  readonly restartCount: number;
}

export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  /** The last five. */
  readonly log: readonly {
    readonly start: number;
    readonly end: number;
    readonly exitCode: number;
    readonly output: string;
  }[];
}

/** A mount as it turned out. */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Of a volume. */
  readonly name?: string;
  readonly source: string;
  /** The part of a volume that is mounted; all of it unless told. */
  readonly subpath?: string;
  readonly destination: string;
  readonly driver?: string;
  readonly readOnly: boolean;
  readonly propagation: string;
}

/** A container as it is now. */
export interface Container {
  /** 64 hex digits. */
  readonly id: string;
  /** Without a slash. */
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly created: number;
  readonly state: ContainerState;
  readonly mounts: readonly MountPoint[];
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
  /** `<data>/docker/containers/<id>/<id>-json.log`, where log collectors look. */
  readonly logPath: string;
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  readonly execIds: readonly string[];
}
