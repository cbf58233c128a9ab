import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReadyQueue } from './ready-queue.ts';

/** A queue of names whose runs end when told. */
function queueOf(limits: { readonly perLane: number; readonly total: number }) {
  const running = new Map<string, () => void>();
  const begun: string[] = [];
  const queue = new ReadyQueue<string>(limits, (item) => {
    begun.push(item);
    return new Promise((resolve) => {
      running.set(item, resolve);
    });
  });
  const end = async (item: string): Promise<void> => {
    running.get(item)!();
    running.delete(item);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, begun, running, end };
}

describe('the queue of what is ready', () => {
  it('runs no more at once than its limits, and gives free slots to the lanes in turn', async () => {
    const { begun, end, queue, running } = queueOf({ perLane: 2, total: 3 });
    for (const item of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']) queue.push(item[0]!, item);
    assert.deepEqual(begun, ['a1', 'a2', 'b1']);
    await end('a1');
    await end('a2');
    await end('b1');
    assert.equal(running.size, 3);
    while (running.size > 0) await end([...running.keys()][0]!);
    assert.ok(begun.indexOf('c1') < begun.indexOf('a4'), 'a lane with a backlog takes no more than its share');
    assert.deepEqual(begun.toSorted(), ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']);
    for (const lane of ['a', 'b']) {
      const own = begun.filter((item) => item.startsWith(lane));
      assert.deepEqual(own, own.toSorted(), 'first come, first served');
    }
  });

  it('keeps nothing of lanes that are empty', async () => {
    const { end, queue, running } = queueOf({ perLane: 1, total: 100 });
    for (let number = 0; number < 200; number += 1) queue.push(`lane${number % 50}`, `i${number}`);
    assert.equal(queue.lanes, 50);
    while (running.size > 0) await end([...running.keys()][0]!);
    assert.equal(queue.lanes, 0);
    assert.equal(queue.running, 0);
  });

  it('takes nothing more when it is stopped, and tells when what is under way has ended', async () => {
    const { begun, end, queue } = queueOf({ perLane: 1, total: 1 });
    queue.push('a', 'a1');
    queue.push('a', 'a2');
    let stopped = false;
    const stop = queue.stop().then(() => {
      stopped = true;
    });
    queue.push('b', 'b1');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(stopped, false);
    await end('a1');
    await stop;
    assert.deepEqual(begun, ['a1']);
  });
});
