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
  /** Sets the memory limit, and the share of the processors that goes with it. */
  limit(limits: GroupLimits): void;
  /** Resolves when every process has stopped. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Whether `freeze` was called last. */
  readonly frozen: boolean;
  /** Highest use since the last call, bytes. */
  peakMemory(): number;
  memory(): number;
  /**
   * Whether it has taken more memory than it may: the kernel has killed something inside for it, or its processes hold
   * more than `memoryMb` by themselves.
   */
  isOutOfMemory(): boolean;
  /** Closes what is open and removes the group, which must be empty. */
  remove(): Promise<void>;
}

export interface GroupLimits {
  readonly memoryMb: number;
  /** The memory whose share of the processors it gets; `undefined`: all of them. */
  readonly cpuMb: number | undefined;
  /**
   * The kernel counts files in `/tmp` as memory, Lambda does not: the kernel's limit is the sum of both, and
   * `isOutOfMemory` looks at the processes' part.
   */
  readonly tmpMb: number;
}

/** Makes groups below one of our own. */
export interface CgroupDriver {
  readonly version: 'v1' | 'v2';
  /**
   * The kernel moves a process between groups only after all processors have passed a quiet point, 10 to 20 ms, and
   * for a while after that at once. To be called when a sandbox begins to be made: the wait and the making overlap.
   */
  prepareToAdd(): void;
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

/** The longest of them is `memory.stat`, of which the first lines are read. */
const BUFFER_BYTES = 1024;

/** A file of the control group file system, kept open: reading or writing it is one system call. */
export class ControlFile {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);

  constructor(path: string, flags: 'r' | 'r+' | 'w' = 'r+') {
    this.#fd = openSync(path, flags);
  }

  /** A line `name number` of the file; 0 when there is none. */
  field(name: string): number {
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(this.read())?.[1] ?? 0);
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
