import assert from 'node:assert/strict';
import * as lambda from '@aws-sdk/client-lambda';
import * as sqs from '@aws-sdk/client-sqs';
import { zipOf } from './zip.ts';

/** Functions beside queues, for tests of what flows between them. */

const ROLE = 'arn:aws:iam::000000000000:role/worker';

/** Of each function. Long, since a busy machine may take seconds for a cold start. */
export const FUNCTION_TIMEOUT_S = 20;

/** Sends the whole event to the queue at `SEEN`; fails when a message says `bad`, reports those that say `later`. */
const RELAY = `
const { SendMessageCommand, SQSClient } = require('@aws-sdk/client-sqs');
// Without it this SDK connects to the host in the queue's URL, which is the machine's own loopback.
const sqs = new SQSClient();
const send = (QueueUrl, MessageBody) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
exports.handler = async (event) => {
  await send(process.env.SEEN, JSON.stringify(event));
  if (process.env.AGAIN) await send(process.env.AGAIN, 'again');
  const records = event.Records ?? [];
  if (records.some(({ body }) => body === 'bad')) throw new Error('bad message');
  const late = records.filter(({ body }) => body === 'later');
  return { batchItemFailures: late.map(({ messageId }) => ({ itemIdentifier: messageId })) };
};
`;

export interface Settings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface Queue {
  readonly url: string;
  readonly arn: string;
}

export class QueueFunctions implements Disposable {
  readonly lambda: lambda.LambdaClient;
  readonly sqs: sqs.SQSClient;

  constructor(settings: Settings) {
    this.lambda = new lambda.LambdaClient(settings);
    this.sqs = new sqs.SQSClient(settings);
  }

  async queue(QueueName: string, Attributes: Record<string, string> = {}): Promise<Queue> {
    const { QueueUrl } = await this.sqs.send(new sqs.CreateQueueCommand({ QueueName, Attributes }));
    return { url: QueueUrl!, arn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}` };
  }

  /** A function that tells a queue of each of its events. Returns its ARN. */
  async relay(FunctionName: string, seen: Queue, variables: Record<string, string> = {}): Promise<string> {
    const { FunctionArn } = await this.lambda.send(
      new lambda.CreateFunctionCommand({
        FunctionName,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: ROLE,
        Timeout: FUNCTION_TIMEOUT_S,
        MemorySize: 512,
        Code: { ZipFile: await zipOf({ 'index.js': RELAY }) },
        Environment: { Variables: { SEEN: seen.url, ...variables } },
      }),
    );
    return FunctionArn!;
  }

  async map(FunctionName: string, queue: Queue, more: Partial<lambda.CreateEventSourceMappingCommandInput> = {}) {
    return this.lambda.send(
      new lambda.CreateEventSourceMappingCommand({ FunctionName, EventSourceArn: queue.arn, ...more }),
    );
  }

  async send(queue: Queue, MessageBody: string, more: Partial<sqs.SendMessageCommandInput> = {}): Promise<string> {
    const input = { QueueUrl: queue.url, MessageBody, ...more };
    return (await this.sqs.send(new sqs.SendMessageCommand(input))).MessageId!;
  }

  /** Takes the next message; waits for it. */
  async take(queue: Queue): Promise<sqs.Message> {
    const { Messages: [message] = [] } = await this.sqs.send(
      new sqs.ReceiveMessageCommand({
        QueueUrl: queue.url,
        WaitTimeSeconds: 20,
        AttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    assert.ok(message, `nothing came to ${queue.arn}`);
    const ReceiptHandle = message.ReceiptHandle!;
    await this.sqs.send(new sqs.DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle }));
    return message;
  }

  /** The next event that a relay tells of. */
  // biome-ignore lint/suspicious/noExplicitAny: the events' shapes are what is being checked
  async event(seen: Queue): Promise<any> {
    return JSON.parse((await this.take(seen)).Body!);
  }

  /** How many messages are in the queue, hidden ones included. */
  async count(queue: Queue): Promise<number> {
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const { Attributes = {} } = await this.sqs.send(
      new sqs.GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: [...names] }),
    );
    return names.reduce((sum, name) => sum + Number(Attributes[name]), 0);
  }

  [Symbol.dispose](): void {
    this.lambda.destroy();
    this.sqs.destroy();
  }
}
