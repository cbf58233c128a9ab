import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Cgroup,
  type CgroupDriver,
  ControlFile,
  CPU_PERIOD_US,
  cpuQuota,
  type GroupLimits,
  MEGABYTE,
  moveToOwnGroup,
  ownGroup,
  PROCESS_LIMIT,
  removeGroups,
} from './cgroup.ts';

/** Where our own groups are, by controller. Several controllers may share one directory. */
export interface HierarchiesV1 {
  readonly memory: string;
  readonly cpu: string;
  readonly pids: string;
  readonly freezer: string;
}

/** Groups in the hierarchies of cgroup v1 (Linux "Control Groups version 1"). The directories must exist. */
export function cgroupsV1(own: HierarchiesV1): CgroupDriver {
  const group = ownGroup(dirname(own.memory));
  return {
    version: 'v1',
    prepareToAdd: () => moveToOwnGroup(group),
    async create(id) {
      const directories = Object.fromEntries(
        Object.entries(own).map(([controller, directory]) => [controller, join(directory, id)]),
      ) as unknown as HierarchiesV1;
      const unique = [...new Set(Object.values(directories) as string[])];
      for (const directory of unique) await mkdir(directory, { recursive: true });
      return new CgroupV1(directories, unique);
    },
    close: () => removeGroups([...new Set(Object.values(own) as string[])]),
  };
}

class CgroupV1 implements Cgroup {
  readonly #directories: HierarchiesV1;
  readonly #unique: readonly string[];
  readonly #state: ControlFile;
  readonly #usage: ControlFile;
  readonly #oom: ControlFile;
  #frozen = false;
  readonly #stat: ControlFile;
  #limit = Number.POSITIVE_INFINITY;
  #memory = Number.POSITIVE_INFINITY;

  constructor(directories: HierarchiesV1, unique: readonly string[]) {
    this.#directories = directories;
    this.#unique = unique;
    this.#state = new ControlFile(join(directories.freezer, 'freezer.state'));
    this.#usage = new ControlFile(join(directories.memory, 'memory.usage_in_bytes'), 'r');
    this.#oom = new ControlFile(join(directories.memory, 'memory.oom_control'), 'r');
    this.#stat = new ControlFile(join(directories.memory, 'memory.stat'), 'r');
    writeFileSync(join(directories.pids, 'pids.max'), String(PROCESS_LIMIT));
  }

  async add(pid: number): Promise<void> {
    for (const directory of this.#unique) await writeFile(join(directory, 'cgroup.procs'), String(pid));
  }

  limit({ memoryMb, cpuMb, tmpMb }: GroupLimits): void {
    const bytes = (memoryMb + tmpMb) * MEGABYTE;
    this.#memory = memoryMb * MEGABYTE;
    const memory = join(this.#directories.memory, 'memory.limit_in_bytes');
    // Memory and swap together: the same number means no swap. The kernel wants memory never above the sum.
    const sum = join(this.#directories.memory, 'memory.memsw.limit_in_bytes');
    const files = bytes <= this.#limit ? [memory, sum] : [sum, memory];
    for (const file of files) if (existsSync(file)) writeFileSync(file, String(bytes));
    this.#limit = bytes;
    writeFileSync(join(this.#directories.cpu, 'cpu.cfs_period_us'), String(CPU_PERIOD_US));
    writeFileSync(join(this.#directories.cpu, 'cpu.cfs_quota_us'), String(cpuMb === undefined ? -1 : cpuQuota(cpuMb)));
  }

  async freeze(): Promise<void> {
    this.#frozen = true;
    this.#state.write('FROZEN');
    // "FREEZING" while a process is still on its way; reading the state makes the kernel look again.
    while (this.#frozen && this.#state.read() !== 'FROZEN') await new Promise((resolve) => setImmediate(resolve));
  }

  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.#state.write('THAWED');
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  peakMemory(): number {
    const file = join(this.#directories.memory, 'memory.max_usage_in_bytes');
    const peak = Number(readFileSync(file, 'latin1'));
    writeFileSync(file, '0');
    return Math.max(0, peak - this.#stat.field('shmem'));
  }

  memory(): number {
    return Number(this.#usage.read());
  }

  isOutOfMemory(): boolean {
    if (this.#oom.field('oom_kill') > 0) return true;
    return this.memory() > this.#memory && this.#stat.field('rss') > this.#memory;
  }

  async remove(): Promise<void> {
    for (const file of [this.#state, this.#usage, this.#oom, this.#stat]) file.close();
    await removeGroups(this.#unique);
  }
}
