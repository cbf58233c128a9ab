import { posix } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { ArrivedImage } from '../admission.ts';
import type { ContentStore } from '../content.ts';
import { MAX_CONFIG_SIZE } from '../documents/parse-config.ts';
import { checkImage, parseManifest } from '../documents/parse-manifest.ts';
import { choosePlatform } from '../documents/platform.ts';
import { Shape } from '../documents/shape.ts';
import type { Leased } from '../image-store.ts';
import { entryPath } from '../layers/entry-path.ts';
import { imageError } from '../layers/image-errors.ts';
import { type Descriptor, MEDIA_TYPES, type Platform } from '../oci.ts';
import { canonicalName, parseReference, withDefaultTag } from '../references/reference.ts';
import { compressionOf, MAGIC_LENGTH } from '../tar/decompress.ts';
import { archiveFiles } from './archive-files.ts';

interface StoredFile {
  readonly digest: string;
  readonly size: number;
}

/** Files that old programs write and nobody needs: a version and a configuration beside each layer. */
const NEEDLESS = /(?:^|\/)(?:VERSION|json|repositories)$/;
const MAX_FILES = 10_000;

const shape = new Shape('the archive', 'InvalidArchive');

/**
 * Reads an archive of images into the content store, in one pass: what `docker save`, `podman save` and `skopeo` write
 * (Docker's since 1.10, or OCI layouts). `leases` holds what was read. Source: OCI Image Layout Specification; Docker Image
 * Specification 1.2, "Combined Image JSON + Filesystem Changeset Format".
 */
export async function loadArchive(
  content: ContentStore,
  archive: AsyncIterable<Uint8Array>,
  platform: Platform,
  leases: Leased,
): Promise<ArrivedImage[]> {
  try {
    const stored = new StoredArchive(content, leases);
    await stored.read(archive);
    if (stored.has('manifest.json')) return await dockerImages(stored);
    if (stored.has('index.json')) return await layoutImages(stored, platform);
  } catch (error) {
    throw imageError(error);
  }
  throw shape.wrong('has neither manifest.json nor index.json: it is no archive of images, or older than Docker 1.10');
}

/** The files of an archive as content. */
class StoredArchive {
  readonly #content: ContentStore;
  readonly #leases: Leased;
  readonly #files = new Map<string, StoredFile>();
  readonly #links = new Map<string, string>();

  constructor(content: ContentStore, leases: Leased) {
    this.#content = content;
    this.#leases = leases;
  }

