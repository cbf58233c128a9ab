import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenTestedStore } from './tested-store.ts';

/** What is put is what is got. */
export function describeValues(name: string, open: OpenTestedStore): void {
  describe(`${name} store: values`, () => {
    it('gives back what was put, with the revisions of creation and last change', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.equal(store.revision, 0);
      assert.equal(await store.put(['a', 1], { text: 'é', list: [1, null, 'x'], nested: { deep: true } }), 1);
      assert.equal(await store.put(['b'], 'other'), 2);
      assert.equal(await store.put(['a', 1], 'again'), 3);
      assert.deepEqual(await store.get(['a', 1]), { key: ['a', 1], value: 'again', createRevision: 1, modRevision: 3 });
      assert.equal(await store.get(['a']), undefined);
      assert.equal(store.revision, 3);
    });

    it('keeps bytes as bytes, drops undefined members, and keeps numbers exactly', async () => {
      await using opened = await open();
      const { store } = opened;
      const numbers = [0, -1, 1.5, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, 1e-300];
      await store.put(['v'], { bytes: Uint8Array.of(0, 255), gone: undefined, numbers });
      const value = (await store.get<{ bytes: Uint8Array }>(['v']))!.value;
      assert.ok(value.bytes instanceof Uint8Array);
      assert.deepEqual({ ...value, bytes: [...value.bytes] }, { bytes: [0, 255], numbers });
      assert.ok(!('gone' in value));
    });

    it('has nothing under what cannot be a key, and goes on from it all the same', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.put(['a', 'one'], 1);
      const long = 'b'.repeat(10_000);
      const none = { prefix: ['a', long] };
      assert.equal(await store.get(['a', long]), undefined);
      assert.equal(await store.get(['a', '\ud800']), undefined);
      assert.deepEqual(await store.range(none), []);
      const values = async (options: object) =>
        (await store.range({ prefix: ['a'], ...options })).map(({ value }) => value);
      assert.deepEqual(await values({ after: ['a', long] }), [1]);
      assert.deepEqual(await values({ before: ['a', long] }), []);
      assert.deepEqual(await values({ from: ['a', 'z'.repeat(10_000)] }), []);
      await store.transact(async (transaction) => {
        assert.equal(await transaction.get(['a', long]), undefined);
        assert.deepEqual(await transaction.range(none), []);
        assert.equal((await transaction.range({ prefix: ['a'], after: ['a', long] })).length, 1);
      });
    });

    it('is not changed by a caller who changes what it put or got', async () => {
      await using opened = await open();
      const { store } = opened;
      const mine = { list: [1], bytes: Uint8Array.of(1) };
      const putting = store.put(['v'], mine);
      mine.list.push(2);
      mine.bytes[0] = 9;
      await putting;
      const got = (await store.get<typeof mine>(['v']))!.value;
      got.list.push(3);
      got.bytes[0] = 8;
      const [again] = await store.range<typeof mine>({ prefix: ['v'] });
      assert.deepEqual([again!.value.list, again!.value.bytes[0]], [[1], 1]);
    });

    it('stores a value of 5 MB', async () => {
      await using opened = await open();
      const { store } = opened;
      const large = Buffer.alloc(5_000_000, 'abc');
      await store.put(['large'], large);
      assert.ok(large.equals((await store.get<Buffer>(['large']))!.value));
      await store.put(['large'], 'small now');
      assert.ok(large.equals((await store.get<Buffer>(['large'], { revision: 1 }))!.value));
    });

    it('gives a key that was deleted and put again a new creation revision', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.put(['k'], 1);
      assert.equal(await store.delete(['k']), 2);
      assert.equal(await store.get(['k']), undefined);
      assert.equal(await store.delete(['k']), 2, 'deleting nothing makes no revision');
      await store.put(['k'], 2);
      assert.equal((await store.get(['k']))!.createRevision, 3);
    });

    it('acknowledges many puts at once, each with its own revision, the last one winning', async () => {
      await using opened = await open();
      const { store } = opened;
      const revisions = await Promise.all(Array.from({ length: 500 }, (_, i) => store.put(['k', i % 7], i)));
      assert.deepEqual(
        revisions,
        Array.from({ length: 500 }, (_, i) => i + 1),
      );
      const values = (await store.range<number>({ prefix: ['k'] })).map(({ value }) => value);
      assert.deepEqual(values, [497, 498, 499, 493, 494, 495, 496]);
    });
  });
}
