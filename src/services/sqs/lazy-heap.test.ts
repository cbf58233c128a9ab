import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../base/system-random.ts';
import { LazyHeap } from './lazy-heap.ts';

interface Item {
  readonly key: number;
  stale: boolean;
}

const heap = () => new LazyHeap<Item>({ key: (item) => item.key, stale: (item) => item.stale });
const item = (key: number): Item => ({ key, stale: false });

describe('a heap of items that may become stale', () => {
  it('gives those that have not, smallest first', () => {
    const random = createSeededRandom();
    const items = Array.from({ length: 2000 }, () => item(Math.floor(random.fraction() * 500)));
    const tested = heap();
    for (const [index, one] of items.entries()) {
      tested.push(one);
      // Often enough that the heap is swept while it grows.
      if (index % 3 > 0) items[Math.floor(random.fraction() * index)]!.stale = true;
    }
    const left = items.filter(({ stale }) => !stale).map(({ key }) => key);
    assert.ok(left.length > 100);
    const given: number[] = [];
    for (let next = tested.pop(); next; next = tested.pop()) given.push(next.key);
    assert.deepEqual(
      given,
      left.toSorted((a, b) => a - b),
    );
    assert.equal(tested.peek(), undefined);
  });

  it('drains', () => {
    const tested = heap();
    const items = [item(3), item(1), item(2)];
    for (const one of items) tested.push(one);
    items[1]!.stale = true;
    const drained = tested.drain().map(({ key }) => key);
    assert.deepEqual(drained.toSorted(), [2, 3]);
    assert.equal(tested.peek(), undefined);
  });
});
