import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isGone, noteStorePlace, openLmdbStore, openMemoryStore, type StorePlace } from './index.ts';

describe('the place of a store', () => {
  let directory: string;
  let place: StorePlace;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-place-'));
    const store = await openLmdbStore({ directory: join(directory, 'data/store') });
    place = noteStorePlace(store)!;
    await store.close();
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is not gone while there is something', async () => {
    assert.equal(isGone(place), false);
    await rm(join(directory, 'data'), { recursive: true });
    await mkdir(join(directory, 'data/store'), { recursive: true });
    assert.equal(isGone(place), false);
  });

  it('is gone when the store was deleted, alone or with what is around it', async () => {
    await rm(join(directory, 'data/store'), { recursive: true });
    assert.equal(isGone(place), true);
    await rm(directory, { recursive: true });
    assert.equal(isGone(place), true);
    await mkdir(directory);
  });

  it('is not gone for who sees other disks', async () => {
    await rename(join(directory, 'data'), join(directory, 'elsewhere'));
    assert.equal(isGone({ ...place, device: place.device + 1 }), false);
    assert.equal(isGone({ ...place, mountNamespace: 'mnt:[1]' }), false);
  });

  it('of a store in memory is none', () => {
    assert.equal(noteStorePlace(openMemoryStore()), undefined);
  });
});
