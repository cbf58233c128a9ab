import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Watch } from '../store.ts';
import { next, type OpenTestedStore } from './tested-store.ts';

/** What watches tell. */
export function describeWatches(name: string, open: OpenTestedStore): void {
  describe(`${name} store: watches`, () => {
    it('tell each change once, in order, with what was before', async () => {
      await using opened = await open();
      const { store } = opened;
      const watch = store.watch<number>({ prefix: ['w'] });
      await store.put(['w', 1], 1);
      await store.put(['x'], 'not watched');
      await store.put(['w', 1], 2);
      await store.delete(['w', 1]);
      const [created, changed, deleted] = [await next(watch), await next(watch), await next(watch)];
      assert.deepEqual(created, {
        revision: 1,
        events: [
          {
            type: 'put',
            entry: { key: ['w', 1], value: 1, createRevision: 1, modRevision: 1 },
            previous: undefined,
            revision: 1,
          },
        ],
      });
      const [change] = changed.events;
      assert.ok(change?.type === 'put' && change.entry.value === 2 && change.previous?.value === 1);
      const [deletion] = deleted.events;
      assert.ok(deletion?.type === 'delete' && deletion.previous.value === 2 && deletion.revision === 4);
      watch.close();
    });

    it('give all changes of a transaction together', async () => {
      await using opened = await open();
      const { store } = opened;
      const watch = store.watch({ prefix: [] });
      await store.transact(async (transaction) => {
        transaction.put(['a'], 1);
        transaction.put(['b'], 2);
      });
      const batch = await next(watch);
      assert.deepEqual(
        batch.events.map((event) => event.type === 'put' && event.entry.key),
        [['a'], ['b']],
      );
      watch.close();
    });

    it('have no gap and no repetition wherever they begin, also when their reader is slow', async () => {
      await using opened = await open();
      const { store } = opened;
      const idle = store.watch<number>({ prefix: ['w'] });
      const total = 3000;
      const starts = [0, 1, 499, 1500];
      const readers: Promise<number[]>[] = [];
      const collect = async (watch: Watch<number>, from: number) => {
        const values: number[] = [];
        for await (const batch of watch) {
          for (const event of batch.events) if (event.type === 'put') values.push(event.entry.value);
          if (values.at(-1) === total) break;
        }
        assert.deepEqual(
          values,
          Array.from({ length: total - from }, (_, i) => from + 1 + i),
        );
        return values;
      };
      const pending: Promise<number>[] = [];
      for (let i = 1; i <= total; i++) {
        pending.push(store.put(['w', i % 5], i));
        if (i === 2000) {
          await Promise.all(pending);
          for (const from of starts)
            readers.push(collect(store.watch<number>({ prefix: ['w'], fromRevision: from }), from));
        }
      }
      await Promise.all(pending);
      readers.push(collect(idle, 0));
      await Promise.all(readers);
    });

    it('end when they are closed, or the store is', async () => {
      await using opened = await open();
      const { store } = opened;
      const [one, two] = [store.watch({ prefix: [] }), store.watch({ prefix: [] })];
      const waiting = two[Symbol.asyncIterator]().next();
      one.close();
      assert.deepEqual(await one[Symbol.asyncIterator]().next(), { done: true, value: undefined });
      await store.close();
      assert.deepEqual(await waiting, { done: true, value: undefined });
      await assert.rejects(store.put(['a'], 1), /closed/);
    });
  });
}
