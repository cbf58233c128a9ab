import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock, createSystemClock } from './system-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('system clock', () => {
  it('fires a timer that an advance has made due', async (t) => {
    const clock = createSystemClock({ source: () => 1_000, keepAlive: true });
    t.after(() => clock.close());
    const fired = new Promise<number>((resolve) => clock.at(90_000_000, () => resolve(clock.now())));
    clock.advance(24 * 3_600_000);
    clock.advance(24 * 3_600_000);
    assert.equal(await fired, 1_000 + 48 * 3_600_000);
  });

  it('fires due timers in order of their time, and of setting when equal', async (t) => {
    const clock = createSystemClock({ source: () => 0, keepAlive: true });
    t.after(() => clock.close());
    const order: string[] = [];
    const last = new Promise<void>((resolve) => clock.at(30, resolve));
    clock.at(20, () => order.push('b'));
    clock.at(10, () => order.push('a'));
    clock.at(20, () => order.push('c'));
    clock.advance(30);
    await last;
    assert.deepEqual(order, ['a', 'b', 'c']);
  });

  it('does not fire a cancelled timer', async (t) => {
    const clock = createSystemClock({ source: () => 0, keepAlive: true });
    t.after(() => clock.close());
    let fired = false;
    clock
      .at(10, () => {
        fired = true;
      })
      .cancel();
    const later = new Promise<void>((resolve) => clock.at(11, resolve));
    clock.advance(20);
    await later;
    assert.equal(fired, false);
  });

  it('stands still while frozen, moves by hand, and goes on from there', () => {
    let machine = 100;
    const clock = createSystemClock({ source: () => machine });
    clock.freeze();
    machine = 500;
    assert.equal(clock.now(), 100);
    clock.advance(50);
    assert.equal(clock.now(), 150);
    clock.unfreeze();
    machine = 600;
    assert.equal(clock.now(), 250);
    clock.close();
  });

  it('rejects a sleep whose signal is aborted, and leaves no timer behind', async () => {
    const clock = createSystemClock({ source: () => 0 });
    const abort = new AbortController();
    const sleeping = clock.sleep(1_000, abort.signal);
    abort.abort(new Error('enough'));
    await assert.rejects(sleeping, /enough/);
    clock.close();
  });

  it('refuses to go back', () => {
    const clock = createSystemClock({ source: () => 0 });
    assert.throws(() => clock.advance(-1), RangeError);
    clock.close();
  });
});

describe('manual clock', () => {
  it('unrolls a chain of sleeps within one advance', async () => {
    const clock = createManualClock(0);
    const seen: number[] = [];
    const chain = (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10);
        seen.push(clock.now());
      }
    })();
    await clock.advanceAsync(100);
    await chain;
    assert.deepEqual(seen, [10, 20, 30]);
    assert.equal(clock.now(), 100);
  });

  it('runs a timer set for the past on the next turn', async () => {
    const clock = createManualClock(1_000);
    let fired = 0;
    clock.at(500, () => fired++);
    assert.equal(fired, 0);
    await turn();
    assert.equal(fired, 1);
  });
});
