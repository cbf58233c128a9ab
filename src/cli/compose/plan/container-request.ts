import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ComposeFileError } from '../file/place.ts';
import { parseNanoseconds } from '../model/values.ts';
import type { Project, ProjectService } from '../project/project.ts';
import { type MountRequests, mountRequests } from './mount-requests.ts';

/** A container of another service whose namespace, volumes or name this one uses. */
export interface PeerContainer {
  readonly id: string;
  readonly name: string;
}

export interface RequestOptions {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Minor number of the API's version. */
  readonly api: number;
  /** Containers of a service, the lowest number first. */
  readonly peers: (service: string) => readonly PeerContainer[];
  /** Anonymous volumes of the container that is replaced, by where they are mounted. */
  readonly inherited?: ReadonlyMap<string, string>;
  /** Without the names by which others find the service: for `run`. */
  readonly withoutAliases?: boolean;
  readonly publish?: boolean;
  readonly autoRemove?: boolean;
  readonly attachStdin?: boolean;
}

export interface EndpointRequest {
  readonly Aliases: readonly string[];
  readonly Links?: readonly string[];
  readonly MacAddress?: string;
  readonly IPAMConfig?: { readonly IPv4Address?: string; readonly IPv6Address?: string };
  readonly GwPriority?: number;
}

export interface ContainerRequest {
  /** Body of "Create a container". */
  readonly body: Readonly<Record<string, unknown>>;
  /** Networks that an older engine takes only afterwards, one by one. */
  readonly connect: readonly (readonly [network: string, endpoint: EndpointRequest])[];
}

/** From this version on an engine connects a new container to several networks at once. */
const SEVERAL_NETWORKS_API = 44;
const GATEWAY_PRIORITY_API = 48;

/** What asks the engine for a container of the service. */
export function containerRequest(project: Project, service: ProjectService, options: RequestOptions): ContainerRequest {
  const endpoints = endpointRequests(project, service, options);
  const all = options.api >= SEVERAL_NETWORKS_API;
  const [first, ...others] = endpoints;
  const body = {
    ...configRequest(service, options),
    HostConfig: {
      ...hostRequest(project, service, options),
      NetworkMode: networkMode(project, service, options, first?.[0]),
    },
    NetworkingConfig: { EndpointsConfig: Object.fromEntries(all ? endpoints : first === undefined ? [] : [first]) },
  };
  return { body: withoutUndefined(body), connect: all ? [] : others };
}

function configRequest(service: ProjectService, options: RequestOptions): Record<string, unknown> {
  const ports = options.publish === false ? [] : (service.ports ?? []);
  const exposed = [
    ...ports.map(({ target, protocol }) => `${target}/${protocol}`),
    ...(service.expose ?? []).flatMap(exposedPorts),
  ];
  return {
    Hostname: service.hostname,
    Domainname: service.domainname,
    User: service.user,
    Tty: service.tty,
    OpenStdin: service.stdin_open,
    ...(options.attachStdin === true ? { AttachStdin: true, OpenStdin: true, StdinOnce: true } : {}),
    AttachStdout: true,
    AttachStderr: true,
    Env: [...service.environment].map(([name, value]) => `${name}=${value}`),
    Cmd: service.command,
    Entrypoint: service.entrypoint,
    Image: service.imageName,
    WorkingDir: service.working_dir,
    Labels: options.labels,
    StopSignal: service.stop_signal,
    StopTimeout: seconds(service.stop_grace_period),
    Healthcheck: healthRequest(service.healthcheck),
    ...(exposed.length > 0 ? { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) } : {}),
    ...(service.mac_address === undefined || options.api >= SEVERAL_NETWORKS_API
      ? {}
      : { MacAddress: service.mac_address }),
  };
}

