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
    const done = new Map<number, number>();
    const image = await admitImage(images, layers, arrived, {
      onProgress: (i, bytes) => {
        const { digest, size: total } = arrived.layers[i]!;
        const current = (done.get(i) ?? 0) + bytes;
        done.set(i, current);
        const id = digest.slice('sha256:'.length, 'sha256:'.length + 12);
        onProgress?.({ id, status: 'Loading layer', current, total });
      },
    });
    const names = arrived.names.map(({ name }) => familiarName(parseReference(name)));
    loaded.push(...(names.length > 0 ? names : [image.id]));
    for (const name of names.length > 0 ? names : [image.id]) {
      tell({ action: 'load', id: image.id, attributes: { name } });
    }
  }
  return loaded;
}
