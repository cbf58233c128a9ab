import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { BlobLease, Store, Transaction } from '../store/index.ts';
import { sha256Of } from './content/digest.ts';
import type { ContentStore } from './content.ts';
import { parseConfig } from './documents/parse-config.ts';
import type { Image, Layer, NewImage } from './images.ts';
import type { ImageConfig } from './oci.ts';
import { holderKey, IMAGES, type ImageRecord, imageKey, type NameRecord, namedKey, nameKey } from './records.ts';
import {
  canonicalName,
  familiarName,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from './references/reference.ts';

export interface ImageStoreOptions {
  readonly store: Store;
  readonly content: ContentStore;
  readonly clock: Clock;
}

const ID = /^sha256:[0-9a-f]{64}$/;
const ID_PREFIX = /^(?:sha256:)?[0-9a-f]{1,64}$/;
const MAX_CACHED = 1000;

/** An image to be recorded. Everything it names is leased by the caller until it is. */
export interface ImageToRecord {
  /** The configuration, whose digest is the ID. */
  readonly config: Uint8Array;
  readonly layers: readonly Layer[];
  readonly parent?: string;
  /** Name that it gets; with a digest, the manifest's. */
  readonly names: readonly { readonly name: string; readonly manifest?: NameRecord['manifest'] }[];
  readonly holder?: string | undefined;
}

/** The store, or a transaction. */
type Reader = Pick<Transaction, 'get' | 'range'>;

/** The records of images: what there is, how it is called, and who uses it. */
export class ImageStore {
  readonly #store: Store;
  readonly #content: ContentStore;
  readonly #clock: Clock;
  /** Configurations never change. */
  readonly #configs = new Map<string, ImageConfig>();

  constructor({ store, content, clock }: ImageStoreOptions) {
    this.#store = store;
    this.#content = content;
    this.#clock = clock;
  }

  async find(reference: string): Promise<Image | undefined> {
    const id = await this.findId(reference);
    return id === undefined ? undefined : this.byId(id);
  }

  async get(reference: string): Promise<Image> {
    const image = await this.find(reference);
    if (!image) throw noSuchImage(reference);
    return image;
  }

  /** The ID that a name, an ID or the beginning of one leads to. Names go first, as with Docker. */
  async findId(reference: string, reader: Reader = this.#store): Promise<string | undefined> {
    const full = fullId(reference);
    if (full) return (await reader.get(imageKey(full))) ? full : undefined;
    const name = lookupName(parseReference(reference));
    const named = await reader.get<NameRecord>(nameKey(name));
    return named ? named.value.id : this.#byPrefix(reference, reader);
  }

  async byId(id: string): Promise<Image | undefined> {
    const record = await this.#store.get<ImageRecord>(imageKey(id));
    return record && this.#image(id, record.value);
  }

  async list(): Promise<readonly Image[]> {
    const records = await this.#store.range<ImageRecord>({ prefix: [IMAGES, 'image'] });
    const images: Image[] = [];
    for (const { key, value } of records) images.push(await this.#image(String(key[2]), value));
    return images.sort((a, b) => createdAt(b) - createdAt(a));
  }

  /** Writes down a new image and its names, or new names of one that is there. */
  async record(image: ImageToRecord): Promise<Image> {
    const id = sha256Of(image.config);
    const config = parseConfig(image.config);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== image.layers.length || diffIds.some((diffId, i) => diffId !== image.layers[i]!.diffId)) {
      throw new ServiceError('InvalidImage', 'the layers of the image are not those of its configuration');
    }
    using leases = new Leased();
    leases.add(await this.#content.write(image.config, { digest: id }));
    await this.#store.transact(async (transaction) => {
      const now = this.#clock.now();
      const known = await transaction.get<ImageRecord>(imageKey(id));
      const record: ImageRecord = known?.value ?? {
        layers: image.layers,
        ...(image.parent !== undefined && { parent: image.parent }),
        createdAt: now,
        lastTaggedAt: 0,
      };
      transaction.put(imageKey(id), image.names.length > 0 ? { ...record, lastTaggedAt: now } : record);
      this.#content.reference(transaction, id, [IMAGES, id]);
      for (const { descriptor } of record.layers) this.#content.reference(transaction, descriptor.digest, [IMAGES, id]);
      if (image.holder !== undefined) transaction.put(holderKey(id, image.holder), true);
      for (const { name, manifest } of image.names) await this.#setName(transaction, name, id, manifest);
    });
    return (await this.byId(id))!;
  }

  async tag(id: string, target: Reference): Promise<void> {
    await this.#store.transact(async (transaction) => {
      const record = await transaction.get<ImageRecord>(imageKey(id));
      if (!record) throw noSuchImage(id);
      transaction.put(imageKey(id), { ...record.value, lastTaggedAt: this.#clock.now() });
      await this.#setName(transaction, canonicalName(target), id, undefined);
    });
  }

  /** Gives an image a name with a digest; nothing when the image is gone meanwhile. The manifest is leased by the caller. */
  async addName(id: string, name: string, manifest: NonNullable<NameRecord['manifest']>): Promise<void> {
    await this.#store.transact(async (transaction) => {
      if (await transaction.get(imageKey(id))) await this.#setName(transaction, name, id, manifest);
    });
  }

  /** Names of an image, complete, in order. */
  async namesOf(id: string, reader: Reader = this.#store): Promise<string[]> {
    return (await reader.range({ prefix: [IMAGES, 'named', id] })).map(({ key }) => String(key[3]));
  }

  async holdersOf(id: string, reader: Reader = this.#store): Promise<string[]> {
    return (await reader.range({ prefix: [IMAGES, 'holder', id] })).map(({ key }) => String(key[3]));
  }

  async hold(id: string, holder: string): Promise<void> {
    await this.#store.transact(async (transaction) => {
      if (!(await transaction.get(imageKey(id)))) throw noSuchImage(id);
      transaction.put(holderKey(id, holder), true);
    });
  }

  async heldBy(holder: string): Promise<string[]> {
    const all = await this.#store.range({ prefix: [IMAGES, 'holder'] });
    return all.filter(({ key }) => key[3] === holder).map(({ key }) => String(key[2]));
  }

  async letGo(id: string, holder: string): Promise<void> {
    await this.#store.delete(holderKey(id, holder));
  }

  /** Takes a name away. */
  async forgetName(transaction: Transaction, name: string, id: string): Promise<void> {
    const record = await transaction.get<NameRecord>(nameKey(name));
    transaction.delete(nameKey(name));
    transaction.delete(namedKey(id, name));
    const digest = record?.value.manifest?.digest;
    if (digest !== undefined) this.#content.dereference(transaction, digest, [IMAGES, id, name]);
  }

  /** Takes an image away that has no names any more. */
  async forget(transaction: Transaction, id: string): Promise<readonly Layer[]> {
    const record = await transaction.get<ImageRecord>(imageKey(id));
    if (!record) return [];
    transaction.delete(imageKey(id));
    this.#content.dereference(transaction, id, [IMAGES, id]);
    for (const { descriptor } of record.value.layers) {
      this.#content.dereference(transaction, descriptor.digest, [IMAGES, id]);
    }
    for (const holder of await this.holdersOf(id, transaction)) transaction.delete(holderKey(id, holder));
    return record.value.layers;
  }

  async #setName(transaction: Transaction, name: string, id: string, manifest: NameRecord['manifest']): Promise<void> {
    const before = await transaction.get<NameRecord>(nameKey(name));
    if (before && before.value.id !== id) await this.forgetName(transaction, name, before.value.id);
    transaction.put(nameKey(name), { id, ...(manifest && { manifest }) } satisfies NameRecord);
    transaction.put(namedKey(id, name), true);
    if (manifest) this.#content.reference(transaction, manifest.digest, [IMAGES, id, name]);
  }

  async #byPrefix(text: string, reader: Reader): Promise<string | undefined> {
    if (!ID_PREFIX.test(text)) return undefined;
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    const found = await reader.range({
      prefix: [IMAGES, 'image'],
      from: [IMAGES, 'image', prefix],
      before: [IMAGES, 'image', `${prefix}g`],
      limit: 2,
    });
    if (found.length > 1) throw new ServiceError('AmbiguousId', `multiple IDs found with provided prefix: ${text}`);
    return found[0] && String(found[0].key[2]);
  }

  async #image(id: string, record: ImageRecord): Promise<Image> {
    const names = (await this.namesOf(id)).map((name) => familiarName(parseReference(name)));
    return {
      id,
      config: await this.#config(id),
      layers: record.layers,
      size: record.layers.reduce((sum, { size }) => sum + size, 0),
      tags: names.filter((name) => !name.includes('@')).sort(),
      digests: names.filter((name) => name.includes('@')).sort(),
      ...(record.parent !== undefined && { parent: record.parent }),
      lastTaggedAt: record.lastTaggedAt,
    };
  }

  async #config(id: string): Promise<ImageConfig> {
    let config = this.#configs.get(id);
    if (!config) {
      config = parseConfig(await this.#content.read(id));
      if (this.#configs.size >= MAX_CACHED) this.#configs.delete(this.#configs.keys().next().value!);
      this.#configs.set(id, config);
    }
    return config;
  }
}

