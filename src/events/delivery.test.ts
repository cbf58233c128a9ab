import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CompactedError, openLmdbStore, openMemoryStore } from '../store/index.ts';
import type { DeliveryOutcome } from './index.ts';
import { START, settle, TARGET, until, World } from './test-delivery.ts';

describe('Delivery', () => {
  let world: World;
  beforeEach(() => {
    world = new World(openMemoryStore());
  });
  afterEach(async () => {
    await world.delivery.close();
    world.clock.close();
    await world.store.close();
  });

  it('delivers what a transaction enqueued, tells its source once, and forgets it', async () => {
    await world.delivery.start();
    await world.send();
    await until(() => world.ended.length === 1);
    await world.store.flush();
    assert.equal(world.ended[0]!.outcome.condition, 'Success');
    assert.equal(world.ended[0]!.delivery.attempts, 1);
    await until(() => world.attempts.length === 1);
    await world.delivery.close();
    assert.equal(await world.pending(), 0);
    assert.equal(world.ended.length, 1);
  });

  it('delivers nothing when the transaction fails', async () => {
    await world.delivery.start();
    const failure = world.store.transact(async (transaction) => {
      world.delivery.enqueue(transaction, {
        source: 'test',
        targetArn: TARGET,
        payload: Buffer.from('lost'),
        account: '000000000000',
        region: 'us-east-1',
      });
      throw new Error('no');
    });
    await assert.rejects(failure, /no/);
    await world.send();
    await until(() => world.ended.length === 1);
    assert.equal(world.attempts.length, 1);
    assert.equal(Buffer.from(world.attempts[0]!.delivery.payload).toString(), '{}');
  });

  it("retries by the clock with the source's backoff and then gives up", async () => {
    world.answer = () => ({ type: 'failed', reason: 'Unhandled', response: Buffer.from('boom') });
    await world.delivery.start();
    await world.send();
    for (const [tries, wait] of [
      [1, 60_000],
      [2, 120_000],
    ] as const) {
      await until(() => world.attempts.length === tries);
      await world.due(wait);
      world.clock.advance(wait - 1);
      await settle(world);
      assert.equal(world.attempts.length, tries);
      world.clock.advance(1);
    }
    await until(() => world.ended.length === 1);
    assert.deepEqual(
      world.attempts.map((attempt) => attempt.at),
      [0, 60_000, 180_000],
    );
    const { delivery, outcome } = world.ended[0]!;
    assert.equal(outcome.condition, 'RetriesExhausted');
    assert.equal(delivery.attempts, 3);
    assert.equal(Buffer.from(outcome.response!).toString(), 'boom');
  });

  it('lets throttled tries age without counting them', async () => {
    world.policy = { maximumRetries: 0, maximumAgeSeconds: 10, backoffMs: () => 1 };
    world.answer = () => ({ type: 'failed', reason: 'Rate Exceeded.', throttled: true });
    await world.delivery.start();
    await world.send();
    for (const [tries, wait] of [
      [1, 1000],
      [2, 2000],
      [3, 4000],
      [4, 3000],
    ] as const) {
      await until(() => world.attempts.length === tries);
      await world.due(wait);
      world.clock.advance(wait);
    }
    await until(() => world.ended.length === 1);
    assert.deepEqual(
      world.attempts.map((attempt) => attempt.at),
      [0, 1000, 3000, 7000],
    );
    assert.equal(world.ended[0]!.outcome.condition, 'EventAgeExceeded');
    assert.equal(world.ended[0]!.delivery.attempts, 0);
  });

  it('ends an event that would be too old for its next retry when it reaches that age', async () => {
    world.policy = { maximumRetries: 2, maximumAgeSeconds: 30, backoffMs: () => 60_000 };
    world.answer = () => ({ type: 'failed', reason: 'Unhandled' });
    await world.delivery.start();
    await world.send();
    await until(() => world.attempts.length === 1);
    await world.due(30_000);
    world.clock.advance(30_000);
    await until(() => world.ended.length === 1);
    assert.equal(world.attempts.length, 1);
    assert.equal(world.ended[0]!.outcome.condition, 'EventAgeExceeded');
  });

  it('ends at once what the target rejects, and what has no target', async () => {
    world.answer = () => ({ type: 'rejected', reason: 'gone' });
    await world.delivery.start();
    await world.send();
    await world.send('arn:aws:sqs:us-east-1:000000000000:queue');
    await until(() => world.ended.length === 2);
    assert.deepEqual(
      world.ended.map(({ outcome }) => outcome.condition),
      ['Rejected', 'Rejected'],
    );
    assert.equal(world.attempts.length, 1);
  });

  it('takes a target that throws for a failed try', async () => {
    world.policy = { ...world.policy, maximumRetries: 0 };
    world.answer = () => {
      throw new Error('broken target');
    };
    await world.delivery.start();
    await world.send();
    await until(() => world.ended.length === 1);
    const { outcome } = world.ended[0]!;
    assert.equal(outcome.condition, 'RetriesExhausted');
    assert.ok(outcome.type === 'failed' && outcome.reason === 'broken target');
  });

  it('does not try before `notBefore`', async () => {
    await world.delivery.start();
    await world.send(TARGET, 'test', { notBefore: START + 5000 });
    await world.due(5000);
    assert.equal(world.attempts.length, 0);
    world.clock.advance(5000);
    await until(() => world.ended.length === 1);
  });

  it('tells the source again when that failed, and does not deliver twice', async () => {
    let tries = 0;
    world.finished = () => {
      tries += 1;
      if (tries === 1) throw new Error('not now');
    };
    await world.delivery.start();
    await world.send();
    await until(() => tries === 1);
    await world.due(1000);
    world.clock.advance(1000);
    await until(() => world.ended.length === 1);
    assert.equal(world.attempts.length, 1);
  });

  it('keeps what waits for a source until that source is registered', async () => {
    await world.delivery.start();
    await world.send(TARGET, 'later');
    await settle(world);
    assert.equal(world.attempts.length, 0);
    let ended = 0;
    world.delivery.registerSource('later', async () => ({
      policy: async () => world.policy,
      finished: async () => {
        ended += 1;
      },
    }));
    await until(() => ended === 1);
    assert.equal(world.attempts.length, 1);
  });

  it('begins anew when its watch falls behind', async () => {
    const { store } = world;
    const watch = store.watch.bind(store);
    let opened = 0;
    store.watch = (options) => {
      opened += 1;
      if (opened > 1) return watch(options) as never;
      const behind = {
        close() {},
        [Symbol.asyncIterator]: async function* () {
          await sent.promise;
          yield* [];
          throw new CompactedError(1);
        },
      };
      return behind as never;
    };
    const sent = Promise.withResolvers<void>();
    await world.delivery.start();
    await world.send();
    sent.resolve();
    await until(() => world.ended.length === 1);
    await world.send();
    await until(() => world.ended.length === 2);
    assert.equal(opened, 2);
  });

  it('says which ARNs can be delivered to', () => {
    assert.equal(world.delivery.supports(TARGET), true);
    assert.equal(world.delivery.supports('arn:aws:sqs:us-east-1:000000000000:queue'), false);
    assert.equal(world.delivery.supports('nonsense'), false);
  });
});

