import { readFileSync, realpathSync } from 'node:fs';
import type { Kernel } from '../../network/index.ts';

const MNT_DETACH = 2;

/** Places where something is mounted at or below `directory`, innermost first. */
export function mountsBelow(directory: string): string[] {
  const real = realPath(directory);
  return mountPoints()
    .filter((point) => point === real || point.startsWith(`${real}/`))
    .reverse();
}

export function isMountPoint(path: string): boolean {
  return mountPoints().includes(realPath(path));
}

/** Mounts are known by paths without links. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Whether `path` is on a mount that nothing may be written through. */
export function isReadOnlyMount(path: string): boolean {
  const real = realPath(path);
  const holds = ({ point }: Mount) => point === '/' || point === real || real.startsWith(`${point}/`);
  // The last of those that reach furthest down is the one that is seen.
  const seen = mountTable()
    .filter(holds)
    .reduce<Mount | undefined>((best, one) => (best && best.point.length > one.point.length ? best : one), undefined);
  return seen?.options.includes('ro') ?? false;
}

interface Mount {
  readonly point: string;
  /** Of this mount, not of the file system. */
  readonly options: readonly string[];
}

const mountPoints = (): string[] => mountTable().map(({ point }) => point);

/** In the order in which they were made. Spaces and the like are written as octal numbers. Source: `proc_pid_mountinfo(5)`. */
function mountTable(): Mount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, , , , point = '', options = ''] = line.split(' ');
      return {
        point: point.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
        options: options.split(','),
      };
    });
}

/** Takes a mount away; who still has a file of it open keeps that. */
export function unmount(kernel: Kernel, path: string): void {
  try {
    kernel.call('umount2', path, MNT_DETACH);
  } catch {
    // It is gone already.
  }
}
