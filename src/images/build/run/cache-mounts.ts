import { chmod, chown, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../../base/random.ts';
import type { Key, Store } from '../../../store/index.ts';
import { keyOf } from '../cache/cache-keys.ts';
import { directorySize } from '../cache/directory-size.ts';

export interface CacheMountRequest {
  readonly id: string;
  /** How the files are made that it begins with; empty: with none. */
  readonly origin: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Puts the first files into the new directory. */
  readonly fill?: (directory: string) => Promise<void>;
}

export interface CacheMount {
  /** Host path. */
  readonly directory: string;
  release(): void;
}

/** A cache directory as the store knows it. */
export interface CacheMountRecord {
  /** What `pruneCache` calls it. */
  readonly name: string;
  readonly id: string;
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

const ROOM: Key = ['build-cache', 'mount'];

interface Use {
  readonly name: string;
  users: number;
  exclusive: boolean;
}

/**
 * Directories of `RUN --mount=type=cache`. A cache's first directory is shared by those that say `shared`, and belongs to one step at a
 * time that says `locked`; one that says `private` gets a directory that nobody uses, a further one if need be. Only this
 * process uses them: the data directory is locked. Source: "RUN --mount=type=cache".
 */
export class CacheMounts {
  readonly #directory: string;
  readonly #store: Store;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #uses = new Map<string, Use>();
  #waiting: (() => void)[] = [];

  constructor(directory: string, store: Store, random: Random, now: () => number) {
    this.#directory = directory;
    this.#store = store;
    this.#random = random;
    this.#now = now;
  }

  /** Names the directories that the request may get: who holds one of them may wait for others in one order only. */
  familyOf({ id, origin, mode, uid, gid }: Omit<CacheMountRequest, 'sharing'>): string {
    return keyOf({ id, origin, mode, uid, gid }).slice(0, 32);
  }

  /** Waits for its turn, and makes the directory if it is not there. Rejects when the signal is aborted. */
  async acquire(request: CacheMountRequest, signal: AbortSignal): Promise<CacheMount> {
    const use = await this.#take(this.familyOf(request), request.sharing, signal);
    try {
      const directory = await this.#prepare(use.name, request);
      return { directory, release: () => this.#give(use) };
    } catch (error) {
      this.#give(use);
      throw error;
    }
  }

  async #take(family: string, sharing: CacheMountRequest['sharing'], signal: AbortSignal): Promise<Use> {
    for (;;) {
      signal.throwIfAborted();
      for (let number = 0; sharing === 'private' || number === 0; number += 1) {
        const name = `${family}-${number}`;
        const use = this.#uses.get(name) ?? { name, users: 0, exclusive: false };
        const free = sharing === 'shared' ? !use.exclusive : use.users === 0;
        if (!free) continue;
        use.users += 1;
        use.exclusive = sharing !== 'shared';
        this.#uses.set(name, use);
        return use;
      }
      await this.#turn(signal);
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }

  #give(use: Use): void {
    use.users -= 1;
    if (use.users === 0) this.#uses.delete(use.name);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #prepare(name: string, { id, mode, uid, gid, fill }: CacheMountRequest): Promise<string> {
    const directory = join(this.#directory, name);
    const key: Key = [...ROOM, name];
    const known = (await this.#store.get<CacheMountRecord>(key))?.value;
    const now = this.#now();
    if (known === undefined) {
      // What a killed program has left half filled is not known to the store.
      await rm(directory, { recursive: true, force: true });
      const inner = join(directory, 'files');
      await mkdir(inner, { recursive: true, mode: 0o700 });
      await fill?.(inner);
      await chown(inner, uid, gid);
      await chmod(inner, mode);
    } else {
      await mkdir(join(directory, 'files'), { recursive: true, mode: 0o700 });
    }
    const record: CacheMountRecord = {
      name,
      id,
      created: known?.created ?? now,
      lastUsed: now,
      uses: (known?.uses ?? 0) + 1,
    };
    await this.#store.put(key, record);
    return join(directory, 'files');
  }

  async list(): Promise<readonly CacheMountRecord[]> {
    return (await this.#store.range<CacheMountRecord>({ prefix: ROOM })).map(({ value }) => value);
  }

  isInUse(name: string): boolean {
    return this.#uses.has(name);
  }

  /** Bytes on disk. */
  size(name: string): Promise<number> {
    return directorySize(join(this.#directory, name));
  }

  /** Deletes a directory unless a step uses it. */
  async remove(name: string): Promise<boolean> {
    if (this.#uses.has(name)) return false;
    const use: Use = { name, users: 1, exclusive: true };
    this.#uses.set(name, use);
    try {
      await this.#store.delete([...ROOM, name]);
      const doomed = join(this.#directory, `.${name}.${this.#random.hex(8)}`);
      await rename(join(this.#directory, name), doomed).catch(ignoreMissing);
      await rm(doomed, { recursive: true, force: true });
      return true;
    } finally {
      this.#give(use);
    }
  }

  /** Deletes what an ended program has left of directories that it was deleting. */
  async tidy(): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    await Promise.all(
      names
        .filter((name) => name.startsWith('.'))
        .map((name) => rm(join(this.#directory, name), { recursive: true, force: true })),
    );
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
