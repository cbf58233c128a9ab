import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { failure, settled, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(async () => {
  world = new TestSqs();
  await world.create('q');
});
afterEach(() => world.close());

describe('SQS visibility timeout', () => {
  it('hides a received message until it is over', async () => {
    await world.send('q', 'a');
    const [first] = await world.receive('q');
    world.seconds(29.999);
    assert.deepEqual(await world.receive('q'), []);
    world.seconds(0.001);
    const [second] = await world.receive('q', { VisibilityTimeout: 5 });
    assert.equal(second.MessageId, first.MessageId);
    assert.notEqual(second.ReceiptHandle, first.ReceiptHandle);
    assert.equal(second.Attributes.ApproximateReceiveCount, '2');
    assert.equal(second.Attributes.ApproximateFirstReceiveTimestamp, first.Attributes.ApproximateFirstReceiveTimestamp);
    world.seconds(5);
    assert.deepEqual(await world.counts('q'), [1, 0, 0]);
  });

  it('is changed by the handle of the last receive', async () => {
    await world.send('q', 'a');
    const [{ ReceiptHandle: handle }] = await world.receive('q');
    await world.hide('q', handle, 100);
    world.seconds(99);
    assert.deepEqual(await world.bodies('q'), []);
    await world.hide('q', handle, 0);
    const [{ ReceiptHandle: next }] = await world.receive('q');
    await assert.rejects(
      world.hide('q', handle, 10),
      failure('InvalidParameterValue', 'Message does not exist or is not available for visibility timeout change.'),
    );
    world.seconds(30);
    await assert.rejects(world.hide('q', next, 10), failure('MessageNotInflight'));
    await world.delete('q', next);
    await assert.rejects(world.hide('q', next, 10), failure('InvalidParameterValue', 'does not exist'));
    for (const seconds of [-1, 43_201]) {
      await assert.rejects(world.hide('q', next, seconds), failure('InvalidParameterValue', 'VisibilityTimeout'));
    }
    await assert.rejects(world.hide('q', 'rubbish', 10), failure('ReceiptHandleIsInvalid'));
  });

  it('ends 12 hours after the receive, however often it is changed', async () => {
    await world.send('q', 'a');
    const [{ ReceiptHandle: handle }] = await world.receive('q', { VisibilityTimeout: 43_200 });
    world.seconds(40_000);
    await world.hide('q', handle, 3200);
    await assert.rejects(
      world.hide('q', handle, 3201),
      failure('InvalidParameterValue', 'Total VisibilityTimeout for the message is beyond the limit [43200 seconds]'),
    );
  });

  it('changes several at once, each by itself', async () => {
    await world.send('q', 'a');
    await world.send('q', 'b');
    const [a, b] = await world.receive('q');
    await world.delete('q', b.ReceiptHandle);
    const { Failed, Successful } = await world.call('ChangeMessageVisibilityBatch', {
      QueueUrl: urlOf('q'),
      Entries: [
        { Id: '1', ReceiptHandle: a.ReceiptHandle, VisibilityTimeout: 0 },
        { Id: '2', ReceiptHandle: b.ReceiptHandle, VisibilityTimeout: 0 },
        { Id: '3', ReceiptHandle: 'x', VisibilityTimeout: 0 },
      ],
    });
    assert.deepEqual(Successful, [{ Id: '1' }]);
    assert.deepEqual(
      Failed.map(({ Code, Id }: Record<string, string>) => [Id, Code]),
      [
        ['2', 'InvalidParameterValue'],
        ['3', 'ReceiptHandleIsInvalid'],
      ],
    );
    assert.deepEqual(await world.bodies('q'), ['a']);
  });

  it('wakes who waits when a message is shown', async () => {
    await world.send('q', 'a');
    const [{ ReceiptHandle: handle }] = await world.receive('q');
    const waiting = world.bodies('q', { WaitTimeSeconds: 20 });
    await settled();
    await world.hide('q', handle, 0);
    assert.deepEqual(await waiting, ['a']);
  });
});

describe('SQS DeleteMessage', () => {
  it('deletes by the handle of the last receive, also when it has expired', async () => {
    await world.send('q', 'a');
    const [first] = await world.receive('q');
    world.seconds(30);
    const [second] = await world.receive('q');
    await world.delete('q', first.ReceiptHandle);
    assert.deepEqual(await world.counts('q'), [0, 1, 0]);
    world.seconds(30);
    await world.delete('q', second.ReceiptHandle);
    assert.deepEqual(await world.counts('q'), [0, 0, 0]);
    await world.delete('q', second.ReceiptHandle);
    await assert.rejects(world.delete('q', 'rubbish'), failure('ReceiptHandleIsInvalid'));
    await world.create('other');
    await assert.rejects(world.delete('other', second.ReceiptHandle), failure('ReceiptHandleIsInvalid'));
  });

  it('deletes several at once', async () => {
    for (const body of ['a', 'b', 'c']) await world.send('q', body);
    const received = await world.receive('q');
    const { Failed, Successful } = await world.call('DeleteMessageBatch', {
      QueueUrl: urlOf('q'),
      Entries: [
        ...received.slice(0, 2).map(({ ReceiptHandle }, index) => ({ Id: `m${index}`, ReceiptHandle })),
        { Id: 'bad', ReceiptHandle: '?' },
      ],
    });
    assert.deepEqual(Successful, [{ Id: 'm0' }, { Id: 'm1' }]);
    assert.deepEqual(
      Failed.map(({ Code, Id }: Record<string, string>) => [Id, Code]),
      [['bad', 'ReceiptHandleIsInvalid']],
    );
    assert.deepEqual(await world.counts('q'), [0, 1, 0]);
  });
});

describe('SQS delays', () => {
  it('hides a message for its own delay, or the queue’s', async () => {
    await world.create('slow', { DelaySeconds: '10' });
    await world.send('slow', 'queue');
    await world.send('slow', 'own', { DelaySeconds: 2 });
    await world.send('slow', 'none', { DelaySeconds: 0 });
    assert.deepEqual(await world.counts('slow'), [1, 0, 2]);
    assert.deepEqual(await world.bodies('slow'), ['none']);
    world.seconds(2);
    assert.deepEqual(await world.bodies('slow'), ['own']);
    world.seconds(7.999);
    assert.deepEqual(await world.bodies('slow'), []);
    world.seconds(0.001);
    assert.deepEqual(await world.bodies('slow'), ['queue']);
    for (const DelaySeconds of [-1, 901, 1.5]) {
      await assert.rejects(world.send('slow', 'x', { DelaySeconds }), failure('InvalidParameterValue', 'DelaySeconds'));
    }
  });
});

describe('SQS message retention', () => {
  it('lets go of messages after four days, in flight or not, and of their records', async () => {
    await world.send('q', 'old');
    await world.send('q', 'in flight');
    world.seconds(86_400);
    await world.send('q', 'younger');
    await world.receive('q', { MaxNumberOfMessages: 1, VisibilityTimeout: 43_200 });
    world.seconds(3 * 86_400 - 0.001);
    assert.deepEqual(await world.counts('q'), [3, 0, 0]);
    world.seconds(0.001);
    assert.deepEqual(await world.counts('q'), [1, 0, 0]);
    await settled();
    const kept = await world.store.range({ prefix: ['sqs', 'message'] });
    assert.equal(kept.length, 1);
    assert.deepEqual(await world.store.range({ prefix: ['sqs', 'receipt'] }), []);
    assert.deepEqual(await world.bodies('q'), ['younger']);
  });

  it('follows a change of the period', async () => {
    await world.send('q', 'a');
    world.seconds(60);
    const Attributes = { MessageRetentionPeriod: '60' };
    await world.call('SetQueueAttributes', { QueueUrl: urlOf('q'), Attributes });
    assert.deepEqual(await world.bodies('q'), []);
  });
});

describe('SQS limits of messages in flight', () => {
  it('has room for 120,000', { timeout: 240_000 }, async () => {
    const reader = world.sqs.queues;
    const arn = 'arn:aws:sqs:us-east-1:000000000000:q';
    for (let n = 0; n < 12_000; n += 1) {
      const Entries = Array.from({ length: 10 }, (_, index) => ({ Id: String(index), MessageBody: 'x' }));
      await world.call('SendMessageBatch', { QueueUrl: urlOf('q'), Entries });
    }
    await world.send('q', 'one more');
    for (let n = 0; n < 12; n += 1) {
      const signal = new AbortController().signal;
      assert.equal((await reader.receive(arn, { maximum: 10_000, waitMs: 0, signal })).length, 10_000);
    }
    assert.deepEqual(await world.counts('q'), [1, 120_000, 0]);
    await assert.rejects(world.receive('q'), failure('OverLimit'));
    const waiting = world.bodies('q', { WaitTimeSeconds: 20 });
    await settled();
    world.seconds(20);
    assert.deepEqual(await waiting, []);
    world.seconds(10);
    assert.equal((await world.receive('q')).length, 10);
  });
});
