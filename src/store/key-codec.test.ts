import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../base/system-random.ts';
import {
  decodeKey,
  encodeBound,
  encodeKey,
  encodePrefix,
  encodeSought,
  MAX_KEY_BYTES,
  prefixEnd,
} from './key-codec.ts';
import type { Key, KeyPart } from './store.ts';

/** The documented order, written down without the encoding. */
function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareParts(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareParts(a: KeyPart, b: KeyPart): number {
  const kind = (part: KeyPart) => (typeof part === 'number' ? 0 : typeof part === 'string' ? 1 : 2);
  if (kind(a) !== kind(b)) return kind(a) - kind(b);
  if (typeof a === 'number') return a === b ? 0 : a < (b as number) ? -1 : 1;
  return Buffer.compare(Buffer.from(a as string), Buffer.from(b as string));
}

/** Pseudo-random whole numbers, the same run after run. */
function generator(seed: number): (below: number) => number {
  const random = createSeededRandom(seed);
  return (below) => Math.floor(random.fraction() * below);
}

const NUMBERS = [0, -1, 1, 255, 256, -256, 0.5, -0.5, 2 ** 53, -(2 ** 53), 1e300, -1e300, 5e-324, Infinity, -Infinity];
const PIECES = ['', '\0', '\0\0', '\x01', 'a', 'b', '\x7f', 'é', '\u00ff', '\uffff', '😀', '\0a', '\u0001\u0000'];

function randomPart(next: (below: number) => number): KeyPart {
  const text = Array.from({ length: next(4) }, () => PIECES[next(PIECES.length)]).join('');
  switch (next(3)) {
    case 0:
      return next(2) ? NUMBERS[next(NUMBERS.length)]! : next(1000) - 500;
    case 1:
      return text;
    default:
      return Uint8Array.from({ length: next(4) }, () => [0, 1, 0x10, 0x20, 0x30, 0xfe, 0xff][next(7)]!);
  }
}

describe('key encoding', () => {
  it('keeps the order of keys, and gives each key back', () => {
    const next = generator(7);
    const keys = Array.from({ length: 600 }, () => Array.from({ length: 1 + next(3) }, () => randomPart(next)));
    for (const a of keys) {
      assert.deepEqual(decodeKey(encodeKey(a)), a);
      for (const b of keys) {
        const [left, right] = [encodeKey(a), encodeKey(b)];
        const order = left < right ? -1 : left > right ? 1 : 0;
        assert.equal(order, Math.sign(compareKeys(a, b)), `${JSON.stringify(a)} and ${JSON.stringify(b)}`);
      }
    }
  });

  it('finds by a prefix the keys that begin with its parts, and no other', () => {
    const next = generator(11);
    const keys = Array.from({ length: 400 }, () => Array.from({ length: 1 + next(3) }, () => randomPart(next)));
    for (const prefix of keys.slice(0, 100)) {
      const start = encodePrefix(prefix);
      for (const key of keys) {
        const begins = prefix.every((part, i) => i < key.length && compareParts(part, key[i]!) === 0);
        const encoded = encodeKey(key);
        assert.equal(encoded >= start && encoded < prefixEnd(start), begins);
      }
    }
  });

  it('orders strings by their UTF-8 bytes, as S3 lists keys', () => {
    // In UTF-16, which JavaScript compares by, the order of these two is the other way round.
    assert.ok(encodeKey(['\uffff']) < encodeKey(['\u{10000}']));
  });

  it('takes -0 for 0', () => {
    assert.equal(encodeKey([-0]), encodeKey([0]));
  });

  it('refuses what cannot be a key', () => {
    assert.throws(() => encodeKey([]), TypeError);
    assert.throws(() => encodeKey([Number.NaN]), TypeError);
    assert.throws(() => encodeKey(['\ud800']), TypeError);
    assert.throws(() => encodeKey([true as unknown as string]), TypeError);
    assert.throws(() => encodeKey(['x'.repeat(MAX_KEY_BYTES)]), RangeError);
  });

  it('finds nothing under what cannot be a key', () => {
    assert.equal(encodeSought(['a', 1]), encodeKey(['a', 1]));
    assert.equal(encodeSought(['x'.repeat(MAX_KEY_BYTES)]), undefined);
    assert.equal(encodeSought(['\ud800']), undefined);
    assert.throws(() => encodeSought([]), TypeError);
  });

  it('cuts bounds where no key goes on', () => {
    assert.equal(encodeBound(['a', 1]), encodeKey(['a', 1]));
    const long = encodeBound(['x'.repeat(10_000)]);
    assert.equal(long.length, MAX_KEY_BYTES);
    assert.ok(encodeKey(['w']) < long && long < encodeKey(['y']));
    assert.equal(encodeBound(['\ud800']), encodeKey(['\ufffd']));
  });
});
