import { closeSync, fstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Kernel, O_PATH } from '../../network/index.ts';
import type { ContainerFiles } from '../directories.ts';
import { invalid } from '../errors.ts';
import type { EngineParts } from '../parts.ts';
import type { ContainerRecord } from '../records.ts';
import { openInRoot } from '../runtime/in-root.ts';
import { type VolumeMount, volumeMount } from '../volumes/volume-options.ts';
import { isMountPoint, mountsBelow, unmount } from './mount-table.ts';

/** What was mounted on this machine for one run. */
export interface RunMounts {
  /** Where volumes come from, by destination, when that is another place than the record's. */
  readonly sources: ReadonlyMap<string, string>;
  /** Directory for `/dev/shm`, when other containers see it too. */
  readonly shm: string | undefined;
}

// `mount(2)`.
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_NOATIME = 1024;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_RELATIME = 1 << 21;
const FLAGS: Readonly<Record<string, number>> = {
  ro: MS_RDONLY,
  nosuid: MS_NOSUID,
  nodev: MS_NODEV,
  noexec: MS_NOEXEC,
  noatime: MS_NOATIME,
  relatime: MS_RELATIME,
};
/** Options of `mount(8)` that take a flag away, which is not set unless told. */
const UNFLAGGED = new Set(['rw', 'suid', 'dev', 'exec']);

/** Mounts what a run needs on this machine before its own mounts are made. */
export function prepareMounts(parts: EngineParts, record: ContainerRecord, files: ContainerFiles): RunMounts {
  const sources = new Map<string, string>();
  for (const [index, { point, subpath }] of record.mounts.entries()) {
    if (point.type !== 'volume' || point.name === undefined) continue;
    mountVolume(parts, record.id, point.name, point.source);
    if (subpath === undefined || subpath === '') continue;
    sources.set(
      point.destination,
      bindSubpath(parts.kernel, point.source, subpath, join(files.directory, `subpath-${index}`)),
    );
  }
  return { sources, shm: shmOf(parts, record, files) };
}

/** Takes away what `prepareMounts` made, also for a run that another process has started. */
export function releaseMounts(parts: EngineParts, record: ContainerRecord, files: ContainerFiles): void {
  const { kernel, volumes } = parts;
  if (record.spec.ipcMode === 'shareable' || record.mounts.some(({ subpath }) => subpath)) {
    for (const path of mountsBelow(files.directory)) unmount(kernel, path);
  }
  for (const { point } of record.mounts) {
    if (point.name === undefined || !volumes.leave(point.name, record.id)) continue;
    if (driverMount(parts, point.name)) unmount(kernel, point.source);
  }
}

function driverMount({ volumes }: Pick<EngineParts, 'volumes'>, name: string): VolumeMount | undefined {
  return volumeMount(volumes.find(name)?.options ?? {});
}

/** A volume that is mounted from elsewhere is so from its first user's start to its last user's end. */
function mountVolume(parts: EngineParts, container: string, name: string, path: string): void {
  parts.volumes.enter(name, container);
  mountDriver(parts, name, path);
}

/** Mounts a volume that is mounted from elsewhere, if it is one and is not mounted yet. */
export function mountDriver({ kernel, volumes }: Pick<EngineParts, 'kernel' | 'volumes'>, name: string, path: string) {
  const wanted = driverMount({ volumes }, name);
  if (!wanted || isMountPoint(path)) return;
  if (wanted.type === 'bind') {
    const bind = MS_BIND | (wanted.options.includes('rbind') ? MS_REC : 0);
    kernel.call('mount', wanted.device, path, '', BigInt(bind), '');
    // The flag of a bind is only taken when it is mounted again.
    if (wanted.options.includes('ro')) kernel.call('mount', '', path, '', BigInt(bind | MS_REMOUNT | MS_RDONLY), '');
    return;
  }
  const flags = wanted.options.reduce((sum, option) => sum | (FLAGS[option] ?? 0), 0);
  const data = wanted.options.filter((option) => !(option in FLAGS) && !UNFLAGGED.has(option));
  kernel.call('mount', wanted.device, path, wanted.type, BigInt(flags), data.join(','));
}

/** Bound by what is open, so that nothing that another user of the volume does meanwhile leads out of it. */
function bindSubpath(kernel: Kernel, volume: string, subpath: string, target: string): string {
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) throw invalid(`invalid subpath: ${subpath}`);
  const fd = openInRoot(kernel, volume, subpath, O_PATH);
  if (fd === undefined) throw invalid(`the volume has no ${subpath}`);
  try {
    if (fstatSync(fd).isDirectory()) mkdirSync(target, { recursive: true });
    else writeFileSync(target, '', { flag: 'a' });
    kernel.call('mount', `/proc/self/fd/${fd}`, target, '', BigInt(MS_BIND | MS_REC), '');
    return target;
  } finally {
    closeSync(fd);
  }
}

function shmOf(parts: EngineParts, { spec }: ContainerRecord, files: ContainerFiles): string | undefined {
  if (typeof spec.ipcMode === 'object') return parts.other(spec.ipcMode.container).shm;
  if (spec.ipcMode !== 'shareable') return undefined;
  mkdirSync(files.shm, { recursive: true });
  const options = `mode=1777,size=${spec.shmSizeBytes}`;
  parts.kernel.call('mount', 'shm', files.shm, 'tmpfs', BigInt(MS_NOSUID | MS_NODEV | MS_NOEXEC), options);
  return files.shm;
}
