/** The control group of one sandbox: limits, use, and stopping everything inside at once. */
export interface Cgroup {
  /** Puts a process, and what it will start, under the limits. Called before it runs any code of the user's. */
  add(pid: number): void;
  /** Sets the memory limit and the share of the processors that goes with it. */
  limit(memoryMb: number): void;
  /** Resolves when every process has stopped. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Highest use since the last call, bytes. */
  peakMemory(): number;
  memory(): number;
  /** How often the kernel killed something inside for memory. */
  outOfMemoryKills(): number;
  /** Closes what is open and removes the group once it is empty. */
  remove(): void;
}

/** Makes groups below one of our own. */
export interface CgroupDriver {
  readonly version: 'v1' | 'v2';
  create(id: string): Cgroup;
  /** Removes our own group and whatever is left in it. */
  close(): void;
}

/** "At 1,769 MB, a function has the equivalent of one vCPU" (Lambda Developer Guide, "Configure Lambda function memory"). */
export const MEGABYTES_PER_CPU = 1769;

/** "Execution processes/threads: 1,024" (Lambda Developer Guide, "Lambda quotas"). */
export const PROCESS_LIMIT = 1024;

/** Microseconds of processor time in each period. Never below 1 ms, which the kernel would refuse. */
export function cpuQuota(memoryMb: number, periodUs: number): number {
  return Math.max(1000, Math.round((memoryMb / MEGABYTES_PER_CPU) * periodUs));
}
