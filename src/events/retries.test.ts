import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openMemoryStore } from '../store/index.ts';
import { settle, until, World } from './test-delivery.ts';

describe('the time of the next try', () => {
  let world: World;
  beforeEach(async () => {
    world = new World(openMemoryStore());
    await world.delivery.start();
  });
  afterEach(async () => {
    await world.delivery.close();
    world.clock.close();
    await world.store.close();
  });

  it('is not before the target asked for', async () => {
    world.answer = () => ({ type: 'failed', reason: 'busy', retryAfterMs: 300_000 });
    await world.send();
    await world.due(300_000);
    world.clock.advance(299_999);
    await settle(world);
    assert.equal(world.attempts.length, 1);
    world.clock.advance(1);
    await until(() => world.attempts.length === 2);
  });

  it('is the policy’s when the target asked for less', async () => {
    world.answer = () => ({ type: 'failed', reason: 'busy', retryAfterMs: 1 });
    await world.send();
    await world.due(60_000);
  });

  it('is the end of the event when the target asked for more than it has', async () => {
    world.answer = () => ({ type: 'failed', reason: 'busy', retryAfterMs: Number.POSITIVE_INFINITY });
    await world.send();
    await world.due(3_600_000);
    world.clock.advance(3_600_000);
    await until(() => world.ended.length === 1);
    assert.equal(world.ended[0]!.outcome.condition, 'EventAgeExceeded');
    assert.equal(world.attempts.length, 1);
  });

  it('is up to the jitter earlier, and not all at once', async () => {
    world.policy = { ...world.policy, jitter: 0.5 };
    world.answer = () => ({ type: 'failed', reason: 'busy' });
    for (let count = 0; count < 50; count += 1) await world.send();
    await until(() => world.attempts.length === 50);
    world.clock.advance(29_999);
    await settle(world);
    assert.equal(world.attempts.length, 50, 'none comes before half of the delay');
    world.clock.advance(15_001);
    await until(() => world.attempts.length > 50);
    await settle(world);
    assert.ok(world.attempts.length < 100, 'some come later');
    world.clock.advance(15_000);
    await until(() => world.attempts.length >= 100);
  });

  it('comes while the event is a millisecond younger than its maximum age, and not at that age', async () => {
    world.policy = { maximumRetries: 5, maximumAgeSeconds: 10, backoffMs: () => 9999 };
    world.answer = () => ({ type: 'failed', reason: 'busy' });
    await world.send();
    await world.due(9999);
    world.clock.advance(9999);
    await until(() => world.attempts.length === 2);
    await world.due(1);
    assert.equal(world.ended.length, 0);
    world.clock.advance(1);
    await until(() => world.ended.length === 1);
    assert.equal(world.attempts.length, 2);
    const { delivery, outcome } = world.ended[0]!;
    assert.equal(outcome.condition, 'EventAgeExceeded');
    assert.equal(outcome.type === 'failed' && outcome.reason, 'busy');
    assert.equal(delivery.attempts, 2);
  });

  it('doubles for throttled tries, from a second to five minutes, and begins anew after another failure', async () => {
    world.policy = { maximumRetries: 100, maximumAgeSeconds: 86_400, backoffMs: () => 7 };
    let tries = 0;
    world.answer = () => {
      tries += 1;
      return { type: 'failed', reason: 'busy', throttled: tries !== 12 };
    };
    await world.send();
    for (const wait of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 0.007, 1, 2]) {
      await world.due(wait * 1000);
      world.clock.advance(wait * 1000);
    }
    await until(() => tries === 15);
  });

  it('comes at once when the clock jumps past many of them', async () => {
    world.answer = () => ({ type: 'failed', reason: 'busy' });
    world.policy = { maximumRetries: 3, maximumAgeSeconds: 864_000, backoffMs: () => 3_600_000 };
    await world.send();
    await world.due(3_600_000);
    world.clock.advance(86_400_000);
    await until(() => world.attempts.length === 2);
    await world.due(3_600_000);
    assert.equal(world.attempts.length, 2);
  });

  it('comes for a delivery whose source could not even tell its policy', async () => {
    const { policy } = world;
    let asked = 0;
    Object.defineProperty(world, 'policy', {
      get: () => {
        asked += 1;
        if (asked < 3) throw new Error('unreadable');
        return policy;
      },
    });
    await world.send();
    await world.due(60_000);
    world.clock.advance(60_000);
    await world.due(120_000);
    world.clock.advance(120_000);
    await until(() => world.ended.length === 1);
    assert.equal(world.ended[0]!.outcome.condition, 'Success');
    assert.equal(world.attempts.length, 1);
  });
});
