import { rmSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../../base/random.ts';
import { keyOf } from '../cache/cache-keys.ts';

/** Source: `TMPFS_MAGIC` of `linux/magic.h`. */
const TMPFS = 0x0102_1994;
const MEMORY = '/dev/shm';

/**
 * Files that hold secrets while a step runs: in memory where the machine has a file system for that, so that a secret is not on
 * disk even when the program is killed.
 */
export class SecretFiles {
  readonly #fallback: string;
  readonly #name: string;
  readonly #random: Random;
  /** Files that there are, or are being made: the directory goes with the last one. */
  #count = 0;

  /** `directory` is the builder's own: it tells this builder's files from those of others. */
  constructor(directory: string, random: Random) {
    this.#fallback = join(directory, 'secrets');
    this.#name = `kobune-${keyOf(directory).slice(0, 16)}`;
    this.#random = random;
  }

  /** Writes a file; answers its path, and how to be rid of it. */
  async write(
    content: Uint8Array,
    { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
  ): Promise<{ readonly path: string; remove(): Promise<void> }> {
    this.#count += 1;
    const directory = await this.#open().catch((error: unknown) => {
      this.#count -= 1;
      throw error;
    });
    const path = join(directory, this.#random.hex(24));
    const remove = async () => {
      await rm(path, { force: true });
      this.#count -= 1;
      // Synchronous, so that nobody begins another file in between.
      if (this.#count === 0) rmSync(directory, { recursive: true, force: true });
    };
    try {
      await writeFile(path, content, { mode: 0o600, flag: 'wx' });
      await chown(path, uid, gid);
      await chmod(path, mode);
    } catch (error) {
      await remove();
      throw error;
    }
    return { path, remove };
  }

  /** Deletes what an ended program has left. */
  async tidy(): Promise<void> {
    const inMemory = join(MEMORY, this.#name);
    if (await isOwn(inMemory)) await rm(inMemory, { recursive: true, force: true });
    await rm(this.#fallback, { recursive: true, force: true });
  }

  async #open(): Promise<string> {
    const memory = await statfs(MEMORY).catch(() => undefined);
    const inMemory = join(MEMORY, this.#name);
    if (memory?.type === TMPFS && (await makeOwn(inMemory))) return inMemory;
    await mkdir(this.#fallback, { recursive: true, mode: 0o700 });
    return this.#fallback;
  }
}

/** Makes a directory for this user alone where everybody may make some. Answers false when somebody else has put something there. */
async function makeOwn(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return isOwn(directory);
  }
}

/** A directory that only this user can read or write; no link is one. */
async function isOwn(directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0;
}
