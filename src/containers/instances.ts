import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../base/logger.ts';
import type { Kernel } from '../network/index.ts';
import { isGone, type StorePlace } from '../store/index.ts';
import type { Hierarchies } from './cgroups/hierarchies.ts';
import { removeGroups } from './cgroups/remove-groups.ts';
import { mountsBelow, unmount } from './mounts/mount-table.ts';
import { removeFiles } from './mounts/remove-files.ts';
import { groupPath } from './parts.ts';
import { stateDirectoryOf } from './runtime/oci-runtime.ts';
import { identify, isAlive, type ProcessIdentity } from './runtime/processes.ts';

/** Gone with the machine's next start, as all containers are. */
const DIRECTORY = '/run/kobune/instances';

interface Claim {
  readonly owner: ProcessIdentity;
  /** Nothing of it is wanted when its process has ended. */
  readonly ephemeral: boolean;
  /** Where it keeps what it knows of them: when that is gone, nobody can look after them any more. */
  readonly store?: StorePlace | undefined;
  /** Its containers' files; their root file systems are beside it (`images/roots`). */
  readonly directory: string;
  /** What the runtime knows of its containers. */
  readonly runtimeState: string;
}

const fileOf = (instance: string) => join(DIRECTORY, `${instance}.json`);

/** Notes on this machine that `instance` is this process's. */
export async function claimInstance(instance: string, claim: Omit<Claim, 'owner'>): Promise<void> {
  await mkdir(DIRECTORY, { recursive: true, mode: 0o700 });
  await writeFile(fileOf(instance), JSON.stringify({ owner: identify(process.pid), ...claim }), { mode: 0o600 });
}

export async function releaseInstance(instance: string, runtimeState: string): Promise<void> {
  await rm(runtimeState, { recursive: true, force: true });
  await rm(fileOf(instance), { force: true });
}

/** Ends the containers of Kobunes that have ended and are ephemeral, or whose state was deleted, and removes what they left. */
export async function sweepDeadInstances(kernel: Kernel, hierarchies: Hierarchies, logger: Logger): Promise<void> {
  for (const name of await readdir(DIRECTORY).catch(() => [])) {
    const [, instance] = /^([0-9a-f]+)\.json$/.exec(name) ?? [];
    const claim = instance === undefined ? undefined : await readClaim(instance);
    if (instance === undefined || claim === undefined || !isAbandoned(claim)) continue;
    logger.info('removing the containers of a Kobune that is gone', { instance });
    const groups = [groupPath(instance, ''), `/kobune-${instance}-steps`];
    const gone = await Promise.all(groups.map((group) => removeGroups(hierarchies, group)));
    const roots = join(dirname(claim.directory), 'images', 'roots');
    for (const mount of [roots, claim.directory].flatMap(mountsBelow)) {
      unmount(kernel, mount);
      await removeEmpty(mount, dirname(claim.directory));
    }
    // Who has deleted the state of a lasting one says what becomes of the rest.
    if (claim.ephemeral) await removeFiles(kernel, claim.directory);
    await rm(stateDirectoryOf('steps', instance), { recursive: true, force: true });
    // What would not go is tried again by the next one.
    if (gone.every(Boolean)) await releaseInstance(instance, claim.runtimeState);
  }
}

function isAbandoned({ owner, ephemeral, store }: Claim): boolean {
  return !isAlive(owner) && (ephemeral || (store !== undefined && isGone(store)));
}

/** Removes a directory that a mount kept from being deleted, and those around it in which there is nothing else, up to `outermost`. */
async function removeEmpty(directory: string, outermost: string): Promise<void> {
  try {
    for (let path = directory; path.startsWith(`${outermost}/`); path = dirname(path)) await rmdir(path);
  } catch {
    // There is something in it.
  }
}

async function readClaim(instance: string): Promise<Claim | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(instance), 'utf8'));
  } catch {
    return undefined;
  }
}
