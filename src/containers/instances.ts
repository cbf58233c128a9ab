import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../base/logger.ts';
import type { Kernel } from '../network/index.ts';
import type { Hierarchies } from './cgroups/hierarchies.ts';
import { removeGroups } from './cgroups/remove-groups.ts';
import { mountsBelow, unmount } from './mounts/mount-table.ts';
import { removeFiles } from './mounts/remove-files.ts';
import { groupPath } from './parts.ts';
import { identify, isAlive, type ProcessIdentity } from './runtime/processes.ts';

/** Gone with the machine's next start, as all containers are. */
const DIRECTORY = '/run/kobune/instances';

interface Claim {
  readonly owner: ProcessIdentity;
  /** Nothing of it is wanted when its process has ended. */
  readonly ephemeral: boolean;
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

/** Ends the containers of ephemeral Kobunes that were killed, and removes what they left. */
export async function sweepDeadInstances(kernel: Kernel, hierarchies: Hierarchies, logger: Logger): Promise<void> {
  for (const name of await readdir(DIRECTORY).catch(() => [])) {
    const [, instance] = /^([0-9a-f]+)\.json$/.exec(name) ?? [];
    const claim = instance === undefined ? undefined : await readClaim(instance);
    if (instance === undefined || !claim?.ephemeral || isAlive(claim.owner)) continue;
    logger.info('removing the containers of a Kobune that was killed', { instance });
    const groups = [groupPath(instance, ''), `/kobune-${instance}-steps`];
    const gone = await Promise.all(groups.map((group) => removeGroups(hierarchies, group)));
    const roots = join(dirname(claim.directory), 'images', 'roots');
    for (const mount of mountsBelow(roots)) unmount(kernel, mount);
    await removeFiles(kernel, claim.directory);
    // What would not go is tried again by the next one.
    if (gone.every(Boolean)) await releaseInstance(instance, claim.runtimeState);
  }
}

async function readClaim(instance: string): Promise<Claim | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(instance), 'utf8'));
  } catch {
    return undefined;
  }
}
