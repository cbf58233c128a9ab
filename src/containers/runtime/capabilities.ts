import { readFileSync } from 'node:fs';
import { ServiceError } from '../../base/errors.ts';
import type { CapabilitySets } from './oci-spec.ts';

/** By number. Source: `capabilities(7)`, `linux/capability.h`. */
const NAMES: readonly string[] =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST
  NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE
  SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
  BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .trim()
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** What a container has unless told. Source: Docker's documentation, "Runtime privilege and Linux capabilities". */
const DEFAULTS: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** Those that this process has itself, and so can give. */
export function ownCapabilities(): readonly string[] {
  const [, bounding = '0'] = /^CapBnd:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  const mask = BigInt(`0x${bounding}`);
  return NAMES.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

/** `NET_ADMIN`, `cap_net_admin`: the kernel's name. Throws `InvalidContainer` for what is none. */
function canonical(name: string): string {
  const upper = name.toUpperCase();
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (NAMES.includes(full)) return full;
  throw new ServiceError('InvalidContainer', `invalid capability: "${name}"`);
}

/**
 * The capabilities of a container: the defaults (all, when privileged), with `add` and without `drop`, where `ALL` means every
 * one that there is. Throws `InvalidContainer` for one that this machine does not give.
 */
export function capabilitiesOf(options: {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
}): readonly string[] {
  const own = ownCapabilities();
  if (options.privileged) return own;
  const isAll = (name: string) => /^(CAP_)?ALL$/i.test(name);
  const [add, drop] = [options.add, options.drop].map((names) => names.filter((name) => !isAll(name)).map(canonical));
  const missing = add!.find((name) => !own.includes(name));
  if (missing) {
    throw new ServiceError('InvalidContainer', `capability ${missing} cannot be given: this machine does not have it`);
  }
  let base = options.drop.some(isAll) ? [] : DEFAULTS.filter((name) => own.includes(name));
  if (options.add.some(isAll)) base = [...own];
  return [...new Set([...base, ...add!])].filter((name) => !drop!.includes(name));
}

/** Who is not root has them only by way of set-user-ID programs, so they are in the bounding set alone. */
export function capabilitySets(capabilities: readonly string[], uid: number): CapabilitySets {
  const acting = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: acting, permitted: acting, inheritable: [], ambient: [] };
}
