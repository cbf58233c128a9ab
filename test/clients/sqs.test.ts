import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import * as sqs from '@aws-sdk/client-sqs';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

let server: RunningKobune;
let client: sqs.SQSClient;

before(async () => {
  server = await runKobune();
  client = new sqs.SQSClient(server.settings());
});
after(async () => {
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await client.send(new sqs.CreateQueueCommand({ QueueName, Attributes }))).QueueUrl!;

const receive = async (QueueUrl: string, options: Partial<sqs.ReceiveMessageCommandInput> = {}) =>
  (await client.send(new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...options }))).Messages ?? [];

const named = (name: string) => (error: Error) => {
  assert.equal(error.name, name, error.message);
  return true;
};

describe('SQS by the AWS SDK', () => {
  it('sends, receives and deletes', async () => {
    const QueueUrl = await create('first');
    assert.equal(QueueUrl, `http://127.0.0.1:${server.port}/000000000000/first`);
    const sent = await client.send(
      new sqs.SendMessageCommand({
        QueueUrl,
        MessageBody: 'größe',
        MessageAttributes: {
          colour: { DataType: 'String', StringValue: 'red' },
          bytes: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2, 3]) },
        },
      }),
    );
    assert.equal(sent.MD5OfMessageBody, createHash('md5').update('größe').digest('hex'));
    const [message] = await receive(QueueUrl, { MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'] });
    assert.equal(message?.Body, 'größe');
    assert.equal(message.MessageId, sent.MessageId);
    assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
    assert.deepEqual(message.MessageAttributes?.bytes?.BinaryValue, new Uint8Array([1, 2, 3]));
    assert.equal(message.Attributes?.ApproximateReceiveCount, '1');
    await client.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
    const { Attributes } = await client.send(new sqs.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
    assert.equal(Attributes?.ApproximateNumberOfMessages, '0');
    assert.equal(Attributes.ApproximateNumberOfMessagesNotVisible, '0');
  });

  it('answers errors by the names that clients know', async () => {
    const QueueUrl = `${server.endpoint}/000000000000/nothing`;
    await assert.rejects(receive(QueueUrl), (error: Error) => {
      assert.ok(error instanceof sqs.QueueDoesNotExist);
      assert.equal((error as Error & { Code?: string }).Code, 'AWS.SimpleQueueService.NonExistentQueue');
      return true;
    });
    const url = await create('errors');
    await assert.rejects(
      client.send(new sqs.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: 'x' })),
      named('ReceiptHandleIsInvalid'),
    );
    await assert.rejects(create('errors', { DelaySeconds: '9' }), named('QueueNameExists'));
    await assert.rejects(
      client.send(new sqs.SendMessageBatchCommand({ QueueUrl: url, Entries: [] })),
      named('EmptyBatchRequest'),
    );
  });

  it('works in batches, with errors for single entries', async () => {
    const QueueUrl = await create('batches');
    const sent = await client.send(
      new sqs.SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: 'a', MessageBody: 'one' },
          { Id: 'b', MessageBody: 'two', DelaySeconds: 1000 },
          { Id: 'c', MessageBody: 'three' },
        ],
      }),
    );
    assert.deepEqual(
      sent.Successful?.map(({ Id }) => Id),
      ['a', 'c'],
    );
    assert.deepEqual(
      sent.Failed?.map(({ Code, Id }) => [Id, Code]),
      [['b', 'InvalidParameterValue']],
    );
    const received = await receive(QueueUrl);
    const handles = received.map(({ ReceiptHandle }, index) => ({ Id: `m${index}`, ReceiptHandle }));
    const hidden = handles.map((entry) => ({ ...entry, VisibilityTimeout: 100 }));
    await client.send(new sqs.ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: hidden }));
    const deleted = await client.send(new sqs.DeleteMessageBatchCommand({ QueueUrl, Entries: handles }));
    assert.equal(deleted.Successful?.length, 2);
    assert.deepEqual(deleted.Failed ?? [], []);
  });

  it('orders and deduplicates in a FIFO queue', async () => {
    const QueueUrl = await create('orders.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'true' });
    const send = (MessageGroupId: string, MessageBody: string) =>
      client.send(new sqs.SendMessageCommand({ QueueUrl, MessageGroupId, MessageBody }));
    const [first, second] = [await send('g', '1'), await send('g', '2')];
    assert.equal((await send('g', '1')).MessageId, first.MessageId);
    assert.ok(second.SequenceNumber! > first.SequenceNumber!);
    const received = await receive(QueueUrl);
    assert.deepEqual(
      received.map(({ Body }) => Body),
      ['1', '2'],
    );
    await assert.rejects(send('', '3'), named('InvalidParameterValue'));
  });

  it('brings messages back from a dead-letter queue', async () => {
    const dead = await create('dead');
    const deadArn = 'arn:aws:sqs:us-east-1:000000000000:dead';
    const QueueUrl = await create('source', {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadArn, maxReceiveCount: 1 }),
    });
    await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody: 'bad' }));
    await receive(QueueUrl, { VisibilityTimeout: 0 });
    assert.deepEqual(await receive(QueueUrl), []);
    const sources = await client.send(new sqs.ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }));
    assert.deepEqual(sources.queueUrls, [QueueUrl]);
    const { TaskHandle } = await client.send(new sqs.StartMessageMoveTaskCommand({ SourceArn: deadArn }));
    assert.ok(TaskHandle);
    assert.equal((await receive(QueueUrl, { WaitTimeSeconds: 20 }))[0]?.Body, 'bad');
    const { Results } = await client.send(new sqs.ListMessageMoveTasksCommand({ SourceArn: deadArn }));
    assert.equal(Results?.[0]?.ApproximateNumberOfMessagesMoved, 1);
  });

  it('keeps bodies by a KMS key', async () => {
    const QueueUrl = await create('encrypted', { KmsMasterKeyId: 'alias/aws/sqs' });
    await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody: 'secret' }));
    assert.equal((await receive(QueueUrl))[0]?.Body, 'secret');
    const unknown = await create('unknown-key', { KmsMasterKeyId: 'alias/none' });
    await assert.rejects(
      client.send(new sqs.SendMessageCommand({ QueueUrl: unknown, MessageBody: 'x' })),
      named('KmsNotFound'),
    );
  });

  it('wakes a long poll when a message is sent', async () => {
    const QueueUrl = await create('waiting');
    const waiting = receive(QueueUrl, { WaitTimeSeconds: 20 });
    await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody: 'there' }));
    assert.equal((await waiting)[0]?.Body, 'there');
  });
});
