import { existsSync, statSync } from 'node:fs';
import type { Root } from '../images/index.ts';
import { containerFiles } from './directories.ts';
import { standardVariables, withDefaults } from './environment.ts';
import { invalid, notRunning } from './errors.ts';
import type { PlannedMount } from './mounts/mount-points.ts';
import { isReadOnlyMount } from './mounts/mount-table.ts';
import { type CloudAccess, type EngineParts, groupPath } from './parts.ts';
import type { ContainerRecord } from './records.ts';
import { linuxResources } from './resources.ts';
import { type Account, lookUpAccount } from './runtime/accounts.ts';
import { allDevices, selectDevices } from './runtime/devices.ts';
import type { NamespaceChoice, RunPlan } from './runtime/make-spec.ts';
import { findProgram } from './runtime/oci-runtime.ts';
import type { RuntimeMount } from './runtime/oci-spec.ts';
import { rlimitsOf } from './runtime/rlimits.ts';
import { OPEN_PORTS } from './runtime/standard.ts';
import { securityOf } from './security.ts';

/** What a run is given besides what the container's record says. */
export interface RunSurroundings {
  readonly root: Root;
  readonly network: NamespaceChoice;
  /** Where volumes and binds come from, by destination, when that is another place than the record's. */
  readonly sources: ReadonlyMap<string, string>;
  /** Directory for `/dev/shm`, when it is shared with other containers. */
  readonly shm: string | undefined;
  readonly cloud: CloudAccess | undefined;
}

const INIT = '/sbin/docker-init';
const CERTIFICATES = '/etc/kobune';

/** Everything that the runtime is told. Throws `CannotStart` for a user that is not there, `InvalidContainer`, `NotRunning`. */
export function planRun(parts: EngineParts, record: ContainerRecord, surroundings: RunSurroundings): RunPlan {
  const { spec, id } = record;
  const { root, cloud } = surroundings;
  const account = lookUpAccount(parts.kernel, root.path, spec.user, spec.additionalGroups);
  const security = securityOf(spec);
  const devices = selectDevices(spec.devices);
  const args = [...spec.entrypoint, ...spec.command];
  if (args.length === 0) throw invalid('no command specified');
  return {
    rootPath: root.path,
    readOnlyRoot: spec.readOnlyRoot,
    hostname: spec.utsMode === 'host' ? undefined : hostnameOf(record),
    args: spec.init ? [INIT, '--', ...args] : args,
    env: environmentOf(record, account, cloud),
    workingDirectory: spec.workingDirectory || '/',
    account,
    terminal: spec.tty,
    terminalSize: spec.terminalSize,
    privileged: spec.privileged,
    capabilities: security.capabilities,
    noNewPrivileges: security.noNewPrivileges,
    openPaths: security.openPaths,
    seccomp: security.seccomp,
    mounts: [
      ...hostFileMounts(parts, record),
      ...(spec.init ? [initMount()] : []),
      ...(cloud?.certificates === undefined ? [] : [bindMount(cloud.certificates, CERTIFICATES, true)]),
      ...(surroundings.shm === undefined ? [] : [bindMount(surroundings.shm, '/dev/shm', false)]),
      ...record.mounts.map((mount) => mountOf(mount, surroundings.sources, parts.runtime.name)),
    ],
    shmSizeBytes: spec.ipcMode === 'none' ? 0 : spec.shmSizeBytes,
    network: surroundings.network,
    pid: namespaceOf(parts, spec.pidMode, 'pid'),
    ipc: ipcOf(parts, record),
    uts: spec.utsMode,
    cgroupNamespace: spec.cgroupnsMode,
    cgroupsPath: groupPath(parts.instance, id),
    resources: {
      ...linuxResources(spec.resources, parts.hierarchies),
      ...(spec.oomKillDisable
        ? { memory: { ...linuxResources(spec.resources, parts.hierarchies).memory, disableOOMKiller: true } }
        : {}),
    },
    devices: spec.privileged ? [...allDevices(), ...devices.devices] : devices.devices,
    deviceRules: devices.rules,
    rlimits: rlimitsOf(spec.ulimits).rlimits,
    oomScoreAdjust: spec.oomScoreAdjust === 0 ? undefined : spec.oomScoreAdjust,
    sysctls: sysctlsOf(record),
    propagation: rootPropagation(record.mounts),
  };
}

export function hostnameOf({ spec, id }: Pick<ContainerRecord, 'spec' | 'id'>): string {
  return spec.hostname || id.slice(0, 12);
}

