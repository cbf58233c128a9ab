import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openMemoryStore, StoreWriteError } from '../store/index.ts';
import type { Acceptance, PendingDelivery } from './index.ts';
import { settle, until, World } from './test-delivery.ts';

const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:q';

describe('a target that takes deliveries over in the store', () => {
  let world: World;
  /** Runs of `accept`, and of what it asked to be told when its writes are durable. */
  let runs: PendingDelivery[];
  let committed: { readonly revision: number; readonly stored: boolean }[];
  let answer: (delivery: PendingDelivery) => Acceptance | undefined;

  beforeEach(async () => {
    world = new World(openMemoryStore(), { writeRetryMs: 1 });
    runs = [];
    committed = [];
    answer = () => ({ type: 'delivered' });
    world.delivery.registerTarget('sqs', async () => ({
      accept: async (delivery, transaction) => {
        runs.push(delivery);
        const before = await transaction.get<number>(['count']);
        transaction.put(['count'], (before?.value ?? 0) + 1);
        transaction.put(['message', delivery.id], Buffer.from(delivery.payload));
        const given = answer(delivery);
        return (
          given && {
            ...given,
            committed: (revision) => {
              committed.push({ revision, stored: world.store.revision >= revision });
            },
          }
        );
      },
      deliver: async (delivery) => {
        world.attempts.push({ delivery, at: 0 });
        return { type: 'delivered' };
      },
    }));
    await world.delivery.start();
  });
  afterEach(async () => {
    await world.delivery.close();
    world.clock.close();
    await world.store.close();
  });

  const messages = async (): Promise<number> => (await world.store.range({ prefix: ['message'] })).length;

  it('has a delivery once, and is told once that it is durable', async () => {
    await world.send(QUEUE);
    await until(() => committed.length === 1);
    assert.equal(await messages(), 1);
    assert.equal(await world.pending(), 0);
    assert.deepEqual(
      world.ended.map(({ delivery, outcome }) => [outcome.condition, delivery.attempts]),
      [['Success', 1]],
    );
    assert.equal(committed[0]!.stored, true);
    assert.equal(world.attempts.length, 0);
  });

  it('has each of many deliveries once, though they change the same key at once', async () => {
    await Promise.all(Array.from({ length: 50 }, () => world.send(QUEUE)));
    await until(() => committed.length === 50);
    await settle(world);
    assert.equal((await world.store.get<number>(['count']))?.value, 50);
    assert.equal(await messages(), 50);
    assert.ok(runs.length >= 50);
    assert.equal(committed.length, 50);
    assert.equal(world.ended.length >= 50, true);
    assert.equal(await world.pending(), 0);
  });

  it('has neither the delivery nor its writes when the store cannot write, and has it when it can again', async () => {
    const { store } = world;
    const transact = store.transact.bind(store);
    await world.send(QUEUE);
    await until(() => committed.length === 1);
    let broken = true;
    let refused = 0;
    store.transact = async (body, options) => {
      if (!broken) return transact(body, options);
      // What the body did is seen by nobody.
      const failure = new StoreWriteError(new Error('No space left on device'));
      await assert.rejects(
        transact(async (transaction) => {
          await body(transaction);
          throw failure;
        }),
        failure,
      );
      refused += 1;
      throw failure;
    };
    await transact(async (transaction) => {
      for (let count = 0; count < 3; count += 1) {
        world.delivery.enqueue(transaction, {
          source: 'test',
          targetArn: QUEUE,
          payload: Buffer.from('x'),
          account: '000000000000',
          region: 'us-east-1',
        });
      }
    });
    await until(() => refused >= 6);
    assert.equal(await messages(), 1);
    assert.equal(await world.pending(), 3);
    assert.equal(committed.length, 1);
    assert.ok(world.log.some((line) => line.includes('No space left on device')));
    broken = false;
    await until(() => committed.length === 4);
    assert.equal(await messages(), 4);
    assert.equal(await world.pending(), 0);
    assert.equal((await store.get<number>(['count']))?.value, 4);
  });

  it('does not keep a full processor busy while the store cannot write', async () => {
    const { store } = world;
    const transact = store.transact.bind(store);
    await world.send(QUEUE);
    await until(() => committed.length === 1);
    const times: number[] = [];
    store.transact = async () => {
      times.push(performance.now());
      throw new StoreWriteError(new Error('No space left on device'));
    };
    await transact(async (transaction) => {
      const { source, targetArn, payload, account, region } = runs[0]!;
      world.delivery.enqueue(transaction, { source, targetArn, payload, account, region });
    });
    await until(() => times.length === 6);
    const waits = times.slice(1).map((time, index) => time - times[index]!);
    // 1, 2, 4, 8 and 16 ms, of which a timer may take off one.
    for (const [index, wait] of waits.entries()) assert.ok(wait >= 2 ** index - 1.1, `${waits}`);
    store.transact = transact;
    await until(() => committed.length === 2);
  });

  it('leaves a delivery to `deliver` when it does not take it', async () => {
    answer = () => undefined;
    await world.send(QUEUE);
    await until(() => world.ended.length === 1);
    assert.equal(world.attempts.length, 1);
    assert.equal(committed.length, 0);
  });

  it('keeps nothing of what it wrote before it threw, and has the delivery at the next try', async () => {
    let tries = 0;
    answer = () => {
      tries += 1;
      if (tries === 1) throw new Error('no key');
      return { type: 'delivered' };
    };
    await world.send(QUEUE);
    await world.due(60_000);
    assert.equal(await messages(), 0);
    assert.equal((await world.store.get(['count'])) === undefined, true);
    world.clock.advance(60_000);
    await until(() => committed.length === 1);
    assert.equal(await messages(), 1);
    assert.equal(world.ended[0]!.delivery.attempts, 2);
  });

  it('ends in the dead letters when it refuses, with the message that the policy makes', async () => {
    const DEAD = 'arn:aws:sqs:us-east-1:000000000000:dead';
    world.policy = {
      ...world.policy,
      deadLetter: {
        targetArn: DEAD,
        caller: { service: 'events.amazonaws.com', roleArn: 'arn:aws:iam::000000000000:role/r' },
        message: ({ id }, outcome) => ({
          payload: Buffer.from('dead'),
          parameters: {
            messageAttributes: {
              ID: { dataType: 'String', stringValue: id },
              CODE: { dataType: 'String', stringValue: outcome.type === 'delivered' ? '' : outcome.code! },
            },
          },
        }),
      },
    };
    answer = ({ targetArn }) =>
      targetArn === DEAD ? { type: 'delivered' } : { type: 'rejected', reason: 'gone', code: 'NO_QUEUE' };
    const id = await world.send(QUEUE, 'test', { traceHeader: 'Root=1-2-3', orderingKey: 'g' });
    await until(() => committed.length === 2);
    const dead = runs.find(({ targetArn }) => targetArn === DEAD)!;
    assert.equal(Buffer.from(dead.payload).toString(), 'dead');
    assert.deepEqual(dead.parameters?.messageAttributes, {
      ID: { dataType: 'String', stringValue: id },
      CODE: { dataType: 'String', stringValue: 'NO_QUEUE' },
    });
    assert.deepEqual(dead.caller, { service: 'events.amazonaws.com', roleArn: 'arn:aws:iam::000000000000:role/r' });
    assert.equal(dead.traceHeader, 'Root=1-2-3');
    assert.equal(dead.orderingKey, 'g');
    assert.equal(await world.pending(), 0);
  });

  it('has a dead letter tried on its own, and told in the log when that was in vain', async () => {
    const DEAD = 'arn:aws:sqs:us-east-1:000000000000:dead';
    world.policy = { maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 1, deadLetter: { targetArn: DEAD } };
    let dead = 0;
    answer = ({ targetArn }) => {
      if (targetArn !== DEAD) return { type: 'failed', reason: 'broken' };
      dead += 1;
      return dead < 3 ? { type: 'failed', reason: 'busy' } : { type: 'rejected', reason: 'no such queue' };
    };
    await world.send(QUEUE);
    for (const tries of [1, 2]) {
      await until(() => dead === tries);
      await world.due(30_000);
      world.clock.advance(30_000);
    }
    await until(() => world.log.some((line) => line.includes('no such queue')));
    assert.equal(await world.pending(), 0);
    assert.equal(world.ended.length, 1);
    assert.ok(world.log.some((line) => line.includes('a dead letter could not be delivered') && line.includes(DEAD)));
  });
});
