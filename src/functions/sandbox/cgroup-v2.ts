import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Cgroup,
  type CgroupDriver,
  ControlFile,
  CPU_PERIOD_US,
  cpuQuota,
  type GroupLimits,
  MEGABYTE,
  moveToOwnGroup,
  PROCESS_LIMIT,
  removeGroups,
} from './cgroup.ts';

/**
 * Groups in the one hierarchy of cgroup v2 (Linux "Control Group v2"). `own` must hand its controllers down;
 * `group` is the one that we are in.
 */
export function cgroupsV2(own: string, group: string | undefined): CgroupDriver {
  return {
    version: 'v2',
    prepareToAdd: () => moveToOwnGroup(group),
    async create(id) {
      const directory = join(own, id);
      await mkdir(directory, { recursive: true });
      return new CgroupV2(directory);
    },
    close: () => removeGroups([own]),
  };
}

class CgroupV2 implements Cgroup {
  readonly #directory: string;
  readonly #freeze: ControlFile;
  readonly #events: ControlFile;
  readonly #current: ControlFile;
  readonly #memoryEvents: ControlFile;
  /** Writing resets the mark for the descriptor that it is read through (Linux 6.12); before, it only ever rises. */
  readonly #peak: ControlFile | undefined;
  readonly #stat: ControlFile;
  #frozen = false;
  #memory = Number.POSITIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
    const file = (name: string) => join(directory, name);
    this.#freeze = new ControlFile(file('cgroup.freeze'));
    this.#events = new ControlFile(file('cgroup.events'), 'r');
    this.#current = new ControlFile(file('memory.current'), 'r');
    this.#memoryEvents = new ControlFile(file('memory.events'), 'r');
    this.#stat = new ControlFile(file('memory.stat'), 'r');
    this.#peak = openPeak(file('memory.peak'));
    writeFileSync(file('pids.max'), String(PROCESS_LIMIT));
    writeFileSync(file('memory.oom.group'), '1');
  }

  add(pid: number): Promise<void> {
    return writeFile(join(this.#directory, 'cgroup.procs'), String(pid));
  }

  limit({ memoryMb, cpuMb, tmpMb }: GroupLimits): void {
    this.#memory = memoryMb * MEGABYTE;
    writeFileSync(join(this.#directory, 'memory.max'), String((memoryMb + tmpMb) * MEGABYTE));
    const swap = join(this.#directory, 'memory.swap.max');
    if (existsSync(swap)) writeFileSync(swap, '0');
    const quota = cpuMb === undefined ? 'max' : cpuQuota(cpuMb);
    writeFileSync(join(this.#directory, 'cpu.max'), `${quota} ${CPU_PERIOD_US}`);
  }

  async freeze(): Promise<void> {
    this.#frozen = true;
    this.#freeze.write(1);
    while (this.#frozen && !/^frozen 1/m.test(this.#events.read())) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.#freeze.write(0);
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  peakMemory(): number {
    if (!this.#peak) return this.memory();
    const peak = Number(this.#peak.read());
    try {
      this.#peak.write('reset');
    } catch {
      // An older kernel's file is read-only.
    }
    return Math.max(0, peak - this.#stat.field('shmem'));
  }

  memory(): number {
    return Number(this.#current.read());
  }

  isOutOfMemory(): boolean {
    if (this.#memoryEvents.field('oom_kill') > 0) return true;
    return this.memory() > this.#memory && this.#stat.field('anon') > this.#memory;
  }

  async remove(): Promise<void> {
    for (const file of [this.#freeze, this.#events, this.#current, this.#memoryEvents, this.#stat]) file.close();
    this.#peak?.close();
    await removeGroups([this.#directory]);
  }
}

function openPeak(path: string): ControlFile | undefined {
  for (const flags of ['r+', 'r'] as const) {
    try {
      return new ControlFile(path, flags);
    } catch {
      // Linux 5.19 and later have it at all, 6.12 and later writable.
    }
  }
  return undefined;
}

/** Whether the group at `directory` gives its children what sandboxes need; asks it to, where it does not yet. */
export function handsControllersDown(directory: string): boolean {
  const needed = ['memory', 'cpu', 'pids'];
  const control = join(directory, 'cgroup.subtree_control');
  const has = (file: string) => {
    const listed = readFileSync(file, 'latin1').trim().split(' ');
    return needed.every((controller) => listed.includes(controller));
  };
  if (!has(join(directory, 'cgroup.controllers'))) return false;
  if (has(control)) return true;
  try {
    // Refused (EBUSY) while the group has processes of its own.
    writeFileSync(control, needed.map((controller) => `+${controller}`).join(' '));
    return true;
  } catch {
    return false;
  }
}
