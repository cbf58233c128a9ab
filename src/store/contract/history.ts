import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CompactedError } from '../store.ts';
import { next, type OpenTestedStore } from './tested-store.ts';

/** What of the past is kept, and for how long. */
export function describeHistory(name: string, open: OpenTestedStore): void {
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
}
