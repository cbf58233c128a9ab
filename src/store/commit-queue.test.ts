import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_HISTORY, StoreWriteError } from './commit-queue.ts';
import type { Commit } from './driver.ts';
import { MemoryDriver } from './drivers/memory.ts';
import { RevisionedStore } from './revisioned-store.ts';

/** A disk whose writes take until they are let go, or fail when told so. */
class SlowDriver extends MemoryDriver {
  readonly commits: Commit[] = [];
  #waiting: { go(): void; fail(): void }[] = [];

  override async commit(commit: Commit): Promise<void> {
    await new Promise<void>((go, reject) => this.#waiting.push({ go, fail: () => reject(new Error('disk full')) }));
    this.commits.push(commit);
    await super.commit(commit);
  }

  async finish(how: 'go' | 'fail' = 'go'): Promise<void> {
    while (this.#waiting.length === 0) await turn();
    this.#waiting.shift()![how]();
    await turn();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function open() {
  const driver = new SlowDriver();
  return { driver, store: new RevisionedStore(driver, DEFAULT_HISTORY) };
}

describe('store: group commit', () => {
  it('writes together what has gathered while the disk was busy, each key once', async () => {
    const { driver, store } = open();
    const first = store.put(['k'], 0);
    await turn();
    const rest = Promise.all([1, 2, 3].map((n) => store.put(['k'], n)));
    await driver.finish();
    assert.equal(await first, 1);
    await driver.finish();
    assert.deepEqual(await rest, [2, 3, 4]);
    assert.equal(driver.commits.length, 2);
    assert.equal((await store.get(['k'], { revision: 3 }))!.value, 2);
  });

  it('shows nobody what is not durable, but lets transactions build on it', async () => {
    const { driver, store } = open();
    const watched = store.watch({ prefix: [] })[Symbol.asyncIterator]().next();
    let told = false;
    void watched.then(() => {
      told = true;
    });
    const put = store.put(['k'], 1);
    const doubled = store.transact(async (transaction) => {
      const value = (await transaction.get<number>(['k']))!.value;
      transaction.put(['k'], value * 2);
      return value;
    });
    let read: unknown = 'not yet';
    const reading = store.transact(async (transaction) => (await transaction.get(['k']))?.value);
    void reading.then((value) => {
      read = value;
    });
    await turn();
    assert.equal(await store.get(['k']), undefined);
    assert.deepEqual([store.revision, told, read], [0, false, 'not yet']);
    await driver.finish();
    assert.equal(await put, 1);
    await driver.finish();
    assert.equal(await doubled, 1);
    assert.equal(await reading, 2);
    assert.equal((await store.get(['k']))!.value, 2);
    assert.ok(told);
  });

  it('refuses the writes of a commit that fails, and runs again what was built on them', async () => {
    const { driver, store } = open();
    const put = store.put(['k'], 'lost');
    await turn();
    const seen: unknown[] = [];
    const built = store.transact(async (transaction) => {
      seen.push((await transaction.get(['k']))?.value);
      transaction.put(['copy'], seen.at(-1) ?? 'nothing');
    });
    const later = store.put(['later'], 1);
    const reading = store.transact(async (transaction) => (await transaction.get(['k']))?.value);
    await turn();
    await Promise.all([driver.finish('fail'), assert.rejects(put, StoreWriteError)]);
    await driver.finish();
    await driver.finish().catch(() => {});
    await Promise.all([built, later]);
    assert.deepEqual(seen, ['lost', undefined]);
    assert.equal(await reading, undefined);
    assert.equal(await store.get(['k']), undefined);
    assert.equal((await store.get(['copy']))!.value, 'nothing');
    assert.equal(store.revision, 2, 'the revision of the lost write was given again');
  });
});
