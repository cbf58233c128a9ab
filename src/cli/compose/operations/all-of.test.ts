import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allOf, inDependencyOrder, reversed } from './all-of.ts';

const ITEMS = [
  { name: 'web', after: ['api', 'cache'] },
  { name: 'api', after: ['db'] },
  { name: 'cache', after: [] },
  { name: 'db', after: ['outside'] },
];

describe('work in the order of dependencies', () => {
  it('begins each once all before it are done, and what is independent together', async () => {
    const log: string[] = [];
    const running = new Set<string>();
    let together = 0;
    await inDependencyOrder(ITEMS, async ({ name, after }) => {
      for (const other of after)
        if (other !== 'outside') assert.ok(log.includes(`-${other}`), `${name} after ${other}`);
      running.add(name);
      together = Math.max(together, running.size);
      await new Promise(setImmediate);
      running.delete(name);
      log.push(`-${name}`);
    });
    assert.deepEqual([log.length, together], [4, 2]);
  });

  it('goes the other way', async () => {
    const log: string[] = [];
    await inDependencyOrder(reversed(ITEMS), async ({ name }) => void log.push(name));
    assert.equal(log[0], 'web');
    assert.ok(log.indexOf('api') < log.indexOf('db'));
  });

  it('does not begin what depends on what failed, but ends what is under way', async () => {
    const log: string[] = [];
    const work = inDependencyOrder(ITEMS, async ({ name }) => {
      if (name === 'db') throw new Error('no disk');
      await new Promise(setImmediate);
      log.push(name);
    });
    await assert.rejects(work, { message: 'no disk' });
    assert.deepEqual(log, ['cache']);
  });
});

describe('work at the same time', () => {
  it('waits for all, then throws the first failure', async () => {
    const done: number[] = [];
    const work = allOf([1, 2, 3], async (number) => {
      if (number === 1) throw new Error('one');
      await new Promise(setImmediate);
      done.push(number);
      return number;
    });
    await assert.rejects(work, { message: 'one' });
    assert.deepEqual(done, [2, 3]);
    assert.deepEqual(await allOf([1, 2], async (number) => number * 2), [2, 4]);
  });

  it('is so many at once as allowed, and answers in order', async () => {
    let [running, most] = [0, 0];
    const work = async (number: number) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      if (number === 3) throw new Error('three');
      return number;
    };
    assert.deepEqual(await allOf([5, 4, 6, 1], work, 2), [5, 4, 6, 1]);
    await assert.rejects(allOf([1, 2, 3, 4, 5], work, 2), { message: 'three' });
    assert.equal(most, 2);
    assert.equal(running, 0);
  });
});
