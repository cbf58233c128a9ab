import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { packageOf } from './package.ts';
import { type Row, report, spread } from './report.ts';
import { type BenchServer, startServer } from './server.ts';

/*
 * From a message's being sent to its function's beginning: the handler compares its own time with that in the message,
 * of the same machine's clock. It tells a second queue of what it found.
 */

const ALONE = 300;
const BURST = 3000;

const HANDLER = `
const { SendMessageCommand, SQSClient } = require('@aws-sdk/client-sqs');
const sqs = new SQSClient();
exports.handler = async (event) => {
  const now = performance.timeOrigin + performance.now();
  const latencies = event.Records.map(({ body }) => now - Number(body));
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.FOUND, MessageBody: JSON.stringify(latencies) }));
};
`;

const now = (): number => performance.timeOrigin + performance.now();

/** The queue that the function reads, and the one that it writes to. */
async function deploy(server: BenchServer, sqs: SQSClient): Promise<{ work: string; found: string }> {
  const iam = new IAMClient(server);
  const lambda = new LambdaClient(server);
  try {
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: 'worker',
        AssumeRolePolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
        }),
      }),
    );
    await iam.send(
      new PutRolePolicyCommand({
        RoleName: 'worker',
        PolicyName: 'queues',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: { Effect: 'Allow', Action: 'sqs:*', Resource: '*' },
        }),
      }),
    );
    const [work, found] = await Promise.all(
      ['work', 'found'].map(async (QueueName) => (await sqs.send(new CreateQueueCommand({ QueueName }))).QueueUrl!),
    );
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'worker',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: Role!.Arn,
        MemorySize: 1769,
        Timeout: 10,
        Environment: { Variables: { FOUND: found! } },
        Code: { ZipFile: await packageOf(HANDLER) },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.1 }, { FunctionName: 'worker' });
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: work!, AttributeNames: ['QueueArn'] }),
    );
    await lambda.send(
      new CreateEventSourceMappingCommand({ FunctionName: 'worker', EventSourceArn: Attributes!.QueueArn! }),
    );
    return { work: work!, found: found! };
  } finally {
    iam.destroy();
    lambda.destroy();
  }
}

/** Latencies of so many messages, as the function tells them. */
async function collect(sqs: SQSClient, QueueUrl: string, count: number): Promise<number[]> {
  const latencies: number[] = [];
  while (latencies.length < count) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MaxNumberOfMessages: 10 }),
    );
    if (Messages.length === 0) throw new Error(`${count - latencies.length} messages were not processed`);
    for (const { Body = '[]' } of Messages) latencies.push(...(JSON.parse(Body) as number[]));
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl,
        Entries: Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle: ReceiptHandle! })),
      }),
    );
  }
  return latencies;
}

async function measureAlone(sqs: SQSClient, work: string, found: string): Promise<number[]> {
  const latencies: number[] = [];
  for (let sent = 0; sent < ALONE; sent += 1) {
    await sqs.send(new SendMessageCommand({ QueueUrl: work, MessageBody: String(now()) }));
    latencies.push(...(await collect(sqs, found, 1)));
  }
  return latencies;
}

/** Messages per second. */
async function measureBurst(sqs: SQSClient, work: string, found: string): Promise<number> {
  const start = performance.now();
  const done = collect(sqs, found, BURST);
  for (let sent = 0; sent < BURST; sent += 10) {
    const Entries = Array.from({ length: 10 }, (_, index) => ({ Id: String(index), MessageBody: String(now()) }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: work, Entries }));
  }
  await done;
  return (BURST / (performance.now() - start)) * 1000;
}

await using server = await startServer({ iam: 'enforce' });
const sqs = new SQSClient(server);
const { work, found } = await deploy(server, sqs);
await measureAlone(sqs, work, found);
const alone = spread(await measureAlone(sqs, work, found));
const perSecond = await measureBurst(sqs, work, found);
sqs.destroy();
const rows: Row[] = [
  {
    what: 'SQS message to handler, SigV4, one at a time',
    ...alone,
    floor: '10 ms',
    reached: alone.p50 <= 10,
    note: 'from before the client sends it to the first line of the handler',
  },
  {
    what: 'SQS messages through a function that sends on, batches of 10',
    throughput: { value: perSecond, unit: '/s' },
  },
];
report(rows);
