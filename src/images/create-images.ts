import { mkdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Store } from '../store/index.ts';
import { type ImportOptions, importImage } from './archives/import-image.ts';
import { loadImages } from './archives/load-images.ts';
import { saveImages } from './archives/save-images.ts';
import type { ContentStore } from './content.ts';
import { type Deletion, deleteImage } from './deletion/delete-image.ts';
import { type PruneOptions, pruneImages } from './deletion/prune-images.ts';
import { encodeConfig, ImageStore, Leased, noSuchImage } from './image-store.ts';
import type {
  ArtifactRepository,
  Image,
  ImageEvent,
  Images,
  Layer,
  NewImage,
  OpenRepositoryOptions,
  RegistryAuth,
  RegistryLocations,
  RemovedImage,
  TransferOptions,
} from './images.ts';
import { layerUsage } from './layer-usage.ts';
import { chainIds } from './layers/chain-id.ts';
import { LayerStore } from './layers/layer-store.ts';
import { LayerWorkers } from './layers/layer-workers.ts';
import { Trash } from './layers/trash.ts';
import type { Descriptor, Platform } from './oci.ts';
import type { ImageParts } from './parts.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag } from './references/reference.ts';
import { openArtifactRepository } from './registry-client/artifact-repository.ts';
import { CompressedLayers, forgetCompressed } from './registry-client/compressed-layers.ts';
import { inspectRemote } from './registry-client/inspect-remote.ts';
import { logIn } from './registry-client/log-in.ts';
import { pullImage } from './registry-client/pull-image.ts';
import { type PushedTag, pushImage } from './registry-client/push-image.ts';
import { Registries } from './registry-client/registries.ts';
import { remoteTags } from './registry-client/remote-tags.ts';
import type { RetryPolicy } from './registry-client/retry.ts';
import { RootStore } from './roots/root-store.ts';

export interface ImagesOptions {
  readonly content: ContentStore;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Unpacked layers and roots. Made if missing. */
  readonly directory: string;
  readonly registries?: RegistryLocations;
  /** False: nobody wants them back after a stop of the machine. True unless told. */
  readonly durable?: boolean;
  /** How often failed requests to registries are tried again. */
  readonly retries?: RetryPolicy;
}

/** Opens the images of a data directory, and removes what a killed process has left half-made. */
export async function createImages(options: ImagesOptions): Promise<Images> {
  const { directory, store, content, random, logger, durable = true } = options;
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const workers = new LayerWorkers();
  const trash = new Trash({ directory, random, logger });
  const layers = new LayerStore({ directory, store, content, random, logger, workers, trash, durable });
  const roots = new RootStore({ directory, store, content, random, logger, workers, layers, trash });
  await trash.start();
  await layers.start();
  await roots.start();
  await layers.collect(layers.all());
  return new LocalImages(options, { layers, roots, workers, trash });
}

interface Rooms {
  readonly layers: LayerStore;
  readonly roots: RootStore;
  readonly workers: LayerWorkers;
  readonly trash: Trash;
}

class LocalImages implements Images {
  readonly roots: RootStore;
  readonly #rooms: Rooms;
  readonly #parts: ImageParts;
  readonly #images: ImageStore;
  readonly #registries: Registries;
  readonly #compressed: CompressedLayers;
  readonly #listeners = new Set<(event: ImageEvent) => void>();
  #isRunning: (holder: string) => boolean = () => false;

