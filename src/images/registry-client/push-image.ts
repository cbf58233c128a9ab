import { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import { manifestOf } from '../archives/save-archive.ts';
import { sha256Of } from '../content/digest.ts';
import { Leased } from '../image-store.ts';
import type { Image, Layer, TransferOptions } from '../images.ts';
import { imageError } from '../layers/image-errors.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci.ts';
import type { ImageParts } from '../parts.ts';
import { IMAGES, type ImageRecord, type NameRecord, nameKey } from '../records.ts';
import {
  canonicalName,
  familiarRepository,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from '../references/reference.ts';
import type { CompressedLayers } from './compressed-layers.ts';
import { counted } from './counted.ts';
import type { Registries } from './registries.ts';
import type { RegistryClient } from './registry-client.ts';
import { RegistryAnswerError, transferError } from './registry-errors.ts';
import { Backoff } from './retry.ts';
import { UploadAhead } from './upload-ahead.ts';

export interface PushedTag {
  readonly tag: string;
  readonly digest: string;
  /** Bytes of the manifest. */
  readonly size: number;
}

type PushOptions = TransferOptions & { readonly allTags?: boolean };

/** Pushes an image under its name, or all tags of a repository. What the registry has already is not sent. */
export async function pushImage(
  parts: ImageParts,
  registries: Registries,
  compressed: CompressedLayers,
  text: string,
  options: PushOptions,
): Promise<PushedTag[]> {
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new ServiceError('InvalidReference', 'cannot push a digest reference');
  }
  const names = await namesToPush(parts, reference, options.allTags ?? false);
  const say = options.onProgress ?? (() => {});
  say({ status: `The push refers to repository [${repositoryOf(reference)}]` });
  using leases = new Leased();
  try {
    const client = await registries.open(reference, reference.domain, 'pull,push', options);
    const pushed: PushedTag[] = [];
    for (const { tag, id } of names) {
      const image = await parts.images.byId(id);
      if (!image) throw notHere(reference);
      const push = new ImagePush(parts, registries, compressed, client, reference, options, leases);
      pushed.push(await push.run(image, tag));
    }
    return pushed;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw transferError(imageError(error), withDefaultTag(reference));
  }
}

async function namesToPush(
  { store, images }: ImageParts,
  reference: Reference,
  allTags: boolean,
): Promise<readonly { readonly tag: string; readonly id: string }[]> {
  if (allTags) {
    if (reference.tag !== undefined) {
      throw new ServiceError('InvalidReference', "tag can't be used with --all-tags/-a");
    }
    const prefix = `${repositoryOf(reference)}:`;
    const all = await store.range<NameRecord>({
      prefix: [IMAGES, 'name'],
      from: nameKey(prefix),
      before: nameKey(`${prefix}\u{10ffff}`),
    });
    if (all.length === 0) throw notHere(reference);
    return all.map(({ key, value }) => ({ tag: parseReference(String(key[2])).tag!, id: value.id }));
  }
  const named = withDefaultTag(reference);
  const record = await store.get<NameRecord>(nameKey(canonicalName(named)));
  if (!record || !(await images.byId(record.value.id))) throw notHere(reference);
  return [{ tag: named.tag!, id: record.value.id }];
}

function notHere(reference: Reference): ServiceError {
  const message = `An image does not exist locally with the tag: ${familiarRepository(reference)}`;
  return new ServiceError('ImageNotFound', message, { status: 404 });
}

/** Repositories of the same registry that may give a blob; more are not asked. */
const MAX_SOURCES = 3;
/** Layers of so many bytes are sent while they are compressed; others before anybody would notice. */
const SENT_AHEAD_FROM = 1024 * 1024;

class ImagePush {
  readonly #parts: ImageParts;
  readonly #registries: Registries;
  readonly #compressed: CompressedLayers;
  readonly #client: RegistryClient;
  readonly #reference: Reference;
  readonly #options: PushOptions;
  readonly #leases: Leased;

  constructor(
    parts: ImageParts,
    registries: Registries,
    compressed: CompressedLayers,
    client: RegistryClient,
    reference: Reference,
    options: PushOptions,
    leases: Leased,
  ) {
    this.#parts = parts;
    this.#registries = registries;
    this.#compressed = compressed;
    this.#client = client;
    this.#reference = reference;
    this.#options = options;
    this.#leases = leases;
  }

  async run(image: Image, tag: string): Promise<PushedTag> {
    const { content, tell } = this.#parts;
    const say = this.#options.onProgress ?? (() => {});
    const layers = uniqueLayers(image.layers);
    for (const layer of layers) say({ id: shortId(layer), status: 'Preparing' });
    const config = this.#leases.add((await content.lease(image.id)) ?? missing(image.id));
    const sent = new Map<string, Descriptor>();
    const results = await Promise.allSettled(
      layers.map(async (layer) => sent.set(layer.diffId, await this.#layer(layer))),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const descriptors = image.layers.map(({ diffId }) => sent.get(diffId)!);
    await this.#blob({ mediaType: MEDIA_TYPES.ociConfig, digest: image.id, size: config.size }, [], () => {});
    const { bytes, mediaType } = await this.#manifest(image, descriptors, config.size);
    const descriptor: Descriptor = { mediaType, digest: sha256Of(bytes), size: bytes.length };
    await this.#client.putManifest(tag, descriptor, bytes);
    this.#leases.add(await content.write(bytes, { digest: descriptor.digest }));
    await this.#remember(image, descriptor);
    const name = `${familiarRepository(this.#reference)}:${tag}`;
    tell({ action: 'push', id: name, attributes: { name: familiarRepository(this.#reference) } });
    return { tag, digest: descriptor.digest, size: descriptor.size };
  }

  async #layer(layer: Layer): Promise<Descriptor> {
    const { uploadTurns } = this.#registries;
    const say = this.#options.onProgress ?? (() => {});
    const id = shortId(layer);
    say({ id, status: 'Waiting' });
    await using _turn = await uploadTurns.take();
    this.#options.signal?.throwIfAborted();
    let total = layer.size;
    let told = 0;
    const onProgress = (current: number) => {
      const now = performance.now();
      if (now - told < 100 && current < total) return;
      told = now;
      say({ id, status: 'Pushing', current: Math.min(current, total), total });
    };
    await using ahead = new UploadAhead(this.#client, this.#options.signal, onProgress);
    const isLarge = layer.size >= SENT_AHEAD_FROM;
    const descriptor = await this.#compressed.descriptor(
      layer,
      this.#leases,
      isLarge ? (archive) => ahead.begin(archive) : undefined,
    );
    total = descriptor.size;
    const outcome = (await ahead.finish(descriptor.digest))
      ? 'Pushed'
      : await this.#blob(descriptor, await this.#sources(layer), onProgress);
    say({ id, status: outcome });
    return descriptor;
  }

  /** Brings a blob to the registry in the cheapest way; answers what has been done. */
  async #blob(
    descriptor: Descriptor,
    sources: readonly string[],
    onProgress: (current: number) => void,
  ): Promise<string> {
    const { digest } = descriptor;
    if (await this.#client.hasBlob(digest)) return 'Layer already exists';
    for (const source of sources) {
      const session = await this.#client.startUpload(digest, source).catch((error: unknown) => {
        // The other repository may not be readable with these credentials.
        if (error instanceof RegistryAnswerError && error.status < 500) return 'refused';
        throw error;
      });
      if (session === undefined) return `Mounted from ${source}`;
    }
    const { retries } = this.#registries;
    await new Backoff(retries, this.#parts.random, this.#options.signal).run(async () => {
      // Some registries find the blob in whatever repository of theirs.
      const session = await this.#client.startUpload(digest, undefined);
      if (!session) return;
      const file = await this.#parts.content.open(digest);
      const content = Readable.from(counted(file, onProgress), { objectMode: false });
      try {
        await this.#client.finishUpload(session, digest, { stream: content, size: descriptor.size });
      } finally {
        content.destroy();
        // Where nothing was read of it, it is still open.
        file.destroy();
      }
    });
    return 'Pushed';
  }

  /** Repositories of this registry that have images with the layer, by what is known here. */
  async #sources({ diffId }: Layer): Promise<string[]> {
    const { store, images } = this.#parts;
    const { domain, path } = this.#reference;
    const sources = new Set<string>();
    for (const { key, value } of await store.range<ImageRecord>({ prefix: [IMAGES, 'image'] })) {
      const id = String(key[2]);
      if (!value.layers.some((layer) => layer.diffId === diffId)) continue;
      for (const name of await images.namesOf(id)) {
        const other = parseReference(name);
        // A tag alone may have been given here; what has a digest has been at the registry.
        if (other.domain === domain && other.path !== path && other.digest !== undefined) sources.add(other.path);
      }
    }
    return [...sources].slice(0, MAX_SOURCES);
  }

  /** The manifest that the image came with, where it tells just these layers; so it keeps its digest. */
  async #manifest(image: Image, descriptors: readonly Descriptor[], configSize: number) {
    const { images, store, content } = this.#parts;
    for (const name of await images.namesOf(image.id)) {
      const manifest = (await store.get<NameRecord>(nameKey(name)))?.value.manifest;
      if (!manifest) continue;
      const bytes = await content.read(manifest.digest);
      if (descriptors.every(({ digest }) => bytes.includes(digest))) return { bytes, mediaType: manifest.mediaType };
    }
    return { bytes: manifestOf(image, descriptors, configSize), mediaType: MEDIA_TYPES.ociManifest };
  }

  /** From now on the image has a digest at this repository. */
  async #remember(image: Image, { mediaType, digest, size }: Descriptor): Promise<void> {
    await this.#parts.images.addName(image.id, `${repositoryOf(this.#reference)}@${digest}`, {
      mediaType,
      digest,
      size,
    });
  }
}

function uniqueLayers(layers: readonly Layer[]): Layer[] {
  return [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
}

function shortId({ diffId }: Layer): string {
  return diffId.slice('sha256:'.length, 'sha256:'.length + 12);
}

function missing(digest: string): never {
  throw new Error(`the content store has no ${digest}`);
}
