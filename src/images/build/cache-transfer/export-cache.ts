import type { Layer } from '../../images.ts';
import type { Descriptor } from '../../oci.ts';
import type { StepRecords } from '../cache/step-records.ts';
import { CACHE_CONFIG_TYPE, type CacheChain, cacheManifest, encodeCache } from './cache-document.ts';
import type { CachePlace } from './cache-place.ts';

/** The results that are to be exported of one stage, by the keys after each of its steps. */
export interface ExportedStage {
  readonly keys: readonly string[];
}

/** Writes the cached results of stages to a place. What it has already is not sent again. */
export async function exportCache(
  stages: readonly ExportedStage[],
  records: StepRecords,
  place: CachePlace,
): Promise<void> {
  const chains: CacheChain[] = [];
  const releases: (() => void)[] = [];
  try {
    for (const { keys } of stages) {
      for (const key of keys) {
        const held = await records.find(key);
        if (held === undefined) continue;
        releases.push(held.release);
        add(chains, held.record);
      }
    }
    const layers = new Map<string, Layer>();
    for (const { results } of chains) for (const { layer } of results) if (layer) layers.set(layer.diffId, layer);
    const stored = new Map<string, Descriptor>();
    for (const [diffId, layer] of layers) stored.set(diffId, await place.putLayer(layer));
    const document = encodeCache(chains, stored);
    const config = await place.putBlob(document.config, CACHE_CONFIG_TYPE);
    await place.putManifest(cacheManifest(config, document.layers));
  } finally {
    for (const release of releases) release();
  }
}

/** Puts a record's keys at the end of the chain that it goes on, or begins another one. */
function add(
  chains: CacheChain[],
  { results, keys, description }: Pick<CacheChain, 'results'> & { keys: readonly string[]; description: string },
): void {
  const at = chains.findIndex(
    (chain) =>
      chain.results.length < results.length &&
      JSON.stringify(results.slice(0, chain.results.length)) === JSON.stringify(chain.results),
  );
  const chain = at < 0 ? undefined : chains[at]!;
  const before = chain?.results.length ?? 0;
  const gap = results.length - before - 1;
  const longer: CacheChain = {
    results,
    keys: [...(chain?.keys ?? []), ...Array<string[]>(gap).fill([]), keys],
    descriptions: [...(chain?.descriptions ?? []), ...Array<string>(gap).fill(''), description],
  };
  if (at < 0) chains.push(longer);
  else chains[at] = longer;
}
