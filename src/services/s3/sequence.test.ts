import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '../../base/system-clock.ts';
import { invertSequence, Sequence } from './sequence.ts';

describe('S3 sequence numbers', () => {
  it('grow while time stands still, when it moves, and above what was there before', () => {
    const clock = createManualClock();
    const sequence = new Sequence(clock);
    const numbers = [sequence.next(), sequence.next()];
    clock.advance(1);
    numbers.push(sequence.next());
    const later = `${(clock.now() + 5000).toString(16).padStart(12, '0')}0000ff`;
    numbers.push(later, sequence.next(later), sequence.next());
    assert.deepEqual(numbers, [...new Set(numbers)].sort());
    for (const number of numbers) assert.match(number, /^[0-9a-f]{18}$/);
  });

  it('turn around, and back', () => {
    const numbers = ['000000000000000000', '019b4d2a7c3f00000a', '019b4d2a7c3f00000b', 'ffffffffffffffffff'];
    const inverted = numbers.map(invertSequence);
    assert.deepEqual(inverted.toSorted(), inverted.toReversed());
    assert.deepEqual(inverted.map(invertSequence), numbers);
  });
});
