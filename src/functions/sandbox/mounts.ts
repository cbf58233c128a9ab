import { closeSync, openSync } from 'node:fs';
import { CLONE_NEWNS, type Kernel } from '../../network/index.ts';

// System call numbers above 424 are the same on every architecture.
const OPEN_TREE = 428;
const MOVE_MOUNT = 429;
const MOUNT_SETATTR = 442;

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_RDONLY_NOSUID_NODEV = 1 | 2 | 4;
const MS_NOSUID_NODEV_REMOUNT = 2 | 4 | 32;

const text = (value: string): Uint8Array => Buffer.from(`${value}\0`);
const NOTHING = text('');

/** A detached, read-only copy of the mount at `source`, without set-user-id files and devices. */
export function cloneTree(kernel: Kernel, source: string): number {
  const tree = kernel.raw('open_tree', OPEN_TREE, AT_FDCWD, text(source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  try {
    const attributes = Buffer.alloc(32);
    attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_RDONLY_NOSUID_NODEV), 0);
    kernel.raw('mount_setattr', MOUNT_SETATTR, tree, NOTHING, AT_EMPTY_PATH, attributes, attributes.length);
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}

/** Attaches what {@link cloneTree} made at `target` of the mount namespace that the thread is in. */
export function attachTree(kernel: Kernel, tree: number, target: string): void {
  kernel.raw('move_mount', MOVE_MOUNT, tree, NOTHING, AT_FDCWD, text(target), MOVE_MOUNT_F_EMPTY_PATH);
}

/**
 * Shows the host directory `source` at `target` inside the mount namespace of process `pid`: read-only, no set-user-id,
 * no devices. The mount exists only in that namespace, so it goes with the sandbox and the host's mount table never
 * has it.
 */
export function mountInside(kernel: Kernel, pid: number, source: string, target: string): void {
  const tree = cloneTree(kernel, source);
  try {
    withinMounts(kernel, pid, () => attachTree(kernel, tree, target));
  } finally {
    closeSync(tree);
  }
}

/** Changes the size of the sandbox's `/tmp`. */
export function resizeTmp(kernel: Kernel, pid: number, megabytes: number): void {
  withinMounts(kernel, pid, () => {
    kernel.call('mount', 'none', '/tmp', '', BigInt(MS_NOSUID_NODEV_REMOUNT), `size=${megabytes}m`);
  });
}

function withinMounts(kernel: Kernel, pid: number, work: () => void): void {
  const namespace = openSync(`/proc/${pid}/ns/mnt`, 'r');
  try {
    kernel.within(namespace, CLONE_NEWNS, work);
  } finally {
    closeSync(namespace);
  }
}
