import type { DeviceRule, RuntimeMount } from './oci-spec.ts';

/** What every container has. Source: OCI Runtime Specification, "Linux": default file systems and devices; `docker inspect` of a default container. */

export const MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const READ_ONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** In a network of one's own every port and `ping` are for everyone. Source: Docker Engine 20.10 release notes. */
export const OPEN_PORTS: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const PROC: RuntimeMount = {
  destination: '/proc',
  type: 'proc',
  source: 'proc',
  options: ['nosuid', 'noexec', 'nodev'],
};

export const DEV: RuntimeMount = {
  destination: '/dev',
  type: 'tmpfs',
  source: 'tmpfs',
  options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
};

export const DEV_PTS: RuntimeMount = {
  destination: '/dev/pts',
  type: 'devpts',
  source: 'devpts',
  options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
};

export const MQUEUE: RuntimeMount = {
  destination: '/dev/mqueue',
  type: 'mqueue',
  source: 'mqueue',
  options: ['nosuid', 'noexec', 'nodev'],
};

/** Bytes of `/dev/shm` unless others are wanted. Source: docker run reference, `--shm-size`. */
export const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

export const shm = (sizeBytes: number): RuntimeMount => ({
  destination: '/dev/shm',
  type: 'tmpfs',
  source: 'shm',
  options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${sizeBytes}`],
});

export const sys = (readOnly: boolean): RuntimeMount => ({
  destination: '/sys',
  type: 'sysfs',
  source: 'sysfs',
  options: ['nosuid', 'noexec', 'nodev', readOnly ? 'ro' : 'rw'],
});

export const cgroup = (readOnly: boolean): RuntimeMount => ({
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid', 'noexec', 'nodev', 'relatime', readOnly ? 'ro' : 'rw'],
});

const character = (major: number, minor: number | undefined, access: string): DeviceRule => ({
  allow: true,
  type: 'c',
  major,
  ...(minor === undefined ? {} : { minor }),
  access,
});

/** Nodes of every kind may be made; those that nothing can harm may be opened: null, zero, random, terminals. */
export const DEVICE_RULES: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  character(1, 3, 'rwm'),
  character(1, 5, 'rwm'),
  character(1, 7, 'rwm'),
  character(1, 8, 'rwm'),
  character(1, 9, 'rwm'),
  character(5, 0, 'rwm'),
  character(5, 1, 'rwm'),
  character(5, 2, 'rwm'),
  character(136, undefined, 'rwm'),
];
