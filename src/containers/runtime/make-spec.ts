import type { TerminalSize } from '../container.ts';
import { capabilitySets } from './capabilities.ts';
import type {
  DeviceRule,
  LinuxResources,
  NamespaceType,
  ProcessSpec,
  RuntimeDevice,
  RuntimeMount,
  RuntimeSpec,
  Seccomp,
} from './oci-spec.ts';
import {
  cgroup,
  DEV,
  DEV_PTS,
  DEVICE_RULES,
  MASKED_PATHS,
  MQUEUE,
  PROC,
  READ_ONLY_PATHS,
  shm,
  sys,
} from './standard.ts';

/** A namespace of its own, the machine's, or the one at a path. */
export type NamespaceChoice = 'private' | 'host' | { readonly path: string };

/** Everything that one run of a container needs to be told; all names have been looked up. */
export interface RunPlan {
  readonly rootPath: string;
  readonly readOnlyRoot: boolean;
  readonly hostname: string | undefined;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly workingDirectory: string;
  readonly account: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly terminal: boolean;
  readonly terminalSize?: TerminalSize | undefined;
  readonly privileged: boolean;
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** The kernel's own places are neither hidden nor read-only. */
  readonly openPaths: boolean;
  readonly seccomp: Seccomp | undefined;
  /** Beyond those that every container has; one at the same place takes the standard one's. */
  readonly mounts: readonly RuntimeMount[];
  /** 0: there is no `/dev/shm`. */
  readonly shmSizeBytes: number;
  readonly network: NamespaceChoice;
  readonly pid: NamespaceChoice;
  readonly ipc: NamespaceChoice;
  readonly uts: NamespaceChoice;
  readonly cgroupNamespace: NamespaceChoice;
  readonly cgroupsPath: string;
  readonly resources: LinuxResources;
  readonly devices: readonly RuntimeDevice[];
  readonly deviceRules: readonly DeviceRule[];
  readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
  readonly oomScoreAdjust: number | undefined;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Of the root mount, where mounts are shared with the machine. */
  readonly propagation: string | undefined;
}

/** The document that the OCI runtime reads. */
export function makeSpec(plan: RunPlan): RuntimeSpec {
  const { privileged, account } = plan;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: plan.terminal,
      ...(plan.terminal ? consoleSize(plan.terminalSize) : {}),
      user: {
        uid: account.uid,
        gid: account.gid,
        ...(account.additionalGids.length > 0 ? { additionalGids: account.additionalGids } : {}),
      },
      args: plan.args,
      env: plan.env,
      cwd: plan.workingDirectory,
      capabilities: capabilitySets(plan.capabilities, account.uid),
      rlimits: plan.rlimits,
      noNewPrivileges: plan.noNewPrivileges,
      ...(plan.oomScoreAdjust === undefined ? {} : { oomScoreAdj: plan.oomScoreAdjust }),
    },
    root: { path: plan.rootPath, readonly: plan.readOnlyRoot },
    ...(plan.hostname === undefined ? {} : { hostname: plan.hostname }),
    mounts: mountsOf(plan),
    linux: {
      namespaces: namespacesOf(plan),
      devices: plan.devices,
      cgroupsPath: plan.cgroupsPath,
      resources: { ...plan.resources, devices: [...(privileged ? EVERY_DEVICE : DEVICE_RULES), ...plan.deviceRules] },
      maskedPaths: plan.openPaths ? [] : MASKED_PATHS,
      readonlyPaths: plan.openPaths ? [] : READ_ONLY_PATHS,
      ...(plan.seccomp ? { seccomp: plan.seccomp } : {}),
      sysctl: plan.sysctls,
      ...(plan.propagation === undefined ? {} : { rootfsPropagation: plan.propagation }),
    },
  };
}

const EVERY_DEVICE: readonly DeviceRule[] = [{ allow: true, access: 'rwm' }];

/** The size that a terminal has from the beginning, as the runtime is told. */
export function consoleSize(size: TerminalSize | undefined): Pick<ProcessSpec, 'consoleSize'> {
  return size === undefined ? {} : { consoleSize: { height: size.rows, width: size.columns } };
}

function mountsOf(plan: RunPlan): RuntimeMount[] {
  const standard = [PROC, DEV, DEV_PTS];
  // A new sysfs can only be mounted in a network namespace of one's own.
  if (plan.network === 'host')
    standard.push({ ...sys(!plan.privileged), type: 'bind', source: '/sys', options: HOST_SYS });
  else standard.push(sys(!plan.privileged));
  standard.push(cgroup(!plan.privileged));
  standard.push(plan.ipc === 'host' ? hostMount('/dev/mqueue') : MQUEUE);
  if (plan.ipc === 'host') standard.push(hostMount('/dev/shm'));
  else if (plan.shmSizeBytes > 0) standard.push(shm(plan.shmSizeBytes));
  const own = new Set(plan.mounts.map(({ destination }) => destination));
  const kept = standard.filter(({ destination }) => !own.has(destination));
  return [...kept, ...[...plan.mounts].sort((a, b) => depth(a.destination) - depth(b.destination))];
}

const HOST_SYS = ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'];
const depth = (path: string) => path.split('/').filter(Boolean).length;
const hostMount = (path: string): RuntimeMount => ({
  destination: path,
  type: 'bind',
  source: path,
  options: ['rbind', 'nosuid', 'noexec', 'nodev'],
});

function namespacesOf(plan: RunPlan): { readonly type: NamespaceType; readonly path?: string }[] {
  const chosen: readonly (readonly [NamespaceType, NamespaceChoice])[] = [
    ['mount', 'private'],
    ['network', plan.network],
    ['pid', plan.pid],
    ['ipc', plan.ipc],
    ['uts', plan.uts],
    ['cgroup', plan.cgroupNamespace],
  ];
  return chosen.flatMap(([type, choice]) => {
    if (choice === 'host') return [];
    return [choice === 'private' ? { type } : { type, path: choice.path }];
  });
}
