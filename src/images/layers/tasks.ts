import type { Confinement } from './confinement.ts';
import { type InheritTask, inheritAttributes } from './inherit-attributes.ts';
import { type PackedLayer, type PackLayerTask, packLayer } from './pack-layer.ts';
import { type UnmountTask, unmount } from './unmount.ts';
import { type UnpackedLayer, type UnpackLayerTask, unpackLayer } from './unpack-layer.ts';

/** What a worker thread can be asked to do, and what it answers. */
export interface TaskResults {
  unpack: UnpackedLayer;
  inherit: undefined;
  pack: PackedLayer;
  unmount: undefined;
}

export type Task = UnpackLayerTask | InheritTask | PackLayerTask | UnmountTask;

export async function runTask(
  confinement: Confinement,
  task: Task,
  onProgress: (bytes: number) => void,
): Promise<TaskResults[keyof TaskResults]> {
  switch (task.kind) {
    case 'unpack':
      return unpackLayer(confinement, task, onProgress);
    case 'inherit':
      return inheritAttributes(confinement, task);
    case 'pack':
      return packLayer(confinement, task);
    case 'unmount':
      return unmount(confinement, task);
  }
}
