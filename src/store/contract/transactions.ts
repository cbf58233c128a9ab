import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../base/system-random.ts';
import type { OpenTestedStore } from './tested-store.ts';

/** What holds for transactions, whatever others write meanwhile. */
export function describeTransactions(name: string, open: OpenTestedStore): void {
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
}
