import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { arnOf, failure, settled, TestSqs } from './test-sqs.ts';

let world: TestSqs;
const q = arnOf('q');
const none = new AbortController().signal;

beforeEach(async () => {
  world = new TestSqs();
  await world.create('q', { VisibilityTimeout: '60' });
});
afterEach(() => world.close());

describe('SQS queues for other services', () => {
  it('are described', async () => {
    const { queues } = world.sqs;
    assert.deepEqual(await queues.describe(q), { fifo: false, visibilityTimeoutSeconds: 60, policy: undefined });
    assert.equal(await queues.describe(arnOf('none')), undefined);
    await assert.rejects(queues.receive(arnOf('none'), { maximum: 1, signal: none }), failure('QueueDoesNotExist'));
  });

  it('give more than ten messages at once, with all that is known of them', async () => {
    for (let n = 1; n <= 25; n += 1) {
      await world.send('q', String(n), {
        MessageAttributes: { n: { DataType: 'Number', StringValue: String(n) } },
      });
    }
    assert.equal(await world.sqs.queues.backlog(q), 25);
    const messages = await world.sqs.queues.receive(q, { maximum: 20, signal: none });
    assert.equal(messages.length, 20);
    assert.equal(messages[0]?.body, '1');
    assert.equal(messages[0].attributes.ApproximateReceiveCount, '1');
    assert.deepEqual(messages[0].messageAttributes, { n: { dataType: 'Number', stringValue: '1' } });
    assert.match(messages[0].md5OfMessageAttributes!, /^[\da-f]{32}$/);
    assert.equal(await world.sqs.queues.backlog(q), 5);
    const handles = messages.map(({ receiptHandle }) => receiptHandle);
    await world.sqs.queues.delete(q, [...handles.slice(0, 15), 'rubbish']);
    await world.sqs.queues.changeVisibility(q, handles, 0);
    assert.equal(await world.sqs.queues.backlog(q), 10);
  });

  it('wait for messages until they are told to stop', async () => {
    const waiting = world.sqs.queues.receive(q, { maximum: 10, signal: none });
    await settled();
    world.seconds(3600);
    await world.send('q', 'late');
    assert.equal((await waiting)[0]?.body, 'late');
    const limited = world.sqs.queues.receive(q, { maximum: 10, waitMs: 1000, signal: none });
    await settled();
    world.seconds(1);
    assert.deepEqual(await limited, []);
    const stop = new AbortController();
    const stopped = world.sqs.queues.receive(q, { maximum: 10, signal: stop.signal });
    await settled();
    stop.abort();
    assert.deepEqual(await stopped, []);
  });

  it('do not lose what was received while they were told to stop', async () => {
    await world.send('q', 'kept');
    const stop = new AbortController();
    const receiving = world.sqs.queues.receive(q, { maximum: 10, signal: stop.signal });
    await Promise.resolve();
    await Promise.resolve();
    stop.abort();
    const received = await receiving;
    const [visible, inFlight] = await world.counts('q');
    assert.equal(received.length, inFlight);
    assert.equal(received.length + visible!, 1);
  });
});
