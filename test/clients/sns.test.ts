import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import * as sns from '@aws-sdk/client-sns';
import { CreateQueueCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import MessageValidator from 'sns-validator';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

let server: RunningKobune;
let client: sns.SNSClient;
let sqs: SQSClient;

before(async () => {
  server = await runKobune();
  client = new sns.SNSClient(server.settings());
  sqs = new SQSClient(server.settings());
});
after(async () => {
  client?.destroy();
  sqs?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const makeTopic = async (Name: string, Attributes?: Record<string, string>): Promise<string> =>
  (await client.send(new sns.CreateTopicCommand({ Name, ...(Attributes ? { Attributes } : {}) }))).TopicArn!;

async function makeQueue(QueueName: string, Attributes?: Record<string, string>): Promise<string> {
  await sqs.send(new CreateQueueCommand({ QueueName, ...(Attributes ? { Attributes } : {}) }));
  return `arn:aws:sqs:us-east-1:000000000000:${QueueName}`;
}

async function receive(queue: string, count: number): Promise<readonly Message[]> {
  const found: Message[] = [];
  while (found.length < count) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queue.split(':').at(-1)!,
        WaitTimeSeconds: 5,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        AttributeNames: ['All'],
        VisibilityTimeout: 600,
      }),
    );
    if (Messages.length === 0) assert.fail(`${found.length} of ${count} messages came`);
    found.push(...Messages);
  }
  return found;
}

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP endpoint that notes what it gets and answers what it is told to. */
async function startEndpoint(): Promise<{
  readonly server: Server;
  readonly url: string;
  readonly received: Received[];
  readonly statuses: number[];
}> {
  const received: Received[] = [];
  const statuses: number[] = [];
  const endpoint = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  const { port } = endpoint.address() as AddressInfo;
  return { server: endpoint, url: `http://127.0.0.1:${port}/hook`, received, statuses };
}

/** AWS's own validator, with the certificate fetched from here: elsewhere its address leads to AWS. */
function validate(text: string): Promise<Record<string, string>> {
  const { get } = https;
  const local = (address: string, answer: (response: unknown) => void) => {
    const { pathname } = new URL(address);
    const events = new Map<string, (value?: unknown) => void>();
    const response = {
      statusCode: 0,
      on(name: string, listener: (value?: unknown) => void) {
        events.set(name, listener);
        return response;
      },
    };
    void fetch(`${server.endpoint}${pathname}`).then(async (fetched) => {
      const pem = await fetched.text();
      response.statusCode = fetched.status;
      answer(response);
      events.get('data')?.(pem);
      events.get('end')?.();
    });
    return { on() {} };
  };
  https.get = local as unknown as typeof https.get;
  return new Promise<Record<string, string>>((resolve, reject) => {
    new MessageValidator().validate(text, (error, message) => (error ? reject(error) : resolve(message!)));
  }).finally(() => {
    https.get = get;
  });
}

