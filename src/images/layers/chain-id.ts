import { sha256Of } from '../content/digest.ts';

/** Chain IDs of layers by their diff IDs, bottom first. Source: OCI Image Configuration, "Layer ChainID". */
export function chainIds(diffIds: readonly string[]): string[] {
  const chains: string[] = [];
  for (const diffId of diffIds) chains.push(nextChainId(chains.at(-1), diffId));
  return chains;
}

/** Chain ID of a layer on top of another. */
export function nextChainId(parent: string | undefined, diffId: string): string {
  return parent === undefined ? diffId : sha256Of(`${parent} ${diffId}`);
}
