import { closeSync, constants, openSync } from 'node:fs';
import { type Kernel, KernelError, O_PATH } from '../../network/kernel/index.ts';

export interface OverlayMount {
  /** Top first. */
  readonly lowers: readonly string[];
  /** Where changes go; none: the mount is read-only. */
  readonly changes?: { readonly upper: string; readonly work: string };
  readonly target: string;
  /** Writes need not reach the disk before the machine stops. */
  readonly volatile?: boolean;
}

// System call numbers above 424 are the same on every architecture.
const MOVE_MOUNT = 429;
const FSOPEN = 430;
const FSCONFIG = 431;
const FSMOUNT = 432;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_FDCWD = -100;
const MS_RDONLY = 1;

/**
 * Layers are told apart from what is written above them by looking at files alone, so the kernel must not leave anything half in
 * a lower layer: no renames by reference, no copies of metadata alone. Without an index a layer can be under many roots.
 */
const SETTINGS = { index: 'off', redirect_dir: 'off', metacopy: 'off' } as const;

const text = (value: string): Uint8Array => Buffer.from(`${value}\0`);

/** Kernels before 6.8 do not take layers one by one, and note each attempt in their log. */
let takesParts = true;

/** Mounts layers over each other. Throws `KernelError`. Source: kernel documentation, "Overlay Filesystem". */
export function mountOverlay(kernel: Kernel, mount: OverlayMount): void {
  if (!takesParts) {
    mountAtOnce(kernel, mount);
    return;
  }
  try {
    mountByParts(kernel, mount);
  } catch (error) {
    if (!(error instanceof KernelError) || (error.code !== 'EINVAL' && error.code !== 'ENOSYS')) throw error;
    mountAtOnce(kernel, mount);
    takesParts = false;
  }
}

function mountByParts(kernel: Kernel, { lowers, changes, target, volatile }: OverlayMount): void {
  const fs = kernel.syscall('fsopen', FSOPEN, text('overlay'), CLOEXEC);
  let tree: number;
  try {
    const set = (key: string, value: string) =>
      void kernel.syscall('fsconfig', FSCONFIG, fs, FSCONFIG_SET_STRING, text(key), text(value));
    set('source', 'overlay');
    for (const lower of lowers) set('lowerdir+', lower);
    if (changes) {
      set('upperdir', changes.upper);
      set('workdir', changes.work);
      for (const [key, value] of Object.entries(SETTINGS)) set(key, value);
      if (volatile) kernel.syscall('fsconfig', FSCONFIG, fs, FSCONFIG_SET_FLAG, text('volatile'));
    }
    kernel.syscall('fsconfig', FSCONFIG, fs, FSCONFIG_CMD_CREATE);
    tree = kernel.syscall('fsmount', FSMOUNT, fs, CLOEXEC, changes ? 0 : MS_RDONLY);
  } finally {
    closeSync(fs);
  }
  try {
    kernel.syscall('move_mount', MOVE_MOUNT, tree, text(''), AT_FDCWD, text(target), MOVE_MOUNT_F_EMPTY_PATH);
  } finally {
    closeSync(tree);
  }
}

/** The old call takes one page of text, so layers are told by the short names of open directories. */
function mountAtOnce(kernel: Kernel, { lowers, changes, target, volatile }: OverlayMount): void {
  const open: number[] = [];
  const short = (path: string): string => {
    const fd = openSync(path, O_PATH | constants.O_DIRECTORY);
    open.push(fd);
    return `/proc/self/fd/${fd}`;
  };
  try {
    const options = [`lowerdir=${lowers.map(short).join(':')}`];
    if (changes) {
      options.push(`upperdir=${short(changes.upper)}`, `workdir=${short(changes.work)}`);
      for (const [key, value] of Object.entries(SETTINGS)) options.push(`${key}=${value}`);
      if (volatile) options.push('volatile');
    }
    kernel.call('mount', 'overlay', target, 'overlay', BigInt(changes ? 0 : MS_RDONLY), options.join(','));
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
