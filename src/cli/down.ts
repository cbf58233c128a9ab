import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';
import { findInstance, isRunning, readRecord } from './instance.ts';
import { print, printJson, type Terminal } from './terminal.ts';

/** Requests under way get ten seconds, then everything is written to disk. */
const LIMIT_MS = 30_000;
const POLL_MS = 20;

export interface DownOptions {
  readonly json: boolean;
  /** Kill it when it does not end in time. */
  readonly force: boolean;
}

/** Ends the Kobune that runs on `directory` and resolves when its process has gone. */
export async function down(terminal: Terminal, directory: string, options: DownOptions): Promise<void> {
  const { containers, pid } = await askToStop(directory, options.force);
  if (pid !== undefined && !(await hasGone(pid))) {
    if (!options.force) {
      throw new CommandError(`Kobune (process ${pid}) has not ended within ${LIMIT_MS / 1000} s`, {
        hint: `"kobune down --data ${directory} --force" kills it.`,
      });
    }
    process.kill(pid, 'SIGKILL');
    await hasGone(pid);
  }
  if (options.json) {
    printJson(terminal, { stopped: pid ?? null, containers });
  } else {
    print(
      terminal,
      pid === undefined ? `No Kobune was running on ${directory}.` : `Kobune (process ${pid}) has ended.`,
    );
    if (containers > 0) {
      const go = containers === 1 ? '1 container goes' : `${containers} containers go`;
      print(terminal, `${go} on running; "kobune up" finds ${containers === 1 ? 'it' : 'them'} again.`);
    }
  }
  if (pid === undefined) throw new CommandError('', { exitCode: EXIT.notRunning });
}

interface Stopping {
  readonly pid: number | undefined;
  /** Containers that run on. */
  readonly containers: number;
}

async function askToStop(directory: string, force: boolean): Promise<Stopping> {
  try {
    const instance = await findInstance(directory);
    await instance?.client.post('shutdown');
    const kept = instance?.status.dataDirectory !== undefined;
    return { pid: instance?.status.pid, containers: kept ? (instance?.status.containers ?? 0) : 0 };
  } catch (error) {
    const record = await readRecord(directory);
    if (!force || record === undefined) throw error;
    process.kill(record.pid, 'SIGTERM');
    return { pid: record.pid, containers: 0 };
  }
}

async function hasGone(pid: number): Promise<boolean> {
  const limit = performance.now() + LIMIT_MS;
  while (isRunning(pid)) {
    if (performance.now() > limit) return false;
    await delay(POLL_MS);
  }
  return true;
}
