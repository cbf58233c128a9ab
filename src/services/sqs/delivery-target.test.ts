import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Acceptance, PendingDelivery } from '../../events/index.ts';
import { ACCOUNT, arnOf, policyOf, REGION, START, settled, TestSqs } from './test-sqs.ts';

let world: TestSqs;
beforeEach(() => {
  world = new TestSqs();
});
afterEach(() => world.close());

const deliveryTo = (queue: string, body: string, more: Partial<PendingDelivery> = {}): PendingDelivery => ({
  source: 'sns',
  targetArn: arnOf(queue),
  payload: Buffer.from(body),
  account: ACCOUNT,
  region: REGION,
  id: 'd',
  enqueuedAt: START,
  attempts: 0,
  ...more,
});

/** Hands a delivery over, as the delivery engine does. */
async function accept(delivery: PendingDelivery): Promise<Acceptance> {
  let revision = 0;
  const acceptance = await world.store.transact(
    async (transaction) => (await world.sqs.deliveryTarget.accept!(delivery, transaction))!,
    {
      onCommit: (committed) => {
        revision = committed;
      },
    },
  );
  acceptance.committed?.(revision);
  return acceptance;
}

const codeOf = (outcome: Acceptance) => ('code' in outcome ? outcome.code : undefined);

describe('SQS queues as targets of events', () => {
  it('take events with their attributes, and wake who waits', async () => {
    await world.create('q');
    const waiting = world.receive('q', { WaitTimeSeconds: 20 });
    await settled();
    const outcome = await accept(
      deliveryTo('q', 'größe', {
        parameters: { messageAttributes: { k: { dataType: 'String', stringValue: 'v' } } },
        traceHeader: 'Root=1-a',
        caller: { service: 'sns.amazonaws.com', sourceArn: 'arn:aws:sns:us-east-1:000000000000:t' },
      }),
    );
    assert.equal(outcome.type, 'delivered');
    const [message] = await waiting;
    assert.equal(message.Body, 'größe');
    assert.deepEqual(message.MessageAttributes, { k: { DataType: 'String', StringValue: 'v' } });
    assert.equal(message.Attributes.AWSTraceHeader, 'Root=1-a');
    assert.equal(message.Attributes.SenderId, 'sns.amazonaws.com');
  });

  it('show nothing before the transaction is durable', async () => {
    await world.create('q');
    await world.store.transact(async (transaction) => {
      const outcome = await world.sqs.deliveryTarget.accept!(deliveryTo('q', 'x'), transaction);
      assert.equal(outcome?.type, 'delivered');
      assert.deepEqual(await world.counts('q'), [0, 0, 0]);
    });
    await assert.rejects(
      world.store.transact(async (transaction) => {
        await world.sqs.deliveryTarget.accept!(deliveryTo('q', 'y'), transaction);
        throw new Error('not after all');
      }),
      /not after all/,
    );
    world.restart();
    assert.deepEqual(await world.bodies('q'), ['x']);
  });

  it('of the FIFO kind keep the order, and need a group', async () => {
    await world.create('q.fifo');
    const parameters = (id: string) => ({ messageGroupId: 'g', messageDeduplicationId: id });
    for (const id of ['1', '2', '2', '3']) {
      assert.equal((await accept(deliveryTo('q.fifo', id, { parameters: parameters(id) }))).type, 'delivered');
    }
    const received = await world.receive('q.fifo');
    assert.deepEqual(
      received.map(({ Body }) => Body),
      ['1', '2', '3'],
    );
    const numbers = received.map(({ Attributes }) => Attributes.SequenceNumber);
    assert.deepEqual(numbers, [...numbers].sort());
    const without = await accept(deliveryTo('q.fifo', 'x'));
    assert.equal(without.type, 'rejected');
    assert.equal(codeOf(without), 'MissingParameter');
  });

  it('number messages in the order of the commits, not of the handing over', async () => {
    await world.create('q.fifo', { ContentBasedDeduplication: 'true' });
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let revision = 0;
    const slow = world.store.transact(
      async (transaction) => {
        const delivery = deliveryTo('q.fifo', 'committed last', { parameters: { messageGroupId: 'g' } });
        const outcome = await world.sqs.deliveryTarget.accept!(delivery, transaction);
        begun.resolve();
        await gate.promise;
        return outcome;
      },
      {
        onCommit: (committed) => {
          revision = committed;
        },
      },
    );
    await begun.promise;
    await world.send('q.fifo', 'committed first', { MessageGroupId: 'g' });
    gate.resolve();
    (await slow)?.committed?.(revision);
    assert.deepEqual(await world.bodies('q.fifo', { VisibilityTimeout: 0 }), ['committed first', 'committed last']);
    world.restart();
    assert.deepEqual(await world.bodies('q.fifo'), ['committed first', 'committed last']);
  });

  it('reject what cannot be a message of theirs', async () => {
    await world.create('q', { MaximumMessageSize: '1024' });
    const gone = await accept(deliveryTo('none', 'x'));
    assert.equal(gone.type, 'rejected');
    assert.equal(codeOf(gone), 'AWS.SimpleQueueService.NonExistentQueue');
    assert.equal(codeOf(await accept(deliveryTo('q', 'x'.repeat(1025)))), 'InvalidParameterValue');
    assert.equal(codeOf(await accept(deliveryTo('q', 'a\0'))), 'InvalidMessageContents');
    assert.deepEqual(await world.counts('q'), [0, 0, 0]);
  });

  it('ask the policy when policies are enforced', async () => {
    world.enforce = true;
    world.restart();
    const asked: unknown[] = [];
    world.allows = async (question) => {
      asked.push(question);
      return question.caller.service === 'events.amazonaws.com';
    };
    const Policy = policyOf('q', 'sqs:SendMessage');
    await world.create('q', { Policy });
    const caller = { service: 's3.amazonaws.com', sourceArn: 'arn:aws:s3:::b', sourceAccount: ACCOUNT };
    const denied = await accept(deliveryTo('q', 'x', { caller }));
    assert.equal(denied.type, 'rejected');
    assert.equal(codeOf(denied), 'AccessDenied');
    assert.deepEqual(asked, [
      {
        action: 'sqs:SendMessage',
        resource: arnOf('q'),
        resourceAccount: ACCOUNT,
        region: REGION,
        resourcePolicy: Policy,
        caller,
      },
    ]);
    const target = world.sqs.deliveryTarget;
    assert.equal(await target.permits!(arnOf('q'), caller), false);
    assert.equal(await target.permits!(arnOf('q'), { service: 'events.amazonaws.com' }), true);
    assert.equal(await target.permits!(arnOf('none'), { service: 'events.amazonaws.com' }), false);
  });
});
