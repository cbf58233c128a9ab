import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { type Key, type Store, StoreWriteError } from '../../store/index.ts';

export interface TrashOptions {
  readonly directory: string;
  readonly random: Random;
  readonly logger: Logger;
}

/** Takes directories out of the way at once and deletes them by and by: one may hold a hundred thousand files. */
export class Trash {
  readonly #directory: string;
  readonly #options: TrashOptions;
  #deleting: Promise<void> = Promise.resolve();

  constructor(options: TrashOptions) {
    this.#options = options;
    this.#directory = join(options.directory, 'trash');
  }

  /** Goes on with what a killed process has left. */
  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) this.#delete(join(this.#directory, name));
  }

  /** Resolves when `path` is no more; its content is deleted later. */
  async discard(path: string): Promise<void> {
    const name = join(this.#directory, this.#options.random.hex(32));
    try {
      await rename(path, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#delete(name);
  }

  /** Deletes a record of what was discarded. On a full disk that has room only once the files are deleted. */
  async forget(store: Store, key: Key): Promise<void> {
    try {
      await store.delete(key);
    } catch (error) {
      if (!(error instanceof StoreWriteError)) throw error;
      await this.empty();
      await store.delete(key);
    }
  }

  /** Resolves when everything discarded so far has been deleted. */
  empty(): Promise<void> {
    return this.#deleting;
  }

  #delete(path: string): void {
    this.#deleting = this.#deleting
      .then(() => removeTree(path))
      .catch((error: unknown) => {
        // It stays in the trash; the next start tries again.
        this.#options.logger.warn('files of an image cannot be deleted', { error: String(error) });
      });
  }
}

/** Containers can make trees that are deeper than a path can be long: then the system's `rm` goes on, which goes by directories. */
async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
    await promisify(execFile)('rm', ['-rf', '--', path]);
  }
}
