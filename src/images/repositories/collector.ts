import { setImmediate as turn } from 'node:timers/promises';
import type { Timer } from '../../base/clock.ts';
import type { Entry, Key, Transaction } from '../../store/index.ts';
import { GRACE_MS, removeLink } from './blobs.ts';
import {
  type BlobLink,
  blobKey,
  blobOwner,
  blobPlaceKey,
  blobPrefix,
  contentPrefixes,
  doomedPrefix,
  manifestOwner,
  manifestPrefix,
  type RepositoryRecord,
  repositoryKey,
  repositoryPrefix,
  usePrefix,
} from './records.ts';
import type { RegistryState } from './state.ts';
import type { Uploads } from './uploads.ts';

type Collected = { readonly deleted: number; readonly bytes: number };

const INTERVAL_MS = 3_600_000;
const PAGE = 500;

/**
 * Takes away what nothing names: blobs that no manifest of their repository is made of, a day after they were last
 * pushed or asked for; uploads that were given up; what deleted repositories held; repositories that pushes made and in which
 * nothing is left. It goes through the records page by page and decides about each in a transaction of its own, so that a push that
 * comes to use something meanwhile wins, and waits for nothing.
 */
export class Collector {
  readonly #state: RegistryState;
  readonly #uploads: Uploads;
  #timer: Timer | undefined;
  #running: Promise<Collected> | undefined;
  #next: Promise<Collected> | undefined;
  #closed = false;

  constructor(state: RegistryState, uploads: Uploads) {
    this.#state = state;
    this.#uploads = uploads;
  }

  /** Collects within the hour. */
  later(): void {
    if (this.#timer || this.#closed) return;
    const { clock, logger } = this.#state;
    this.#timer = clock.at(clock.now() + INTERVAL_MS, () => {
      this.#timer = undefined;
      this.collect().catch((error: unknown) => {
        if (this.#closed) return;
        logger.error('the registry could not be cleaned up; it is tried again', { error: String(error) });
        this.later();
      });
    });
  }

  /** One that is under way may have passed what is garbage now, so the next one is waited for. */
  collect(): Promise<Collected> {
    if (!this.#running) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    while (this.#running) await this.#running.catch(() => {});
  }

  #start(): Promise<Collected> {
    this.#next = undefined;
    this.#running = this.#collect().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #collect(): Promise<Collected> {
    await this.#eraseDoomed();
    const living = new Set<string>();
    for await (const { value } of this.#entries<RepositoryRecord>(repositoryPrefix)) living.add(value.id);
    let waiting = await this.#uploads.expire(async (id) => living.has(id) || (await this.#isRepository(id)));
    for await (const { key, value } of this.#entries<RepositoryRecord>(repositoryPrefix)) {
      waiting += await this.#unlinkUnused(value.id);
      if (value.pushedTo !== undefined) waiting += await this.#removeEmpty(String(key.at(-1)), value.id);
    }
    if (waiting > 0) this.later();
    return this.#state.content.collect();
  }

  /** Asked about those that were made after the walk. */
  async #isRepository(id: string): Promise<boolean> {
    for await (const { value } of this.#entries<RepositoryRecord>(repositoryPrefix)) if (value.id === id) return true;
    return false;
  }

  async #eraseDoomed(): Promise<void> {
    const { store } = this.#state;
    for (const { key } of await store.range({ prefix: doomedPrefix })) {
      const id = String(key.at(-1));
      for (const prefix of contentPrefixes(id)) await this.#erase(id, prefix);
      await store.delete(key);
    }
  }

  async #erase(id: string, prefix: Key): Promise<void> {
    const { store, content } = this.#state;
    for (;;) {
      this.#goOn();
      const page = await store.range({ prefix, limit: PAGE });
      if (page.length === 0) return;
      await store.transact(async (transaction) => {
        for (const { key } of page) {
          const digest = String(key[3]);
          transaction.delete(key);
          if (prefix[1] === blobPrefix(id)[1]) {
            transaction.delete(blobPlaceKey(digest, id));
            content.dereference(transaction, digest, blobOwner(id));
          }
          if (prefix[1] === manifestPrefix(id)[1]) content.dereference(transaction, digest, manifestOwner(id));
        }
      });
      await turn();
    }
  }

  /** Answers how many blobs are not used, but too young to go. */
  async #unlinkUnused(id: string): Promise<number> {
    const { store, clock } = this.#state;
    let waiting = 0;
    for await (const { key, value } of this.#entries<BlobLink>(blobPrefix(id))) {
      const digest = String(key.at(-1));
      if (await isUsed(store, id, digest)) continue;
      if (clock.now() - value.touchedAt < GRACE_MS) {
        waiting++;
        continue;
      }
      await store.transact(async (transaction) => {
        const link = (await transaction.get<BlobLink>(blobKey(id, digest)))?.value;
        if (!link || clock.now() - link.touchedAt < GRACE_MS || (await isUsed(transaction, id, digest))) return;
        removeLink(this.#state, transaction, id, digest);
      });
    }
    return waiting;
  }

  /** Removes a repository that a push has made, when nothing is in it; answers 1 when it is too young to go. */
  async #removeEmpty(name: string, id: string): Promise<number> {
    if (await this.#uploads.has(id)) return 0;
    return this.#state.store.transact(async (transaction) => {
      const record = (await transaction.get<RepositoryRecord>(repositoryKey(name)))?.value;
      if (record?.id !== id || record.pushedTo === undefined) return 0;
      for (const prefix of [blobPrefix(id), manifestPrefix(id)]) {
        if ((await transaction.range({ prefix, limit: 1 })).length > 0) return 0;
      }
      if (this.#state.clock.now() - record.pushedTo < GRACE_MS) return 1;
      transaction.delete(repositoryKey(name));
      return 0;
    });
  }

  /** A walk that is cut short must not look like one that has seen everything. */
  #goOn(): void {
    if (this.#closed) throw new Error('the registry is being closed');
  }

  /** Entries page by page, giving others their turn in between. */
  async *#entries<V>(prefix: Key): AsyncGenerator<Entry<V>> {
    let after: Key | undefined;
    for (;;) {
      const page = await this.#state.store.range<V>({ prefix, limit: PAGE, ...(after ? { after } : {}) });
      for (const [i, entry] of page.entries()) {
        this.#goOn();
        if (i % 64 === 63) await turn();
        yield entry;
      }
      if (page.length < PAGE) return;
      after = page.at(-1)!.key;
    }
  }
}

async function isUsed(reader: Pick<Transaction, 'range'>, id: string, digest: string): Promise<boolean> {
  return (await reader.range({ prefix: usePrefix(id, digest), limit: 1 })).length > 0;
}
