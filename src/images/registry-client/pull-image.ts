import { ServiceError } from '../../base/errors.ts';
import type { Blob, BlobLease } from '../../store/index.ts';
import { type ArrivedImage, admitImage } from '../admission.ts';
import { MAX_CONFIG_SIZE, parseConfig } from '../documents/parse-config.ts';
import { hostPlatform, platformText, runsOn } from '../documents/platform.ts';
import { Leased } from '../image-store.ts';
import type { Image, TransferOptions } from '../images.ts';
import { chainIds } from '../layers/chain-id.ts';
import { imageError } from '../layers/image-errors.ts';
import type { Descriptor } from '../oci.ts';
import type { ImageParts } from '../parts.ts';
import { IMAGES, type ImageRecord } from '../records.ts';
import {
  canonicalName,
  familiarName,
  familiarRepository,
  parseReference,
  repositoryOf,
  withDefaultTag,
} from '../references/reference.ts';
import { download } from './download.ts';
import { findManifest, imageManifest } from './find-manifest.ts';
import type { Registries } from './registries.ts';
import type { RegistryClient } from './registry-client.ts';
import { transferError } from './registry-errors.ts';

/** Pulls an image. What is on this machine already is not fetched again; a failure leaves nothing behind. */
export async function pullImage(
  parts: ImageParts,
  registries: Registries,
  text: string,
  options: TransferOptions,
): Promise<Image> {
  const reference = withDefaultTag(parseReference(text));
  const wanted = options.platform ?? hostPlatform();
  const say = options.onProgress ?? (() => {});
  using leases = new Leased();
  try {
    const found = await findManifest(registries, reference, options);
    const { manifest, descriptor, bytes } = await imageManifest(found, wanted);
    say({ status: `Pulling from ${reference.path}`, id: reference.digest ?? reference.tag! });
    if (manifest.config.size > MAX_CONFIG_SIZE) {
      throw new ServiceError('InvalidImage', `the configuration of the image is larger than ${MAX_CONFIG_SIZE} bytes`);
    }
    const fetching = new ImageFetch(parts, registries, found.client, options, leases);
    const config = await fetching.document(manifest.config);
    const told = parseConfig(config);
    if (options.platform && !runsOn(told, options.platform)) {
      throw new ServiceError(
        'NoSuchManifest',
        `image with reference ${familiarName(reference)} was found but does not match the specified platform: wanted ${platformText(wanted)}, actual: ${platformText(told)}`,
        { status: 404 },
      );
    }
    leases.add(await parts.content.write(bytes, { digest: descriptor.digest }));
    const before = await parts.images.findId(canonicalName(reference));
    const digestName = `${repositoryOf(reference)}@${found.fetched.digest}`;
    const names = [
      { name: digestName, manifest: descriptor },
      ...(reference.digest === undefined ? [{ name: canonicalName(reference) }] : []),
    ];
    const { holder } = options;
    const image = await fetching.layers(config, manifest.layers, told.rootfs.diff_ids, {
      names: holder === undefined ? names : [],
      holder,
    });
    if (holder !== undefined) return image;
    say({ status: `Digest: ${found.fetched.digest}` });
    const isNew = before !== image.id;
    const name = familiarName(reference);
    say({
      status: `Status: ${isNew ? 'Downloaded newer image' : 'Image is up to date'} for ${name}`,
    });
    parts.tell({ action: 'pull', id: name, attributes: { name: familiarRepository(reference) } });
    return image;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw transferError(imageError(error), reference);
  }
}

