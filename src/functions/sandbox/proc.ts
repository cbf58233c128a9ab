import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** The processes that `pid` started itself; none when it has gone. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** When it was started, which together with its number tells it from any other; `undefined` when it has gone. */
export function startTime(pid: number): string | undefined {
  try {
    // The name, in parentheses, may hold anything; the start time is the 20th field after it.
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Whether it runs; a process that has ended and that nobody waited for yet does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resident memory of the command below bwrap's `pid`, bytes, as `/proc/PID/status` tells it; 0 when it has gone. */
export function residentMemory(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  let total = 0;
  for (const child of [pid, ...childrenOf(pid)]) {
    try {
      const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${child}/status`, 'utf8'));
      total += Number(line?.[1] ?? 0) * 1024;
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return total;
}

/** bwrap tells a signal as a shell does: 128 and its number. */
export function exitStatus(
  code: number | null,
  signal: string | null,
): { readonly code: number | undefined; readonly signal: string | undefined } {
  if (signal !== null) return { code: undefined, signal };
  if (code !== null && code > 128) {
    const name = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
    if (name) return { code: undefined, signal: name };
  }
  return { code: code ?? undefined, signal: undefined };
}
