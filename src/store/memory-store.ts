import { DEFAULT_HISTORY, type HistoryLimits } from './commit-queue.ts';
import { MemoryDriver } from './drivers/memory.ts';
import { RevisionedStore } from './revisioned-store.ts';
import type { Store } from './store.ts';

export interface MemoryStoreOptions {
  /** How much history to keep for watches and reads at a revision. */
  readonly history?: Partial<HistoryLimits>;
}

/** A store that lives as long as the process: for `--ephemeral` and for tests. */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new RevisionedStore(new MemoryDriver(), { ...DEFAULT_HISTORY, ...options.history });
}
