import {
  flag,
  invalid,
  list,
  map,
  nullable,
  object,
  type Shape,
  type Shaped,
  text,
  whole,
  words,
} from '../shapes/shape.ts';

/** An object that is there or not: `{"80/tcp": {}}`. */
const mark = object({});

/** Times in nanoseconds. */
export const healthcheck = object({
  Test: nullable(list(text)),
  Interval: whole,
  Timeout: whole,
  StartPeriod: whole,
  StartInterval: whole,
  Retries: whole,
});

/** What a container is to run: `Config` of "Create a container". */
export const containerConfig = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: nullable(map(mark)),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: nullable(list(text)),
  Cmd: words,
  Healthcheck: nullable(healthcheck),
  ArgsEscaped: flag,
  Image: text,
  Volumes: nullable(map(mark)),
  WorkingDir: text,
  Entrypoint: words,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: nullable(list(text)),
  Labels: nullable(map(text)),
  StopSignal: text,
  StopTimeout: nullable(whole),
  Shell: nullable(list(text)),
} as const;

export const containerConfigObject = object(containerConfig);
export type ContainerConfig = Shaped<typeof containerConfigObject>;

/** A terminal's height and width; `null`: none is told, as by zeros. */
const consoleSize: Shape<readonly [number, number] | null> = (value, at) => {
  const [height = 0, width = 0, ...more] = list(whole)(value, at);
  if (more.length > 0 || [height, width].some((size) => size < 0 || size > 65_535)) {
    throw invalid(`invalid JSON: ${at} must be a height and a width`);
  }
  return height === 0 || width === 0 ? null : [height, width];
};

const binding = object({ HostIp: text, HostPort: text });
/** Some clients send the port as a number: docker-compose 1.29 does for ranges of one. */
const looseBinding = (value: unknown, at: string) => {
  if (typeof value === 'object' && value !== null && 'HostPort' in value && typeof value.HostPort === 'number') {
    return binding({ ...value, HostPort: String(value.HostPort) }, at);
  }
  return binding(value, at);
};

export const mount = object({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: nullable(
    object(
      { Propagation: text, CreateMountpoint: flag, NonRecursive: flag },
      {
        refused: {
          ReadOnlyNonRecursive: 'what is mounted below a read-only bind mount is read-only, too',
          ReadOnlyForceRecursive: 'bind mounts are made recursively read-only where the kernel can',
        },
      },
    ),
  ),
  VolumeOptions: nullable(
    object({
      NoCopy: flag,
      Labels: nullable(map(text)),
      DriverConfig: nullable(object({ Name: text, Options: nullable(map(text)) })),
      Subpath: text,
    }),
  ),
  TmpfsOptions: nullable(object({ SizeBytes: whole, Mode: whole, Options: nullable(list(list(text))) })),
  ImageOptions: nullable(object({ Subpath: text })),
  ClusterOptions: nullable(object({})),
});
export type Mount = Shaped<typeof mount>;

export const restartPolicy = object({ Name: text, MaximumRetryCount: whole });

const resources = {
  CpuShares: whole,
  Memory: whole,
  NanoCpus: whole,
  BlkioWeight: whole,
  CpuPeriod: whole,
  CpuQuota: whole,
  CpusetCpus: text,
  CpusetMems: text,
  MemoryReservation: whole,
  MemorySwap: whole,
  MemorySwappiness: nullable(whole),
  OomKillDisable: nullable(flag),
  PidsLimit: nullable(whole),
} as const;

const CGROUPS = 'every container has a control group of its own';
const DEVICE_RATES = 'rates of block devices cannot be limited; BlkioWeight can be set';
const REALTIME = 'real-time scheduling cannot be given to containers';

const REFUSED_RESOURCES = {
  CgroupParent: CGROUPS,
  BlkioWeightDevice: DEVICE_RATES,
  BlkioDeviceReadBps: DEVICE_RATES,
  BlkioDeviceWriteBps: DEVICE_RATES,
  BlkioDeviceReadIOps: DEVICE_RATES,
  BlkioDeviceWriteIOps: DEVICE_RATES,
  CpuRealtimePeriod: REALTIME,
  CpuRealtimeRuntime: REALTIME,
  DeviceCgroupRules: 'name the devices in Devices instead',
  DeviceRequests: 'devices such as GPUs are named in Devices instead',
  KernelMemory: 'the kernel no longer limits it by itself; use Memory',
  KernelMemoryTCP: 'the kernel no longer limits it by itself; use Memory',
  CpuCount: 'it is for Windows; use NanoCpus',
  CpuPercent: 'it is for Windows; use NanoCpus',
  IOMaximumIOps: 'it is for Windows',
  IOMaximumBandwidth: 'it is for Windows',
} as const;

