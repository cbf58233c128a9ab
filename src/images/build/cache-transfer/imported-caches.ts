import type { BlobLease } from '../../../store/index.ts';
import type { HeldRecord, StepRecords, StepResult } from '../cache/step-records.ts';
import { type CacheChain, decodeCache, MAX_CONFIG_SIZE, parseCacheManifest } from './cache-document.ts';
import type { CachePlace } from './cache-place.ts';

interface Found {
  readonly place: CachePlace;
  readonly chain: CacheChain;
  /** How many results of the chain. */
  readonly count: number;
}

/** Caches from elsewhere. What is found in one comes into this machine's own when it is used. */
export class ImportedCaches {
  readonly #records: StepRecords;
  readonly #warn: (message: string) => void;
  readonly #found = new Map<string, Found>();

  private constructor(records: StepRecords, warn: (message: string) => void) {
    this.#records = records;
    this.#warn = warn;
  }

  /** Reads what the places have. One that cannot be read is warned about: a build can do without. */
  static async open(
    places: readonly CachePlace[],
    records: StepRecords,
    warn: (message: string) => void,
    signal: AbortSignal,
  ): Promise<ImportedCaches> {
    const imported = new ImportedCaches(records, warn);
    const read = await Promise.all(
      places.map(async (place) => {
        try {
          return { place, chains: await readCache(place) };
        } catch (error) {
          signal.throwIfAborted();
          warn(`the build cache of ${place.label} is not used: ${(error as Error).message}`);
          return { place, chains: [] };
        }
      }),
    );
    for (const { place, chains } of read) for (const chain of chains) imported.#add(place, chain);
    return imported;
  }

  #add(place: CachePlace, chain: CacheChain): void {
    for (const [index, keys] of chain.keys.entries()) {
      for (const key of keys) {
        if (!this.#found.has(key)) this.#found.set(key, { place, chain, count: index + 1 });
      }
    }
  }

  /** The record that has this key: brought here, with its layers. */
  async find(key: string): Promise<HeldRecord | undefined> {
    const found = this.#found.get(key);
    if (found === undefined) return undefined;
    const { place, chain, count } = found;
    const leases: BlobLease[] = [];
    try {
      const results = chain.results.slice(0, count);
      const fetched = await Promise.allSettled(results.map((result) => fetchLayer(place, result)));
      for (const outcome of fetched) {
        if (outcome.status === 'fulfilled' && outcome.value !== undefined) leases.push(outcome.value);
      }
      const failed = fetched.find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await this.#records.add({
        keys: chain.keys[count - 1]!,
        results,
        description: chain.descriptions[count - 1]!,
      });
      return await this.#records.find(key);
    } catch (error) {
      this.#found.delete(key);
      this.#warn(`a step of the build cache of ${place.label} is not used: ${(error as Error).message}`);
      return undefined;
    } finally {
      for (const lease of leases) lease.release();
    }
  }
}

async function readCache(place: CachePlace): Promise<readonly CacheChain[]> {
  const bytes = await place.manifest();
  if (bytes === undefined) throw new Error('there is none');
  const manifest = parseCacheManifest(bytes);
  if (manifest === undefined) throw new Error('it is something else, such as an image');
  return decodeCache(await place.read(manifest.config, MAX_CONFIG_SIZE), manifest);
}

async function fetchLayer(place: CachePlace, { layer }: StepResult): Promise<BlobLease | undefined> {
  return layer === undefined ? undefined : await place.fetch(layer.descriptor);
}
