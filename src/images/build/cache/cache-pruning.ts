import type { ContentStore } from '../../content.ts';
import type { CacheUsage } from '../builder.ts';
import type { RemoteFiles } from '../copy/remote-files.ts';
import type { CacheMounts } from '../run/cache-mounts.ts';
import type { StepRecord, StepRecords } from './step-records.ts';

export interface PruneOptions {
  /** Also cache mounts. */
  readonly all?: boolean;
  /** Only what was last used before this, epoch ms. */
  readonly until?: number;
  /** Leave this many bytes of what was used last. */
  readonly keepBytes?: number;
}

export interface CachePruningOptions {
  readonly records: StepRecords;
  readonly mounts: CacheMounts;
  readonly remoteFiles: RemoteFiles;
  readonly content: ContentStore;
  /** Bytes that the cache may take. */
  readonly maxBytes: number;
}

interface Item extends CacheUsage {
  remove(): Promise<boolean>;
}

/** When the bound is passed, this part of it is left. */
const KEPT = 0.8;

/** What the cache takes, and how it is kept within bounds: what was used longest ago goes first. */
export class CachePruning {
  readonly #options: CachePruningOptions;

  constructor(options: CachePruningOptions) {
    this.#options = options;
  }

  async usage(): Promise<readonly CacheUsage[]> {
    return (await this.#items()).map(({ remove: _remove, ...usage }) => usage);
  }

  async prune(options: PruneOptions): Promise<{ readonly ids: readonly string[]; readonly bytes: number }> {
    const items = (await this.#items()).filter(({ type }) => type === 'regular' || options.all === true);
    const candidates = items.filter(
      ({ inUse, lastUsed }) => !inUse && (options.until === undefined || lastUsed < options.until),
    );
    const total = items.reduce((sum, { size }) => sum + size, 0);
    const removed = await this.#remove(
      candidates,
      options.keepBytes === undefined ? Number.POSITIVE_INFINITY : total - options.keepBytes,
    );
    const { bytes } = await this.#options.content.collect();
    const mounts = removed.filter(({ type }) => type === 'exec.cachemount').reduce((sum, { size }) => sum + size, 0);
    return { ids: removed.map(({ id }) => id), bytes: bytes + mounts };
  }

  /** Forgets what was used longest ago when there is too much. */
  async enforceBound(): Promise<void> {
    const { maxBytes, content } = this.#options;
    const items = await this.#items();
    const total = items.reduce((sum, { size }) => sum + size, 0);
    if (total <= maxBytes) return;
    await this.#remove(
      items.filter(({ inUse }) => !inUse),
      total - maxBytes * KEPT,
    );
    await content.collect();
  }

  async #remove(items: readonly Item[], bytes: number): Promise<Item[]> {
    const removed: Item[] = [];
    let gone = 0;
    for (const item of [...items].sort((a, b) => a.lastUsed - b.lastUsed)) {
      if (gone >= bytes) break;
      if (!(await item.remove())) continue;
      removed.push(item);
      gone += item.size;
    }
    return removed;
  }

  async #items(): Promise<Item[]> {
    const { records, mounts, remoteFiles } = this.#options;
    const steps = (await records.list()).map((record): Item => {
      return {
        id: record.id,
        description: record.description,
        size: sizeOf(record),
        created: record.created,
        lastUsed: record.lastUsed,
        uses: record.uses,
        inUse: records.isInUse(record.id),
        type: 'regular',
        remove: async () => {
          await records.remove([record.id]);
          return true;
        },
      };
    });
    const directories = (await mounts.list()).map(async ({ name, id, created, lastUsed, uses }): Promise<Item> => {
      return {
        id: name,
        description: `cache mount ${id}`,
        size: await mounts.size(name),
        created,
        lastUsed,
        uses,
        inUse: mounts.isInUse(name),
        type: 'exec.cachemount',
        remove: () => mounts.remove(name),
      };
    });
    const files = (await remoteFiles.list()).map(({ id, url, ...rest }): Item => {
      return {
        ...rest,
        id: id.slice(0, 32),
        description: `file of ${url}`,
        uses: 1,
        inUse: false,
        type: 'regular',
        remove: async () => {
          await remoteFiles.remove(id);
          return true;
        },
      };
    });
    return [...steps, ...files, ...(await Promise.all(directories))];
  }
}

/** Bytes of the layer that the step made. */
function sizeOf({ results }: StepRecord): number {
  return results.at(-1)?.layer?.size ?? 0;
}
