import { join } from 'node:path';
import type { AdjustableClock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { type BlobStore, openBlobStore, openLmdbStore, openMemoryStore, type Store } from '../store/index.ts';

/** Everything that outlives a restart. */
export interface State {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Deletes what is below these first key parts, or everything. Nothing may use the store meanwhile. */
  erase(prefixes: readonly string[] | undefined): Promise<void>;
  /** Keeps the clock's present offset. */
  saveClock(): Promise<void>;
  close(): Promise<void>;
}

export interface StateOptions {
  readonly directory: string;
  readonly ephemeral: boolean;
  readonly clock: AdjustableClock;
  readonly random: Random;
}

const CLOCK_KEY = ['clock'];
const BLOB_REFERENCES = 'blob-references';
const ERASE_PAGE = 1000;

/** Opens the store and the blobs of a data directory and sets the clock as it was left. */
export async function openState({ directory, ephemeral, clock, random }: StateOptions): Promise<State> {
  const store = ephemeral ? openMemoryStore() : await openLmdbStore({ directory: join(directory, 'store') });
  const blobs = await openBlobStore({
    directory: join(directory, 'blobs'),
    store,
    random,
    clock,
    durable: !ephemeral,
  });
  const saved = await store.get<{ offset: number; frozenAt: number | undefined }>(CLOCK_KEY);
  if (saved) clock.restore({ offset: saved.value.offset, frozenAt: saved.value.frozenAt });
  return {
    store,
    blobs,
    erase: async (prefixes) => {
      for (const prefix of prefixes?.map((part) => [part]) ?? [[]]) await erasePrefix(store, prefix);
      if (prefixes) await eraseReferences(store, new Set(prefixes));
      else clock.restore({ offset: 0, frozenAt: undefined });
      await blobs.collect();
    },
    saveClock: async () => {
      await store.put(CLOCK_KEY, { offset: clock.offset, frozenAt: clock.frozen ? clock.now() : undefined });
    },
    close: async () => {
      await blobs.close();
      await store.flush();
      await store.close();
    },
  };
}

async function erasePrefix(store: Store, prefix: readonly string[]): Promise<void> {
  for (;;) {
    const page = await store.range({ prefix, limit: ERASE_PAGE });
    if (page.length === 0) return;
    await store.transact(async (transaction) => {
      for (const { key } of page) transaction.delete(key);
    });
  }
}

/** References to blobs are kept by blob, then by who refers to it. */
async function eraseReferences(store: Store, owners: ReadonlySet<string>): Promise<void> {
  const references = await store.range({ prefix: [BLOB_REFERENCES] });
  const theirs = references.filter(({ key }) => owners.has(String(key[2])));
  await store.transact(async (transaction) => {
    for (const { key } of theirs) transaction.delete(key);
  });
}