/** `8000-8002/udp` is three ports. */
function exposedPorts(text: string): string[] {
  const [range = '', protocol = 'tcp'] = text.split('/');
  const [first = 0, last = first] = range.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function healthRequest(check: ProjectService['healthcheck']): Record<string, unknown> | undefined {
  if (check === undefined) return undefined;
  if (check.disable === true) return { Test: ['NONE'] };
  const nanoseconds = (text: string | undefined) => (text === undefined ? undefined : parseNanoseconds(text));
  return {
    Test: check.test,
    Interval: nanoseconds(check.interval),
    Timeout: nanoseconds(check.timeout),
    StartPeriod: nanoseconds(check.start_period),
    StartInterval: nanoseconds(check.start_interval),
    Retries: check.retries,
  };
}

function hostRequest(project: Project, service: ProjectService, options: RequestOptions): Record<string, unknown> {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const mounts: MountRequests = mountRequests(project, service, options.inherited ?? new Map());
  const cpus = service.cpus ?? limits?.cpus;
  return {
    ...mounts,
    PortBindings: options.publish === false ? undefined : portBindings(service),
    RestartPolicy: options.autoRemove === true ? undefined : restartPolicy(service),
    AutoRemove: options.autoRemove,
    VolumesFrom: service.volumes_from?.map((source) => volumesFrom(source, options)),
    Annotations: objectOf(service.annotations),
    BlkioWeight: service.blkio_config?.weight,
    CapAdd: service.cap_add,
    CapDrop: service.cap_drop,
    CgroupnsMode: service.cgroup,
    CpuPeriod: cpuPeriod(service.cpu_period),
    CpuQuota: service.cpu_quota,
    CpuShares: service.cpu_shares,
    CpusetCpus: service.cpuset,
    Devices: service.devices?.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
    Dns: service.dns,
    DnsOptions: service.dns_opt,
    DnsSearch: service.dns_search,
    ExtraHosts: hostLines(service.extra_hosts),
    GroupAdd: service.group_add,
    Init: service.init,
    IpcMode: namespaceMode(service.ipc, 'IPC', options),
    LogConfig: logRequest(service),
    Memory: service.mem_limit ?? limits?.memory,
    MemoryReservation: service.mem_reservation ?? reservations?.memory,
    MemorySwap: service.memswap_limit,
    MemorySwappiness: service.mem_swappiness,
    NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
    OomKillDisable: service.oom_kill_disable,
    OomScoreAdj: service.oom_score_adj,
    PidMode: namespaceMode(service.pid, 'PID', options),
    PidsLimit: service.pids_limit ?? limits?.pids,
    Privileged: service.privileged,
    ReadonlyRootfs: service.read_only,
    SecurityOpt: service.security_opt?.map((option) => securityOption(option, project.directory)),
    ShmSize: service.shm_size,
    Sysctls: objectOf(service.sysctls),
    Ulimits: [...(service.ulimits ?? [])].map(([name, { soft, hard }]) => ({ Name: name, Soft: soft, Hard: hard })),
    UTSMode: service.uts,
    UsernsMode: service.userns_mode,
  };
}

function logRequest({ logging }: ProjectService): Record<string, unknown> | undefined {
  if (logging === undefined) return undefined;
  return { Type: logging.driver ?? 'json-file', Config: objectOf(logging.options) ?? {} };
}

function portBindings({ ports = [] }: ProjectService): Record<string, unknown> | undefined {
  if (ports.length === 0) return undefined;
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { target, protocol, host_ip = '', published = '' } of ports) {
    const key = `${target}/${protocol}`;
    bindings[key] = [...(bindings[key] ?? []), { HostIp: host_ip, HostPort: published }];
  }
  return bindings;
}

/** `restart`, else `deploy.restart_policy` (https://docs.docker.com/reference/compose-file/deploy/#restart_policy). */
function restartPolicy({ restart, deploy }: ProjectService): Record<string, unknown> | undefined {
  if (restart !== undefined) {
    const [name = 'no', retries] = restart.split(':');
    return { Name: name, MaximumRetryCount: retries === undefined ? 0 : Number(retries) };
  }
  const policy = deploy?.restart_policy;
  if (policy === undefined) return undefined;
  const { condition = 'any', max_attempts: attempts = 0 } = policy;
  if (condition === 'none') return { Name: 'no', MaximumRetryCount: 0 };
  // Only `on-failure` counts its attempts.
  if (condition === 'on-failure' || attempts > 0) return { Name: 'on-failure', MaximumRetryCount: attempts };
  return { Name: 'always', MaximumRetryCount: 0 };
}

function networkMode(
  project: Project,
  service: ProjectService,
  options: RequestOptions,
  first: string | undefined,
): string {
  const { network_mode: mode } = service;
  if (mode === undefined) return first ?? `${project.name}_default`;
  return namespaceMode(mode, 'network', options) ?? mode;
}

