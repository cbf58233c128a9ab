import type { Image } from './images.ts';
import { chainIds } from './layers/chain-id.ts';

/** Bytes of all layers, each counted once, and for each image those of the layers that another one has, too. */
export function layerUsage(images: readonly Image[]): {
  readonly layersSize: number;
  readonly shared: ReadonlyMap<string, number>;
} {
  const chains = new Map<string, string[]>();
  const users = new Map<string, number>();
  let layersSize = 0;
  for (const { id, layers } of images) {
    const own = chainIds(layers.map(({ diffId }) => diffId));
    chains.set(id, own);
    for (const [i, chain] of own.entries()) {
      const count = users.get(chain) ?? 0;
      if (count === 0) layersSize += layers[i]!.size;
      users.set(chain, count + 1);
    }
  }
  const shared = new Map<string, number>();
  for (const { id, layers } of images) {
    let bytes = 0;
    for (const [i, chain] of chains.get(id)!.entries()) if (users.get(chain)! > 1) bytes += layers[i]!.size;
    shared.set(id, bytes);
  }
  return { layersSize, shared };
}