/** Variables of a process inside; those that the user set stay as they are. */
export function environmentOf(
  record: Pick<ContainerRecord, 'spec' | 'id'>,
  account: Pick<Account, 'home'>,
  cloud: CloudAccess | undefined,
): string[] {
  const { spec } = record;
  const standard = standardVariables({ hostname: hostnameOf(record), home: account.home, terminal: spec.tty });
  return withDefaults(spec.environment, [...standard, ...(cloud ? cloudVariables(cloud) : [])]);
}

/** AWS's SDKs and the common libraries find this cloud and trust it by these. */
function cloudVariables({ endpointUrl, certificates }: CloudAccess): string[] {
  const bundle = ['AWS_CA_BUNDLE', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'];
  return [
    `AWS_ENDPOINT_URL=${endpointUrl}`,
    ...(certificates === undefined
      ? []
      : [
          `NODE_EXTRA_CA_CERTS=${CERTIFICATES}/authority.pem`,
          ...bundle.map((name) => `${name}=${CERTIFICATES}/bundle.pem`),
        ]),
  ];
}

const bindMount = (source: string, destination: string, readOnly: boolean): RuntimeMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate', ...(readOnly ? ['ro'] : [])],
});

function hostFileMounts(parts: EngineParts, record: ContainerRecord): RuntimeMount[] {
  const { spec, id } = record;
  const own = new Set(record.mounts.map(({ point }) => point.destination));
  const files =
    spec.network.mode === 'container'
      ? parts.other(spec.network.container).hostFiles
      : containerFiles(parts.directory, id);
  const mounts = [
    bindMount(files.resolvConf, '/etc/resolv.conf', false),
    bindMount(files.hostname, '/etc/hostname', false),
    bindMount(files.hosts, '/etc/hosts', false),
  ];
  return mounts.filter(({ destination }) => !own.has(destination));
}

/** The statically linked one runs in any root. */
function initMount(): RuntimeMount {
  const program = ['/usr/bin/tini-static', findProgram('tini-static', 'docker-init', 'tini')].find(
    (path) => path !== undefined && existsSync(path),
  );
  if (program === undefined) throw invalid('an init process was asked for, and tini is not installed');
  return bindMount(program, INIT, true);
}

function mountOf(
  { point, options }: PlannedMount,
  sources: ReadonlyMap<string, string>,
  runtime: 'runc' | 'crun',
): RuntimeMount {
  const { destination } = point;
  if (point.type === 'tmpfs') return { destination, type: 'tmpfs', source: 'tmpfs', options };
  const source = sources.get(destination) ?? point.source;
  // crun makes all else writable, also what is mounted read-only on the machine.
  const readOnly = point.readOnly || (runtime === 'crun' && isReadOnlyMount(source));
  // With everything that is mounted below, which crun does not try of a file.
  const access = readOnly ? ['ro', ...(isDirectory(source) ? ['rro'] : [])] : [];
  return { destination, type: 'bind', source, options: ['rbind', point.propagation || 'rprivate', ...access] };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function namespaceOf(
  parts: EngineParts,
  mode: 'private' | 'host' | { readonly container: string },
  kind: string,
): NamespaceChoice {
  if (typeof mode === 'string') return mode;
  const other = parts.other(mode.container);
  if (!other.process) throw notRunning(mode.container);
  return { path: `/proc/${other.process.pid}/ns/${kind}` };
}

function ipcOf(parts: EngineParts, { spec: { ipcMode } }: ContainerRecord): NamespaceChoice {
  if (ipcMode === 'shareable' || ipcMode === 'none') return 'private';
  if (typeof ipcMode === 'object' && parts.other(ipcMode.container).shm === undefined) {
    throw invalid(`cannot join IPC of container ${ipcMode.container}: it is not shareable`);
  }
  return namespaceOf(parts, ipcMode, 'ipc');
}

function sysctlsOf({ spec }: ContainerRecord): Readonly<Record<string, string>> {
  return spec.network.mode === 'host' || spec.network.mode === 'container'
    ? spec.sysctls
    : { ...OPEN_PORTS, ...spec.sysctls };
}

function rootPropagation(mounts: readonly PlannedMount[]): string | undefined {
  const all = mounts.map(({ point }) => point.propagation);
  if (all.some((propagation) => propagation.endsWith('shared'))) return 'rshared';
  return all.some((propagation) => propagation.endsWith('slave')) ? 'rslave' : undefined;
}
