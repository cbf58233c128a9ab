import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type Kernel, KernelError, O_PATH } from '../../network/index.ts';

const OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;

/** More would only be needed where somebody renames without a pause. */
const MOST_ATTEMPTS = 1000;

/**
 * Opens `path` as a process whose root is `root` would find it: no link, and no `..`, leads out, whatever a process inside
 * does meanwhile. `undefined` when there is nothing. Source: `openat2(2)`.
 */
export function openInRoot(kernel: Kernel, root: string, path: string, flags: number): number | undefined {
  const directory = openSync(root, O_PATH | constants.O_DIRECTORY);
  try {
    const how = Buffer.alloc(24);
    how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
    how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
    for (let attempt = 1; ; attempt++) {
      try {
        return kernel.syscall('openat2', OPENAT2, directory, Buffer.from(`${path}\0`), how, how.length);
      } catch (error) {
        // Something was renamed or mounted anywhere on the machine while a `..` was followed: the kernel asks for another attempt.
        if (attempt === MOST_ATTEMPTS || !(error instanceof KernelError) || error.code !== 'EAGAIN') throw error;
      }
    }
  } catch (error) {
    if (error instanceof KernelError && ABSENT.includes(error.code)) return undefined;
    throw error;
  } finally {
    closeSync(directory);
  }
}

const O_CLOEXEC = 0o2000000;
const ABSENT = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'EACCES'];

/** The text of a regular file inside; `undefined` when there is none, or one that is larger than `maximumBytes`. */
export function readInRoot(kernel: Kernel, root: string, path: string, maximumBytes: number): string | undefined {
  const fd = openInRoot(kernel, root, path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fd === undefined) return undefined;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maximumBytes) return undefined;
    const bytes = Buffer.alloc(stat.size);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}
