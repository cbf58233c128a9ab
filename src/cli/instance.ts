import { readFileSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceStatus } from '../gateway/admin/index.ts';
import { AdminClient } from './admin-client.ts';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';

/** Written into the data directory by a running Kobune, so that the other commands find it. */
export interface InstanceRecord {
  readonly pid: number;
  readonly endpoint: string;
}

export interface RunningInstance {
  readonly client: AdminClient;
  readonly status: InstanceStatus;
}

const RECORD = 'instance.json';
/** Beside the record: what a detached instance prints. */
const LOG = 'kobune.log';

export function logPath(directory: string): string {
  return join(directory, LOG);
}

export async function writeRecord(directory: string, record: InstanceRecord): Promise<void> {
  const temporary = join(directory, `.${RECORD}.${record.pid}`);
  await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(temporary, join(directory, RECORD));
}

export async function removeRecord(directory: string): Promise<void> {
  await rm(join(directory, RECORD), { force: true });
}

/** The Kobune that runs on this data directory; `undefined` when none does. */
export async function findInstance(directory: string): Promise<RunningInstance | undefined> {
  const record = await readRecord(directory);
  if (record === undefined || !isRunning(record.pid)) return undefined;
  const client = new AdminClient(record.endpoint);
  try {
    const status = await client.get<InstanceStatus>('status');
    // Another program, or another Kobune, may have the port by now.
    return status.pid === record.pid ? { client, status } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return undefined;
    throw new CommandError(`Kobune (process ${record.pid}) does not answer: ${(error as Error).message}`, {
      hint: `Look into ${logPath(directory)}; "kobune down --data ${directory} --force" ends it.`,
    });
  }
}

export async function requireInstance(directory: string): Promise<RunningInstance> {
  const instance = await findInstance(directory);
  if (instance) return instance;
  throw new CommandError(`no Kobune runs on ${directory}`, {
    exitCode: EXIT.notRunning,
    hint: `Start one with "kobune up --detach --data ${directory}", or name another directory with --data.`,
  });
}

export async function readRecord(directory: string): Promise<InstanceRecord | undefined> {
  try {
    const { pid, endpoint } = JSON.parse(await readFile(join(directory, RECORD), 'utf8')) as Partial<InstanceRecord>;
    return Number.isSafeInteger(pid) && typeof endpoint === 'string' ? { pid: pid!, endpoint } : undefined;
  } catch {
    return undefined;
  }
}

/** A process that has ended but that nobody has waited for yet (a zombie) does not run. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