  async read(archive: AsyncIterable<Uint8Array>): Promise<void> {
    let count = 0;
    for await (const { entry, content } of archiveFiles(archive)) {
      if (++count > MAX_FILES) throw shape.wrong(`has more than ${MAX_FILES} files`);
      const path = entryPath(entry.path);
      if (entry.type === 'file' && !NEEDLESS.test(path)) {
        const { digest, size } = this.#leases.add(await this.#content.write(content));
        this.#files.set(path, { digest, size });
      } else if (entry.type === 'symlink') {
        this.#links.set(path, entryPath(posix.join(posix.dirname(path), entry.linkTarget)));
      } else if (entry.type === 'hard-link') this.#links.set(path, entryPath(entry.linkTarget));
    }
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  file(path: string): StoredFile {
    const found = this.#find(entryPath(path));
    if (!found) throw shape.wrong(`has no ${path}`);
    return found;
  }

  async document(path: string): Promise<Buffer> {
    const { digest, size } = this.file(path);
    if (size > MAX_CONFIG_SIZE) throw shape.wrong(`has a ${path} that is larger than ${MAX_CONFIG_SIZE} bytes`);
    return this.#content.read(digest);
  }

  /** Content of an OCI layout. */
  blob({ digest, size }: Descriptor): StoredFile {
    const found = this.file(`blobs/${digest.replace(':', '/')}`);
    if (digest.startsWith('sha256:') && found.digest !== digest) {
      throw shape.wrong(`has content with digest ${found.digest} instead of ${digest}`);
    }
    if (found.size !== size) throw shape.wrong(`has content of ${found.size} bytes instead of ${size}: ${digest}`);
    return found;
  }

  async blobDocument(descriptor: Descriptor): Promise<Buffer> {
    this.blob(descriptor);
    return this.document(`blobs/${descriptor.digest.replace(':', '/')}`);
  }

  /** The layer in a file, as what it is. */
  async layer(path: string): Promise<Descriptor> {
    const { digest, size } = this.file(path);
    const magic = await (await this.#content.open(digest, { start: 0, end: MAGIC_LENGTH - 1 })).toArray();
    const compression = compressionOf(Buffer.concat(magic));
    const mediaType = {
      none: MEDIA_TYPES.ociLayer,
      gzip: MEDIA_TYPES.ociLayerGzip,
      zstd: MEDIA_TYPES.ociLayerZstd,
    }[compression];
    return { mediaType, digest, size };
  }

  #find(path: string): StoredFile | undefined {
    let at = path;
    for (let steps = 0; steps < 10; steps++) {
      const found = this.#files.get(at);
      if (found) return found;
      const link = this.#links.get(at);
      if (link === undefined) return undefined;
      at = link;
    }
    return undefined;
  }
}

async function dockerImages(archive: StoredArchive): Promise<ArrivedImage[]> {
  const manifest = new Shape('manifest.json of the archive', 'InvalidArchive');
  const images: ArrivedImage[] = [];
  for (const [i, item] of parseList(manifest, await archive.document('manifest.json')).entries()) {
    const object = manifest.object(item, `[${i}]`);
    const config = manifest.text(object.Config, `[${i}].Config`);
    const layers = manifest.optional(object.Layers, (value) => manifest.texts(value, `[${i}].Layers`)) ?? [];
    const tags = manifest.optional(object.RepoTags, (value) => manifest.texts(value, `[${i}].RepoTags`)) ?? [];
    const descriptors: Descriptor[] = [];
    for (const path of layers) descriptors.push(await archive.layer(path));
    images.push({
      config: await archive.document(config),
      layers: descriptors,
      names: tags.map((tag) => ({ name: canonicalName(withDefaultTag(parseReference(tag))) })),
    });
  }
  return images;
}

function parseList(manifest: Shape, bytes: Buffer): unknown[] {
  try {
    return manifest.array(JSON.parse(bytes.toString('utf8')), '');
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw manifest.wrong('is not JSON');
  }
}

async function layoutImages(archive: StoredArchive, platform: Platform): Promise<ArrivedImage[]> {
  const top = parseManifest(await archive.document('index.json'), MEDIA_TYPES.ociIndex);
  if (top.kind !== 'index') throw shape.wrong('has an index.json that is no index');
  const images = new Map<string, ArrivedImage>();
  for (const descriptor of top.index.manifests) {
    const image = await layoutImage(archive, descriptor, platform);
    const name = nameOf(descriptor);
    const known = images.get(image.digest);
    // A manifest with several names is listed once for each.
    const names = [...(known?.names ?? []), ...(name === undefined ? [] : [{ name }])];
    images.set(image.digest, { ...image.image, names });
  }
  return [...images.values()];
}

async function layoutImage(
  archive: StoredArchive,
  descriptor: Descriptor,
  platform: Platform,
): Promise<{ digest: string; image: Omit<ArrivedImage, 'names'> }> {
  let at = descriptor;
  for (let depth = 0; depth < 3; depth++) {
    const parsed = parseManifest(await archive.blobDocument(at), at.mediaType);
    if (parsed.kind === 'index') {
      at = choosePlatform(parsed.index, platform);
      continue;
    }
    checkImage(parsed.manifest);
    const { config, layers } = parsed.manifest;
    // By the digest that the content store has computed: a layout may name content by another algorithm.
    const stored = layers.map((layer) => ({ ...layer, digest: archive.blob(layer).digest }));
    return { digest: at.digest, image: { config: await archive.blobDocument(config), layers: stored } };
  }
  throw shape.wrong('has indexes in indexes in indexes');
}

/** A name is whole in containerd's annotation; the other may be a tag alone, which names nothing. */
function nameOf({ annotations = {} }: Descriptor): string | undefined {
  const text = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  if (text === undefined || !/[:/]/.test(text)) return undefined;
  const name = parseReference(text);
  return name.digest === undefined ? canonicalName(withDefaultTag(name)) : undefined;
}
