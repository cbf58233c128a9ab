import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { spreadApart } from '../../images/index.ts';
import type { DockerHost } from '../server/rooms.ts';

/** Contexts up to so many bytes (as a plain archive) are kept in memory: making and deleting many small files on a disk takes longer than all else of a build. */
export const SMALL_CONTEXT_BYTES = 16 * 1024 * 1024;

/** The machine's file system in memory. Source: `shm_overview(7)`. */
const MEMORY = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;
/** So many small contexts must have room, or none of them is put there: containers and others use it, too. */
const SPARE_CONTEXTS = 8;

/** Directories that contexts are unpacked into. */
export class ContextPlaces {
  readonly #host: Pick<DockerHost, 'directory' | 'instance' | 'random'>;
  readonly #memory: string;
  readonly #made: string[] = [];

  constructor(host: Pick<DockerHost, 'directory' | 'instance' | 'random'>, memory = MEMORY) {
    this.#host = host;
    this.#memory = memory;
  }

  /** An empty directory of nobody else's: in memory, for one that is small, if the machine has room there. */
  async make(small: boolean): Promise<string> {
    const { directory, instance, random } = this.#host;
    const onDisk = join(directory, 'contexts');
    await clearOnce(onDisk, this.#memory);
    const path =
      small && hasRoom(this.#memory)
        ? join(this.#memory, `kobune-${instance}-${process.pid}-${random.hex(16)}`)
        : join(onDisk, random.hex(16));
    await mkdir(onDisk, { recursive: true, mode: 0o700 });
    spreadApart(onDisk);
    // Fails when it is there already: whoever has made it could change what is built.
    mkdirSync(path, { mode: 0o700 });
    this.#made.push(path);
    return path;
  }

  /** Deletes what was made. */
  async remove(): Promise<void> {
    for (const path of this.#made.splice(0)) {
      if (path.startsWith(`${this.#memory}/`)) rmSync(path, { recursive: true, force: true });
      else await rm(path, { recursive: true, force: true });
    }
  }
}

function hasRoom(memory: string): boolean {
  try {
    const { type, bavail, bsize } = statfsSync(memory);
    return type === TMPFS_MAGIC && bavail * bsize >= SPARE_CONTEXTS * SMALL_CONTEXT_BYTES;
  } catch {
    return false;
  }
}

const cleared = new Map<string, Promise<void>>();

/** What killed runs have left goes before the first context. */
function clearOnce(onDisk: string, memory: string): Promise<void> {
  const known = cleared.get(onDisk);
  if (known !== undefined) return known;
  const clearing = clear(onDisk, memory);
  cleared.set(onDisk, clearing);
  clearing.catch(() => cleared.delete(onDisk));
  return clearing;
}

async function clear(onDisk: string, memory: string): Promise<void> {
  await rm(onDisk, { recursive: true, force: true });
  for (const name of await readdir(memory).catch(() => [])) {
    const [, owner] = /^kobune-[0-9a-f]+-(\d+)-[0-9a-f]{16}$/.exec(name) ?? [];
    if (owner === undefined || isAlive(Number(owner)) || !(await isOwn(join(memory, name)))) continue;
    await rm(join(memory, name), { recursive: true, force: true });
  }
}

/** Everybody may make directories there: in somebody else's, what is deleted could be led elsewhere by links. */
async function isOwn(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.geteuid?.();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
