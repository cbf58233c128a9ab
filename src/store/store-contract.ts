import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../base/system-random.ts';
import type { HistoryLimits } from './commit-queue.ts';
import { type ChangeBatch, CompactedError, type Key, type Store, type Watch } from './store.ts';

/** A store for one test; closed and removed by the test's end. */
export interface TestedStore extends AsyncDisposable {
  readonly store: Store;
}

export type OpenTestedStore = (history?: Partial<HistoryLimits>) => Promise<TestedStore>;

/** What every driver has to do. */
export function describeStore(name: string, open: OpenTestedStore): void {
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

  describe(`${name} store: history`, () => {
    it('forgets what was compacted, and nothing else', async () => {
      await using opened = await open();
      const { store } = opened;
      for (let i = 1; i <= 10; i++) await store.put(['k'], i);
      await store.compact(6);
      await assert.rejects(store.get(['k'], { revision: 5 }), CompactedError);
      await assert.rejects(store.range({ prefix: [], revision: 1 }), CompactedError);
      for (let i = 6; i <= 10; i++) assert.equal((await store.get(['k'], { revision: i }))!.value, i);
      await assert.rejects(next(store.watch({ prefix: [], fromRevision: 5 })), (error: CompactedError) => {
        assert.equal(error.compactedRevision, 6);
        return error instanceof CompactedError;
      });
      const watch = store.watch({ prefix: [], fromRevision: 6 });
      assert.equal((await next(watch)).revision, 7);
      watch.close();
      await assert.rejects(store.compact(11), RangeError);
      await store.compact(10);
      assert.equal((await store.get(['k']))!.value, 10);
    });

    it('keeps no more revisions than it was told to', async () => {
      await using opened = await open({ revisions: 16 });
      const { store } = opened;
      for (let i = 1; i <= 100; i++) await store.put(['k'], i);
      await assert.rejects(store.get(['k'], { revision: 100 - 20 }), CompactedError);
      for (let back = 0; back <= 16; back++) {
        assert.equal((await store.get(['k'], { revision: 100 - back }))!.value, 100 - back);
      }
    });

    it('keeps about no more bytes than it was told to', async () => {
      await using opened = await open({ bytes: 200_000 });
      const { store } = opened;
      for (let i = 1; i <= 200; i++) await store.put(['k'], Buffer.alloc(5000, i));
      await assert.rejects(store.get(['k'], { revision: 20 }), CompactedError);
      assert.equal((await store.get<Buffer>(['k'], { revision: 198 }))!.value[0], 198);
    });
  });

  describe(`${name} store: transactions`, () => {
    it('see their own writes, and commit them as one revision', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.put(['a'], 1);
      await store.put(['c'], 3);
      let committed: number | undefined;
      const result = await store.transact(
        async (transaction) => {
          transaction.put(['b'], 2);
          transaction.delete(['c']);
          assert.equal((await transaction.get(['b']))!.value, 2);
          assert.equal(await transaction.get(['c']), undefined);
          assert.deepEqual(
            (await transaction.range({ prefix: [] })).map(({ value }) => value),
            [1, 2],
          );
          assert.deepEqual(
            (await transaction.range({ prefix: [], reverse: true, limit: 1 })).map(({ value }) => value),
            [2],
          );
          assert.equal(await store.get(['b']), undefined, 'nobody else sees them yet');
          return 'done';
        },
        { onCommit: (revision) => (committed = revision) },
      );
      assert.equal(result, 'done');
      assert.equal(committed, 3);
      assert.equal(store.revision, 3);
      assert.equal((await store.get(['b']))!.modRevision, 3);
    });

    it('write nothing when the body throws', async () => {
      await using opened = await open();
      const { store } = opened;
      const failure = new Error('no');
      await assert.rejects(
        store.transact(async (transaction) => {
          transaction.put(['a'], 1);
          throw failure;
        }),
        failure,
      );
      assert.equal(store.revision, 0);
      assert.equal(await store.get(['a']), undefined);
    });

    it('run again when a key they read has changed', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.put(['k'], 'old');
      const seen: unknown[] = [];
      await store.transact(async (transaction) => {
        seen.push((await transaction.get(['k']))!.value);
        if (seen.length === 1) await store.put(['k'], 'new');
        transaction.put(['copy'], seen.at(-1));
      });
      assert.deepEqual(seen, ['old', 'new']);
      assert.equal((await store.get(['copy']))!.value, 'new');
    });

    it('run again when a key appears in a range they read, or leaves it', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.put(['r', 1], 1);
      for (const change of [() => store.put(['r', 2], 2), () => store.delete(['r', 1])]) {
        const counts: number[] = [];
        await store.transact(async (transaction) => {
          counts.push((await transaction.range({ prefix: ['r'] })).length);
          if (counts.length === 1) await change();
          transaction.put(['count'], counts.at(-1));
        });
        assert.equal(counts.length, 2);
      }
    });

    it('do not run again for a change behind the end of a limited range', async () => {
      await using opened = await open();
      const { store } = opened;
      for (const n of [1, 2, 3]) await store.put(['r', n], n);
      for (const reverse of [false, true]) {
        let runs = 0;
        await store.transact(async (transaction) => {
          runs++;
          await transaction.range({ prefix: ['r'], limit: 1, reverse });
          await store.put(['r', 2], runs);
          transaction.put(['other'], runs);
        });
        assert.equal(runs, 1);
      }
    });

    it('rethrow only what the body throws about a state that still holds', async () => {
      await using opened = await open();
      const { store } = opened;
      let runs = 0;
      const result = await store.transact(async (transaction) => {
        const entry = await transaction.get(['k']);
        if (++runs === 1) await store.put(['k'], 1);
        if (!entry) throw new Error('not there');
        return entry.value;
      });
      assert.equal(result, 1);
    });

    it('count right when 300 increment one counter at once', async () => {
      await using opened = await open();
      const { store } = opened;
      let runs = 0;
      await Promise.all(
        Array.from({ length: 300 }, () =>
          store.transact(async (transaction) => {
            runs++;
            const count = (await transaction.get<number>(['count']))?.value ?? 0;
            await Promise.resolve();
            transaction.put(['count'], count + 1);
          }),
        ),
      );
      assert.equal((await store.get(['count']))!.value, 300);
      assert.ok(runs <= 4 * 300, `${runs} runs`);
    });

    it('come to an end under a stream of writes that would always overtake them', async () => {
      await using opened = await open();
      const { store } = opened;
      let over = false;
      const writer = (async () => {
        for (let i = 0; !over; i++) {
          await store.put(['busy', 0], i);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      let runs = 0;
      await store.transact(async (transaction) => {
        runs++;
        await transaction.range({ prefix: ['busy'] });
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
        transaction.put(['sum'], runs);
      });
      over = true;
      await writer;
      assert.ok(runs <= 3, `${runs} runs`);
    });

    it('keep the sum when money moves between accounts and is counted meanwhile', async () => {
      await using opened = await open();
      const { store } = opened;
      const random = createSeededRandom(9);
      const pick = (below: number) => Math.floor(random.fraction() * below);
      for (let i = 0; i < 8; i++) await store.put(['account', i], 100);
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          if (i % 10 === 0) {
            const all = await store.transact((transaction) => transaction.range<number>({ prefix: ['account'] }));
            assert.equal(
              all.reduce((sum, { value }) => sum + value, 0),
              800,
            );
            return;
          }
          const [from, to, amount] = [pick(8), pick(8), pick(50)];
          if (from === to) return;
          await store.transact(async (transaction) => {
            const [left, right] = [
              await transaction.get<number>(['account', from]),
              await transaction.get<number>(['account', to]),
            ];
            transaction.put(['account', from], left!.value - amount);
            transaction.put(['account', to], right!.value + amount);
          });
        }),
      );
      const all = await store.range<number>({ prefix: ['account'] });
      assert.equal(
        all.reduce((sum, { value }) => sum + value, 0),
        800,
      );
    });

    it('refuse to be used after their body has ended', async () => {
      await using opened = await open();
      const { store } = opened;
      const kept = await store.transact(async (transaction) => ({ transaction }));
      assert.throws(() => kept.transaction.put(['a'], 1), /over/);
      await assert.rejects(kept.transaction.get(['a']), /over/);
    });
  });

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

async function next<V>(watch: Watch<V>): Promise<ChangeBatch<V>> {
  const result = await watch[Symbol.asyncIterator]().next();
  assert.ok(!result.done, 'the watch has ended');
  return result.value;
}
