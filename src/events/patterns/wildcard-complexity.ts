import { literalParts } from './wildcard.ts';

/** Steps that are looked at before a wildcard is taken as it is. */
const MAX_STEPS = 100_000;

/**
 * At how many places of the wildcard a text may be at once, at worst: each star that a text has come to takes every further
 * character, and beside it the text may have begun with what follows the star. Not counted beyond `limit`.
 * Source: Event Ruler's README, "Matching with a Machine", on complexity.
 */
export function wildcardComplexity(wildcard: string, limit: number): number {
  const parts = literalParts(wildcard);
  const pattern = parts.flatMap((part, index) => (index === 0 ? [...part] : [STAR, ...part]));
  const alphabet = new Set(pattern);
  const queue: (readonly number[])[] = [[0]];
  const seen = new Set(['0']);
  let [steps, worst] = [0, 0];
  for (const places of queue) {
    for (const character of alphabet) {
      const { next, taken } = step(pattern, places, character);
      worst = Math.max(worst, taken);
      steps += 1;
      if (worst >= limit || steps === MAX_STEPS) return worst;
      const name = next.join();
      if (seen.has(name)) continue;
      seen.add(name);
      queue.push(next);
    }
  }
  return worst;
}

const STAR = Symbol('*');

/** Where a text may be after one more character, and by how many ways it came there. `STAR`: a character of no other part. */
function step(
  pattern: readonly (string | symbol)[],
  places: readonly number[],
  character: string | symbol,
): { readonly next: number[]; readonly taken: number } {
  const next = new Set<number>();
  let taken = 0;
  for (const place of places) {
    let literal = place;
    if (pattern[place] === STAR) {
      taken += 1;
      next.add(place);
      literal += 1;
    }
    if (character !== STAR && pattern[literal] === character) {
      taken += 1;
      next.add(literal + 1);
    }
  }
  return { next: [...next].sort((one, other) => one - other), taken };
}