/** `service:NAME` is the namespace of that service's first container. */
function namespaceMode(mode: string | undefined, what: string, options: RequestOptions): string | undefined {
  if (!mode?.startsWith('service:')) return mode;
  const service = mode.slice('service:'.length);
  return `container:${firstOf(service, `its ${what} namespace`, options).id}`;
}

function volumesFrom(source: string, options: RequestOptions): string {
  const [kind = '', name, ...rest] = source.split(':');
  if (kind === 'container') return [name, ...rest].join(':');
  const { id } = firstOf(kind, 'its volumes', options);
  return [id, ...(name === undefined ? [] : [name])].join(':');
}

function firstOf(service: string, what: string, { peers, name }: RequestOptions): PeerContainer {
  const [peer] = peers(service);
  if (peer === undefined) throw new ComposeFileError(`${name} needs ${what} from "${service}", which has no container`);
  return peer;
}

/** Networks by the engine's names, the one with the default route first. */
function endpointRequests(
  project: Project,
  service: ProjectService,
  options: RequestOptions,
): (readonly [string, EndpointRequest])[] {
  const links = linkLines(service, options);
  const ordered = [...(service.networks ?? [])].sort(
    ([, one], [, other]) =>
      (other.gw_priority ?? 0) - (one.gw_priority ?? 0) || (other.priority ?? 0) - (one.priority ?? 0),
  );
  return ordered.map(([key, network], index) => {
    const { ipv4_address: ipv4, ipv6_address: ipv6, mac_address: mac } = network;
    const ownMac = mac ?? (index === 0 ? service.mac_address : undefined);
    const aliases = options.withoutAliases === true ? [] : [service.name, ...(network.aliases ?? [])];
    const endpoint: EndpointRequest = {
      Aliases: [...new Set([options.name, ...aliases])],
      ...(links.length > 0 ? { Links: links } : {}),
      ...(ownMac === undefined ? {} : { MacAddress: ownMac }),
      ...(ipv4 === undefined && ipv6 === undefined
        ? {}
        : { IPAMConfig: withoutUndefined({ IPv4Address: ipv4, IPv6Address: ipv6 }) }),
      ...(options.api >= GATEWAY_PRIORITY_API && ordered.length > 1 ? { GwPriority: ordered.length - index } : {}),
    };
    return [project.networks.get(key)!.name, endpoint] as const;
  });
}

/** `CONTAINER:ALIAS` for each container that a link means (https://docs.docker.com/reference/compose-file/services/#links). */
function linkLines(service: ProjectService, { peers }: RequestOptions): string[] {
  const own = (service.links ?? []).flatMap((link) => {
    const [name = '', alias = name] = link.split(':');
    return peers(name).map((peer) => `${peer.name}:${alias}`);
  });
  const foreign = (service.external_links ?? []).map((link) => {
    const [name = '', alias = name] = link.split(':');
    return `${name}:${alias}`;
  });
  return [...own, ...foreign];
}

/** Microseconds of `20000` or `20ms`. */
function cpuPeriod(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : Math.round(parseNanoseconds(text)! / 1000);
}

function hostLines(hosts: ProjectService['extra_hosts']): string[] | undefined {
  if (hosts === undefined) return undefined;
  return [...hosts].flatMap(([host, addresses]) => addresses.map((address) => `${host}:${address}`));
}

/** A profile of system calls is sent along, for the engine may be elsewhere (https://docs.docker.com/engine/security/seccomp/). */
function securityOption(option: string, directory: string): string {
  const [, name, value] = /^(seccomp|apparmor|label)[=:](.*)$/.exec(option) ?? [];
  if (name === undefined || value === undefined) return option;
  if (name !== 'seccomp' || value === 'unconfined' || value === 'builtin') return `${name}=${value}`;
  const path = resolve(directory, value);
  try {
    return `seccomp=${JSON.stringify(JSON.parse(readFileSync(path, 'utf8')))}`;
  } catch (error) {
    throw new ComposeFileError(`cannot read the seccomp profile ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

export function seconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.ceil(parseNanoseconds(text)! / 1e9);
}

function objectOf(map: ReadonlyMap<string, string> | undefined): Record<string, string> | undefined {
  return map === undefined ? undefined : Object.fromEntries(map);
}

function withoutUndefined<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
