import { createHash, hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ServiceError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import type { ContentStore } from '../../content.ts';
import type { Images, Layer } from '../../images.ts';
import { type Descriptor, type Index, type Manifest, MEDIA_TYPES } from '../../oci.ts';
import { CACHE_TYPE } from './cache-document.ts';
import type { CachePlace } from './cache-place.ts';

const MAX_MANIFEST_SIZE = 4 << 20;
const LAYOUT_FILE = 'oci-layout';
const LAYOUT = { imageLayoutVersion: '1.0.0' };

/** A cache in a folder of its own, laid out as the OCI Image Layout says. A new cache replaces the old one in one step. */
export class FolderPlace implements CachePlace {
  readonly label: string;
  readonly #directory: string;
  readonly #images: Images;
  readonly #content: ContentStore;
  readonly #random: Random;
  #prepared: Promise<void> | undefined;

  constructor(directory: string, images: Images, content: ContentStore, random: Random) {
    this.label = directory;
    this.#directory = directory;
    this.#images = images;
    this.#content = content;
    this.#random = random;
  }

  async manifest(): Promise<Uint8Array | undefined> {
    const index = await this.#index();
    const [descriptor] = index?.manifests ?? [];
    return descriptor === undefined ? undefined : await this.read(descriptor, MAX_MANIFEST_SIZE);
  }

  async read({ digest, size }: Descriptor, maxSize: number): Promise<Uint8Array> {
    if (size > maxSize) throw this.#damaged();
    const bytes = (await this.#has(digest, size)) ? await readFile(this.#blob(digest)) : undefined;
    if (bytes?.length !== size || `sha256:${hash('sha256', bytes, 'hex')}` !== digest) throw this.#damaged();
    return bytes;
  }

  async fetch({ digest, size }: Descriptor) {
    const lease = await this.#content.lease(digest);
    if (lease !== undefined) return lease;
    if (!(await this.#has(digest, size))) throw this.#damaged();
    return await this.#content.write(createReadStream(this.#blob(digest)), { digest, size });
  }

  async putLayer(layer: Layer): Promise<Descriptor> {
    await this.#prepare();
    const { descriptor, release } = await this.#images.compressedLayer(layer);
    try {
      const { mediaType, digest, size } = descriptor;
      if (!(await this.#has(digest, size))) await this.#write(digest, await this.#content.open(digest));
      return { mediaType, digest, size };
    } finally {
      release();
    }
  }

  async putBlob(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    await this.#prepare();
    const digest = `sha256:${hash('sha256', bytes, 'hex')}`;
    await this.#write(digest, [bytes]);
    return { mediaType, digest, size: bytes.length };
  }

  async putManifest(bytes: Uint8Array): Promise<void> {
    const descriptor = await this.putBlob(bytes, MEDIA_TYPES.ociManifest);
    const index: Index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [{ ...descriptor, artifactType: CACHE_TYPE }],
    };
    await this.#replace('index.json', JSON.stringify(index));
    await this.#tidy(descriptor, JSON.parse(Buffer.from(bytes).toString()) as Manifest);
  }

  /** Nothing is written into a folder that has something else, and nothing of it is ever deleted. */
  #prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      if ((await this.#index()) === undefined) {
        const names = await readdir(this.#directory).catch((): string[] => []);
        if (names.includes('blobs') && !names.includes(LAYOUT_FILE)) throw this.#foreign();
      }
      await mkdir(this.#directory, { recursive: true });
      await this.#replace(LAYOUT_FILE, JSON.stringify(LAYOUT));
    })();
    return this.#prepared;
  }

  async #has(digest: string, size: number): Promise<boolean> {
    const found = await stat(this.#blob(digest)).catch(() => undefined);
    return found?.isFile() === true && found.size === size;
  }

  async #index(): Promise<Index | undefined> {
    const text = await readFile(join(this.#directory, 'index.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new ServiceError('InvalidCache', `${this.#directory} cannot be read: ${error.code}`, { cause: error });
    });
    if (text === undefined) return undefined;
    let index: Partial<Index> | null;
    try {
      index = JSON.parse(text) as Partial<Index> | null;
    } catch {
      throw this.#damaged();
    }
    const manifests: unknown = index?.manifests;
    const isOurs = (one: Partial<Descriptor> | null) =>
      one?.artifactType === CACHE_TYPE && typeof one.digest === 'string';
    if (!Array.isArray(manifests) || !manifests.every(isOurs)) throw this.#foreign();
    return index as Index;
  }

  /** Deletes blobs of an earlier cache. */
  async #tidy(manifest: Descriptor, { config, layers }: Manifest): Promise<void> {
    const kept = new Set([manifest, config, ...layers].map(({ digest }) => digest.slice('sha256:'.length)));
    for (const name of await readdir(join(this.#directory, 'blobs/sha256'))) {
      if (!kept.has(name)) await rm(join(this.#directory, 'blobs/sha256', name), { force: true });
    }
  }

  async #write(digest: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.#blob(digest);
    await mkdir(join(path, '..'), { recursive: true });
    const temporary = `${path}.${this.#random.hex(8)}`;
    const sum = createHash('sha256');
    const summed = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        sum.update(chunk);
        done(null, chunk);
      },
    });
    try {
      await pipeline(source, summed, createWriteStream(temporary, { flags: 'wx' }));
      if (`sha256:${sum.digest('hex')}` !== digest) throw this.#damaged();
      await using file = await open(temporary, 'r');
      await file.sync();
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.#directory, `.${name}.${this.#random.hex(8)}`);
    await writeFile(temporary, text, { flush: true });
    await rename(temporary, join(this.#directory, name));
  }

  #blob(digest: string): string {
    return join(this.#directory, 'blobs/sha256', digest.slice('sha256:'.length));
  }

  #foreign(): ServiceError {
    return new ServiceError('InvalidCache', `${this.#directory} holds something else than a build cache`);
  }

  #damaged(): ServiceError {
    return new ServiceError('InvalidCache', `the build cache in ${this.#directory} is damaged`);
  }
}
