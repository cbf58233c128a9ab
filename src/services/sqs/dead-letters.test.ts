import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { arnOf, context, failure, START, settled, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(() => {
  world = new TestSqs();
});
afterEach(() => world.close());

const redrive = (name: string, maxReceiveCount: number) => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf(name), maxReceiveCount }),
});

/** Receives until the message has gone to the dead-letter queue. */
async function exhaust(queue: string, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await world.receive(queue, { VisibilityTimeout: 0 });
  assert.deepEqual(await world.receive(queue), []);
}

describe('SQS dead-letter queues', () => {
  it('take what was received too often, with its age and its receives', async () => {
    await world.create('dead');
    await world.create('q', redrive('dead', 2));
    const { MessageId } = await world.send('q', 'bad', {
      MessageAttributes: { k: { DataType: 'String', StringValue: 'v' } },
    });
    await world.send('q', 'good', { DelaySeconds: 100 });
    world.seconds(60);
    await exhaust('q', 2);
    assert.deepEqual(await world.counts('q'), [0, 0, 1]);
    const [message] = await world.receive('dead');
    assert.equal(message.MessageId, MessageId);
    assert.equal(message.Body, 'bad');
    assert.equal(message.MessageAttributes.k.StringValue, 'v');
    assert.equal(message.Attributes.SentTimestamp, String(START));
    assert.equal(message.Attributes.ApproximateReceiveCount, '3');
    assert.equal(message.Attributes.DeadLetterQueueSourceArn, arnOf('q'));
    world.seconds(4 * 86_400 - 60);
    assert.deepEqual(await world.counts('dead'), [0, 0, 0]);
  });

  it('wake who waits there', async () => {
    await world.create('dead');
    await world.create('q', redrive('dead', 1));
    await world.send('q', 'bad');
    const waiting = world.bodies('dead', { WaitTimeSeconds: 20 });
    await settled();
    await exhaust('q', 1);
    assert.deepEqual(await waiting, ['bad']);
  });

  it('of FIFO queues keep the order of the group and begin the age anew', async () => {
    await world.create('dead.fifo');
    await world.create('q.fifo', { ...redrive('dead.fifo', 1), ContentBasedDeduplication: 'true' });
    for (const body of ['1', '2', '3']) await world.send('q.fifo', body, { MessageGroupId: 'a' });
    world.seconds(10);
    await world.receive('q.fifo', { MaxNumberOfMessages: 2, VisibilityTimeout: 0 });
    assert.deepEqual(await world.bodies('q.fifo'), ['3']);
    const received = await world.receive('dead.fifo');
    assert.deepEqual(
      received.map(({ Body }) => Body),
      ['1', '2'],
    );
    assert.equal(received[0].Attributes.SentTimestamp, String(START + 10_000));
  });

  it('that are gone leave messages where they are', async () => {
    await world.create('dead');
    await world.create('q', redrive('dead', 1));
    await world.send('q', 'bad');
    await world.call('DeleteQueue', { QueueUrl: urlOf('dead') });
    for (let n = 1; n <= 3; n += 1) {
      const [message] = await world.receive('q', { VisibilityTimeout: 0 });
      assert.equal(message.Attributes.ApproximateReceiveCount, String(n));
    }
  });

  it('are checked when they are set', async () => {
    await world.create('dead');
    await world.create('dead.fifo');
    const bad: readonly (readonly [string, string])[] = [
      ['{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}', 'Invalid value for deadLetterTargetArn.'],
      [JSON.stringify({ deadLetterTargetArn: arnOf('dead') }), 'mandatory attribute: maxReceiveCount'],
      [redrive('dead', 0).RedrivePolicy, 'maxReceiveCount'],
      [redrive('dead', 1001).RedrivePolicy, 'maxReceiveCount'],
      [redrive('none', 1).RedrivePolicy, 'does not exist'],
      [redrive('dead.fifo', 1).RedrivePolicy, 'same type'],
      ['[]', 'not a valid JSON map'],
      ['['.repeat(10_000), 'not a valid JSON map'],
      [
        `{"deadLetterTargetArn": ${'['.repeat(10_000)}${']'.repeat(10_000)}, "maxReceiveCount": 1}`,
        'deadLetterTargetArn',
      ],
      [`{"deadLetterTargetArn": {"toString": 1}, "maxReceiveCount": 1}`, 'deadLetterTargetArn'],
    ];
    for (const [RedrivePolicy, reason] of bad) {
      await assert.rejects(world.create('q', { RedrivePolicy }), failure('InvalidParameterValue', reason), reason);
    }
  });

  it('say who may use them', async () => {
    await world.create('closed', { RedriveAllowPolicy: '{"redrivePermission":"denyAll"}' });
    await assert.rejects(world.create('q', redrive('closed', 1)), failure('InvalidParameterValue'));
    const allowed = { redrivePermission: 'byQueue', sourceQueueArns: [arnOf('q')] };
    await world.create('some', { RedriveAllowPolicy: JSON.stringify(allowed) });
    await world.create('q', redrive('some', 1));
    await assert.rejects(world.create('other', redrive('some', 1)), failure('InvalidParameterValue'));
    await assert.rejects(
      world.create('x', { RedriveAllowPolicy: '{"redrivePermission":"byQueue"}' }),
      failure('InvalidParameterValue'),
    );
  });

  it('tell their sources, in pages', async () => {
    await world.create('dead');
    for (const name of ['b', 'a', 'c']) await world.create(name, redrive('dead', 1));
    const list = (more: object) => world.call('ListDeadLetterSourceQueues', { QueueUrl: urlOf('dead'), ...more });
    assert.deepEqual(await list({}), { queueUrls: ['a', 'b', 'c'].map(urlOf) });
    const first = await list({ MaxResults: 2 });
    assert.deepEqual(first.queueUrls, [urlOf('a'), urlOf('b')]);
    assert.deepEqual(await list({ MaxResults: 2, NextToken: first.NextToken }), { queueUrls: [urlOf('c')] });
  });
});

