import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSystemClock } from '../base/system-clock.ts';
import { createSeededRandom } from '../base/system-random.ts';
import { DeliveryIds } from './delivery-ids.ts';

function idsAt(time: { now: number }): DeliveryIds {
  return new DeliveryIds({ ...createSystemClock(), now: () => time.now }, createSeededRandom());
}

describe('the ids of deliveries', () => {
  it('sort in the order in which they were given out, also when the clock stands still or is set back', () => {
    const time = { now: 1_700_000_000_000 };
    const ids = idsAt(time);
    const given: string[] = [];
    for (const step of [0, 0, 1, -1, -86_400_000, 0, 86_400_000, 5]) {
      time.now += step;
      for (let count = 0; count < 100; count += 1) {
        const { id, time: at } = ids.next();
        assert.equal(at, time.now, 'the time is the clock’s');
        given.push(id);
      }
    }
    assert.deepEqual(given, given.toSorted());
    assert.equal(new Set(given).size, given.length);
  });

  it('sort after those of an earlier run, though the clock is behind it', () => {
    const time = { now: 1_700_000_000_000 };
    const first = idsAt(time);
    const last = [first.next(), first.next(), first.next()].at(-1)!.id;
    time.now -= 3_600_000;
    const second = idsAt(time);
    second.seen(last);
    assert.ok(second.next().id > last);
    second.seen(`${(1).toString(16).padStart(12, '0')}-000000-0`);
    assert.ok(second.next().id > last, 'an older one does not set them back');
  });

  it('go on in the next millisecond when one has given out all of its own', () => {
    const time = { now: 1_700_000_000_000 };
    const ids = idsAt(time);
    const full = `${time.now.toString(16).padStart(12, '0')}-ffffff-0000000000`;
    ids.seen(full);
    const { id } = ids.next();
    assert.ok(id > full);
    assert.ok(ids.next().id > id);
  });
});
