import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Shape } from '../schema/shape.ts';
import { decodeText } from './text-value.ts';

const number = (text: string) => decodeText({ kind: 'number' } as Shape, text, 'date-time');

describe('numbers as text', () => {
  it('are read in every form that they can have', () => {
    const forms: readonly (readonly [string, number])[] = [
      ['1', 1],
      [' -1.50 ', -1.5],
      ['2.', 2],
      ['.5', 0.5],
      ['+1e3', 1000],
      ['1.5E-1', 0.15],
      ['Infinity', Number.POSITIVE_INFINITY],
    ];
    for (const [text, value] of forms) assert.equal(number(text), value, text);
  });

  it('are refused when they are none, however long, in no time', () => {
    for (const text of ['', '.', '1.2.3', '1e', '0x1', '--1'])
      assert.throws(() => number(text), /is not a number/, text);
    // Gone through again and again, it would hold up everybody for minutes.
    assert.throws(() => number(`${'1'.repeat(1_000_000)}x`), /^[^']*'1{40}' is not a number$/);
  });
});
