import type { Leased } from '../image-store.ts';
import type { Layer } from '../images.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci.ts';
import type { ImageParts } from '../parts.ts';
import { type CompressedRecord, compressedKey, IMAGES } from '../records.ts';
import { gzip } from '../tar/gzip.ts';

const PLAIN: readonly string[] = [MEDIA_TYPES.ociLayer, MEDIA_TYPES.dockerLayer];

/**
 * Layers as registries get them: what is plain here is compressed, once; the result is remembered, so that a layer has the same
 * digest each time that it is pushed.
 */
export class CompressedLayers {
  readonly #parts: ImageParts;
  readonly #running = new Map<string, Promise<Descriptor>>();

  constructor(parts: ImageParts) {
    this.#parts = parts;
  }

  /** The archive to push for a layer, leased. */
  async descriptor(layer: Layer, leases: Leased): Promise<Descriptor> {
    const { content } = this.#parts;
    if (!PLAIN.includes(layer.descriptor.mediaType)) {
      const lease = await content.lease(layer.descriptor.digest);
      if (!lease) throw new Error(`the layer ${layer.descriptor.digest} is not in the content store`);
      leases.add(lease);
      return layer.descriptor;
    }
    for (;;) {
      let running = this.#running.get(layer.diffId);
      if (!running) {
        running = this.#compress(layer).finally(() => this.#running.delete(layer.diffId));
        this.#running.set(layer.diffId, running);
      }
      const descriptor = await running;
      const lease = await content.lease(descriptor.digest);
      if (!lease) continue; // collected in between
      leases.add(lease);
      return descriptor;
    }
  }

  async #compress({ diffId, descriptor }: Layer): Promise<Descriptor> {
    const { content, store } = this.#parts;
    const known = (await store.get<CompressedRecord>(compressedKey(diffId)))?.value;
    if (known && (await content.stat(known.digest))) return known;
    const blob = await content.write(gzip(await content.open(descriptor.digest)));
    try {
      const mediaType = MEDIA_TYPES.ociLayerGzip;
      const record: CompressedRecord = { mediaType, digest: blob.digest, size: blob.size };
      await store.transact(async (transaction) => {
        transaction.put(compressedKey(diffId), record);
        content.reference(transaction, blob.digest, [IMAGES, 'compressed', diffId]);
      });
      return record;
    } finally {
      blob.release();
    }
  }
}

/** Forgets compressed archives of layers that no image has any more. */
export async function forgetCompressed(
  { store, content }: Pick<ImageParts, 'store' | 'content'>,
  diffIds: readonly string[],
  isUsed: (diffId: string) => boolean,
): Promise<void> {
  for (const diffId of diffIds) {
    if (isUsed(diffId) || !(await store.get(compressedKey(diffId)))) continue;
    await store.transact(async (transaction) => {
      const record = await transaction.get<CompressedRecord>(compressedKey(diffId));
      if (!record) return;
      transaction.delete(compressedKey(diffId));
      content.dereference(transaction, record.value.digest, [IMAGES, 'compressed', diffId]);
    });
  }
}
