import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const FORWARDING = '3';
const UP = 'up';
const MOST_ROUNDS = 500;

/**
 * Resolves when packets pass these interfaces and their bridges. After they were brought up the kernel takes a moment; a
 * packet before that would be lost, and sent again only a second later.
 */
export async function passing(
  cables: readonly { readonly hostDevice: string; readonly bridge: string }[],
): Promise<void> {
  const files = cables.flatMap(({ hostDevice, bridge }) => [
    { path: `/sys/class/net/${hostDevice}/brport/state`, wanted: FORWARDING },
    { path: `/sys/class/net/${bridge}/operstate`, wanted: UP },
  ]);
  for (let round = 0; round < MOST_ROUNDS && !files.every(holds); round++) await setTimeout(1);
}

function holds({ path, wanted }: { readonly path: string; readonly wanted: string }): boolean {
  try {
    return readFileSync(path, 'utf8').trim() === wanted;
  } catch {
    // It has gone again: whoever uses it will be told.
    return true;
  }
}
