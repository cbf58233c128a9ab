import type { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import { Leased, noSuchImage } from '../image-store.ts';
import type { Image } from '../images.ts';
import type { ImageParts } from '../parts.ts';
import { IMAGES, type NameRecord, nameKey } from '../records.ts';
import { familiarName, parseReference, repositoryOf } from '../references/reference.ts';
import { manifestOf, type SavedImage, saveArchive } from './save-archive.ts';

/** An archive of images by their names or IDs. A repository without a tag stands for all its tags. */
export async function saveImages(
  parts: ImageParts,
  references: readonly string[],
  { format = 'docker' }: { readonly format?: 'docker' | 'oci' } = {},
): Promise<Readable> {
  if (references.length === 0) throw new ServiceError('InvalidReference', 'no image was named that is to be saved');
  const tagsById = new Map<string, Set<string>>();
  for (const reference of references) {
    for (const { id, tag } of await meant(parts, reference)) {
      const tags = tagsById.get(id) ?? new Set();
      if (tag !== undefined) tags.add(tag);
      tagsById.set(id, tags);
    }
  }
  const leases = new Leased();
  try {
    const saved: SavedImage[] = [];
    for (const [id, tags] of tagsById) {
      const image = await parts.images.byId(id);
      if (!image) throw noSuchImage(id);
      for (const digest of [id, ...image.layers.map(({ descriptor }) => descriptor.digest)]) {
        const lease = await parts.content.lease(digest);
        if (!lease) throw new Error(`content of image ${id} is missing: ${digest}`);
        leases.add(lease);
      }
      saved.push({ image, tags: [...tags].sort(), manifest: await manifestFor(parts, image) });
      parts.tell({ action: 'save', id, attributes: { name: [...tags][0] ?? id } });
    }
    const archive = saveArchive(parts.content, saved, format === 'docker');
    archive.once('close', () => leases[Symbol.dispose]());
    return archive;
  } catch (error) {
    leases[Symbol.dispose]();
    throw error;
  }
}

async function meant(
  { images, store }: ImageParts,
  reference: string,
): Promise<readonly { readonly id: string; readonly tag?: string }[]> {
  const id = await images.findId(reference);
  if (id !== undefined && isIdOrPrefix(reference, id)) return [{ id }];
  const name = parseReference(reference);
  if (name.tag === undefined && name.digest === undefined) {
    const prefix = `${repositoryOf(name)}:`;
    const all = await store.range<NameRecord>({
      prefix: [IMAGES, 'name'],
      from: nameKey(prefix),
      before: nameKey(`${prefix}\u{10ffff}`),
    });
    if (all.length > 0) {
      return all.map(({ key, value }) => ({ id: value.id, tag: familiarName(parseReference(String(key[2]))) }));
    }
  }
  if (id === undefined) throw noSuchImage(reference);
  return [{ id, ...(name.digest === undefined && { tag: familiarName(name) }) }];
}

/** The manifest that the image was pulled by, if it tells the layers as they are here; else one that is made now. */
async function manifestFor({ content, store, images }: ImageParts, image: Image): Promise<SavedImage['manifest']> {
  for (const name of await images.namesOf(image.id)) {
    const manifest = (await store.get<NameRecord>(nameKey(name)))?.value.manifest;
    if (!manifest) continue;
    const bytes = await content.read(manifest.digest);
    if (image.layers.every(({ descriptor }) => bytes.includes(descriptor.digest))) {
      return { bytes, mediaType: manifest.mediaType };
    }
  }
  const size = (await content.stat(image.id))!.size;
  const descriptors = image.layers.map(({ descriptor }) => descriptor);
  return { bytes: manifestOf(image, descriptors, size), mediaType: 'application/vnd.oci.image.manifest.v1+json' };
}

function isIdOrPrefix(reference: string, id: string): boolean {
  return id.startsWith(reference) || id.slice('sha256:'.length).startsWith(reference);
}
