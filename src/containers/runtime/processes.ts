import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Which start of the machine, and clock ticks after it. */
  readonly startTime: string;
}

/** Ticks are counted anew with each start of the machine. */
const BOOT = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

function statOf(pid: number): readonly string[] {
  // The name, in parentheses, may hold anything; the state is the first field after it, the start time the 20th.
  return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
}

/** When a process was started; `undefined` when there is none, or it has ended and nobody has waited for it. */
function startTimeOf(pid: number): string | undefined {
  try {
    const fields = statOf(pid);
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${BOOT}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** Who started it, or has taken it over. */
export function parentOf({ pid }: ProcessIdentity): ProcessIdentity | undefined {
  try {
    return identify(Number(statOf(pid)[1]));
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}

/** Sends a signal; answers whether the process was still there. */
export function sendSignal(process_: ProcessIdentity, signal: number | NodeJS.Signals): boolean {
  if (!isAlive(process_)) return false;
  try {
    process.kill(process_.pid, signal);
    return true;
  } catch {
    return false;
  }
}

const PAUSE_MS = 2;
const LONGEST_END_MS = 5000;

/** Kills a process that is no child of ours; resolves when it has ended, or will not. */
export async function endProcess(process_: ProcessIdentity): Promise<void> {
  const deadline = performance.now() + LONGEST_END_MS;
  while (sendSignal(process_, 'SIGKILL') && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
