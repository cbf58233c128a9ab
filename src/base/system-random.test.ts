import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom, createSystemRandom } from './system-random.ts';

for (const [name, create] of [
  ['system random', createSystemRandom],
  ['seeded random', () => createSeededRandom(3)],
] as const) {
  describe(name, () => {
    it('gives what was asked for, and never the same twice', () => {
      const random = create();
      const seen = new Set<string>();
      for (let i = 0; i < 5_000; i++) {
        const hex = random.hex(15);
        assert.match(hex, /^[0-9a-f]{15}$/);
        seen.add(hex);
      }
      assert.equal(seen.size, 5_000);
      assert.equal(random.bytes(33).length, 33);
      assert.equal(random.bytes(20_000).length, 20_000);
      assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.match(random.from('xyz', 40), /^[xyz]{40}$/);
    });

    it('gives bytes that later draws leave alone', () => {
      const random = create();
      const first = random.bytes(16);
      const copy = Uint8Array.from(first);
      for (let i = 0; i < 2_000; i++) random.hex(32);
      assert.deepEqual(first, copy);
    });

    it('draws fractions evenly from [0, 1)', () => {
      const random = create();
      const draws = Array.from({ length: 20_000 }, () => random.fraction());
      assert.ok(draws.every((draw) => draw >= 0 && draw < 1));
      const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
      assert.ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
    });
  });
}

describe('seeded random', () => {
  it('repeats its sequence for the same seed', () => {
    assert.equal(createSeededRandom(9).hex(32), createSeededRandom(9).hex(32));
    assert.notEqual(createSeededRandom(9).hex(32), createSeededRandom(10).hex(32));
  });
});