describe('SNS by the AWS SDK', () => {
  it('fans out to queues, whole and raw', async () => {
    const topic = await makeTopic('fan-out');
    const [whole, raw] = [await makeQueue('fan-whole'), await makeQueue('fan-raw')];
    await client.send(new sns.SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: whole }));
    await client.send(
      new sns.SubscribeCommand({
        TopicArn: topic,
        Protocol: 'sqs',
        Endpoint: raw,
        Attributes: { RawMessageDelivery: 'true', FilterPolicy: '{"kind":["b"]}' },
      }),
    );
    const kind = (StringValue: string) => ({ kind: { DataType: 'String', StringValue } });
    await client.send(new sns.PublishCommand({ TopicArn: topic, Message: 'a', MessageAttributes: kind('a') }));
    const { MessageId } = await client.send(
      new sns.PublishCommand({ TopicArn: topic, Message: 'größe', Subject: 's', MessageAttributes: kind('b') }),
    );
    const envelopes = (await receive(whole, 2)).map(({ Body }) => JSON.parse(Body!));
    const second = envelopes.find(({ Message }) => Message === 'größe');
    assert.equal(second.MessageId, MessageId);
    assert.deepEqual(second.MessageAttributes, { kind: { Type: 'String', Value: 'b' } });
    const [message] = await receive(raw, 1);
    assert.equal(message!.Body, 'größe');
    assert.equal(message!.MessageAttributes?.kind?.StringValue, 'b');
    assert.equal((await validate(JSON.stringify(second))).Message, 'größe');
    const forged = JSON.stringify({ ...second, Message: 'other' });
    await assert.rejects(validate(forged), /signature is invalid/);
  });

  it('asks an HTTP endpoint to confirm, delivers, tries again, and signs what AWS’s validator accepts', async () => {
    const endpoint = await startEndpoint();
    const topic = await makeTopic('web', { SignatureVersion: '2' });
    const { SubscriptionArn } = await client.send(
      new sns.SubscribeCommand({
        TopicArn: topic,
        Protocol: 'http',
        Endpoint: endpoint.url,
        Attributes: {
          DeliveryPolicy: JSON.stringify({ healthyRetryPolicy: { numRetries: 1, numNoDelayRetries: 1 } }),
        },
      }),
    );
    assert.equal(SubscriptionArn, 'pending confirmation');
    const asked = await eventually(async () => endpoint.received[0]);
    assert.equal(asked.headers['x-amz-sns-message-type'], 'SubscriptionConfirmation');
    assert.equal(asked.headers['content-type'], 'text/plain; charset=UTF-8');
    const { SubscribeURL } = await validate(asked.body);
    const confirmed = await fetch(SubscribeURL!);
    assert.equal(confirmed.status, 200);
    assert.match(await confirmed.text(), new RegExp(`<SubscriptionArn>${topic}:`));

    endpoint.statuses.push(503);
    await client.send(new sns.PublishCommand({ TopicArn: topic, Message: 'hello', Subject: 's' }));
    const delivered = await eventually(async () => endpoint.received[2]);
    assert.equal(endpoint.received[1]!.body, delivered.body);
    const { Message, SignatureVersion, UnsubscribeURL } = await validate(delivered.body);
    assert.deepEqual([Message, SignatureVersion], ['hello', '2']);

    assert.equal((await fetch(UnsubscribeURL!)).status, 200);
    const ended = await eventually(async () => endpoint.received[3]);
    assert.equal(JSON.parse(ended.body).Type, 'UnsubscribeConfirmation');
    const { Subscriptions } = await client.send(new sns.ListSubscriptionsByTopicCommand({ TopicArn: topic }));
    assert.deepEqual(Subscriptions, []);
    endpoint.server.close();
    endpoint.server.closeAllConnections();
  });

  it('keeps the order of a FIFO topic in a FIFO queue, and takes each message once', async () => {
    const topic = await makeTopic('order.fifo', { FifoTopic: 'true', ContentBasedDeduplication: 'true' });
    const queue = await makeQueue('order.fifo', { FifoQueue: 'true' });
    await client.send(
      new sns.SubscribeCommand({
        TopicArn: topic,
        Protocol: 'sqs',
        Endpoint: queue,
        Attributes: { RawMessageDelivery: 'true' },
      }),
    );
    for (let index = 0; index < 20; index += 1) {
      const publish = new sns.PublishCommand({ TopicArn: topic, Message: `m${index}`, MessageGroupId: 'g' });
      const { MessageId, SequenceNumber } = await client.send(publish);
      assert.deepEqual((await client.send(publish)).MessageId, MessageId);
      assert.match(SequenceNumber!, /^\d{20}$/);
    }
    const { Failed, Successful } = await client.send(
      new sns.PublishBatchCommand({
        TopicArn: topic,
        PublishBatchRequestEntries: ['m20', 'm21'].map((Message) => ({ Id: Message, Message, MessageGroupId: 'g' })),
      }),
    );
    assert.deepEqual([Failed, Successful?.length], [[], 2]);
    const bodies = (await receive(queue, 10)).map(({ Body }) => Body);
    assert.deepEqual(
      bodies,
      Array.from({ length: 10 }, (_, index) => `m${index}`),
    );
  });

  it('hands the message group of a standard topic to standard queues', async () => {
    const topic = await makeTopic('fair');
    const queue = await makeQueue('fair');
    await client.send(new sns.SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: queue }));
    await client.send(new sns.PublishCommand({ TopicArn: topic, Message: 'm', MessageGroupId: 'tenant' }));
    const [message] = await receive(queue, 1);
    assert.equal(message!.Attributes?.MessageGroupId, 'tenant');
  });

  it('encrypts messages by a key of KMS, and tells when it cannot', async () => {
    const kms = new KMSClient(server.settings());
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    const topic = await makeTopic('encrypted', { KmsMasterKeyId: KeyMetadata!.KeyId! });
    const queue = await makeQueue('encrypted');
    await client.send(new sns.SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: queue }));
    const publish = new sns.PublishCommand({ TopicArn: topic, Message: 'secret' });
    await client.send(publish);
    assert.equal(JSON.parse((await receive(queue, 1))[0]!.Body!).Message, 'secret');
    const missing = await makeTopic('no-key', { KmsMasterKeyId: 'alias/nothing' });
    await assert.rejects(
      client.send(new sns.PublishCommand({ TopicArn: missing, Message: 'm' })),
      sns.KMSNotFoundException,
    );
    const managed = await makeTopic('managed-key', { KmsMasterKeyId: 'alias/aws/sns' });
    await client.send(new sns.PublishCommand({ TopicArn: managed, Message: 'm' }));
    kms.destroy();
  });

  it('runs functions, in which AWS’s validator fetches the certificate where the message says', async () => {
    const lambda = new LambdaClient(server.settings());
    const logs = new CloudWatchLogsClient(server.settings());
    const code = `
      const MessageValidator = require('./validator.js');
      exports.handler = (event) => new Promise((resolve, reject) => {
        const told = JSON.stringify(event);
        new MessageValidator().validate(event.Records[0].Sns, (error) => {
          console.log('GOT', error ? error.message : 'valid', told);
          resolve();
        });
      });`;
    const validator = await readFile(createRequire(import.meta.url).resolve('sns-validator'), 'utf8');
    const { FunctionArn } = await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'listener',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/r',
        Code: { ZipFile: await zipOf({ 'index.js': code, 'validator.js': validator }) },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.1 }, { FunctionName: 'listener' });
    const topic = await makeTopic('functions');
    await lambda.send(
      new AddPermissionCommand({
        FunctionName: 'listener',
        StatementId: 's',
        Action: 'lambda:InvokeFunction',
        Principal: 'sns.amazonaws.com',
        SourceArn: topic,
      }),
    );
    const { SubscriptionArn } = await client.send(
      new sns.SubscribeCommand({ TopicArn: topic, Protocol: 'lambda', Endpoint: FunctionArn! }),
    );
    const { MessageId } = await client.send(new sns.PublishCommand({ TopicArn: topic, Message: 'run' }));
    const line = await eventually(async () => {
      const { events = [] } = await logs
        .send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/listener', filterPattern: 'GOT' }))
        .catch(() => ({ events: [] }));
      return events[0]?.message;
    });
    assert.match(line, /GOT valid /);
    const [record] = JSON.parse(line.slice(line.indexOf('{'))).Records;
    assert.equal(record.EventSource, 'aws:sns');
    assert.equal(record.EventSubscriptionArn, SubscriptionArn);
    assert.deepEqual([record.Sns.MessageId, record.Sns.Message, record.Sns.Subject], [MessageId, 'run', null]);
    lambda.destroy();
    logs.destroy();
  });

  it('gets errors as the SDK knows them', async () => {
    const TopicArn = 'arn:aws:sns:us-east-1:000000000000:missing';
    await assert.rejects(client.send(new sns.PublishCommand({ TopicArn, Message: 'm' })), sns.NotFoundException);
    await assert.rejects(
      client.send(new sns.CreateTopicCommand({ Name: 'a b' })),
      (error: sns.InvalidParameterException) => {
        assert.ok(error instanceof sns.InvalidParameterException);
        return error.message === 'Invalid parameter: Topic Name';
      },
    );
    const topic = await makeTopic('errors');
    await assert.rejects(
      client.send(
        new sns.PublishCommand({
          TopicArn: topic,
          Message: 'm',
          MessageAttributes: { a: { DataType: 'Text', StringValue: 'x' } },
        }),
      ),
      sns.InvalidParameterValueException,
    );
    await assert.rejects(
      client.send(new sns.PublishBatchCommand({ TopicArn: topic, PublishBatchRequestEntries: [] })),
      sns.EmptyBatchRequestException,
    );
    await assert.rejects(
      client.send(new sns.PutDataProtectionPolicyCommand({ ResourceArn: topic, DataProtectionPolicy: '{}' })),
      /PutDataProtectionPolicy/,
    );
  });

  it('serves no certificate but its own', async () => {
    const wrong = `${server.endpoint}/SimpleNotificationService-${'0'.repeat(32)}.pem`;
    assert.equal((await fetch(wrong)).status, 404);
  });
});
