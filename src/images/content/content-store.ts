import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  type Blob,
  BlobDigestError,
  type BlobLease,
  BlobNotFoundError,
  type BlobRange,
  type BlobStore,
  type Store,
  type Transaction,
} from '../../store/index.ts';
import { type ContentStore, SizeMismatchError, type WriteContentOptions } from '../content.ts';
import { Holds } from '../holds.ts';
import { isDigest, isSha512 } from './digest.ts';

/** First part of the keys of this room: second names of blobs. Who refers to one by its name is kept with the blobs' references. */
const CONTENT = 'image-content';

const nameKey = (digest: string) => [CONTENT, 'name', digest] as const;

/** The record of a SHA-512 name. While it is there, it refers to the blob itself. */
interface SecondName {
  /** The SHA-256 digest by which the blob is kept. */
  readonly digest: string;
}

export interface ContentStoreOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
}

/** Opens the content that images and registries share, over the blobs of the data directory. */
export function createContentStore(options: ContentStoreOptions): ContentStore {
  return new BlobContentStore(options);
}

class BlobContentStore implements ContentStore {
  readonly #store: Store;
  readonly #blobs: BlobStore;
  readonly #names = new Holds();

  constructor({ store, blobs }: ContentStoreOptions) {
    this.#store = store;
    this.#blobs = blobs;
    blobs.beforeCollecting(() => this.#forgetNames());
  }

  async stat(digest: string): Promise<{ readonly size: number } | undefined> {
    const lease = await this.lease(digest);
    lease?.release();
    return lease && { size: lease.size };
  }

  async open(digest: string, range?: BlobRange): Promise<Readable> {
    return this.#blobs.open(await this.#keptAs(digest), range);
  }

  async read(digest: string): Promise<Buffer> {
    return this.#blobs.read(await this.#keptAs(digest));
  }

  async path(digest: string): Promise<string> {
    return this.#blobs.path(await this.#keptAs(digest));
  }

  async write(
    source: AsyncIterable<Uint8Array> | Uint8Array,
    options: WriteContentOptions = {},
  ): Promise<Blob & BlobLease> {
    const { digest, size, maxSize } = options;
    if (digest !== undefined && !isDigest(digest)) throw new TypeError(`not a digest: ${digest}`);
    const sha512 = digest !== undefined && isSha512(digest) ? digest : undefined;
    const checked = size === undefined && sha512 === undefined ? source : checkedSource(source, size, sha512);
    const blob = await this.#blobs.write(checked, {
      ...(maxSize !== undefined && { maxSize }),
      ...(digest !== undefined && sha512 === undefined && { digest }),
    });
    return sha512 === undefined ? blob : this.#nameToo(sha512, blob);
  }

  async adopt(path: string, blob: Blob, name?: string): Promise<Blob & BlobLease> {
    if (name !== undefined && !isSha512(name)) throw new TypeError(`not a SHA-512 digest: ${name}`);
    const adopted = await this.#blobs.adopt(path, blob);
    return name === undefined ? adopted : this.#nameToo(name, adopted);
  }

  async lease(digest: string): Promise<(Blob & BlobLease) | undefined> {
    if (!isSha512(digest)) return isDigest(digest) ? this.#blobs.lease(digest) : undefined;
    const release = await this.#names.take(digest);
    try {
      const name = await this.#store.get<SecondName>(nameKey(digest));
      const blob = name && (await this.#blobs.lease(name.value.digest));
      if (blob) return { digest, size: blob.size, release: all(release, blob.release) };
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  reference(transaction: Transaction, digest: string, owner: readonly string[]): void {
    this.#blobs.reference(transaction, digest, owner);
  }

  dereference(transaction: Transaction, digest: string, owner: readonly string[]): void {
    this.#blobs.dereference(transaction, digest, owner);
  }

  collect(): Promise<{ readonly deleted: number; readonly bytes: number }> {
    return this.#blobs.collect();
  }

  /** The digest by which the blob's file is named. `BlobNotFoundError` when there is no such name. */
  async #keptAs(digest: string): Promise<string> {
    if (!isSha512(digest)) return digest;
    const name = await this.#store.get<SecondName>(nameKey(digest));
    if (!name) throw new BlobNotFoundError(digest);
    return name.value.digest;
  }

  async #nameToo(sha512: string, blob: Blob & BlobLease): Promise<Blob & BlobLease> {
    const release = await this.#names.take(sha512);
    try {
      await this.#store.transact(async (transaction) => {
        if (await transaction.get(nameKey(sha512))) return;
        transaction.put(nameKey(sha512), { digest: blob.digest } satisfies SecondName);
        this.#blobs.reference(transaction, blob.digest, [CONTENT, sha512]);
      });
      // The name refers to the blob, so that nobody else sees when nothing came to refer to the name.
      const collectLater = () => this.#blobs.collectLater();
      return { digest: sha512, size: blob.size, release: all(release, blob.release, collectLater) };
    } catch (error) {
      release();
      blob.release();
      throw error;
    }
  }

  async #forgetNames(): Promise<void> {
    for (const { key } of await this.#store.range({ prefix: [CONTENT, 'name'] })) {
      const digest = String(key[2]);
      if (await this.#blobs.isReferenced(digest)) continue;
      await this.#names.unlessHeld(digest, () => this.#forgetName(digest));
    }
  }

  /** Takes a second name away when nothing refers to the blob by it. */
  async #forgetName(digest: string): Promise<void> {
    await this.#store.transact(async (transaction) => {
      if (await this.#blobs.isReferenced(digest, transaction)) return;
      const name = await transaction.get<SecondName>(nameKey(digest));
      if (!name) return;
      transaction.delete(nameKey(digest));
      this.#blobs.dereference(transaction, name.value.digest, [CONTENT, digest]);
    });
  }
}

/** The same bytes; throws at their end when they are not what was expected, so that nothing is kept. */
async function* checkedSource(
  source: AsyncIterable<Uint8Array> | Uint8Array,
  expectedSize: number | undefined,
  sha512: string | undefined,
): AsyncGenerator<Uint8Array> {
  const hash = sha512 === undefined ? undefined : createHash('sha512');
  let size = 0;
  for await (const chunk of source instanceof Uint8Array ? [source] : source) {
    size += chunk.length;
    if (expectedSize !== undefined && size > expectedSize) throw new SizeMismatchError(expectedSize, size);
    hash?.update(chunk);
    yield chunk;
  }
  if (expectedSize !== undefined && size !== expectedSize) throw new SizeMismatchError(expectedSize, size);
  const actual = hash && `sha512:${hash.digest('hex')}`;
  if (sha512 !== undefined && actual !== sha512) throw new BlobDigestError(sha512, String(actual));
}

function all(...releases: readonly (() => void)[]): () => void {
  return () => {
    for (const release of releases) release();
  };
}
