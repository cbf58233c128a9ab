import { constants, openSync } from 'node:fs';
import { CLONE_FS, type Kernel, O_PATH, openKernel } from '../../network/kernel/index.ts';

/**
 * Confines the calling thread to a directory: whatever name or link it follows then, it stays inside. Only for a worker
 * thread of its own, and only for synchronous file calls: those made asynchronously run on threads that are not confined.
 */
export class Confinement {
  readonly kernel: Kernel;
  readonly #root: number;

  constructor() {
    const kernel = openKernel();
    if (!kernel) throw new Error('this Node has no node:ffi');
    this.kernel = kernel;
    // From here on the root and working directory of this thread are its own.
    kernel.call('unshare', CLONE_FS);
    // Modes are then as they are asked for, and only in this thread.
    kernel.call('umask', 0);
    this.#root = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY | O_PATH);
  }

  /** Runs `work` with `directory` as the root; afterwards everything is as before. */
  within<T>(directory: string, work: () => T): T {
    this.#enter(directory);
    try {
      return work();
    } finally {
      this.#leave();
    }
  }

  /** The same for work that waits for more to read. Nothing else may run on the thread meanwhile. */
  async throughout<T>(directory: string, work: () => Promise<T>): Promise<T> {
    this.#enter(directory);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(directory: string): void {
    this.kernel.call('chroot', directory);
    this.kernel.call('chdir', '/');
  }

  #leave(): void {
    this.kernel.call('fchdir', this.#root);
    this.kernel.call('chroot', '.');
  }
}
