import { hostname as machineName } from 'node:os';
import { posix } from 'node:path';
import {
  type ContainerSpec,
  DEFAULT_SHM_BYTES,
  type LogConfig,
  MASKED_PATHS,
  READ_ONLY_PATHS,
  type TerminalSize,
} from '../../containers/index.ts';
import type { Image } from '../../images/index.ts';
import { splitOnce } from '../shapes/filters.ts';
import { invalid, readWhole } from '../shapes/shape.ts';
import type { ContainerConfig, CreateBody, HostConfig } from './config-shape.ts';
import { readNetwork } from './endpoints.ts';
import { keptOf } from './kept-request.ts';
import { mergeConfig } from './merged-config.ts';
import { noDriver, readMounts } from './mounts.ts';
import { exposedPorts, portRequests } from './ports.ts';
import { readResources, readRestartPolicy } from './resources.ts';

const DEFAULT_STOP_SECONDS = 10;
const SHORTEST_CHECK_NS = 1e6;

/** Turns a request for a container into what the engine makes. Throws dockerd's words for what cannot be. */
export function toContainerSpec(
  body: CreateBody,
  made: { readonly name: string; readonly image: Image; readonly api: number },
): ContainerSpec {
  const { HostConfig: host, NetworkingConfig: _networking, ...own } = body;
  const config = mergeConfig(own, made.image.config.config ?? {});
  checkConfig(config);
  checkHost(host);
  const exposed = exposedPorts(config, host);
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (command.length === 0 || command[0] === '') throw invalid('no command specified');
  const network = readNetwork(body, portRequests(exposed, host), made.api);
  // In the machine's network it has the machine's name there.
  const hostname = config.Hostname || (network.mode === 'host' ? machineName() : '');
  const timeout = config.StopTimeout;
  return {
    ...(made.name === '' ? {} : { name: made.name.replace(/^\//, '') }),
    image: { reference: body.Image, id: made.image.id },
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    environment: config.Env ?? [],
    workingDirectory: config.WorkingDir,
    user: config.User,
    additionalGroups: host.GroupAdd ?? [],
    ...(hostname === '' ? {} : { hostname }),
    ...(config.Domainname === '' ? {} : { domainname: config.Domainname }),
    labels: config.Labels ?? {},
    tty: config.Tty,
    ...(host.ConsoleSize === null ? {} : { terminalSize: toTerminalSize(host.ConsoleSize) }),
    openStdin: config.OpenStdin,
    stdinOnce: config.StdinOnce,
    stopSignal: config.StopSignal || 'SIGTERM',
    stopTimeoutSeconds: timeout ?? DEFAULT_STOP_SECONDS,
    ...(config.Healthcheck === null ? {} : { healthcheck: withoutNull(config.Healthcheck) }),
    exposedPorts: exposed,
    mounts: readMounts(host),
    imageVolumes: Object.keys(config.Volumes ?? {}),
    volumesFrom: host.VolumesFrom ?? [],
    restart: readRestartPolicy(host.RestartPolicy, host.AutoRemove),
    autoRemove: host.AutoRemove,
    init: host.Init ?? false,
    readOnlyRoot: host.ReadonlyRootfs,
    privileged: host.Privileged,
    capabilitiesAdd: host.CapAdd ?? [],
    capabilitiesDrop: host.CapDrop ?? [],
    securityOptions: host.SecurityOpt ?? [],
    sysctls: host.Sysctls ?? {},
    ulimits: (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    devices: (host.Devices ?? []).map((device) => ({
      hostPath: device.PathOnHost,
      containerPath: device.PathInContainer || device.PathOnHost,
      permissions: device.CgroupPermissions || 'rwm',
    })),
    resources: readResources(host),
    shmSizeBytes: host.ShmSize || DEFAULT_SHM_BYTES,
    oomScoreAdjust: host.OomScoreAdj,
    oomKillDisable: host.OomKillDisable ?? false,
    extraHosts: host.ExtraHosts ?? [],
    dns: host.Dns ?? [],
    dnsSearch: host.DnsSearch ?? [],
    dnsOptions: host.DnsOptions ?? [],
    network,
    pidMode: sharedMode(host.PidMode, 'PID', ['host'] as const) ?? 'private',
    ipcMode: sharedMode(host.IpcMode, 'IPC', ['private', 'shareable', 'host', 'none'] as const) ?? 'private',
    utsMode: oneOf(host.UTSMode, 'UTS', ['host'] as const) ?? 'private',
    usernsMode: 'host',
    cgroupnsMode: oneOf(host.CgroupnsMode, 'CgroupNS', ['private', 'host'] as const) ?? 'private',
    log: readLog(host.LogConfig),
    annotations: keptOf(config, host),
  };
}

/** The API tells heights first. */
export function toTerminalSize([rows, columns]: readonly [number, number]): TerminalSize {
  return { rows, columns };
}

function withoutNull(check: NonNullable<ContainerConfig['Healthcheck']>): ContainerSpec['healthcheck'] {
  return { ...check, Test: check.Test ?? [] };
}

/** Source: docker run reference; HEALTHCHECK in the Dockerfile reference. */
function checkConfig(config: ContainerConfig): void {
  if (config.WorkingDir !== '' && !posix.isAbsolute(config.WorkingDir)) {
    throw invalid(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  for (const path of Object.keys(config.Volumes ?? {})) {
    if (!posix.isAbsolute(path)) throw invalid(`invalid mount path: '${path}' mount path must be absolute`);
  }
  if (config.StopSignal !== '' && !/^(?:SIG)?[A-Z0-9+-]+$/i.test(config.StopSignal)) {
    throw invalid(`Invalid signal: ${config.StopSignal}`);
  }
  for (const text of [config.Hostname, config.Domainname]) {
    if (text.length > 253 || !/^[\w.-]*$/.test(text)) throw invalid(`invalid hostname format: ${text.slice(0, 60)}`);
  }
  const check = config.Healthcheck;
  if (check === null) return;
  const kind = check.Test?.[0];
  if (kind !== undefined && !['', 'NONE', 'CMD', 'CMD-SHELL'].includes(kind)) {
    throw invalid(`Unknown healthcheck type '${kind}' (expected 'CMD') in healthcheck`);
  }
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    if (check[name] !== 0 && check[name] < SHORTEST_CHECK_NS) {
      throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if (check.Retries < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

/** Members that have one meaning here: what else they could say is refused. */
function checkHost(host: HostConfig): void {
  const only: readonly [string, string, readonly string[], string][] = [
    ['Runtime', host.Runtime, ['', 'runc', 'io.containerd.runc.v2'], 'containers run on runc'],
    ['Isolation', host.Isolation, ['', 'default'], 'it is for Windows'],
    ['UsernsMode', host.UsernsMode, ['', 'host'], 'user identifiers are the host’s own'],
  ];
  for (const [name, value, allowed, why] of only) {
    if (!allowed.includes(value)) throw invalid(`HostConfig.${name} ${JSON.stringify(value)} is not supported: ${why}`);
  }
  if (!['', 'local'].includes(host.VolumeDriver)) throw invalid(noDriver(host.VolumeDriver));
  if (host.ShmSize < 0) throw invalid('SHM size can not be less than 0');
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000) {
    throw invalid(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  for (const [name, given, usual] of [
    ['MaskedPaths', host.MaskedPaths, MASKED_PATHS],
    ['ReadonlyPaths', host.ReadonlyPaths, READ_ONLY_PATHS],
  ] as const) {
    if (given?.some((path) => !usual.includes(path))) {
      throw invalid(
        `HostConfig.${name} is not supported: the usual paths are covered in every container that is not privileged`,
      );
    }
    if (given !== null && given.length === 0 && !host.Privileged) {
      throw invalid(
        `HostConfig.${name} cannot be empty: use Privileged for a container that sees all of /proc and /sys`,
      );
    }
  }
  for (const entry of host.ExtraHosts ?? []) {
    const [name, address] = splitOnce(entry, ':');
    if (name === '' || !address) throw invalid(`bad format for add-host: "${entry}"`);
  }
}

function sharedMode<M extends string>(
  given: string,
  what: string,
  modes: readonly M[],
): M | { container: string } | undefined {
  if (given.startsWith('container:') && given.length > 10) return { container: given.slice(10) };
  return oneOf(given, what, modes);
}

function oneOf<M extends string>(given: string, what: string, modes: readonly M[]): M | undefined {
  if (given === '') return undefined;
  const mode = modes.find((known) => known === given);
  if (mode === undefined) throw invalid(`invalid ${what} mode: ${given.slice(0, 60)}`);
  return mode;
}

const LOG_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Source: "JSON File logging driver" of Docker's documentation. */
function readLog({ Type: type, Config: given }: HostConfig['LogConfig']): LogConfig {
  const options = given ?? {};
  if (type === 'none') return { driver: 'none', maxSizeBytes: -1, maxFiles: 1 };
  if (type !== '' && type !== 'json-file') {
    throw invalid(`logger: no log driver named '${type}' is registered: json-file and none are`);
  }
  for (const name of Object.keys(options)) {
    if (name !== 'max-size' && name !== 'max-file') {
      throw invalid(`unknown log opt '${name}' for json-file log driver: max-size and max-file are known`);
    }
  }
  const [, number, unit = ''] = /^(\d{1,12})([kmg]?)b?$/i.exec(options['max-size'] ?? '') ?? [];
  if (options['max-size'] !== undefined && options['max-size'] !== '-1' && number === undefined) {
    throw invalid(`invalid size: '${options['max-size']}'`);
  }
  const maxFiles = options['max-file'] === undefined ? 1 : readWhole(options['max-file'], 'max-file');
  if (maxFiles < 1) throw invalid('max-file cannot be less than 1');
  const maxSizeBytes = number === undefined ? -1 : Number(number) * LOG_UNITS[unit.toLowerCase()]!;
  if (maxFiles > 1 && maxSizeBytes < 0) throw invalid('max-file needs max-size');
  return { driver: 'json-file', maxSizeBytes, maxFiles };
}
