import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../errors.ts';
import type { DeviceRule, RuntimeDevice } from './oci-spec.ts';

export interface DeviceSelection {
  readonly devices: readonly RuntimeDevice[];
  readonly rules: readonly DeviceRule[];
}

interface DeviceRequest {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}

/** Made inside by the runtime or a mount of its own. */
const OWN = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'core', '.lxc', '.udev']);

/** The devices of the machine that were asked for; a directory stands for all below it. Throws `InvalidContainer`. */
export function selectDevices(requests: readonly DeviceRequest[]): DeviceSelection {
  const selected = requests.flatMap(({ hostPath, containerPath, permissions }) => {
    if (!/^[rwm]{1,3}$/.test(permissions)) throw invalid(`invalid device permissions: ${permissions}`);
    const found = devicesAt(hostPath, containerPath);
    if (found.length === 0) {
      const reason = existsSync(hostPath) ? 'not a device node' : 'no such file or directory';
      throw invalid(`error gathering device information while adding custom device "${hostPath}": ${reason}`);
    }
    return found.map((device) => ({ device, permissions }));
  });
  return {
    devices: selected.map(({ device }) => device),
    rules: selected.map(({ device: { type, major, minor }, permissions }) => ({
      allow: true,
      type,
      major,
      minor,
      access: permissions,
    })),
  };
}

/** All devices of the machine, for a privileged container. */
export function allDevices(): readonly RuntimeDevice[] {
  return devicesAt('/dev', '/dev');
}

function devicesAt(hostPath: string, path: string): RuntimeDevice[] {
  const stat = statSync(hostPath, { throwIfNoEntry: false });
  if (!stat) return [];
  if (stat.isDirectory()) {
    return readdirSync(hostPath, { withFileTypes: true })
      .filter((entry) => !OWN.has(entry.name) && !entry.isSymbolicLink())
      .flatMap(({ name }) => devicesAt(join(hostPath, name), join(path, name)));
  }
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return [];
  const { major, minor } = numbersOf(stat.rdev);
  const type = stat.isBlockDevice() ? 'b' : 'c';
  return [{ path, type, major, minor, fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid }];
}

/** Source: glibc's `gnu_dev_major` and `gnu_dev_minor`, for numbers of 32 bits. */
function numbersOf(rdev: number): { readonly major: number; readonly minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
