import { EventBridgeClient, PutEventsCommand, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
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
 * A bus with 1,000 rules. From an event's being put to the beginning of the function that one of the rules invokes: the
 * handler compares its own time with that in the event, of the same machine's clock. Then events in batches of 10 over
 * HTTP: those that no rule wants, and those of which each matches one rule and goes to a queue.
 */

const RULES = 1000;
const WRITERS = 16;
const ALONE = 300;
const CONNECTIONS = 32;
const SECONDS = 5;
/** What is left in the queues of the deliveries is waited for. */
const DRAIN_MS = 60_000;
const EVENTS_FLOOR = 5000;

const HANDLER = `
const { SendMessageCommand, SQSClient } = require('@aws-sdk/client-sqs');
const sqs = new SQSClient();
exports.handler = async (event) => {
  const latency = performance.timeOrigin + performance.now() - event.detail.at;
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.FOUND, MessageBody: String(latency) }));
};
`;

const now = (): number => performance.timeOrigin + performance.now();

/** Rules of the kinds that buses have; events of the measurements look up the same fields. */
function patternOf(rule: number): object {
  const source = [`shop.service${rule % 50}`];
  switch (rule % 4) {
    case 0:
      return { source, 'detail-type': [`Event ${rule % 20}`], detail: { id: [`c${rule}`] } };
    case 1:
      return { source, detail: { customer: [`c${rule}`] } };
    case 2:
      return { source, detail: { total: [{ numeric: ['>', rule + 5000, '<=', rule + 5001] }] } };
    default:
      return { source, detail: { file: [{ prefix: `/data/${rule}/` }] } };
  }
}

async function makeRules(client: EventBridgeClient, queueArn: string): Promise<void> {
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let rule = next++; rule < RULES; rule = next++) {
      const Name = `rule-${rule}`;
      await client.send(new PutRuleCommand({ Name, EventPattern: JSON.stringify(patternOf(rule)) }));
      await client.send(new PutTargetsCommand({ Rule: Name, Targets: [{ Id: 'q', Arn: queueArn }] }));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

/** The function that is invoked by one of the rules, and the queue in which it tells what it found. */
async function deploy(server: BenchServer, sqs: SQSClient, events: EventBridgeClient): Promise<string> {
  const iam = new IAMClient(server);
  const lambda = new LambdaClient(server);
  try {
    const policy = (statement: object): string => JSON.stringify({ Version: '2012-10-17', Statement: statement });
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: 'worker',
        AssumeRolePolicyDocument: policy({
          Effect: 'Allow',
          Principal: { Service: 'lambda.amazonaws.com' },
          Action: 'sts:AssumeRole',
        }),
      }),
    );
    const PolicyDocument = policy({ Effect: 'Allow', Action: 'sqs:*', Resource: '*' });
    await iam.send(new PutRolePolicyCommand({ RoleName: 'worker', PolicyName: 'queues', PolicyDocument }));
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'found' }));
    const { FunctionArn } = await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'worker',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: Role!.Arn,
        MemorySize: 1769,
        Timeout: 10,
        Environment: { Variables: { FOUND: QueueUrl! } },
        Code: { ZipFile: await packageOf(HANDLER) },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.1 }, { FunctionName: 'worker' });
    await lambda.send(
      new AddPermissionCommand({
        FunctionName: 'worker',
        StatementId: 'events',
        Action: 'lambda:InvokeFunction',
        Principal: 'events.amazonaws.com',
      }),
    );
    await events.send(new PutTargetsCommand({ Rule: 'rule-8', Targets: [{ Id: 'q', Arn: FunctionArn }] }));
    return QueueUrl!;
  } finally {
    iam.destroy();
    lambda.destroy();
  }
}

async function measureAlone(events: EventBridgeClient, sqs: SQSClient, QueueUrl: string): Promise<number[]> {
  const latencies: number[] = [];
  while (latencies.length < ALONE) {
    const Detail = JSON.stringify({ id: 'c8', at: now() });
    await events.send(new PutEventsCommand({ Entries: [{ Source: 'shop.service8', DetailType: 'Event 8', Detail }] }));
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    if (Messages.length === 0) throw new Error('the function was not invoked');
    latencies.push(...Messages.map(({ Body }) => Number(Body)));
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }
  return latencies;
}

