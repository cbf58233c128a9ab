import { admitImage } from '../admission.ts';
import { hostPlatform } from '../documents/platform.ts';
import { Leased } from '../image-store.ts';
import type { TransferOptions } from '../images.ts';
import type { ImageParts } from '../parts.ts';
import { familiarName, parseReference } from '../references/reference.ts';
import { loadArchive } from './load-archive.ts';

/** Loads the images of an archive; answers their names, or the IDs of those without. */
export async function loadImages(
  { content, images, layers, tell }: ImageParts,
  archive: AsyncIterable<Uint8Array>,
  { onProgress, platform = hostPlatform() }: Pick<TransferOptions, 'onProgress' | 'platform'> = {},
): Promise<readonly string[]> {
  using leases = new Leased();
  const loaded: string[] = [];
  for (const arrived of await loadArchive(content, archive, platform, leases)) {
    const sizes = new Map(arrived.layers.map(({ digest, size }) => [digest, size]));
    const done = new Map<string, number>();
    const image = await admitImage(images, layers, arrived, (diffId, descriptor, bytes) => {
      const current = (done.get(diffId) ?? 0) + bytes;
      done.set(diffId, current);
      const id = diffId.slice('sha256:'.length, 'sha256:'.length + 12);
      onProgress?.({ id, status: 'Loading layer', current, total: sizes.get(descriptor.digest) ?? 0 });
    });
    const names = arrived.names.map(({ name }) => familiarName(parseReference(name)));
    loaded.push(...(names.length > 0 ? names : [image.id]));
    for (const name of names.length > 0 ? names : [image.id]) {
      tell({ action: 'load', id: image.id, attributes: { name } });
    }
  }
  return loaded;
}
