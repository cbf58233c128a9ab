import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Store } from '../../store/index.ts';
import { ACCOUNT, REGION, settled, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(async () => {
  world = new TestSqs();
  await world.create('q');
});
afterEach(() => world.close());

describe('SQS after a restart', () => {
  it('knows messages, visibility, receives, handles and delays', async () => {
    await world.send('q', 'hidden');
    await world.send('q', 'delayed', { DelaySeconds: 50 });
    const [first] = await world.receive('q', { VisibilityTimeout: 40 });
    await world.send('q', 'visible');
    world.restart();
    assert.deepEqual(await world.counts('q'), [1, 1, 1]);
    assert.deepEqual(await world.bodies('q', { VisibilityTimeout: 100 }), ['visible']);
    world.seconds(40);
    world.restart();
    const [second] = await world.receive('q');
    assert.equal(second.Body, 'hidden');
    assert.equal(second.Attributes.ApproximateReceiveCount, '2');
    assert.equal(second.Attributes.ApproximateFirstReceiveTimestamp, first.Attributes.ApproximateFirstReceiveTimestamp);
    await world.delete('q', first.ReceiptHandle);
    world.restart();
    await world.delete('q', second.ReceiptHandle);
    world.seconds(10);
    assert.deepEqual(await world.bodies('q'), ['delayed']);
  });

  it('keeps FIFO groups blocked, in order and numbered', async () => {
    await world.create('q.fifo', { ContentBasedDeduplication: 'true' });
    const numbers: string[] = [];
    for (const body of ['1', '2', '3']) {
      numbers.push((await world.send('q.fifo', body, { MessageGroupId: 'a' })).SequenceNumber);
    }
    const [first] = await world.receive('q.fifo', { MaxNumberOfMessages: 1 });
    world.restart();
    assert.deepEqual(await world.bodies('q.fifo'), []);
    await world.delete('q.fifo', first.ReceiptHandle);
    world.restart();
    const received = await world.receive('q.fifo');
    assert.deepEqual(
      received.map(({ Attributes, Body }) => [Body, Attributes.SequenceNumber]),
      [
        ['2', numbers[1]],
        ['3', numbers[2]],
      ],
    );
  });

  it('lets go of what grew too old meanwhile', async () => {
    await world.send('q', 'old');
    world.restart();
    world.seconds(4 * 86_400);
    assert.deepEqual(await world.counts('q'), [0, 0, 0]);
    await settled();
    assert.deepEqual(await world.store.range({ prefix: ['sqs', 'message'] }), []);
  });

  it('does not take the remains of one message for another', async () => {
    await world.send('q', 'first');
    await world.send('q', 'second');
    await world.receive('q');
    const record = await world.store.get<{ readonly id: string }>(['sqs', 'queue', ACCOUNT, REGION, 'q']);
    // As if the process had ended between the two.
    const messages = await world.store.range({ prefix: ['sqs', 'message', record!.value.id] });
    for (const { key } of messages) await world.store.delete(key);
    world.restart();
    await world.send('q', 'new');
    await settled();
    world.restart();
    assert.deepEqual(await world.counts('q'), [1, 0, 0]);
    assert.deepEqual(await world.store.range({ prefix: ['sqs', 'receipt'] }), []);
    assert.deepEqual(await world.bodies('q'), ['new']);
  });

  it('goes on erasing what was purged, also when it was purged again', async () => {
    for (let n = 0; n < 120; n += 1) await world.send('q', String(n));
    let blocked: 'all' | 'none' = 'none';
    world.restart(withFailing(world.store, () => blocked === 'all'));
    await world.call('PurgeQueue', { QueueUrl: urlOf('q') });
    blocked = 'all';
    await settled();
    blocked = 'none';
    assert.notEqual((await world.store.range({ prefix: ['sqs', 'message'] })).length, 0);
    await world.send('q', 'after');
    world.seconds(60);
    await world.call('PurgeQueue', { QueueUrl: urlOf('q') });
    await world.send('q', 'last');
    world.restart();
    assert.deepEqual(await world.counts('q'), [1, 0, 0]);
    await world.sqs.start();
    await settled();
    assert.equal((await world.store.range({ prefix: ['sqs', 'message'] })).length, 1);
    assert.deepEqual(await world.store.range({ prefix: ['sqs', 'remains'] }), []);
    assert.deepEqual(await world.bodies('q'), ['last']);
  });

  it('goes on erasing a queue that was deleted', async () => {
    for (let n = 0; n < 20; n += 1) await world.send('q', String(n));
    let writes = 0;
    // The deletion itself is written, and nothing after it.
    world.restart(
      withFailing(world.store, () => {
        writes += 1;
        return writes > 1;
      }),
    );
    await world.call('DeleteQueue', { QueueUrl: urlOf('q') });
    await settled();
    assert.equal((await world.store.range({ prefix: ['sqs', 'message'] })).length, 20);
    world.restart();
    await world.sqs.start();
    await settled();
    for (const kind of ['message', 'receipt', 'remains']) {
      assert.deepEqual(await world.store.range({ prefix: ['sqs', kind] }), [], kind);
    }
  });
});

/** The same store, whose writes fail while it is told so. */
function withFailing(store: Store, fails: () => boolean): Store {
  const refuse = () => Promise.reject(new Error('the disk is full'));
  return new Proxy(store, {
    get(target, name) {
      if (['put', 'delete', 'transact'].includes(String(name)) && fails()) return refuse;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('SQS when the store cannot write', () => {
  it('refuses, and is afterwards as it was before', async () => {
    let full = false;
    world.restart(withFailing(world.store, () => full));
    await world.create('q.fifo', { ContentBasedDeduplication: 'true' });
    await world.send('q', 'there');
    await world.send('q.fifo', 'there', { MessageGroupId: 'a' });
    full = true;
    await assert.rejects(world.send('q', 'lost'), /disk is full/);
    await assert.rejects(world.send('q.fifo', 'lost', { MessageGroupId: 'a' }), /disk is full/);
    await assert.rejects(world.receive('q'), /disk is full/);
    await assert.rejects(world.receive('q.fifo'), /disk is full/);
    assert.deepEqual(await world.counts('q'), [1, 0, 0]);
    assert.deepEqual(await world.counts('q.fifo'), [1, 0, 0]);
    full = false;
    const [plain] = await world.receive('q');
    const [ordered] = await world.receive('q.fifo');
    assert.equal(plain.Attributes.ApproximateReceiveCount, '1');
    full = true;
    await assert.rejects(world.delete('q', plain.ReceiptHandle), /disk is full/);
    await assert.rejects(world.hide('q.fifo', ordered.ReceiptHandle, 0), /disk is full/);
    assert.deepEqual(await world.counts('q'), [0, 1, 0]);
    assert.deepEqual(await world.bodies('q.fifo'), []);
    full = false;
    await world.delete('q', plain.ReceiptHandle);
    await world.delete('q.fifo', ordered.ReceiptHandle);
    await world.send('q.fifo', 'lost', { MessageGroupId: 'a' });
    assert.deepEqual(await world.bodies('q.fifo'), ['lost']);
  });

  it('keeps messages for the dead-letter queue until they can be moved', async () => {
    let full = false;
    world.restart(withFailing(world.store, () => full));
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:q',
      maxReceiveCount: 1,
    });
    await world.create('source', { RedrivePolicy });
    await world.send('source', 'bad');
    await world.receive('source', { VisibilityTimeout: 0 });
    full = true;
    await assert.rejects(world.receive('source'), /disk is full/);
    assert.deepEqual(await world.counts('source'), [1, 0, 0]);
    full = false;
    assert.deepEqual(await world.receive('source'), []);
    assert.deepEqual(await world.bodies('q'), ['bad']);
  });
});
