import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { groupDirectories } from './cgroups/hierarchies.ts';
import { discard } from './create/create-container.ts';
import { LiveContainer } from './live-container.ts';
import { type EngineParts, groupPath } from './parts.ts';
import type { RunRecord } from './records.ts';
import { startsWithEngine } from './restart-policy.ts';
import { cleanUp, madeProcess, Run } from './run.ts';
import { wasReleased } from './runtime/oci-runtime.ts';
import { parentOf, sendSignal } from './runtime/processes.ts';

/**
 * Finds the containers that there are: follows those that run, notes the end of those that have ended meanwhile, completes what a kill of
 * an earlier Kobune has cut short, and removes what belongs to no container. `add` is called for each container first.
 */
export async function adoptContainers(parts: EngineParts, add: (container: LiveContainer) => void): Promise<void> {
  const records = await parts.records.all();
  const complete: LiveContainer[] = [];
  for (const record of records) {
    if (record.status === 'creating') {
      await discard(parts, record);
      continue;
    }
    const container = new LiveContainer(parts, record);
    add(container);
    complete.push(container);
  }
  await Promise.all(complete.map((container) => adoptOrGiveUp(parts, container)));
  await removeOrphans(parts, new Set(complete.map(({ id }) => id)));
  const starting = complete.filter(wantsStart);
  // Those that others depend on need not be first: what cannot be started yet says so, and its policy tries again.
  for (const container of starting) {
    await container.start().catch((error: unknown) => {
      parts.logger.warn('a container could not be started', { container: container.id, error });
    });
  }
}

/** One that cannot be followed holds nobody else up. */
async function adoptOrGiveUp(parts: EngineParts, container: LiveContainer): Promise<void> {
  try {
    await adopt(parts, container);
  } catch (error) {
    parts.logger.error('a container could not be taken over', { container: container.id, error });
    if (container.record.status === 'removing') return;
    await container.giveUp(error as Error).catch((failure: unknown) => {
      parts.logger.error('a container could not be ended', { container: container.id, error: failure });
    });
  }
}

async function adopt(parts: EngineParts, container: LiveContainer): Promise<void> {
  const { record, files, hub } = container;
  if (record.status === 'removing') {
    await container.remove();
    return;
  }
  const options = { id: record.id, files, log: record.spec.log, hub };
  const run = record.run ?? (await startedRun(parts, container));
  if (!run) {
    if (existsSync(files.run.directory)) await container.undoStart();
    if (record.status === 'restarting') await container.save({ status: 'exited' });
    return;
  }
  if (!record.run) await container.save({ run, status: 'running', startedAt: Date.now() });
  const followed = Run.adopt(parts, options, run);
  if (followed.goesOn) {
    container.adopt(followed);
    // The kill came between the record of the start and the start itself.
    if (!(await wasReleased(parts.runtime, record.id))) await followed.release();
    if (record.spec.network.mode === 'bridge') {
      const { id, name } = record;
      await parts.networks.adopt({
        id,
        name,
        hostname: record.spec.hostname || id.slice(0, 12),
        nameServers: record.spec.dns,
      });
    }
  } else {
    await container.endedMeanwhile(followed);
  }
}

/** A run that was released just before the kill, of which the store does not know; one that was not is ended. */
async function startedRun(parts: EngineParts, container: LiveContainer): Promise<RunRecord | undefined> {
  const { id, files } = container;
  const made = await madeProcess(files);
  if (!made) return undefined;
  const monitor = parentOf(made);
  if (monitor && (await wasReleased(parts.runtime, id))) {
    const networkNamespace = container.record.spec.network.mode === 'bridge' ? `/proc/${made.pid}/ns/net` : undefined;
    return { process: made, monitor, networkNamespace };
  }
  sendSignal(made, 'SIGKILL');
  return undefined;
}

function wantsStart({ record, running }: LiveContainer): boolean {
  if (running || record.status === 'restarting') return false;
  const hasRun = record.startedAt !== undefined;
  return startsWithEngine(record.spec.restart, { stoppedByUser: record.stoppedByUser, hasRun });
}

/** Roots, groups, files and states of the runtime of containers that do not exist. */
async function removeOrphans(parts: EngineParts, known: ReadonlySet<string>): Promise<void> {
  const isOrphan = (name: string) => /^[0-9a-f]{64}$/.test(name) && !known.has(name);
  const groups = groupDirectories(parts.hierarchies, groupPath(parts.instance, '')).map((directory) =>
    names(directory),
  );
  const states = names(parts.runtime.stateDirectory);
  const orphans = new Set((await Promise.all([...groups, states])).flat().filter(isOrphan));
  for (const id of orphans) {
    parts.logger.info('removing what is left of a container', { container: id });
    await cleanUp(parts, id);
    await parts.networks.release(id);
  }
  const containers = join(parts.directory, 'containers');
  for (const id of (await names(containers)).filter(isOrphan)) await parts.removeFiles(join(containers, id));
  for (const id of (await parts.images.roots.list()).filter(isOrphan)) {
    await (await parts.images.roots.open(id))?.remove();
  }
}

async function names(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}
