import { admitImage } from '../admission.ts';
import { hostPlatform } from '../documents/platform.ts';
import { Leased } from '../image-store.ts';
import type { Image } from '../images.ts';
import { imageError } from '../layers/image-errors.ts';
import { type ImageConfig, MEDIA_TYPES } from '../oci.ts';
import type { ImageParts } from '../parts.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag } from '../references/reference.ts';
import { decompressed } from '../tar/decompress.ts';

export interface ImportOptions {
  readonly config?: Partial<ImageConfig>;
  readonly message?: string;
  readonly reference?: string;
}

/** Makes an image of one layer out of the archive of a file system. */
export async function importImage(
  { content, clock, images, layers, tell }: ImageParts,
  archive: AsyncIterable<Uint8Array>,
  { config = {}, message = 'Imported from -', reference }: ImportOptions,
): Promise<Image> {
  const name = reference === undefined ? undefined : withDefaultTag(parseReference(reference));
  using leases = new Leased();
  const blob = await content.write(decompressed(archive)).catch((error: unknown) => {
    throw imageError(error);
  });
  leases.add(blob);
  const created = new Date(clock.now()).toISOString();
  const document: ImageConfig = {
    ...hostPlatform(),
    created,
    ...config,
    config: config.config ?? {},
    comment: message,
    rootfs: { type: 'layers', diff_ids: [blob.digest] },
    history: [{ created, comment: message }],
  };
  const image = await admitImage(images, layers, {
    config: Buffer.from(JSON.stringify(document)),
    layers: [{ mediaType: MEDIA_TYPES.ociLayer, digest: blob.digest, size: blob.size }],
    names: name ? [{ name: canonicalName(name) }] : [],
  });
  tell({ action: 'import', id: image.id, attributes: { name: name ? familiarName(name) : image.id } });
  return image;
}
