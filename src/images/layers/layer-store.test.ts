import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, mock } from 'node:test';
import { createSystemRandom } from '../../base/system-random.ts';
import { openBlobStore, openMemoryStore, type Store } from '../../store/index.ts';
import { createContentStore } from '../content/content-store.ts';
import { silentLogger as logger } from '../test-support.ts';
import { LayerStore } from './layer-store.ts';
import { LayerWorkers } from './layer-workers.ts';
import { Trash } from './trash.ts';

async function withLayers(work: (layers: LayerStore, trash: Trash, store: Store) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-layers-'));
  try {
    const [store, random] = [openMemoryStore(), createSystemRandom()];
    const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random, durable: false });
    const content = createContentStore({ store, blobs });
    const trash = new Trash({ directory, random, logger });
    const workers = new LayerWorkers();
    const layers = new LayerStore({ directory, store, content, random, logger, workers, trash, durable: false });
    await trash.start();
    await layers.start();
    await work(layers, trash, store);
    await trash.empty();
    await blobs.close();
    await store.close();
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe('layers', () => {
  it('that are made twice at the same time are kept once', () =>
    withLayers(async (layers, trash) => {
      const chain = `sha256:${'a'.repeat(64)}`;
      const made = await Promise.all(
        ['one', 'two', 'three'].map(async (name) => {
          const directory = join(layers.temporary, name);
          await mkdir(directory);
          await writeFile(join(directory, 'file'), 'the same');
          return directory;
        }),
      );
      const record = { diffId: chain, parent: undefined, size: 8 };
      await Promise.all(made.map((directory) => layers.adopt(directory, chain, record)));
      assert.deepEqual(layers.all(), [chain]);
      assert.equal(await readFile(join(layers.path(chain), 'file'), 'utf8'), 'the same');
      assert.deepEqual(await readdir(layers.temporary), []);
      assert.deepEqual(await layers.collect([chain]), [chain]);
      await trash.empty();
    }));

  it('can be made again after they could not be recorded', () =>
    withLayers(async (layers, trash, store) => {
      const chain = `sha256:${'b'.repeat(64)}`;
      const adopt = async () => {
        const directory = join(layers.temporary, 'made');
        await mkdir(directory);
        await writeFile(join(directory, 'file'), 'text');
        await layers.adopt(directory, chain, { diffId: chain, parent: undefined, size: 4 });
      };
      const full = mock.method(store, 'put', () => Promise.reject(new Error('the disk is full')));
      await assert.rejects(adopt(), /the disk is full/);
      full.mock.restore();
      assert.deepEqual(layers.all(), []);
      await adopt();
      assert.deepEqual(layers.all(), [chain]);
      await layers.collect([chain]);
      await trash.empty();
    }));
});
