import type { Container, ContainerSpec, MountSpec } from '../../containers/index.ts';
import { MASKED_PATHS, READ_ONLY_PATHS } from '../../containers/index.ts';
import { readKept } from './kept-request.ts';
import { portMap } from './ports.ts';
import { resourcesOf } from './resources.ts';

/** `Config` of an inspection: what was sent, with what the image added; else what the container's own description says. */
export function configOf(container: Container): Record<string, unknown> {
  const { spec, id } = container;
  const hostname = spec.hostname ?? id.slice(0, 12);
  const kept = readKept(container);
  if (kept !== undefined) {
    const { MacAddress, StopTimeout, Healthcheck, Shell, ExposedPorts, ...config } = kept.config;
    return {
      ...config,
      Hostname: hostname,
      // All ports of the container, also those that only a binding names.
      ...(spec.exposedPorts.length > 0 ? { ExposedPorts: marks(spec.exposedPorts) } : {}),
      ...(MacAddress === '' ? {} : { MacAddress }),
      ...(StopTimeout === null ? {} : { StopTimeout }),
      ...(Healthcheck === null ? {} : { Healthcheck }),
      ...(Shell === null ? {} : { Shell }),
    };
  }
  return {
    Hostname: hostname,
    Domainname: spec.domainname ?? '',
    User: spec.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(spec.exposedPorts.length > 0 ? { ExposedPorts: marks(spec.exposedPorts) } : {}),
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    StdinOnce: spec.stdinOnce,
    Env: spec.environment,
    Cmd: spec.command.length > 0 ? spec.command : null,
    ...(spec.healthcheck === undefined ? {} : { Healthcheck: spec.healthcheck }),
    Image: spec.image.reference,
    Volumes: spec.imageVolumes.length > 0 ? marks(spec.imageVolumes) : null,
    WorkingDir: spec.workingDirectory,
    Entrypoint: spec.entrypoint.length > 0 ? spec.entrypoint : null,
    OnBuild: null,
    Labels: spec.labels,
    StopSignal: spec.stopSignal,
    StopTimeout: spec.stopTimeoutSeconds,
  };
}

/** `HostConfig` of an inspection. What an update can change is as it is now. */
export function hostConfigOf(container: Container): Record<string, unknown> {
  const { spec } = container;
  const privileged = spec.privileged;
  const described = {
    ...resourcesOf(spec.resources),
    Binds: binds(spec.mounts),
    ContainerIDFile: '',
    LogConfig: logConfig(spec),
    NetworkMode: networkMode(spec),
    PortBindings: portBindings(spec),
    AutoRemove: spec.autoRemove,
    VolumeDriver: '',
    VolumesFrom: listOrNull(spec.volumesFrom),
    ConsoleSize: [0, 0],
    CapAdd: listOrNull(spec.capabilitiesAdd),
    CapDrop: listOrNull(spec.capabilitiesDrop),
    Dns: spec.dns,
    DnsOptions: spec.dnsOptions,
    DnsSearch: spec.dnsSearch,
    ExtraHosts: listOrNull(spec.extraHosts),
    GroupAdd: listOrNull(spec.additionalGroups),
    Cgroup: '',
    Links: null,
    OomScoreAdj: spec.oomScoreAdjust,
    Privileged: privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: spec.readOnlyRoot,
    SecurityOpt: listOrNull(spec.securityOptions),
    UsernsMode: '',
    ...(Object.keys(spec.sysctls).length > 0 ? { Sysctls: spec.sysctls } : {}),
    Isolation: '',
    Init: spec.init,
    OomKillDisable: spec.oomKillDisable,
    Devices: spec.devices.map(({ hostPath, containerPath, permissions }) => ({
      PathOnHost: hostPath,
      PathInContainer: containerPath,
      CgroupPermissions: permissions,
    })),
    Ulimits: spec.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
  const kept = readKept(container)?.host;
  const { Mounts, Tmpfs, Annotations, Sysctls, Init, ...sent } = kept ?? ({} as NonNullable<typeof kept>);
  return {
    ...described,
    ...sent,
    ...(Mounts?.length ? { Mounts } : {}),
    ...(Tmpfs && Object.keys(Tmpfs).length > 0 ? { Tmpfs } : {}),
    ...(Annotations && Object.keys(Annotations).length > 0 ? { Annotations } : {}),
    ...(Sysctls && Object.keys(Sysctls).length > 0 ? { Sysctls } : {}),
    ...(Init === null || Init === undefined ? {} : { Init }),
    ...resourcesOf(spec.resources),
    NetworkMode: networkMode(spec),
    LogConfig: logConfig(spec),
    RestartPolicy: { Name: spec.restart.name, MaximumRetryCount: spec.restart.maximumRetries },
    PortBindings: kept?.PortBindings ?? portBindings(spec),
    ConsoleSize: kept?.ConsoleSize ?? [0, 0],
    CgroupnsMode: spec.cgroupnsMode,
    IpcMode: sharedMode(spec.ipcMode),
    PidMode: spec.pidMode === 'private' ? '' : sharedMode(spec.pidMode),
    UTSMode: spec.utsMode === 'private' ? '' : spec.utsMode,
    ShmSize: spec.shmSizeBytes,
    Runtime: 'runc',
    MaskedPaths: privileged ? null : MASKED_PATHS,
    ReadonlyPaths: privileged ? null : READ_ONLY_PATHS,
  };
}

/** `NetworkMode` as it is told: the network's name, or whose namespace it is. */
export function networkMode(spec: ContainerSpec): string {
  const { network } = spec;
  if (network.mode === 'container') return `container:${network.container}`;
  if (network.mode !== 'bridge') return network.mode;
  const kept = (spec.annotations?.docker as { host?: { NetworkMode?: string } } | undefined)?.host?.NetworkMode;
  const main = network.endpoints[0]?.network ?? 'bridge';
  return kept === undefined || kept === '' || kept === 'default' ? (kept === undefined ? main : 'bridge') : kept;
}

function logConfig({ log }: ContainerSpec): object {
  const options = {
    ...(log.maxFiles > 1 ? { 'max-file': String(log.maxFiles) } : {}),
    ...(log.maxSizeBytes > 0 ? { 'max-size': String(log.maxSizeBytes) } : {}),
  };
  return { Type: log.driver, Config: options };
}

function portBindings({ network }: ContainerSpec): object {
  if (network.mode !== 'bridge') return {};
  const requested = network.ports.map(({ containerPort, protocol, hostIp = '', hostPort }) => ({
    containerPort,
    protocol,
    hostIp,
    hostPort:
      hostPort === undefined ? '' : typeof hostPort === 'number' ? hostPort : `${hostPort.first}-${hostPort.last}`,
  }));
  return portMap([], requested);
}

function binds(mounts: readonly MountSpec[]): string[] | null {
  const written = mounts.flatMap((mount) => {
    if (mount.type === 'tmpfs') return [];
    const source = mount.type === 'bind' ? mount.source : mount.volume;
    return source === '' ? [] : [`${source}:${mount.target}${mount.readOnly ? ':ro' : ''}`];
  });
  return listOrNull(written);
}

function sharedMode(mode: string | { readonly container: string }): string {
  return typeof mode === 'string' ? mode : `container:${mode.container}`;
}

function listOrNull<T>(list: readonly T[]): T[] | null {
  return list.length === 0 ? null : [...list];
}

function marks(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
