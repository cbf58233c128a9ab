import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudWatchLogsClient, CreateLogGroupCommand, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateFunctionCommand, LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { CreateScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { packageOf } from './package.ts';
import { type Row, report, spread } from './report.ts';
import { type BenchServer, startServer } from './server.ts';

/*
 * 10,000 schedules that come due in the same second: how long after it each has reached its target. First one queue, by the
 * time that SQS notes for each message; then one function, by the time at which its handler begins. Before that, what it
 * costs to have them wait.
 */

const SCHEDULES = 10_000;
const WRITERS = 32;
/** Time to make them all in, and to measure the waiting. */
const AHEAD_MS = 40_000;
const IDLE_MS = 10_000;
/** Looking at what has come must not hold up what comes. */
const SETTLE_MS = 6000;
const DEADLINE_MS = 120_000;
const FLOOR_MS = 2000;

const HANDLER = `exports.handler = async () => console.log('STARTED ' + Date.now());\n`;

const trust = (service: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' },
  });

/** A role that the service may assume and that may do these things. */
async function makeRole(iam: IAMClient, service: string, actions: readonly string[]): Promise<string> {
  const RoleName = service.split('.')[0]!;
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust(service) }));
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: actions, Resource: '*' },
  });
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'p', PolicyDocument }));
  return Role!.Arn!;
}

async function makeFunction(lambda: LambdaClient, role: string): Promise<string> {
  const { FunctionArn } = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'tick',
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Role: role,
      MemorySize: 1769,
      Code: { ZipFile: await packageOf(HANDLER) },
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.1 }, { FunctionName: 'tick' });
  return FunctionArn!;
}

/** Makes the schedules and returns when they come due (epoch ms), and how many were made in a second. */
async function schedule(
  client: SchedulerClient,
  prefix: string,
  target: { readonly Arn: string; readonly RoleArn: string },
): Promise<{ readonly due: number; readonly perSecond: number }> {
  const due = Math.ceil((Date.now() + AHEAD_MS) / 1000) * 1000;
  const ScheduleExpression = `at(${new Date(due).toISOString().slice(0, 19)})`;
  const start = performance.now();
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let index = next++; index < SCHEDULES; index = next++) {
      await client.send(
        new CreateScheduleCommand({
          Name: `${prefix}-${index}`,
          ScheduleExpression,
          FlexibleTimeWindow: { Mode: 'OFF' },
          ActionAfterCompletion: 'DELETE',
          Target: { ...target, Input: JSON.stringify({ index }) },
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  return { due, perSecond: (SCHEDULES / (performance.now() - start)) * 1000 };
}

/** Processor time that the server has used, ms: user and system, all threads. */
function processorTime({ pid }: BenchServer): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  // Counted in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** When each message of the queue was sent, ms after `due`. */
async function received(client: SQSClient, QueueUrl: string, due: number): Promise<number[]> {
  const seen = new Map<string, number>();
  const deadline = Date.now() + DEADLINE_MS;
  const reader = async (): Promise<void> => {
    while (seen.size < SCHEDULES && Date.now() < deadline) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 1,
          MessageSystemAttributeNames: ['SentTimestamp'],
        }),
      );
      for (const { Attributes, Body } of Messages) seen.set(Body!, Number(Attributes!.SentTimestamp) - due);
    }
  };
  await Promise.all(Array.from({ length: 8 }, reader));
  return complete([...seen.values()]);
}

/** When the handler began, ms after `due`, for each invocation. */
async function handled(client: CloudWatchLogsClient, due: number): Promise<number[]> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const times: number[] = [];
    const pages = paginateFilterLogEvents({ client }, { logGroupName: '/aws/lambda/tick', filterPattern: 'STARTED' });
    for await (const { events = [] } of pages) {
      for (const { message = '' } of events) times.push(Number(/STARTED (\d+)/.exec(message)![1]) - due);
    }
    if (times.length >= SCHEDULES || Date.now() > deadline) return complete(times);
    await sleep(1000);
  }
}

function complete(times: readonly number[]): number[] {
  if (times.length !== SCHEDULES) throw new Error(`${times.length} of ${SCHEDULES} schedules reached their target`);
  if (Math.min(...times) < -5) throw new Error(`one came ${-Math.min(...times)} ms early`);
  return [...times];
}

function row(what: string, times: readonly number[]): Row {
  const last = Math.max(...times);
  return {
    what: `${SCHEDULES.toLocaleString('en-US')} schedules due in one second, ${what}`,
    ...spread(times),
    throughput: { value: last, unit: 'ms until the last' },
    floor: '2 s',
    reached: last <= FLOOR_MS,
  };
}

await using server = await startServer({ iam: 'enforce' });
const iam = new IAMClient(server);
const lambda = new LambdaClient(server);
const logs = new CloudWatchLogsClient(server);
const sqs = new SQSClient(server);
const scheduler = new SchedulerClient(server);
const rows: Row[] = [];
try {
  const RoleArn = await makeRole(iam, 'scheduler.amazonaws.com', ['lambda:InvokeFunction', 'sqs:SendMessage']);
  await logs.send(new CreateLogGroupCommand({ logGroupName: '/aws/lambda/tick' }));
  const functionArn = await makeFunction(
    lambda,
    await makeRole(iam, 'lambda.amazonaws.com', ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents']),
  );
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'ticks' }));
  const queueArn = `arn:aws:sqs:${server.region}:000000000000:ticks`;

  const made = await schedule(scheduler, 'queue', { Arn: queueArn, RoleArn });
  rows.push({ what: 'schedules made over HTTP, SigV4', throughput: { value: made.perSecond, unit: '/s' } });
  const before = processorTime(server);
  await sleep(IDLE_MS);
  const idle = processorTime(server) - before;
  rows.push({
    what: '10,000 schedules that wait: processor time of the server in 10 s',
    throughput: { value: idle, unit: 'ms' },
    memory: server.memory(),
  });
  await sleep(made.due + SETTLE_MS - Date.now());
  rows.push(row('one queue', await received(sqs, QueueUrl!, made.due)));

  const { due } = await schedule(scheduler, 'function', { Arn: functionArn, RoleArn });
  await sleep(due + SETTLE_MS - Date.now());
  rows.push(row('one function', await handled(logs, due)));
} finally {
  for (const client of [iam, lambda, logs, sqs, scheduler]) client.destroy();
}
report(rows);
