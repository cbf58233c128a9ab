import type { Readable } from 'node:stream';
import {
  BlobDigestError,
  type BlobLease,
  BlobNotFoundError,
  type BlobRange,
  type Transaction,
} from '../../store/index.ts';
import type { Descriptor } from '../oci.ts';
import { blobUnknown, digestMalformed, digestMismatch, inUse } from './errors.ts';
import { isDigest } from './grammar.ts';
import {
  type BlobLink,
  blobKey,
  blobOwner,
  blobPlaceKey,
  blobPlacePrefix,
  type RepositoryRecord,
  repositoryKey,
  usePrefix,
} from './records.ts';
import { findRepository, getRepository, type RegistryState, repositoryForPush } from './state.ts';

/** What nothing uses is kept for this long after it was pushed or asked for. */
export const GRACE_MS = 24 * 3_600_000;
/** A client that asks about a blob is about to refer to it; told again only after a while, so that asking costs no write. */
const TOUCH_MS = 3_600_000;
const OCTETS = 'application/octet-stream';

/** The blobs of repositories: a repository sees those that were pushed or mounted to it, whatever else there is. */
export class Blobs {
  readonly #state: RegistryState;

  constructor(state: RegistryState) {
    this.#state = state;
  }

  async stat(repository: string, digest: string): Promise<{ readonly size: number }> {
    const { id } = await getRepository(this.#state.store, repository);
    const link = await this.#link(id, digest);
    await this.#touch(id, digest, link);
    return { size: link.size };
  }

  async open(repository: string, digest: string, range?: BlobRange): Promise<Readable> {
    return this.#content(repository, digest, () => this.#state.content.open(digest, range));
  }

  async path(repository: string, digest: string): Promise<string> {
    return this.#content(repository, digest, () => this.#state.content.path(digest));
  }

  async #content<T>(repository: string, digest: string, get: () => Promise<T>): Promise<T> {
    const { id } = await getRepository(this.#state.store, repository);
    await this.#link(id, digest);
    try {
      return await get();
    } catch (error) {
      // It was deleted in this moment.
      if (error instanceof BlobNotFoundError) throw blobUnknown(digest);
      throw error;
    }
  }

  async put(repository: string, digest: string, source: AsyncIterable<Uint8Array> | Uint8Array): Promise<Descriptor> {
    if (!isDigest(digest)) throw digestMalformed(digest);
    const target = await repositoryForPush(this.#state, repository);
    const written = await this.#write(digest, source);
    return this.keep(repository, target, written);
  }

  /** Links content that its writer holds a lease of, and ends the lease. */
  async keep(
    repository: string,
    target: RepositoryRecord,
    content: { readonly digest: string; readonly size: number } & BlobLease,
  ): Promise<Descriptor> {
    const { digest, size } = content;
    try {
      await this.#state.store.transact(async (transaction) => {
        const { id } = await getRepository(transaction, repository);
        // Deleted and made anew meanwhile: what was pushed to the old one is not in the new one.
        if (id !== target.id) throw blobUnknown(digest);
        this.#put(transaction, id, repository, digest, size);
      });
    } finally {
      content.release();
    }
    this.#state.collectLater();
    return { mediaType: OCTETS, digest, size };
  }

  async repositoriesOf(digest: string, limit: number): Promise<readonly string[]> {
    if (!isDigest(digest)) throw digestMalformed(digest);
    const { store } = this.#state;
    const places = await store.range<string>({ prefix: blobPlacePrefix(digest), limit });
    const names: string[] = [];
    for (const { key, value: name } of places) {
      const record = (await store.get<RepositoryRecord>(repositoryKey(name)))?.value;
      if (record?.id === key.at(-1)) names.push(name);
    }
    return names;
  }

  async mount(repository: string, digest: string, from: string): Promise<boolean> {
    if (!isDigest(digest)) throw digestMalformed(digest);
    const source = await findRepository(this.#state.store, from);
    const link = source && (await this.#state.store.get<BlobLink>(blobKey(source.id, digest)));
    if (!link) return false;
    const target = await repositoryForPush(this.#state, repository);
    const mounted = await this.#state.store.transact(async (transaction) => {
      const { id } = await getRepository(transaction, repository);
      // Read in the transaction: the source's link holds the content until this one does.
      if (id !== target.id || !(await transaction.get(blobKey(source.id, digest)))) return false;
      this.#put(transaction, id, repository, digest, link.value.size);
      return true;
    });
    if (mounted) this.#state.collectLater();
    return mounted;
  }

  /** Refused while a manifest is made of it. */
  async delete(repository: string, digest: string): Promise<void> {
    if (!isDigest(digest)) throw digestMalformed(digest);
    await this.#state.store.transact(async (transaction) => {
      const { id } = await getRepository(transaction, repository);
      if (!(await transaction.get(blobKey(id, digest)))) throw blobUnknown(digest);
      const [use] = await transaction.range({ prefix: usePrefix(id, digest), limit: 1 });
      if (use) throw inUse('this blob', String(use.key.at(-1)));
      removeLink(this.#state, transaction, id, digest);
    });
    this.#state.collectLater();
  }

  async #link(id: string, digest: string): Promise<BlobLink> {
    if (!isDigest(digest)) throw digestMalformed(digest);
    const link = await this.#state.store.get<BlobLink>(blobKey(id, digest));
    if (!link) throw blobUnknown(digest);
    return link.value;
  }

  async #touch(id: string, digest: string, link: BlobLink): Promise<void> {
    const { clock, store } = this.#state;
    if (clock.now() - link.touchedAt < TOUCH_MS) return;
    await store.transact(async (transaction) => {
      const current = await transaction.get<BlobLink>(blobKey(id, digest));
      if (!current) throw blobUnknown(digest);
      transaction.put(blobKey(id, digest), { ...current.value, touchedAt: clock.now() });
    });
  }

  #put(transaction: Transaction, id: string, repository: string, digest: string, size: number): void {
    const { clock, content } = this.#state;
    transaction.put(blobKey(id, digest), { size, touchedAt: clock.now() } satisfies BlobLink);
    transaction.put(blobPlaceKey(digest, id), repository);
    content.reference(transaction, digest, blobOwner(id));
  }

  async #write(digest: string, source: AsyncIterable<Uint8Array> | Uint8Array) {
    try {
      return await this.#state.content.write(source, { digest });
    } catch (error) {
      if (error instanceof BlobDigestError) throw digestMismatch(digest);
      throw error;
    }
  }
}

/** The repository has the blob no more. */
export function removeLink(
  { content }: Pick<RegistryState, 'content'>,
  transaction: Transaction,
  id: string,
  digest: string,
): void {
  transaction.delete(blobKey(id, digest));
  transaction.delete(blobPlaceKey(digest, id));
  content.dereference(transaction, digest, blobOwner(id));
}
