import { mkdir } from 'node:fs/promises';
import { ServiceError } from '../../base/errors.ts';
import type { Layer } from '../../images/index.ts';
import type { ContainerSpec } from '../container.ts';
import { containerFiles } from '../directories.ts';
import { copyUp } from '../mounts/copy-up.ts';
import { type PlannedMount, resolveMounts } from '../mounts/mount-points.ts';
import type { EngineParts } from '../parts.ts';
import { type ContainerRecord, nameInUse } from '../records.ts';
import { checkSpec } from './check-spec.ts';
import { inventName } from './names.ts';

export interface NewContainer {
  readonly record: ContainerRecord;
  readonly warnings: readonly string[];
}

/** What the engine knows of containers that there are. */
export interface KnownContainers {
  readonly holderOf: (name: string) => string | undefined;
  readonly mountsOf: (nameOrId: string) => readonly PlannedMount[];
}

/**
 * Makes a container: its record, file system and volumes; it does not run yet. Nothing stays when that fails. Throws
 * `InvalidContainer`, `NameInUse`, and what images throw.
 */
export async function createContainer(
  parts: EngineParts,
  spec: ContainerSpec,
  known: KnownContainers,
): Promise<NewContainer> {
  const warnings = checkSpec(spec, parts.hierarchies);
  const holder = spec.name === undefined ? undefined : known.holderOf(spec.name);
  if (spec.name !== undefined && holder !== undefined) throw nameInUse(spec.name, holder);
  const id = parts.random.hex(64);
  const { layers } = await parts.images.get(spec.image.id);
  const held = parts.volumes.hold();
  const madeVolumes: string[] = [];
  try {
    const mounts = await resolveMounts(spec, parts.volumes, known.mountsOf, (volume, made) => {
      held.add(volume);
      if (made) madeVolumes.push(volume);
    });
    const unnamed: Omit<ContainerRecord, 'name'> = {
      id,
      spec,
      created: Date.now(),
      status: 'creating',
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: undefined,
      finishedAt: undefined,
      restartCount: 0,
      stoppedByUser: false,
      run: undefined,
      mounts,
      endpoints: [],
      ports: [],
    };
    const record = await addRecord(parts, unnamed, known);
    return { record: await fill(parts, record, layers), warnings };
  } catch (error) {
    held.release();
    for (const volume of madeVolumes) await parts.volumes.remove(volume, true).catch(() => {});
    throw error;
  } finally {
    held.release();
  }
}

/** Under the name that was asked for, or one that nobody has. */
async function addRecord(
  parts: EngineParts,
  unnamed: Omit<ContainerRecord, 'name'>,
  known: KnownContainers,
): Promise<ContainerRecord> {
  for (;;) {
    const invented = unnamed.spec.name === undefined;
    const name = unnamed.spec.name ?? inventName(parts.random, (taken) => known.holderOf(taken) !== undefined);
    const record = { ...unnamed, name };
    try {
      await parts.records.add(record);
      return record;
    } catch (error) {
      // One that is being made beside has come by the same name.
      if (!invented || !(error instanceof ServiceError) || error.code !== 'NameInUse') throw error;
    }
  }
}

/** Makes what a record tells of; nothing is left, and the record is gone, when that fails. */
async function fill(parts: EngineParts, record: ContainerRecord, layers: readonly Layer[]): Promise<ContainerRecord> {
  const { id, spec, mounts } = record;
  try {
    await parts.images.hold(spec.image.id, id);
    const root = await parts.images.roots.create(id, layers);
    for (const mount of mounts) if (mount.copyUp) await copyUp(parts, root, mount.point);
    await mkdir(containerFiles(parts.directory, id).directory, { recursive: true, mode: 0o711 });
    const created: ContainerRecord = { ...record, status: 'created' };
    await parts.records.save(created);
    return created;
  } catch (error) {
    await discard(parts, record);
    throw error;
  }
}

/** Removes what there is of a container whose creation has not been completed. */
export async function discard(parts: EngineParts, record: ContainerRecord): Promise<void> {
  await (await parts.images.roots.open(record.id))?.remove();
  await parts.removeFiles(containerFiles(parts.directory, record.id).directory);
  await parts.images.letGo(record.spec.image.id, record.id);
  await parts.records.remove(record);
}
