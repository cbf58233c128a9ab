import assert from 'node:assert/strict';
import type { HistoryLimits } from '../commit-queue.ts';
import type { ChangeBatch, Store, Watch } from '../store.ts';

/** A store for one test; closed and removed by the test's end. */
export interface TestedStore extends AsyncDisposable {
  readonly store: Store;
}

export type OpenTestedStore = (history?: Partial<HistoryLimits>) => Promise<TestedStore>;

/** What a watch tells next; it must tell something. */
export async function next<V>(watch: Watch<V>): Promise<ChangeBatch<V>> {
  const result = await watch[Symbol.asyncIterator]().next();
  assert.ok(!result.done, 'the watch has ended');
  return result.value;
}