/** The content of one image on its way. */
class ImageFetch {
  readonly #parts: ImageParts;
  readonly #registries: Registries;
  readonly #client: RegistryClient;
  readonly #options: TransferOptions;
  readonly #leases: Leased;
  /** Stops the other downloads when one has failed. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    parts: ImageParts,
    registries: Registries,
    client: RegistryClient,
    options: TransferOptions,
    leases: Leased,
  ) {
    this.#parts = parts;
    this.#registries = registries;
    this.#client = client;
    this.#options = options;
    this.#leases = leases;
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
  }

  async document(descriptor: Descriptor): Promise<Buffer> {
    const { downloads } = this.#registries;
    const fetch = (signal: AbortSignal, onProgress: (bytes: number) => void) =>
      this.#fetch(descriptor, signal, onProgress);
    this.#leases.add(await downloads.lease(descriptor.digest, fetch, { signal: this.#signal }));
    return this.#parts.content.read(descriptor.digest);
  }

  /** Fetches layers and unpacks each as soon as it has come; then records the image. */
  async layers(
    config: Buffer,
    descriptors: readonly Descriptor[],
    diffIds: readonly string[],
    arriving: Pick<ArrivedImage, 'names' | 'holder'>,
  ): Promise<Image> {
    const say = this.#options.onProgress ?? (() => {});
    const known = await this.#knownLayers(diffIds);
    const stages = descriptors.map((descriptor, i) => new LayerStage(descriptor, say, known.has(i)));
    for (const stage of stages) stage.begin();
    const layers = descriptors.map((descriptor, i) => {
      const here = known.get(i);
      if (here) return { descriptor: here, arrived: Promise.resolve() };
      const arrived = this.#layer(descriptor, stages[i]!);
      arrived.catch(() => this.#stop.abort());
      return { descriptor, arrived };
    });
    try {
      return await admitImage(
        this.#parts.images,
        this.#parts.layers,
        { config, layers: layers.map(({ descriptor }) => descriptor), ...arriving },
        {
          arrived: layers.map(({ arrived }) => arrived),
          onProgress: (i, bytes) => stages[i]!.extracted(bytes),
          onUnpacked: (i) => stages[i]!.complete(),
        },
      );
    } catch (error) {
      this.#stop.abort();
      const settled = await Promise.allSettled(layers.map(({ arrived }) => arrived));
      // The first failure has stopped the others, whose failure is only that.
      const first = settled.find((one) => one.status === 'rejected' && !isAbort(one.reason));
      throw first?.status === 'rejected' ? first.reason : error;
    }
  }

  async #layer(descriptor: Descriptor, stage: LayerStage): Promise<void> {
    const fetch = (signal: AbortSignal, onProgress: (bytes: number) => void) =>
      this.#fetch(descriptor, signal, onProgress);
    const onProgress = (bytes: number) => stage.downloaded(bytes);
    const options = { signal: this.#signal, onProgress };
    this.#leases.add(await this.#registries.downloads.lease(descriptor.digest, fetch, options));
    stage.arrived();
  }

  async #fetch(
    { digest, size }: Descriptor,
    signal: AbortSignal,
    onProgress: (bytes: number) => void,
  ): Promise<Blob & BlobLease> {
    const { downloadTurns, retries } = this.#registries;
    await using _turn = await downloadTurns.take();
    signal.throwIfAborted();
    const source = download(
      this.#client,
      { digest, size },
      { random: this.#parts.random, retries, signal, onProgress },
    );
    return this.#parts.content.write(source, { digest, size });
  }

  /** Layers that are unpacked here: with the archive that another image has for them, however that is compressed. */
  async #knownLayers(diffIds: readonly string[]): Promise<Map<number, Descriptor>> {
    const { layers, store, content } = this.#parts;
    const known = new Map<number, Descriptor>();
    const chains = chainIds(diffIds);
    if (!chains.some((chain) => layers.has(chain))) return known;
    const archives = new Map<string, Descriptor>();
    for (const { value } of await store.range<ImageRecord>({ prefix: [IMAGES, 'image'] })) {
      for (const { diffId, descriptor } of value.layers) archives.set(diffId, descriptor);
    }
    for (const [i, chain] of chains.entries()) {
      const archive = layers.has(chain) ? archives.get(diffIds[i]!) : undefined;
      const lease = archive && (await content.lease(archive.digest));
      if (!archive || !lease) continue;
      this.#leases.add(lease);
      known.set(i, archive);
    }
    return known;
  }
}

function isAbort(error: unknown): boolean {
  return (error as Error)?.name === 'AbortError';
}

/** Progress is told at most so often; measured with the machine's clock. */
const TELL_EVERY_MS = 100;

/** What a user is told of one layer. */
class LayerStage {
  readonly #descriptor: Descriptor;
  readonly #say: NonNullable<TransferOptions['onProgress']>;
  readonly #id: string;
  readonly #known: boolean;
  #told = 0;
  #extracted = 0;
  #complete = false;

  constructor(descriptor: Descriptor, say: NonNullable<TransferOptions['onProgress']>, known: boolean) {
    this.#descriptor = descriptor;
    this.#say = say;
    this.#known = known;
    this.#id = descriptor.digest.slice(descriptor.digest.indexOf(':') + 1).slice(0, 12);
  }

  begin(): void {
    this.#tell(this.#known ? 'Already exists' : 'Pulling fs layer');
  }

  downloaded(current: number): void {
    this.#progress('Downloading', current);
  }

  arrived(): void {
    this.#tell('Download complete');
  }

  extracted(bytes: number): void {
    this.#extracted += bytes;
    if (!this.#known) this.#progress('Extracting', this.#extracted);
  }

  complete(): void {
    if (this.#known || this.#complete) return;
    this.#complete = true;
    this.#say({ id: this.#id, status: 'Extracting', current: this.#descriptor.size, total: this.#descriptor.size });
    this.#tell('Pull complete');
  }

  #progress(status: string, current: number): void {
    const now = performance.now();
    if (now - this.#told < TELL_EVERY_MS && current < this.#descriptor.size) return;
    this.#told = now;
    this.#say({ id: this.#id, status, current, total: this.#descriptor.size });
  }

  #tell(status: string): void {
    this.#say({ id: this.#id, status });
  }
}