describe('SQS message move tasks', () => {
  const start = (more: object = {}) => world.call('StartMessageMoveTask', { SourceArn: arnOf('dead'), ...more });
  const list = async (MaxResults = 10) =>
    (await world.call('ListMessageMoveTasks', { SourceArn: arnOf('dead'), MaxResults })).Results;

  async function kill(count: number): Promise<void> {
    await world.create('dead');
    await world.create('q', redrive('dead', 1));
    for (let n = 1; n <= count; n += 1) await world.send('q', String(n));
    for (let n = 0; n < count; n += 10) await world.receive('q', { VisibilityTimeout: 0 });
    assert.deepEqual(await world.bodies('q'), []);
    assert.deepEqual(await world.counts('dead'), [count, 0, 0]);
  }

  it('bring messages back as new ones', async () => {
    await kill(3);
    world.seconds(100);
    const { TaskHandle } = await start();
    assert.ok(TaskHandle);
    await settled();
    assert.deepEqual(await list(), [
      {
        Status: 'COMPLETED',
        SourceArn: arnOf('dead'),
        ApproximateNumberOfMessagesMoved: 3,
        ApproximateNumberOfMessagesToMove: 3,
        StartedTimestamp: START + 100_000,
      },
    ]);
    const received = await world.receive('q');
    assert.deepEqual(
      received.map(({ Attributes, Body }) => [Body, Attributes.ApproximateReceiveCount, Attributes.SentTimestamp]),
      ['1', '2', '3'].map((body) => [body, '1', String(START + 100_000)]),
    );
    assert.equal(received[0].Attributes.DeadLetterQueueSourceArn, undefined);
    assert.deepEqual(await world.counts('dead'), [0, 0, 0]);
  });

  it('need the right to send to wherever messages may go', async () => {
    await kill(1);
    await world.create('r', redrive('dead', 1));
    await world.create('other');
    const asked = async (input: object) =>
      (
        await world.sqs.service.authorization!(
          'StartMessageMoveTask',
          { SourceArn: arnOf('dead'), ...input } as never,
          context,
        )
      ).map(({ action, resource }) => `${action} ${resource.split(':').at(-1)}`);
    const own = ['StartMessageMoveTask', 'ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'];
    const ofSource = own.map((action) => `sqs:${action} dead`);
    assert.deepEqual(await asked({}), [...ofSource, 'sqs:SendMessage q', 'sqs:SendMessage r']);
    assert.deepEqual(await asked({ DestinationArn: arnOf('other') }), [...ofSource, 'sqs:SendMessage other']);
  });

  it('move to another queue, at the pace that was asked for', async () => {
    await kill(10);
    await world.create('other');
    await start({ DestinationArn: arnOf('other'), MaxNumberOfMessagesPerSecond: 2 });
    await settled();
    assert.deepEqual(await world.counts('other'), [0, 0, 0]);
    for (let second = 1; second <= 3; second += 1) {
      world.seconds(1);
      await settled();
      assert.deepEqual(await world.counts('other'), [2 * second, 0, 0]);
    }
    const [running] = await list(1);
    assert.equal(running.Status, 'RUNNING');
    assert.equal(running.MaxNumberOfMessagesPerSecond, 2);
    assert.equal(running.DestinationArn, arnOf('other'));
    await assert.rejects(start(), failure('InvalidParameterValue', 'There is already a task running.'));
    const cancelled = await world.call('CancelMessageMoveTask', { TaskHandle: running.TaskHandle });
    assert.deepEqual(cancelled, { ApproximateNumberOfMessagesMoved: 6 });
    world.seconds(10);
    await settled();
    assert.deepEqual(await world.counts('other'), [6, 0, 0]);
    assert.deepEqual(await world.counts('dead'), [4, 0, 0]);
    assert.equal((await list())[0].Status, 'CANCELLED');
    assert.equal((await list())[0].TaskHandle, undefined);
    await assert.rejects(
      world.call('CancelMessageMoveTask', { TaskHandle: running.TaskHandle }),
      failure('UnsupportedOperation'),
    );
  });

  it('go on after a restart, and do the right thing when much time has passed', async () => {
    await kill(250);
    await start({ MaxNumberOfMessagesPerSecond: 10 });
    world.seconds(2);
    await settled();
    assert.deepEqual(await world.counts('q'), [20, 0, 0]);
    await world.sqs.close();
    world.seconds(10);
    world.restart();
    await world.sqs.start();
    await settled();
    assert.deepEqual(await world.counts('q'), [120, 0, 0]);
    world.seconds(3600);
    await settled();
    assert.deepEqual(await world.counts('q'), [250, 0, 0]);
    const [task] = await list();
    assert.equal(task.Status, 'COMPLETED');
    assert.equal(task.ApproximateNumberOfMessagesMoved, 250);
  });

  it('end with their queue', async () => {
    await kill(3);
    await start({ MaxNumberOfMessagesPerSecond: 1 });
    await world.call('DeleteQueue', { QueueUrl: urlOf('dead') });
    world.seconds(60);
    await settled();
    await world.create('dead');
    assert.deepEqual(await list(), []);
    await world.send('dead', 'x');
    world.seconds(60);
    await settled();
    assert.deepEqual(await world.counts('dead'), [1, 0, 0]);
  });

  it('fail when there is nowhere to go', async () => {
    await kill(3);
    await world.create('other');
    await start({ DestinationArn: arnOf('other'), MaxNumberOfMessagesPerSecond: 1 });
    world.seconds(1);
    await settled();
    await world.call('DeleteQueue', { QueueUrl: urlOf('other') });
    world.seconds(1);
    await settled();
    const [failed] = await list();
    assert.equal(failed.Status, 'FAILED');
    assert.equal(failed.FailureReason, 'AWS.SimpleQueueService.NonExistentQueue');
    assert.deepEqual(await world.counts('dead'), [2, 0, 0]);
    await world.send('dead', 'sent here');
    world.seconds(60);
    await start();
    await settled();
    assert.equal((await list())[0].FailureReason, 'CouldNotDetermineMessageSource');
  });

  it('refuse what cannot be moved', async () => {
    await world.create('plain');
    await assert.rejects(
      world.call('StartMessageMoveTask', { SourceArn: arnOf('none') }),
      failure(
        'ResourceNotFoundException',
        "The resource that you specified for the SourceArn parameter doesn't exist.",
      ),
    );
    await assert.rejects(
      world.call('StartMessageMoveTask', { SourceArn: arnOf('plain') }),
      failure('InvalidParameterValue', 'Source queue must be configured as a Dead Letter Queue.'),
    );
    await kill(1);
    await assert.rejects(
      start({ DestinationArn: arnOf('none') }),
      failure('ResourceNotFoundException', 'DestinationArn'),
    );
    for (const MaxNumberOfMessagesPerSecond of [0, 501]) {
      await assert.rejects(start({ MaxNumberOfMessagesPerSecond }), failure('InvalidParameterValue'));
    }
    const cancel = (handle: string) => world.call('CancelMessageMoveTask', { TaskHandle: handle });
    const handle = (taskId: string, sourceArn: string) =>
      Buffer.from(JSON.stringify({ taskId, sourceArn })).toString('base64');
    await assert.rejects(cancel('x'), failure('InvalidParameterValue', 'Value for parameter TaskHandle is invalid.'));
    await assert.rejects(cancel(handle('x', arnOf('none'))), failure('ResourceNotFoundException', 'SourceArn'));
    await assert.rejects(
      cancel(handle('x', arnOf('dead'))),
      failure('ResourceNotFoundException', 'Task does not exist.'),
    );
  });
});
