import { randomFillSync, randomInt, randomUUID } from 'node:crypto';
import type { Random } from './random.ts';

/** Bytes drawn from the system at once; one call costs as much as thousands of bytes. */
const POOL_SIZE = 8192;

/** Identifiers from the machine's cryptographic random source. */
export function createSystemRandom(): Random {
  const pool = Buffer.alloc(POOL_SIZE);
  let used = POOL_SIZE;
  /** The next `length` bytes of the pool; valid until the next call, and never given out twice. */
  const draw = (length: number): Buffer => {
    if (length > POOL_SIZE) return randomFillSync(Buffer.alloc(length));
    if (used + length > POOL_SIZE) {
      randomFillSync(pool);
      used = 0;
    }
    used += length;
    return pool.subarray(used - length, used);
  };
  return {
    uuid: () => randomUUID(),
    hex: (length) =>
      draw((length + 1) >> 1)
        .toString('hex')
        .slice(0, length),
    from: (alphabet, length) => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join(''),
    bytes: (length) => Uint8Array.from(draw(length)),
    fraction: () => draw(6).readUIntBE(0, 6) / 2 ** 48,
  };
}

/** Repeatable identifiers for tests: the same seed gives the same sequence (mulberry32). */
export function createSeededRandom(seed = 1): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const from = (alphabet: string, length: number): string =>
    Array.from({ length }, () => alphabet[Math.floor(fraction() * alphabet.length)]).join('');
  const hex = (length: number): string => from('0123456789abcdef', length);
  return {
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${from('89ab', 1)}${hex(3)}-${hex(12)}`,
    hex,
    from,
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(fraction() * 256)),
    fraction,
  };
}
