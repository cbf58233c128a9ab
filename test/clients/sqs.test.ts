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
    const { Attributes } = await client.send(
      new sqs.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
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

  it('wakes a long poll when a message is sent', async () => {
    const QueueUrl = await create('waiting');
    const waiting = receive(QueueUrl, { WaitTimeSeconds: 20 });
    await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody: 'there' }));
    assert.equal((await waiting)[0]?.Body, 'there');
  });
});
