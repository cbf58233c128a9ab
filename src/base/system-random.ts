import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Random } from './random.ts';

/** Identifiers from the machine's cryptographic random source. */
export function createSystemRandom(): Random {
  return {
    uuid: () => randomUUID(),
    hex: (length) =>
      randomBytes((length + 1) >> 1)
        .toString('hex')
        .slice(0, length),
    from: (alphabet, length) => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join(''),
    bytes: (length) => randomBytes(length),
    fraction: () => randomInt(2 ** 47) / 2 ** 47,
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
