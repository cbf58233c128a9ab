import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isGone, type StorePlace } from '../../store/index.ts';

/** One directory for each Kobune of this machine; gone with the machine's next start, as interfaces and rules are. */
export const RUN_DIRECTORY = '/run/kobune/networks';

const OWNER_FILE = 'owner.json';
const NAMESPACES = 'ns';

interface Owner {
  readonly pid: number;
  /** When the process started, so that another one with the same number is not taken for it. */
  readonly started: string;
  /** Nothing of it is wanted when its process has ended. */
  readonly ephemeral: boolean;
  /** Where the records of its networks are; when they are gone, nobody can want what they told of. */
  readonly store?: StorePlace | undefined;
}

/** Makes the directory of an instance, and notes who has it. */
export async function claimInstanceDirectory(
  directory: string,
  { ephemeral, store }: Pick<Owner, 'ephemeral' | 'store'>,
): Promise<void> {
  await mkdir(join(directory, NAMESPACES), { recursive: true, mode: 0o700 });
  const owner: Owner = { pid: process.pid, started: (await startOf(process.pid)) ?? '', ephemeral, store };
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(owner), { mode: 0o600 });
}

export const namespaceFile = (directory: string, id: string) => join(directory, NAMESPACES, id);

/** The files of namespaces in it. */
export async function namespaceFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, NAMESPACES)).catch(() => []);
  return names.map((name) => join(directory, NAMESPACES, name));
}

export async function removeInstanceDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

/** Instances whose process has ended without cleaning up, and that are ephemeral or whose state was deleted. */
export async function deadInstances(runDirectory: string): Promise<readonly string[]> {
  const dead: string[] = [];
  for (const instance of await readdir(runDirectory).catch(() => [])) {
    const text = await readFile(join(runDirectory, instance, OWNER_FILE), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    let owner: Owner;
    try {
      owner = JSON.parse(text);
    } catch {
      continue;
    }
    if ((await startOf(owner.pid)) === owner.started) continue;
    if (owner.ephemeral || (owner.store !== undefined && isGone(owner.store))) dead.push(instance);
  }
  return dead;
}

/** Ticks from the machine's start to the process's: the 22nd column of `/proc/PID/stat` (`proc_pid_stat(5)`). */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text
    ?.slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .at(19);
}
