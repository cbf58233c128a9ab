import { type Answer, type Call, json } from '../server/route.ts';
import { readMachine } from './machine.ts';

/** "Get system information". */
export async function systemInfo(call: Call): Promise<Answer> {
  const { host, api } = call;
  const [containers, images] = await Promise.all([
    host.engine().then((engine) => engine.list()),
    host.images().then((all) => all.list()),
  ]);
  const count = (...statuses: readonly string[]) =>
    containers.filter(({ state }) => statuses.includes(state.status)).length;
  const machine = readMachine();
  return json({
    ID: identity(host.instance),
    Containers: containers.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead', 'removing'),
    Images: images.length,
    Driver: 'overlay2',
    DriverStatus: [
      ['Backing Filesystem', 'overlayfs over the data directory'],
      ['Supports d_type', 'true'],
    ],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'none'],
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    ...(api < 50 ? { BridgeNfIptables: false, BridgeNfIp6tables: false } : {}),
    Debug: false,
    NFd: -1,
    OomKillDisable: machine.cgroupVersion === '1',
    NGoroutines: -1,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: machine.cgroupVersion,
    NEventsListener: host.events.listeners,
    KernelVersion: machine.kernel,
    OperatingSystem: machine.operatingSystem,
    OSVersion: machine.version,
    OSType: 'linux',
    Architecture: machine.architecture,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      AllowNondistributableArtifactsCIDRs: [],
      AllowNondistributableArtifactsHostnames: [],
      InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
      IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
      Mirrors: null,
    },
    NCPU: machine.processors,
    MemTotal: machine.memory,
    GenericResources: null,
    DockerRootDir: host.directory,
    HttpProxy: process.env.HTTP_PROXY ?? '',
    HttpsProxy: process.env.HTTPS_PROXY ?? '',
    NoProxy: process.env.NO_PROXY ?? '',
    Name: host.hostname,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: host.version,
    Runtimes: { runc: { path: 'runc' } },
    DefaultRuntime: 'runc',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'tini',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', ...(machine.cgroupVersion === '2' ? ['name=cgroupns'] : [])],
    CDISpecDirs: [],
    Warnings: null,
  });
}

/** In the form of the identifiers that engines have had since they were made from random numbers. */
function identity(instance: string): string {
  const digits = instance.padEnd(32, '0').slice(0, 32);
  return [8, 12, 16, 20, 32].map((end, index, ends) => digits.slice(index === 0 ? 0 : ends[index - 1], end)).join('-');
}
