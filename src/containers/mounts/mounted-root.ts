import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { CLONE_NEWNS, type Kernel, O_PATH } from '../../network/index.ts';
import type { EngineParts } from '../parts.ts';
import { openInRoot } from '../runtime/in-root.ts';
import type { PlannedMount } from './mount-points.ts';
import { mountDriver } from './run-mounts.ts';

/** A container's file system with what is mounted into it, until it is disposed of. */
export interface MountedRoot extends Disposable {
  /** A path at which this process sees it, and no other. */
  readonly path: string;
}

type Parts = Pick<EngineParts, 'kernel' | 'volumes'>;

// `mount(2)`.
const MS_RDONLY = 1;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_SLAVE = 1 << 19;

/**
 * Mounts volumes and binds where the container has them, as they are when it runs, in a mount namespace that nothing runs in: on the machine
 * nothing changes, and nothing is left when this process ends. What is in memory alone is not among them. Source: `docker cp`, which
 * dockerd does in the same way.
 */
export function openMountedRoot(parts: Parts, root: string, mounts: readonly PlannedMount[]): MountedRoot {
  const { kernel } = parts;
  let directory: number | undefined;
  const namespace = kernel.create(CLONE_NEWNS, () => {
    kernel.call('mount', 'none', '/', '', BigInt(MS_REC | MS_SLAVE), '');
    for (const mount of outermostFirst(mounts)) bind(parts, root, mount);
    directory = openSync(root, O_PATH | constants.O_DIRECTORY);
  });
  return {
    path: `/proc/self/fd/${directory!}`,
    [Symbol.dispose]: () => {
      closeSync(directory!);
      closeSync(namespace);
    },
  };
}

function outermostFirst(mounts: readonly PlannedMount[]): readonly PlannedMount[] {
  const depth = ({ point }: PlannedMount) => point.destination.split('/').length;
  return mounts.filter(({ point }) => point.type !== 'tmpfs').toSorted((one, other) => depth(one) - depth(other));
}

function bind(parts: Parts, root: string, { point, subpath }: PlannedMount): void {
  const { kernel } = parts;
  if (point.name !== undefined) mountDriver(parts, point.name, point.source);
  const source = subpath ? openInRoot(kernel, point.source, subpath, O_PATH) : openIfThere(point.source);
  // What was deleted meanwhile is not there, in a container that runs neither.
  if (source === undefined) return;
  try {
    const target = openTarget(kernel, root, point.destination, fstatSync(source).isDirectory());
    if (target === undefined) return;
    try {
      kernel.call('mount', pathOf(source), pathOf(target), '', BigInt(MS_BIND | MS_REC), '');
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
  if (!point.readOnly) return;
  // The same path is what was mounted now.
  const mounted = openInRoot(kernel, root, point.destination, O_PATH);
  if (mounted === undefined) return;
  try {
    kernel.call('mount', '', pathOf(mounted), '', BigInt(MS_BIND | MS_REMOUNT | MS_RDONLY), '');
  } finally {
    closeSync(mounted);
  }
}

const pathOf = (fd: number) => `/proc/self/fd/${fd}`;

function openIfThere(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false }) && openSync(path, O_PATH);
}

/**
 * The place of a mount, made as the runtime makes it at the start where it is not there. No link on the way leads out of the root; one that
 * leads to nothing leaves no place.
 */
function openTarget(kernel: Kernel, root: string, destination: string, isDirectory: boolean): number | undefined {
  const names = destination.split('/').filter((name) => name !== '');
  let at = openSync(root, O_PATH | constants.O_DIRECTORY);
  for (let i = 1; i <= names.length; i++) {
    const path = `/${names.slice(0, i).join('/')}`;
    try {
      let next = openInRoot(kernel, root, path, O_PATH);
      if (next === undefined) {
        const own = `${pathOf(at)}/${names[i - 1]}`;
        if (isDirectory || i < names.length) mkdirSync(own, { mode: 0o755 });
        else writeFileSync(own, '', { flag: 'wx' });
        next = openInRoot(kernel, root, path, O_PATH);
      }
      if (next === undefined) throw new Error(`${destination} cannot be made in ${root}`);
      closeSync(at);
      at = next;
    } catch (error) {
      closeSync(at);
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw error;
    }
  }
  return at;
}