const SET_AT_CREATION = {
  Devices: 'devices are set when a container is created',
  Ulimits: 'limits are set when a container is created',
  Init: 'it is set when a container is created',
} as const;

/** How a container is to run here: `HostConfig` of "Create a container". */
export const hostConfig = object(
  {
    ...resources,
    Binds: nullable(list(text)),
    ContainerIDFile: text,
    LogConfig: object({ Type: text, Config: nullable(map(text)) }),
    NetworkMode: text,
    PortBindings: nullable(map(nullable(list(looseBinding)))),
    RestartPolicy: restartPolicy,
    AutoRemove: flag,
    VolumeDriver: text,
    VolumesFrom: nullable(list(text)),
    Mounts: nullable(list(mount)),
    ConsoleSize: consoleSize,
    Annotations: nullable(map(text)),
    CapAdd: nullable(list(text)),
    CapDrop: nullable(list(text)),
    CgroupnsMode: text,
    Dns: nullable(list(text)),
    DnsOptions: nullable(list(text)),
    DnsSearch: nullable(list(text)),
    ExtraHosts: nullable(list(text)),
    GroupAdd: nullable(list(text)),
    IpcMode: text,
    Links: nullable(list(text)),
    OomScoreAdj: whole,
    PidMode: text,
    Privileged: flag,
    PublishAllPorts: flag,
    ReadonlyRootfs: flag,
    SecurityOpt: nullable(list(text)),
    Tmpfs: nullable(map(text)),
    UTSMode: text,
    UsernsMode: text,
    ShmSize: whole,
    Sysctls: nullable(map(text)),
    Runtime: text,
    Isolation: text,
    Init: nullable(flag),
    Devices: nullable(list(object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text }))),
    Ulimits: nullable(list(object({ Name: text, Soft: whole, Hard: whole }))),
    MaskedPaths: nullable(list(text)),
    ReadonlyPaths: nullable(list(text)),
  },
  {
    refused: {
      ...REFUSED_RESOURCES,
      Cgroup: CGROUPS,
      StorageOpt: 'the size of a container’s root file system cannot be limited',
    },
  },
);
export type HostConfig = Shaped<typeof hostConfig>;

/** What "Update a container" changes. Members that are not sent stay as they are. */
export const updateBody = object(
  { ...resources, RestartPolicy: nullable(restartPolicy) },
  { refused: { ...REFUSED_RESOURCES, ...SET_AT_CREATION } },
);

/** A place on a network. Members that only answers have are passed over: clients send back what they were told. */
export const endpointSettings = object(
  {
    IPAMConfig: nullable(
      object(
        { IPv4Address: text, IPv6Address: text },
        { refused: { LinkLocalIPs: 'containers have one address of each family on a network' } },
      ),
    ),
    Links: nullable(list(text)),
    Aliases: nullable(list(text)),
    MacAddress: text,
    DriverOpts: nullable(map(text)),
    GwPriority: whole,
  },
  {
    passed: [
      'NetworkID',
      'EndpointID',
      'Gateway',
      'IPAddress',
      'IPPrefixLen',
      'IPv6Gateway',
      'GlobalIPv6Address',
      'GlobalIPv6PrefixLen',
      'DNSNames',
    ],
  },
);
export type EndpointSettings = Shaped<typeof endpointSettings>;

const networkingConfig = object({ EndpointsConfig: nullable(map(nullable(endpointSettings))) });

/** The body of "Create a container". Some clients repeat the query's parameters in it. */
export const createBody = object(
  { ...containerConfig, HostConfig: hostConfig, NetworkingConfig: networkingConfig },
  { passed: ['name', 'platform'] },
);
export type CreateBody = Shaped<typeof createBody>;

/** The body of "Create an exec instance". */
export const execBody = object(
  {
    AttachStdin: flag,
    AttachStdout: flag,
    AttachStderr: flag,
    DetachKeys: text,
    Tty: flag,
    Env: nullable(list(text)),
    Cmd: words,
    Privileged: flag,
    User: text,
    WorkingDir: text,
    ConsoleSize: consoleSize,
    Detach: flag,
  },
  { passed: ['Container', 'abortSignal'] },
);

export const execStartBody = object(
  { Detach: flag, Tty: flag, ConsoleSize: consoleSize },
  { passed: ['hijack', 'stdin', 'abortSignal', 'Cmd'] },
);
