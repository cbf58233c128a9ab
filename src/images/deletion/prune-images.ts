import type { ServiceError } from '../../base/errors.ts';
import type { Image, RemovedImage } from '../images.ts';
import type { ImageParts } from '../parts.ts';

export interface PruneOptions {
  readonly all?: boolean;
  readonly until?: number;
  readonly matches?: (image: Image) => boolean;
}

/**
 * Deletes images that nobody uses: those without a name that no other was built upon, or, with `all`, all that no container has.
 * `remove` deletes one by a name or ID. Source: Docker's command line reference, `docker image prune`.
 */
export async function pruneImages(
  { images }: ImageParts,
  { all = false, until, matches }: PruneOptions,
  remove: (reference: string) => Promise<readonly RemovedImage[]>,
): Promise<{ readonly removed: readonly RemovedImage[]; readonly bytes: number }> {
  const before = await images.list();
  const parents = new Set(before.map(({ parent }) => parent));
  const removed: RemovedImage[] = [];
  for (const image of before) {
    if (until !== undefined && Date.parse(image.config.created ?? '') > until) continue;
    if (matches && !matches(image)) continue;
    if (!all && image.tags.length > 0) continue;
    if (parents.has(image.id) && image.tags.length + image.digests.length === 0) continue;
    if ((await images.holdersOf(image.id)).length > 0) continue;
    const references = [...image.tags, ...image.digests];
    for (const reference of references.length > 0 ? references : [image.id]) {
      try {
        removed.push(...(await remove(reference)));
      } catch (error) {
        // A container was made meanwhile, or the name went with the one before.
        const { code } = error as ServiceError;
        if (code !== 'ImageInUse' && code !== 'ImageNotFound') throw error;
      }
    }
  }
  return { removed, bytes: freed(before, await images.list()) };
}

/** Bytes of the layers that are in no image any more. */
function freed(before: readonly Image[], after: readonly Image[]): number {
  const kept = new Set(after.flatMap(({ layers }) => layers.map(({ diffId }) => diffId)));
  const gone = new Map<string, number>();
  for (const { layers } of before) {
    for (const { diffId, size } of layers) if (!kept.has(diffId)) gone.set(diffId, size);
  }
  return [...gone.values()].reduce((sum, size) => sum + size, 0);
}
