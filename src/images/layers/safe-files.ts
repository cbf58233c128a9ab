import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { type Kernel, KernelError, O_PATH } from '../../network/kernel/index.ts';
import { encodeName } from '../tar/names.ts';

const SYS_OPENAT = { x64: 257, arm64: 56 } as Readonly<Partial<Record<string, number>>>;
const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;

/**
 * Opens files of a tree that others may change at any moment. To open a device or a pipe is to act on it, so a file is first
 * named without being opened, looked at, and only then opened by that name. To be made before the thread is confined.
 */
export class SafeFiles {
  readonly #kernel: Kernel;
  readonly #openat: number;
  /** `/proc/thread-self/fd`, which the confined thread has no path to. */
  readonly #descriptors: number;

  constructor(kernel: Kernel) {
    const number = SYS_OPENAT[process.arch];
    if (number === undefined) throw new Error(`the system calls of ${process.arch} are not known`);
    this.#kernel = kernel;
    this.#openat = number;
    this.#descriptors = openSync('/proc/thread-self/fd', O_PATH | constants.O_DIRECTORY);
  }

  /** A descriptor for reading; `undefined` when the path, whose last link is not followed, is no regular file (any more). */
  open(path: string): number | undefined {
    let name: number;
    try {
      name = this.#call(AT_FDCWD, path, O_PATH | constants.O_NOFOLLOW);
    } catch (error) {
      if (error instanceof KernelError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
      throw error;
    }
    try {
      if (!fstatSync(name).isFile()) return undefined;
      return this.#call(this.#descriptors, String(name), constants.O_RDONLY);
    } finally {
      this.closeFile(name);
    }
  }

  /** Closes what `open` has answered. */
  closeFile(fd: number): void {
    this.#kernel.call('close_range', fd, fd, 0);
  }

  close(): void {
    closeSync(this.#descriptors);
  }

  #call(directory: number, path: string, flags: number): number {
    const name = Buffer.concat([encodeName(path), Buffer.alloc(1)]);
    return this.#kernel.syscall('openat', this.#openat, directory, name, flags | O_CLOEXEC, 0);
  }
}