/** Batches of 10 events, each answered when all of it is durable; `detail` says what the n-th of a batch has. */
async function measureBatches(server: BenchServer, detail: (n: number) => object) {
  const Entries = Array.from({ length: 10 }, (_, n) => ({
    Source: `shop.service${n * 4 + 1}`,
    DetailType: `Event ${n}`,
    Detail: JSON.stringify({ total: 12, id: `o${n}`, file: '/none', lines: [{ sku: 'a', count: 2 }], ...detail(n) }),
  }));
  const request = await signed(server, 'events', {
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AWSEvents.PutEvents' },
    body: JSON.stringify({ Entries }),
  });
  const { host: _, ...headers } = request.headers;
  const answer = (await (await fetch(request.url, { method: 'POST', headers, body: request.body })).json()) as {
    readonly FailedEntryCount?: number;
  };
  if (answer.FailedEntryCount !== 0) throw new Error(JSON.stringify(answer));
  await wrk(request, CONNECTIONS, 2);
  return wrk(request, CONNECTIONS, SECONDS);
}

const length = async (sqs: SQSClient, QueueUrl: string): Promise<number> => {
  const AttributeNames = ['ApproximateNumberOfMessages' as const];
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  return Number(Attributes!.ApproximateNumberOfMessages);
};

/** Messages a second that come into the queue, from the beginning of a run until nothing more comes. */
async function measureDeliveries(sqs: SQSClient, QueueUrl: string, run: () => Promise<unknown>): Promise<number> {
  const first = await length(sqs, QueueUrl);
  const start = performance.now();
  await run();
  let [count, end] = [await length(sqs, QueueUrl), performance.now()];
  for (const deadline = end + DRAIN_MS; performance.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const more = await length(sqs, QueueUrl);
    if (more === count) break;
    [count, end] = [more, performance.now()];
  }
  return ((count - first) / (end - start)) * 1000;
}

await using server = await startServer({ iam: 'enforce' });
const events = new EventBridgeClient(server);
const sqs = new SQSClient(server);
const rows: Row[] = [];
try {
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: 'sqs:*', Resource: '*' },
  });
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'all', Attributes: { Policy } }));
  await makeRules(events, `arn:aws:sqs:${server.region}:000000000000:all`);
  const found = await deploy(server, sqs, events);
  await measureAlone(events, sqs, found);
  const alone = spread(await measureAlone(events, sqs, found));
  rows.push({
    what: 'PutEvents to handler, SigV4, one at a time, 1,000 rules on the bus',
    ...alone,
    floor: '10 ms',
    reached: alone.p50 <= 10,
    note: 'from before the client sends it to the first line of the handler',
  });
  const unwanted = await measureBatches(server, () => ({}));
  rows.push({
    what: 'PutEvents, batches of 10, 1,000 rules, none matches: events',
    p50: unwanted.p50,
    p99: unwanted.p99,
    throughput: { value: unwanted.perSecond * 10, unit: '/s' },
    floor: `${EVENTS_FLOOR} /s`,
    reached: unwanted.perSecond * 10 >= EVENTS_FLOOR,
  });
  let wanted: Awaited<ReturnType<typeof measureBatches>> | undefined;
  const delivered = await measureDeliveries(sqs, QueueUrl!, async () => {
    // Rule 4n + 1 wants customer c(4n + 1).
    wanted = await measureBatches(server, (n) => ({ customer: `c${n * 4 + 1}` }));
  });
  rows.push({
    what: 'PutEvents, batches of 10, 1,000 rules, each matches one: events',
    p50: wanted!.p50,
    p99: wanted!.p99,
    throughput: { value: wanted!.perSecond * 10, unit: '/s' },
    note: `each durable with its delivery; ${Math.round(delivered)} /s reach the queue`,
  });
} finally {
  events.destroy();
  sqs.destroy();
}
report(rows);
