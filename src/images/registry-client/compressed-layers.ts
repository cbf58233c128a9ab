import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blob, BlobLease } from '../../store/index.ts';
import type { Leased } from '../image-store.ts';
import type { Layer } from '../images.ts';
import type { LayerWorkers } from '../layers/layer-workers.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci.ts';
import type { ImageParts } from '../parts.ts';
import { type CompressedRecord, compressedKey, IMAGES } from '../records.ts';
import { GrowingFile } from './growing-file.ts';

const PLAIN: readonly string[] = [MEDIA_TYPES.ociLayer, MEDIA_TYPES.dockerLayer];

/**
 * Layers as registries get them: what is plain here is compressed, once; the result is remembered, so that a layer has the same
 * digest each time that it is pushed.
 */
export class CompressedLayers {
  readonly #parts: ImageParts;
  readonly #workers: LayerWorkers;
  readonly #directory: string;
  readonly #running = new Map<string, Promise<Descriptor>>();

  /** `directory`: on the file system of the content store; what a killed process has left there is for the caller to remove. */
  constructor(parts: ImageParts, workers: LayerWorkers, directory: string) {
    this.#parts = parts;
    this.#workers = workers;
    this.#directory = directory;
  }

  /** The archive to push for a layer, leased. Where it is made only now, `onBegun` gets it before it is complete. */
  async descriptor(layer: Layer, leases: Leased, onBegun?: (archive: GrowingFile) => void): Promise<Descriptor> {
    const { content } = this.#parts;
    if (!PLAIN.includes(layer.descriptor.mediaType)) {
      const lease = await content.lease(layer.descriptor.digest);
      if (!lease) throw notThere(layer.descriptor.digest);
      leases.add(lease);
      return layer.descriptor;
    }
    for (;;) {
      let running = this.#running.get(layer.diffId);
      if (!running) {
        running = this.#compress(layer, onBegun).finally(() => this.#running.delete(layer.diffId));
        this.#running.set(layer.diffId, running);
      }
      const descriptor = await running;
      const lease = await content.lease(descriptor.digest);
      if (!lease) continue; // collected in between
      leases.add(lease);
      return descriptor;
    }
  }

  async #compress(
    { diffId, descriptor }: Layer,
    onBegun: (archive: GrowingFile) => void = () => {},
  ): Promise<Descriptor> {
    const { content, store } = this.#parts;
    const known = (await store.get<CompressedRecord>(compressedKey(diffId)))?.value;
    if (known && (await content.stat(known.digest))) return known;
    const blob = await this.#write(descriptor.digest, onBegun);
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

  async #write(digest: string, onBegun: (archive: GrowingFile) => void): Promise<Blob & BlobLease> {
    const { content, random } = this.#parts;
    const plain = await content.lease(digest);
    if (!plain) throw notThere(digest);
    const target = join(this.#directory, random.hex(32));
    try {
      const task = { kind: 'compress', archive: await content.path(digest), target } as const;
      const file = await GrowingFile.create(target);
      onBegun(file);
      const compressing = this.#workers.run(task, (bytes) => file.grew(bytes));
      await compressing.then(
        ({ digest: made }) => file.finish(made),
        (error: unknown) => file.abandon(error),
      );
      return await content.adopt(target, await compressing);
    } finally {
      plain.release();
      await rm(target, { force: true });
    }
  }
}

function notThere(digest: string): Error {
  return new Error(`the layer ${digest} is not in the content store`);
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
