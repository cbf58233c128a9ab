import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DueHeap, type DueItem } from './due-heap.ts';
import { createSeededRandom } from './system-random.ts';

describe('due heap', () => {
  it('yields items in time order under random pushes and removals', () => {
    const random = createSeededRandom(7);
    const heap = new DueHeap();
    let kept: DueItem[] = [];
    for (let i = 0; i < 2_000; i++) {
      kept.push(heap.push(Math.floor(random.fraction() * 500), () => {}));
      if (random.fraction() < 0.4) {
        const victim = kept[Math.floor(random.fraction() * kept.length)]!;
        assert.equal(heap.remove(victim), true);
        assert.equal(heap.remove(victim), false);
        kept = kept.filter((item) => item !== victim);
      }
    }
    const drained: DueItem[] = [];
    for (let item = heap.earliest(); item; item = heap.earliest()) {
      heap.remove(item);
      drained.push(item);
    }
    // Array.prototype.sort is stable, so equal times keep the order of pushing.
    assert.deepEqual(
      drained,
      kept.toSorted((a, b) => a.time - b.time),
    );
  });
});
