import { setTimeout as sleep } from 'node:timers/promises';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { packageOf } from './package.ts';
import { type Row, report, spread } from './report.ts';
import { type BenchServer, startServer } from './server.ts';
import { signed } from './signed.ts';
import { wrk } from './wrk.ts';

/*
 * From before a message's publishing to the first line of a function's handler, of the same machine's clock; and how many
 * messages of 1 KB a second go into a topic with one queue behind it, and with ten: how fast they are taken, and how fast
 * they are in the queues; raw, and in envelopes that are signed one by one.
 */

const ALONE = 300;
const CONNECTIONS = 32;
const WARM_UP_SECONDS = 2;
const SECONDS = 4;
const DRAIN_MS = 60_000;

const HANDLER = `
const { SendMessageCommand, SQSClient } = require('@aws-sdk/client-sqs');
const sqs = new SQSClient();
exports.handler = async ({ Records: [{ Sns }] }) => {
  const latency = performance.timeOrigin + performance.now() - Number(Sns.Message);
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.FOUND, MessageBody: String(latency) }));
};
`;

const document = (statement: object): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', ...statement } });

/** A topic with a function that tells a queue how long its message took. Returns the topic's ARN and the queue's URL. */
async function deploy(server: BenchServer, sns: SNSClient, sqs: SQSClient): Promise<{ topic: string; found: string }> {
  const iam = new IAMClient(server);
  const lambda = new LambdaClient(server);
  try {
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: 'listener',
        AssumeRolePolicyDocument: document({
          Principal: { Service: 'lambda.amazonaws.com' },
          Action: 'sts:AssumeRole',
        }),
      }),
    );
    const PolicyDocument = document({ Action: 'sqs:SendMessage', Resource: '*' });
    await iam.send(new PutRolePolicyCommand({ RoleName: 'listener', PolicyName: 'queue', PolicyDocument }));
    const found = (await sqs.send(new CreateQueueCommand({ QueueName: 'found' }))).QueueUrl!;
    const topic = (await sns.send(new CreateTopicCommand({ Name: 'alone' }))).TopicArn!;
    const { FunctionArn } = await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'listener',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: Role!.Arn,
        MemorySize: 1769,
        Timeout: 10,
        Environment: { Variables: { FOUND: found } },
        Code: { ZipFile: await packageOf(HANDLER) },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.1 }, { FunctionName: 'listener' });
    await lambda.send(
      new AddPermissionCommand({
        FunctionName: 'listener',
        StatementId: 'topic',
        Action: 'lambda:InvokeFunction',
        Principal: 'sns.amazonaws.com',
        SourceArn: topic,
      }),
    );
    await sns.send(new SubscribeCommand({ TopicArn: topic, Protocol: 'lambda', Endpoint: FunctionArn! }));
    return { topic, found };
  } finally {
    iam.destroy();
    lambda.destroy();
  }
}

async function measureAlone(sns: SNSClient, sqs: SQSClient, TopicArn: string, QueueUrl: string): Promise<number[]> {
  const latencies: number[] = [];
  for (let sent = 0; sent < ALONE; sent += 1) {
    await sns.send(new PublishCommand({ TopicArn, Message: String(performance.timeOrigin + performance.now()) }));
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    if (Messages.length !== 1) throw new Error('the function did not tell');
    latencies.push(Number(Messages[0]!.Body));
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0]!.ReceiptHandle! }));
  }
  return latencies;
}

interface Rates {
  readonly p50: number;
  readonly p99: number;
  /** Messages published in a second. */
  readonly published: number;
  /** Messages that came into queues in a second, all queues together. */
  readonly delivered: number;
}

async function measureRate(
  server: BenchServer,
  sns: SNSClient,
  sqs: SQSClient,
  { queues, raw }: { readonly queues: number; readonly raw: boolean },
): Promise<Rates> {
  const Name = `${raw ? 'raw' : 'signed'}-to-${queues}`;
  const TopicArn = (await sns.send(new CreateTopicCommand({ Name }))).TopicArn!;
  const urls = await Promise.all(
    Array.from({ length: queues }, async (_, index) => {
      const QueueName = `${Name}-${index}`;
      const Endpoint = `arn:aws:sqs:us-east-1:000000000000:${QueueName}`;
      const Policy = document({
        Principal: { Service: 'sns.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: Endpoint,
        Condition: { ArnEquals: { 'aws:SourceArn': TopicArn } },
      });
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { Policy } }));
      const Attributes = { RawMessageDelivery: String(raw) };
      await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint, Attributes }));
      return QueueUrl!;
    }),
  );
  const Message = 'kobune! '.repeat(128);
  const body = new URLSearchParams({ Action: 'Publish', Version: '2010-03-31', TopicArn, Message }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const request = await signed(server, 'sns', { method: 'POST', path: '/', headers, body });
  await wrk(request, CONNECTIONS, WARM_UP_SECONDS);
  await rest(sqs, urls);
  const before = await depth(sqs, urls);
  const start = performance.now();
  const { p50, p99, perSecond } = await wrk(request, CONNECTIONS, SECONDS);
  const { at, count } = await rest(sqs, urls);
  return { p50, p99, published: perSecond, delivered: ((count - before) / (at - start)) * 1000 };
}

async function depth(sqs: SQSClient, urls: readonly string[]): Promise<number> {
  const AttributeNames = ['ApproximateNumberOfMessages'] as const;
  const answers = await Promise.all(
    urls.map((QueueUrl) => sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }))),
  );
  return answers.reduce((sum, { Attributes }) => sum + Number(Attributes!.ApproximateNumberOfMessages), 0);
}

/** When the queues stopped growing (ms), and how many messages they hold then. */
async function rest(sqs: SQSClient, urls: readonly string[]): Promise<{ readonly at: number; readonly count: number }> {
  let last = { at: performance.now(), count: await depth(sqs, urls) };
  for (const deadline = last.at + DRAIN_MS; performance.now() < deadline; ) {
    await sleep(100);
    const count = await depth(sqs, urls);
    if (count !== last.count) last = { at: performance.now(), count };
    else if (performance.now() - last.at > 1000) return last;
  }
  throw new Error('the queues went on growing');
}

await using server = await startServer({ iam: 'enforce' });
const sns = new SNSClient(server);
const sqs = new SQSClient(server);
const { topic, found } = await deploy(server, sns, sqs);
await measureAlone(sns, sqs, topic, found);
const alone = spread(await measureAlone(sns, sqs, topic, found));
const rows: Row[] = [
  {
    what: 'SNS Publish to handler, SigV4, one at a time',
    ...alone,
    floor: '10 ms',
    reached: alone.p50 <= 10,
    note: 'from before the client publishes to the first line of the handler',
  },
];
for (const { queues, raw } of [
  { queues: 1, raw: true },
  { queues: 10, raw: true },
  { queues: 1, raw: false },
]) {
  const { delivered, p50, p99, published } = await measureRate(server, sns, sqs, { queues, raw });
  rows.push({
    what: `SNS Publish, 1 KB, ${queues === 1 ? 'one queue' : `${queues} queues`}, ${raw ? 'raw' : 'in a signed envelope'}, SigV4`,
    p50,
    p99,
    throughput: { value: published, unit: '/s' },
    note: `${Math.round(delivered)} messages a second come into the queues`,
  });
}
sns.destroy();
sqs.destroy();
report(rows);
