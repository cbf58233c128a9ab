import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openMemoryStore } from '../store/index.ts';
import { OrderedLanes } from './ordered-lanes.ts';
import { settle, TARGET, until, World } from './test-delivery.ts';

describe('deliveries in order', () => {
  let world: World;
  /** Keys and numbers in the order of their tries. */
  const tried = (): string[] => world.attempts.map(({ delivery }) => String(delivery.attributes!.name));
  const send = (name: string, orderingKey: string | undefined, extra = {}): Promise<string> =>
    world.send(TARGET, 'test', {
      attributes: { name },
      ...(orderingKey === undefined ? {} : { orderingKey }),
      ...extra,
    });

  beforeEach(() => {
    world = new World(openMemoryStore());
  });
  afterEach(async () => {
    await world.delivery.close();
    world.clock.close();
    await world.store.close();
  });

  it('a failing head holds up those behind it, and only them', async () => {
    await world.delivery.start();
    let broken = true;
    world.answer = ({ attributes }) =>
      broken && attributes!.name === 'a1' ? { type: 'failed', reason: 'busy' } : { type: 'delivered' };
    for (const name of ['a1', 'a2', 'b1', 'a3', 'b2']) await send(name, name[0]);
    await send('free', undefined);
    await until(() => world.ended.length === 3);
    await world.due(60_000);
    assert.deepEqual(tried().sort(), ['a1', 'b1', 'b2', 'free']);
    broken = false;
    world.clock.advance(60_000);
    await until(() => world.ended.length === 6);
    assert.deepEqual(
      tried().filter((name) => name.startsWith('a')),
      ['a1', 'a1', 'a2', 'a3'],
    );
  });

  it('go on when the head ends in vain', async () => {
    world.policy = { maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 1 };
    world.answer = ({ attributes }) =>
      attributes!.name === 'a1' ? { type: 'failed', reason: 'busy' } : { type: 'delivered' };
    await world.delivery.start();
    await send('a1', 'a');
    await send('a2', 'a');
    await until(() => world.ended.length === 2);
    assert.deepEqual(tried(), ['a1', 'a2']);
  });

  it('go on when the record of the head is gone', async () => {
    await world.delivery.start();
    const id = await send('a1', 'a', { notBefore: world.clock.now() + 1000 });
    await send('a2', 'a');
    await world.due(1000);
    await world.store.delete(['delivery', id]);
    world.clock.advance(1000);
    await until(() => world.ended.length === 1);
    assert.deepEqual(tried(), ['a2']);
  });

  it('keep their order across a restart, with what came behind meanwhile', async () => {
    world.answer = () => new Promise(() => {});
    await world.delivery.start();
    for (const name of ['a1', 'a2', 'b1', 'b2']) await send(name, name[0]);
    await until(() => world.attempts.length === 2);
    await world.delivery.close();
    world.attempts.length = 0;
    world.answer = () => ({ type: 'delivered' });
    world.delivery = world.make();
    await world.delivery.start();
    await send('a3', 'a');
    await send('a4', 'a');
    await until(() => world.ended.length === 6);
    assert.deepEqual(
      tried().filter((name) => name.startsWith('a')),
      ['a1', 'a2', 'a3', 'a4'],
    );
    assert.deepEqual(
      tried().filter((name) => name.startsWith('b')),
      ['b1', 'b2'],
    );
  });

  it('of a thousand keys go side by side, each in its order', async () => {
    await world.delivery.start();
    const KEYS = 1000;
    let running = 0;
    let most = 0;
    world.answer = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return { type: 'delivered' };
    };
    await world.store.transact(async (transaction) => {
      for (let number = 0; number < KEYS * 3; number += 1) {
        world.delivery.enqueue(transaction, {
          source: 'test',
          targetArn: TARGET,
          payload: Buffer.from(''),
          account: '000000000000',
          region: 'us-east-1',
          orderingKey: `k${number % KEYS}`,
          attributes: { name: `${number % KEYS}/${Math.floor(number / KEYS)}` },
        });
      }
    });
    await until(() => world.ended.length === KEYS * 3);
    const last = new Map<string, number>();
    for (const name of tried()) {
      const [key, number] = name.split('/') as [string, string];
      assert.equal(Number(number), (last.get(key) ?? -1) + 1);
      last.set(key, Number(number));
    }
    assert.ok(most > 100, `only ${most} at once`);
    await settle(world);
    assert.equal(await world.pending(), 0);
  });
});

describe('ordered lanes', () => {
  it('keep nothing of what is over', () => {
    const begun: string[] = [];
    const lanes = new OrderedLanes<{ id: string }>(({ id }) => begun.push(id));
    for (let number = 0; number < 1000; number += 1) {
      lanes.add(`lane${number % 10}`, { id: String(number).padStart(4, '0') });
    }
    assert.equal(begun.length, 10);
    assert.equal(lanes.size, 10);
    for (const id of begun) lanes.remove(`lane${Number(id) % 10}`, id);
    assert.equal(begun.length, 1000, 'each removal begins the next one');
    assert.deepEqual(begun, begun.toSorted());
    assert.equal(lanes.size, 0);
    lanes.remove('lane1', 'x');
    assert.equal(lanes.size, 0);
  });

  it('put what comes late where it belongs, behind the one that has begun', () => {
    const begun: string[] = [];
    const lanes = new OrderedLanes<{ id: string }>(({ id }) => begun.push(id));
    for (const id of ['b', 'd', 'c', 'a']) lanes.add('l', { id });
    for (const id of ['b', 'a', 'c', 'd']) lanes.remove('l', id);
    assert.deepEqual(begun, ['b', 'a', 'c', 'd']);
    assert.equal(lanes.size, 0);
  });
});