describe('Delivery under load', () => {
  it('keeps queues and functions moving while endpoints outside do not answer, however many they are', async () => {
    const world = new World(openMemoryStore(), { limits: { perLane: 2, total: 6 } });
    const gate = Promise.withResolvers<void>();
    let hanging = 0;
    const hang = async (): Promise<DeliveryOutcome> => {
      hanging += 1;
      await gate.promise;
      return { type: 'delivered' };
    };
    for (const kind of ['https', 'events']) world.delivery.registerTarget(kind, async () => ({ deliver: hang }));
    await world.delivery.start();
    for (let n = 0; n < 10; n += 1) {
      await world.send(`https://example.com/${n}`);
      await world.send(`arn:aws:events:us-east-1:000000000000:api-destination/d${n}/id`);
    }
    await until(() => hanging === 6);
    for (let n = 0; n < 10; n += 1) await world.send(`${TARGET}-${n}`);
    await until(() => world.ended.length === 10);
    assert.equal(hanging, 6);
    gate.resolve();
    await until(() => world.ended.length === 30);
    await world.delivery.close();
    world.clock.close();
    await world.store.close();
  });

  it('bounds the attempts to one target and keeps the other targets moving', async () => {
    const world = new World(openMemoryStore(), { limits: { perLane: 3, total: 5 } });
    const slow = `${TARGET}-slow`;
    const gate = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    world.answer = async (delivery) => {
      if (delivery.targetArn !== slow) return { type: 'delivered' };
      running += 1;
      most = Math.max(most, running);
      await gate.promise;
      running -= 1;
      return { type: 'delivered' };
    };
    await world.delivery.start();
    for (let index = 0; index < 20; index += 1) await world.send(slow);
    for (let index = 0; index < 20; index += 1) await world.send();
    await until(() => world.ended.length === 20);
    assert.ok(world.ended.every(({ delivery }) => delivery.targetArn === TARGET));
    assert.equal(running, 3);
    gate.resolve();
    await until(() => world.ended.length === 40);
    assert.equal(most, 3);
    await world.delivery.close();
    world.clock.close();
    await world.store.close();
  });
});

describe('Delivery across a restart', () => {
  it('resumes from disk what had not ended, with its attempts and its time', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'delivery-'));
    try {
      const first = new World(await openLmdbStore({ directory }));
      first.answer = () => ({ type: 'failed', reason: 'Unhandled' });
      await first.delivery.start();
      await first.send();
      await until(() => first.attempts.length === 1);
      await first.due(60_000);
      await first.store.flush();
      await first.delivery.close();
      first.clock.close();
      await first.store.close();

      const second = new World(await openLmdbStore({ directory }));
      await second.delivery.start();
      await second.due(60_000);
      assert.equal(second.attempts.length, 0, 'the retry waits for its time');
      second.clock.advance(60_000);
      await until(() => second.ended.length === 1);
      assert.equal(second.attempts[0]!.delivery.attempts, 1);
      assert.equal(second.ended[0]!.delivery.attempts, 2);
      await second.delivery.close();
      assert.equal(await second.pending(), 0);
      second.clock.close();
      await second.store.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('tries again what was under way when the process ended', async () => {
    const world = new World(openMemoryStore());
    world.answer = () => new Promise(() => {});
    await world.delivery.start();
    await world.send();
    await until(() => world.attempts.length === 1);
    await world.delivery.close();
    assert.equal(await world.pending(), 1);
    world.answer = () => ({ type: 'delivered' });
    const next = world.make();
    await next.start();
    await until(() => world.ended.length === 1);
    await next.close();
    assert.equal(await world.pending(), 0);
    world.clock.close();
    await world.store.close();
  });
});
