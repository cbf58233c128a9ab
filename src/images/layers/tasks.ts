import { type CopyOutcome, type CopyTask, copyTask } from '../build/copy/copy-task.ts';
import type { Change, RootStat } from '../roots.ts';
import { type CompressedLayer, type CompressLayerTask, compressLayer } from './compress-layer.ts';
import type { Confinement } from './confinement.ts';
import { type InheritTask, inheritAttributes } from './inherit-attributes.ts';
import { type PackedLayer, type PackLayerTask, packLayer } from './pack-layer.ts';
import {
  type ReadArchiveTask,
  readArchive,
  type WriteArchiveResult,
  type WriteArchiveTask,
  writeArchive,
} from './root-archives.ts';
import { type ChangesTask, type MeasureTask, measure, rootChanges } from './root-changes.ts';
import { rootStat, type StatTask } from './root-stat.ts';
import { type SyncTask, sync } from './sync.ts';
import { type UnmountTask, unmount } from './unmount.ts';
import { type UnpackedLayer, type UnpackLayerTask, unpackLayer } from './unpack-layer.ts';
import type { TaskChannel } from './worker-messages.ts';

/** What a worker thread can be asked to do, and what it answers. */
export interface TaskResults {
  unpack: UnpackedLayer;
  inherit: undefined;
  pack: PackedLayer;
  compress: CompressedLayer;
  unmount: undefined;
  sync: undefined;
  changes: Change[];
  measure: number;
  stat: RootStat | undefined;
  'read-archive': undefined;
  'write-archive': WriteArchiveResult;
  copy: CopyOutcome;
}

export type Task =
  | UnpackLayerTask
  | InheritTask
  | PackLayerTask
  | CompressLayerTask
  | UnmountTask
  | SyncTask
  | ChangesTask
  | MeasureTask
  | StatTask
  | ReadArchiveTask
  | WriteArchiveTask
  | CopyTask;

export async function runTask(
  confinement: Confinement,
  task: Task,
  channel: TaskChannel,
): Promise<TaskResults[keyof TaskResults]> {
  switch (task.kind) {
    case 'unpack':
      return unpackLayer(confinement, task, (bytes) => channel.progress(bytes));
    case 'inherit':
      return inheritAttributes(confinement, task);
    case 'pack':
      return packLayer(confinement, task);
    case 'compress':
      return compressLayer(task, (bytes) => channel.progress(bytes));
    case 'unmount':
      return unmount(confinement, task);
    case 'sync':
      return sync(confinement, task);
    case 'changes':
      return rootChanges(confinement, task);
    case 'measure':
      return measure(confinement, task);
    case 'stat':
      return rootStat(confinement, task);
    case 'read-archive':
      return readArchive(confinement, task, channel);
    case 'write-archive':
      return writeArchive(confinement, task, channel);
    case 'copy':
      return copyTask(confinement, task);
  }
}