/** Leases that are let go together. */
export class Leased implements Disposable {
  readonly #leases: BlobLease[] = [];

  add<T extends BlobLease>(lease: T): T {
    this.#leases.push(lease);
    return lease;
  }

  [Symbol.dispose](): void {
    for (const lease of this.#leases.splice(0)) lease.release();
  }
}

/** A complete ID, if the text is one. */
export function fullId(text: string): string | undefined {
  const id = text.startsWith('sha256:') ? text : `sha256:${text}`;
  return ID.test(id) ? id : undefined;
}

/** The name by which an image is looked up: a digest counts more than a tag beside it. */
export function lookupName(reference: Reference): string {
  const { digest } = reference;
  if (digest !== undefined) return `${repositoryOf(reference)}@${digest}`;
  return canonicalName(withDefaultTag(reference));
}

export function noSuchImage(reference: string): ServiceError {
  const name = fullId(reference) ? reference : familiarName(withDefaultTag(parseReference(reference)));
  return new ServiceError('ImageNotFound', `No such image: ${name}`, { status: 404 });
}

function createdAt({ config, lastTaggedAt }: Image): number {
  const time = Date.parse(config.created ?? '');
  return Number.isNaN(time) ? lastTaggedAt : time;
}

/** The document of a new image; its digest is the image's ID. */
export function encodeConfig({ config }: NewImage): Buffer {
  return Buffer.from(JSON.stringify(config));
}
