import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { failure, settled, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(async () => {
  world = new TestSqs();
  await world.create('q.fifo', { ContentBasedDeduplication: 'true' });
});
afterEach(() => world.close());

const send = (group: string, body: string, more: object = {}) =>
  world.send('q.fifo', body, { MessageGroupId: group, ...more });

describe('SQS FIFO order', () => {
  it('gives a group in order, and nothing of it while some of it is in flight', async () => {
    for (const body of ['a1', 'b1', 'a2', 'a3', 'b2']) await send(body[0]!, body);
    const first = await world.receive('q.fifo', { MaxNumberOfMessages: 2 });
    assert.deepEqual(
      first.map(({ Body }) => Body),
      ['a1', 'a2'],
    );
    assert.deepEqual(await world.bodies('q.fifo', { MaxNumberOfMessages: 1 }), ['b1']);
    assert.deepEqual(await world.bodies('q.fifo'), []);
    await world.delete('q.fifo', first[0].ReceiptHandle);
    assert.deepEqual(await world.bodies('q.fifo'), []);
    await world.hide('q.fifo', first[1].ReceiptHandle, 0);
    assert.deepEqual(await world.bodies('q.fifo', { VisibilityTimeout: 100 }), ['a2', 'a3']);
    world.seconds(30);
    assert.deepEqual(await world.bodies('q.fifo'), ['b1', 'b2']);
  });

  it('gives what comes back before what came later', async () => {
    await send('a', '1');
    await send('a', '2');
    await world.receive('q.fifo', { MaxNumberOfMessages: 1, VisibilityTimeout: 10 });
    world.seconds(10);
    assert.deepEqual(await world.bodies('q.fifo'), ['1', '2']);
  });

  it('numbers messages in the order in which they were taken', async () => {
    const numbers: string[] = [];
    for (let n = 0; n < 5; n += 1) numbers.push((await send('a', String(n))).SequenceNumber);
    const { Successful } = await world.call('SendMessageBatch', {
      QueueUrl: urlOf('q.fifo'),
      Entries: ['x', 'y', 'z'].map((Id) => ({ Id, MessageBody: Id, MessageGroupId: 'a' })),
    });
    numbers.push(...Successful.map(({ SequenceNumber }: Record<string, string>) => SequenceNumber));
    for (const number of numbers) assert.match(number, /^\d{20}$/);
    assert.deepEqual(numbers, [...numbers].sort());
    assert.equal(new Set(numbers).size, 8);
    const received = await world.receive('q.fifo');
    assert.deepEqual(
      received.map(({ Attributes }) => Attributes.SequenceNumber),
      numbers,
    );
    assert.equal(received[5].Attributes.MessageGroupId, 'a');
  });

  it('wakes who waits when a group becomes free', async () => {
    await send('a', '1');
    await send('a', '2');
    const [{ ReceiptHandle }] = await world.receive('q.fifo', { MaxNumberOfMessages: 1 });
    const waiting = world.bodies('q.fifo', { WaitTimeSeconds: 20 });
    await settled();
    await world.delete('q.fifo', ReceiptHandle);
    assert.deepEqual(await waiting, ['2']);
  });

  it('refuses a handle that has expired', async () => {
    await send('a', '1');
    const [{ ReceiptHandle }] = await world.receive('q.fifo');
    world.seconds(30);
    await assert.rejects(
      world.delete('q.fifo', ReceiptHandle),
      failure(
        'InvalidParameterValue',
        `Value ${ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
      ),
    );
    assert.deepEqual(await world.bodies('q.fifo'), ['1']);
  });
});

describe('SQS deduplication', () => {
  it('takes a message once in five minutes, also after it was deleted', async () => {
    const first = await send('a', 'same');
    const [{ ReceiptHandle }] = await world.receive('q.fifo');
    await world.delete('q.fifo', ReceiptHandle);
    world.seconds(299.999);
    const second = await send('b', 'same');
    assert.equal(second.MessageId, first.MessageId);
    assert.equal(second.SequenceNumber, first.SequenceNumber);
    assert.deepEqual(await world.bodies('q.fifo'), []);
    world.restart();
    assert.equal((await send('a', 'same')).SequenceNumber, first.SequenceNumber);
    world.seconds(0.001);
    const third = await send('a', 'same');
    assert.notEqual(third.MessageId, first.MessageId);
    assert.deepEqual(await world.bodies('q.fifo'), ['same']);
  });

  it('goes by the identifier before the content', async () => {
    await send('a', 'one', { MessageDeduplicationId: 'id' });
    await send('a', 'two', { MessageDeduplicationId: 'id' });
    await send('a', 'one', { MessageDeduplicationId: 'other' });
    const received = await world.receive('q.fifo');
    assert.deepEqual(
      received.map(({ Attributes, Body }) => [Body, Attributes.MessageDeduplicationId]),
      [
        ['one', 'id'],
        ['one', 'other'],
      ],
    );
  });

  it('is of the group when the queue says so', async () => {
    await world.create('groups.fifo', { ContentBasedDeduplication: 'true', DeduplicationScope: 'messageGroup' });
    for (const group of ['a', 'b', 'a']) await world.send('groups.fifo', 'same', { MessageGroupId: group });
    assert.equal((await world.receive('groups.fifo')).length, 2);
  });

  it('also finds two of the same batch, and of the same moment', async () => {
    const Entries = ['1', '2'].map((Id) => ({ Id, MessageBody: 'same', MessageGroupId: 'a' }));
    const { Successful } = await world.call('SendMessageBatch', { QueueUrl: urlOf('q.fifo'), Entries });
    assert.equal(Successful[0].SequenceNumber, Successful[1].SequenceNumber);
    const both = await Promise.all([send('a', 'x'), send('a', 'x')]);
    assert.equal(both[0].MessageId, both[1].MessageId);
    assert.equal((await world.receive('q.fifo')).length, 2);
  });

  it('forgets identifiers whose time is over', async () => {
    await send('a', '1');
    world.seconds(301);
    await send('a', '2');
    await settled();
    assert.equal((await world.store.range({ prefix: ['sqs', 'deduplication'] })).length, 1);
  });
});

describe('SQS FIFO parameters', () => {
  it('needs a group and something to tell messages by', async () => {
    await assert.rejects(world.send('q.fifo', 'x'), failure('MissingParameter', 'MessageGroupId'));
    await world.create('plain.fifo');
    await assert.rejects(
      world.send('plain.fifo', 'x', { MessageGroupId: 'a' }),
      failure(
        'InvalidParameterValue',
        'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
      ),
    );
    await assert.rejects(
      send('a', 'x', { DelaySeconds: 2 }),
      failure(
        'InvalidParameterValue',
        'Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.',
      ),
    );
    for (const bad of ['', 'a b', 'ö', 'x'.repeat(129)]) {
      await assert.rejects(send(bad, 'x'), failure('InvalidParameterValue', 'MessageGroupId'));
      await assert.rejects(
        send('a', 'x', { MessageDeduplicationId: bad }),
        failure('InvalidParameterValue', 'MessageDeduplicationId'),
      );
    }
    const Entries = [{ Id: '1', MessageBody: 'x' }];
    await assert.rejects(
      world.call('SendMessageBatch', { QueueUrl: urlOf('q.fifo'), Entries }),
      failure('InvalidParameterValue', 'The request must contain the parameter MessageGroupId.'),
    );
  });

  it('delays by the queue only', async () => {
    await world.create('slow.fifo', { DelaySeconds: '5', ContentBasedDeduplication: 'true' });
    await world.send('slow.fifo', '1', { MessageGroupId: 'a' });
    world.seconds(4);
    await world.send('slow.fifo', '2', { MessageGroupId: 'a' });
    assert.deepEqual(await world.counts('slow.fifo'), [0, 0, 2]);
    world.seconds(1);
    assert.deepEqual(await world.bodies('slow.fifo'), ['1']);
  });
});

describe('SQS ReceiveRequestAttemptId', () => {
  const receive = (id: string) => world.receive('q.fifo', { ReceiveRequestAttemptId: id, MaxNumberOfMessages: 1 });

  it('gives the same messages again, and hides them anew', async () => {
    await send('a', '1');
    await send('b', '2');
    const [first] = await receive('try');
    world.seconds(20);
    const [again] = await receive('try');
    assert.equal(again.ReceiptHandle, first.ReceiptHandle);
    assert.equal(again.Attributes.ApproximateReceiveCount, '1');
    assert.equal((await receive('another'))[0].Body, '2');
    world.seconds(29);
    await world.delete('q.fifo', again.ReceiptHandle);
    assert.deepEqual(await receive('try'), []);
  });

  it('gives others once the first ones were touched', async () => {
    await send('a', '1');
    const [first] = await receive('try');
    await world.hide('q.fifo', first.ReceiptHandle, 0);
    const [again] = await receive('try');
    assert.equal(again.Attributes.ApproximateReceiveCount, '2');
  });
});

describe('SQS FIFO throughput', () => {
  it('takes 300 requests of a kind in a second, or many more with high throughput', async () => {
    for (let n = 0; n < 300; n += 1) await send('a', String(n));
    await assert.rejects(send('a', 'x'), failure('RequestThrottled'));
    assert.equal((await world.receive('q.fifo')).length, 10);
    world.seconds(0.1);
    for (let n = 0; n < 30; n += 1) await send('a', `later ${n}`);
    await assert.rejects(send('a', 'x'), failure('RequestThrottled'));
    const fast = { DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' };
    await world.call('SetQueueAttributes', { QueueUrl: urlOf('q.fifo'), Attributes: fast });
    world.seconds(1);
    for (let n = 0; n < 600; n += 1) await send(`g${n}`, String(n));
  });
});
