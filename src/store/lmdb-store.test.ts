import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbStore } from './lmdb-store.ts';
import { describeStore } from './store-contract.ts';

describeStore('lmdb', async (history) => {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-store-'));
  const store = await openLmdbStore({ directory, ...(history && { history }) });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});
