import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { once, onceStarted } from './once.ts';

describe('what is made once', () => {
  it('is made when it is first asked for, and for all who ask', async () => {
    let count = 0;
    const get = once(async () => {
      count += 1;
      return count;
    });
    assert.equal(get.made(), undefined);
    assert.deepEqual(await Promise.all([get(), get()]), [1, 1]);
    assert.equal(await get.made(), 1);
  });

  it('is made anew after it could not be started, and what was left of it is closed', async () => {
    const closed: number[] = [];
    let count = 0;
    const get = onceStarted(async () => {
      count += 1;
      const number = count;
      return {
        number,
        start: async () => {
          if (number === 1) throw new Error('no space left');
        },
        close: async () => {
          closed.push(number);
        },
      };
    });
    await assert.rejects(get(), /no space left/);
    assert.equal(get.made(), undefined);
    assert.equal((await get()).number, 2);
    assert.deepEqual(closed, [1]);
  });
});
