import { Readable } from 'node:stream';
import type { Blob, BlobLease } from '../../store/index.ts';
import { sha256Of } from '../content/digest.ts';
import { Leased } from '../image-store.ts';
import type { ArtifactRepository, Layer, OpenRepositoryOptions } from '../images.ts';
import type { Descriptor } from '../oci.ts';
import type { ImageParts } from '../parts.ts';
import { parseReference, type Reference, withDefaultTag } from '../references/reference.ts';
import type { CompressedLayers } from './compressed-layers.ts';
import { download } from './download.ts';
import type { Registries } from './registries.ts';
import type { RegistryClient } from './registry-client.ts';
import { RegistryAnswerError, transferError } from './registry-errors.ts';
import { Backoff } from './retry.ts';

/** Opens the repository that a reference names, for what is no image. */
export async function openArtifactRepository(
  parts: ImageParts,
  registries: Registries,
  compressed: CompressedLayers,
  text: string,
  { push = false, auth, signal }: OpenRepositoryOptions,
): Promise<ArtifactRepository> {
  const reference = withDefaultTag(parseReference(text));
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      throw transferError(error, reference);
    }
  };
  const open = { auth, signal };
  const client = await told(() => registries.open(reference, reference.domain, push ? 'pull,push' : 'pull', open));
  const artifacts = new Artifacts(parts, registries, compressed, client, reference, signal);
  return {
    manifest: () => told(() => artifacts.manifest()),
    fetch: (descriptor) => told(() => artifacts.fetch(descriptor)),
    pushLayer: (layer) => told(() => artifacts.pushLayer(layer)),
    pushBlob: (bytes, mediaType) => told(() => artifacts.pushBlob(bytes, mediaType)),
    pushManifest: (bytes, mediaType) => told(() => artifacts.pushManifest(bytes, mediaType)),
  };
}

class Artifacts implements ArtifactRepository {
  readonly #parts: ImageParts;
  readonly #registries: Registries;
  readonly #compressed: CompressedLayers;
  readonly #client: RegistryClient;
  readonly #reference: Reference;
  readonly #signal: AbortSignal | undefined;

  constructor(
    parts: ImageParts,
    registries: Registries,
    compressed: CompressedLayers,
    client: RegistryClient,
    reference: Reference,
    signal: AbortSignal | undefined,
  ) {
    this.#parts = parts;
    this.#registries = registries;
    this.#compressed = compressed;
    this.#client = client;
    this.#reference = reference;
    this.#signal = signal;
  }

  get #name(): string {
    return this.#reference.digest ?? this.#reference.tag!;
  }

  async manifest(): Promise<{ readonly bytes: Buffer; readonly mediaType: string | undefined } | undefined> {
    try {
      return await this.#client.manifest(this.#name);
    } catch (error) {
      if (error instanceof RegistryAnswerError && error.status === 404) return undefined;
      throw error;
    }
  }

  async fetch(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Blob & BlobLease> {
    const { content, random } = this.#parts;
    const { downloads, downloadTurns, retries } = this.#registries;
    const fetch = async (signal: AbortSignal, onProgress: (bytes: number) => void) => {
      await using _turn = await downloadTurns.take();
      const bytes = download(this.#client, descriptor, { random, retries, signal, onProgress });
      return await content.write(bytes, { digest: descriptor.digest, size: descriptor.size });
    };
    return await downloads.lease(descriptor.digest, fetch, { signal: this.#signal });
  }

  async pushLayer(layer: Layer): Promise<Descriptor> {
    using leases = new Leased();
    await using _turn = await this.#registries.uploadTurns.take();
    const { mediaType, digest, size } = await this.#compressed.descriptor(layer, leases);
    await this.#send(digest, size, () => this.#parts.content.open(digest));
    return { mediaType, digest, size };
  }

  async pushBlob(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = sha256Of(bytes);
    await this.#send(digest, bytes.length, async () => Readable.from([bytes], { objectMode: false }));
    return { mediaType, digest, size: bytes.length };
  }

  async pushManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = { mediaType, digest: sha256Of(bytes), size: bytes.length };
    await this.#client.putManifest(this.#name, descriptor, bytes);
    return descriptor;
  }

  async #send(digest: string, size: number, open: () => Promise<Readable>): Promise<void> {
    if (await this.#client.hasBlob(digest)) return;
    await new Backoff(this.#registries.retries, this.#parts.random, this.#signal).run(async () => {
      const session = await this.#client.startUpload(digest, undefined);
      if (session === undefined) return;
      const content = await open();
      try {
        await this.#client.finishUpload(session, digest, { stream: content, size });
      } finally {
        content.destroy();
      }
    });
  }
}
