import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** The control group of one sandbox: limits, use, and stopping everything inside at once. */
export interface Cgroup {
  /**
   * Puts a process, and what it will start, under the limits. Called before it runs any code of the user's. Takes
   * milliseconds (the kernel waits for all processors), off this thread.
   */
  add(pid: number): Promise<void>;
  /** Sets the memory limit, and the share of the processors that goes with it (`undefined`: all of them). */
  limit(memoryMb: number, cpuMb: number | undefined): void;
  /** Resolves when every process has stopped. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Whether `freeze` was called last. */
  readonly frozen: boolean;
  /** Highest use since the last call, bytes. */
  peakMemory(): number;
  memory(): number;
  /** How often the kernel killed something inside for memory. */
  outOfMemoryKills(): number;
  /** Closes what is open and removes the group, which must be empty. */
  remove(): Promise<void>;
}

/** Makes groups below one of our own. */
export interface CgroupDriver {
  readonly version: 'v1' | 'v2';
  /**
   * The kernel moves a process between groups only after all processors have passed a quiet point, 10 to 20 ms, and
   * for a while after that at once. To be called when a sandbox begins to be made: the wait and the making overlap.
   */
  prepareToAdd(): void;
  /** Whether the kernel itself ends the whole group when it is out of memory, not only one of its processes. */
  readonly killsWholeGroup: boolean;
  create(id: string): Promise<Cgroup>;
  /** Removes our own group; all of its sandboxes must have ended. */
  close(): Promise<void>;
}

/** "At 1,769 MB, a function has the equivalent of one vCPU" (Lambda Developer Guide, "Configure Lambda function memory"). */
const MEGABYTES_PER_CPU = 1769;

/** "Execution processes/threads: 1,024" (Lambda Developer Guide, "Lambda quotas"). */
export const PROCESS_LIMIT = 1024;

/** Short, so that a small function waits 20 ms for its next share and not the kernel's usual 100 ms. */
export const CPU_PERIOD_US = 20_000;

/** Microseconds of processor time in each period. Never below 1 ms, which the kernel would refuse. */
export function cpuQuota(memoryMb: number): number {
  return Math.max(1000, Math.round((memoryMb / MEGABYTES_PER_CPU) * CPU_PERIOD_US));
}

export const MEGABYTE = 1024 * 1024;

/** A file of the control group file system, kept open: reading or writing it is one system call. */
export class ControlFile {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(512);

  constructor(path: string, flags: 'r' | 'r+' | 'w' = 'r+') {
    this.#fd = openSync(path, flags);
  }

  read(): string {
    return this.#buffer.toString('latin1', 0, readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0)).trim();
  }

  write(value: string | number): void {
    writeSync(this.#fd, String(value), 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Moves this process to the group `own` that it is in. Does nothing but make the kernel ready for another move. */
export function moveToOwnGroup(own: string | undefined): void {
  if (own !== undefined) writeFile(join(own, 'cgroup.procs'), '0').catch(() => {});
}

/** The directory, if it is really the group that this process is in. */
export function ownGroup(directory: string): string | undefined {
  try {
    const members = readFileSync(join(directory, 'cgroup.procs'), 'latin1').split('\n');
    return members.includes(String(process.pid)) ? directory : undefined;
  } catch {
    return undefined;
  }
}

const MOST_TRIES = 40;

/** Removes groups whose last process may still be on its way out: the kernel tells of its end a little early. */
export async function removeGroups(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (let attempt = 1; ; attempt++) {
      try {
        await rmdir(directory);
        break;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') break;
        if (code !== 'EBUSY' || attempt === MOST_TRIES) throw error;
        await setTimeout(attempt * 2);
      }
    }
  }
}
