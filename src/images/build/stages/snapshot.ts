import { hash } from 'node:crypto';
import type { Layer } from '../../images.ts';

/** A file system as a stack of layers. */
export interface Snapshot {
  /** Bottom first. */
  readonly layers: readonly Layer[];
  /** Names the content of all layers together; empty for none. Source: OCI Image Format, "Layer ChainID". */
  readonly chain: string;
}

export const EMPTY_SNAPSHOT: Snapshot = { layers: [], chain: '' };

export function snapshotOf(layers: readonly Layer[]): Snapshot {
  return layers.reduce(onTopOf, EMPTY_SNAPSHOT);
}

export function onTopOf(below: Snapshot, layer: Layer): Snapshot {
  return {
    layers: [...below.layers, layer],
    chain: below.chain === '' ? layer.diffId : `sha256:${hash('sha256', `${below.chain} ${layer.diffId}`, 'hex')}`,
  };
}
