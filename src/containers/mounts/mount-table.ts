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

/** In the order in which they were made. Spaces and the like are written as octal numbers. Source: `proc_pid_mountinfo(5)`. */
function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) =>
      line.split(' ')[4]!.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
    );
}

/** Takes a mount away; who still has a file of it open keeps that. */
export function unmount(kernel: Kernel, path: string): void {
  try {
    kernel.call('umount2', path, MNT_DETACH);
  } catch {
    // It is gone already.
  }
}