  constructor(options: ImagesOptions, rooms: Rooms) {
    const { store, content, clock, random, logger } = options;
    this.#rooms = rooms;
    this.#images = new ImageStore({ store, content, clock });
    this.roots = rooms.roots;
    const tell = (event: ImageEvent) => {
      for (const listener of this.#listeners) listener(event);
    };
    this.#parts = { store, content, clock, random, logger, images: this.#images, layers: rooms.layers, tell };
    this.#compressed = new CompressedLayers(this.#parts, rooms.workers, rooms.roots.packing);
    this.#registries = new Registries({
      content,
      clock,
      random,
      locations: options.registries,
      ...(options.retries && { retries: options.retries }),
    });
  }

  find(reference: string): Promise<Image | undefined> {
    return this.#images.find(reference);
  }

  get(reference: string): Promise<Image> {
    return this.#images.get(reference);
  }

  list(): Promise<readonly Image[]> {
    return this.#images.list();
  }

  async add(image: NewImage, reference?: string): Promise<Image> {
    const { content } = this.#parts;
    const name = reference === undefined ? undefined : withDefaultTag(parseReference(reference));
    using leases = new Leased();
    for (const { descriptor } of image.layers) {
      const lease = await content.lease(descriptor.digest);
      if (!lease) throw new Error(`the layer ${descriptor.digest} is not in the content store`);
      leases.add(lease);
    }
    const added = await this.#images.record({
      config: encodeConfig(image),
      layers: image.layers,
      ...(image.parent !== undefined && { parent: image.parent }),
      names: name ? [{ name: canonicalName(name) }] : [],
    });
    if (name) this.#parts.tell({ action: 'tag', id: added.id, attributes: { name: familiarName(name) } });
    return added;
  }

  async tag(source: string, target: string): Promise<void> {
    const name = parseReference(target);
    if (name.digest !== undefined) throw refusedTag();
    const id = await this.#images.findId(source);
    if (id === undefined) throw noSuchImage(source);
    const tagged = withDefaultTag(name);
    await this.#images.tag(id, tagged);
    this.#parts.tell({ action: 'tag', id, attributes: { name: familiarName(tagged) } });
  }

  async remove(
    reference: string,
    options: { readonly force?: boolean; readonly prune?: boolean } = {},
  ): Promise<readonly RemovedImage[]> {
    const deletion = await deleteImage(this.#parts.store, this.#images, reference, {
      ...options,
      isRunning: this.#isRunning,
    });
    return this.#finishDeletion(deletion);
  }

  hold(imageId: string, holder: string): Promise<void> {
    return this.#images.hold(imageId, holder);
  }

  heldBy(holder: string): Promise<readonly string[]> {
    return this.#images.heldBy(holder);
  }

  letGo(imageId: string, holder: string): Promise<void> {
    return this.#images.letGo(imageId, holder);
  }

  holders(imageId: string): Promise<readonly string[]> {
    return this.#images.holdersOf(imageId);
  }

  tellRunning(isRunning: (holder: string) => boolean): void {
    this.#isRunning = isRunning;
  }

  onEvent(listener: (event: ImageEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pull(reference: string, options: TransferOptions = {}): Promise<Image> {
    return pullImage(this.#parts, this.#registries, reference, options);
  }

  push(
    reference: string,
    options: TransferOptions & { readonly allTags?: boolean } = {},
  ): Promise<readonly PushedTag[]> {
    return pushImage(this.#parts, this.#registries, this.#compressed, reference, options);
  }

  remoteTags(repository: string, options: TransferOptions = {}): Promise<readonly string[]> {
    return remoteTags(this.#registries, repository, options);
  }

  login(server: string, auth: RegistryAuth): Promise<void> {
    return logIn(this.#registries, server, auth);
  }

  openRepository(reference: string, options: OpenRepositoryOptions = {}): Promise<ArtifactRepository> {
    return openArtifactRepository(this.#parts, this.#registries, this.#compressed, reference, options);
  }

  async compressedLayer(layer: Layer): Promise<{ readonly descriptor: Descriptor; release(): void }> {
    const leases = new Leased();
    const descriptor = await this.#compressed.descriptor(layer, leases);
    return { descriptor, release: () => leases[Symbol.dispose]() };
  }

  inspectRemote(
    reference: string,
    options: TransferOptions = {},
  ): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }> {
    return inspectRemote(this.#registries, reference, options);
  }

  async prune(
    options: PruneOptions = {},
  ): Promise<{ readonly removed: readonly RemovedImage[]; readonly bytes: number }> {
    const pruned = await pruneImages(this.#parts, options, (reference) => this.remove(reference));
    this.#parts.tell({ action: 'prune', id: '', attributes: { reclaimed: String(pruned.bytes) } });
    return pruned;
  }

  save(references: readonly string[], options?: { readonly format?: 'docker' | 'oci' }): Promise<Readable> {
    return saveImages(this.#parts, references, options);
  }

  load(
    archive: AsyncIterable<Uint8Array>,
    options?: Pick<TransferOptions, 'onProgress' | 'platform'>,
  ): Promise<readonly string[]> {
    return loadImages(this.#parts, archive, options);
  }

  import(archive: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image> {
    return importImage(this.#parts, archive, options);
  }

  async usage(): Promise<{ readonly layersSize: number; readonly shared: ReadonlyMap<string, number> }> {
    return layerUsage(await this.#images.list());
  }

  async close(): Promise<void> {
    this.#registries.close();
    await this.roots.close();
    this.#rooms.layers.close();
    await this.#rooms.workers.close();
    await this.#rooms.trash.empty();
  }

  async #finishDeletion(deletion: Deletion): Promise<readonly RemovedImage[]> {
    for (const { action, id } of deletion.events) this.#parts.tell({ action, id, attributes: { name: id } });
    const removed = [...deletion.removed];
    for (const layers of deletion.layers) {
      const chains = await this.#parts.layers.collect(chainIds(layers.map(({ diffId }) => diffId)));
      removed.push(...chains.map((deleted) => ({ deleted })));
    }
    const used = new Set((await this.#images.list()).flatMap(({ layers }) => layers.map(({ diffId }) => diffId)));
    const gone = deletion.layers.flat().map(({ diffId }) => diffId);
    await forgetCompressed(this.#parts, gone, (diffId) => used.has(diffId));
    return removed;
  }
}

function refusedTag(): ServiceError {
  return new ServiceError('InvalidReference', 'refusing to create a tag with a digest reference');
}
