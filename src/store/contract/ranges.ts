import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../base/system-random.ts';
import type { Key } from '../store.ts';
import type { OpenTestedStore } from './tested-store.ts';

/** Ranges of keys, as they are and as they were. */
export function describeRanges(name: string, open: OpenTestedStore): void {
  describe(`${name} store: ranges`, () => {
    it('agrees with a sorted list for every combination of bounds', async () => {
      await using opened = await open();
      const { store } = opened;
      const random = createSeededRandom(3);
      const pick = (below: number) => Math.floor(random.fraction() * below);
      const key = (): Key => ['p', ['a', 'b', 'c'][pick(3)]!, pick(40)];
      const model = new Map<string, { key: Key; value: number }>();
      const idOf = (at: Key) => `${at[1]}${String(at[2]).padStart(3, '0')}`;
      for (let i = 0; i < 400; i++) {
        const at = key();
        if (pick(4) === 0) {
          model.delete(idOf(at));
          await store.delete(at);
        } else {
          model.set(idOf(at), { key: at, value: i });
          await store.put(at, i);
        }
      }
      for (let i = 0; i < 300; i++) {
        const prefix: Key = pick(2) ? ['p'] : ['p', ['a', 'b', 'c'][pick(3)]!];
        const options = {
          prefix,
          ...(pick(3) === 0 && { from: key() }),
          ...(pick(3) === 0 && { after: key() }),
          ...(pick(3) === 0 && { before: key() }),
          ...(pick(2) === 0 && { reverse: true }),
          ...(pick(2) === 0 && { limit: pick(10) }),
        };
        let expected = [...model.entries()]
          .filter(([id]) => prefix.length === 1 || id.startsWith(prefix[1] as string))
          .filter(([id]) => !options.from || id >= idOf(options.from))
          .filter(([id]) => !options.after || id > idOf(options.after))
          .filter(([id]) => !options.before || id < idOf(options.before))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, entry]) => entry);
        if (options.reverse) expected.reverse();
        if (options.limit !== undefined) expected = expected.slice(0, options.limit);
        const inTransaction = await store.transact((transaction) => transaction.range<number>(options));
        for (const found of [await store.range<number>(options), inTransaction]) {
          assert.deepEqual(
            found.map(({ key, value }) => ({ key, value })),
            expected,
            JSON.stringify(options),
          );
        }
      }
    });

    it('reads every past state as it was', async () => {
      await using opened = await open();
      const { store } = opened;
      const random = createSeededRandom(5);
      const pick = (below: number) => Math.floor(random.fraction() * below);
      const states: (readonly [Key, unknown][])[] = [[]];
      const state = async () =>
        (await store.range({ prefix: [] })).map(({ key, value }) => [key, value] as [Key, unknown]);
      while (store.revision < 60) {
        await store.transact(async (transaction) => {
          for (let i = 0; i <= pick(3); i++) {
            const key = ['k', pick(8)];
            if (pick(3) === 0) transaction.delete(key);
            else transaction.put(key, pick(1000));
          }
        });
        states[store.revision] = await state();
      }
      for (const [revision, expected] of states.entries()) {
        const found = await store.range({ prefix: [], revision });
        assert.deepEqual(
          found.map(({ key, value }) => [key, value]),
          expected,
        );
        assert.ok(found.every(({ modRevision, createRevision }) => modRevision <= revision && createRevision > 0));
        for (let i = 0; i < 8; i++) {
          const was = expected.find(([[, n]]) => n === i);
          assert.equal((await store.get(['k', i], { revision }))?.value, was?.[1]);
        }
        const reversed = await store.range({ prefix: [], revision, reverse: true, limit: 3 });
        assert.deepEqual(
          reversed.map(({ key, value }) => [key, value]),
          expected.toReversed().slice(0, 3),
        );
      }
      await assert.rejects(store.get(['k', 1], { revision: 61 }), RangeError);
    });
  });
}
