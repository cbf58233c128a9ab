import assert from 'node:assert/strict';

const DEADLINE_MS = 20_000;
const PAUSE_MS = 25;

/** Looks again until there is something: for what happens behind an answer that has come already. */
export async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) assert.fail('it never came');
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
