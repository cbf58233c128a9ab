import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import * as lambda from '@aws-sdk/client-lambda';
import * as scheduler from '@aws-sdk/client-scheduler';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

const ROLE = 'arn:aws:iam::000000000000:role/invoker';
const HOUR = 3_600_000;
const HANDLER = `exports.handler = async (event) => console.log('EVENT ' + JSON.stringify(event));`;

let server: RunningKobune;
let client: scheduler.SchedulerClient;
let functions: lambda.LambdaClient;
let logs: CloudWatchLogsClient;
let queues: sqs.SQSClient;
let functionArn: string;

before(async () => {
  server = await runKobune();
  client = new scheduler.SchedulerClient(server.settings());
  functions = new lambda.LambdaClient(server.settings());
  logs = new CloudWatchLogsClient(server.settings());
  queues = new sqs.SQSClient(server.settings());
  const made = await functions.send(
    new lambda.CreateFunctionCommand({
      FunctionName: 'nightly',
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'index.handler',
      Code: { ZipFile: await zipOf({ 'index.js': HANDLER }) },
    }),
  );
  functionArn = made.FunctionArn!;
});
after(async () => {
  client?.destroy();
  functions?.destroy();
  logs?.destroy();
  queues?.destroy();
  await server?.[Symbol.asyncDispose]();
});

/** The input of a request that makes a schedule, which invokes the function unless told otherwise. */
const settings = (
  Name: string,
  ScheduleExpression: string,
  more: Partial<scheduler.CreateScheduleCommandInput> = {},
) => ({
  Name,
  ScheduleExpression,
  FlexibleTimeWindow: { Mode: 'OFF' as const },
  ...more,
  Target: { Arn: functionArn, RoleArn: ROLE, ...more.Target },
});

/** The events that the function got from one schedule, oldest first; waits until there are so many. */
async function events(count: number, mark: string): Promise<Record<string, unknown>[]> {
  return eventually(async () => {
    const { events: lines = [] } = await logs
      .send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/nightly', filterPattern: `"EVENT " "${mark}"` }))
      .catch((error: Error) => {
        if (error.name === 'ResourceNotFoundException') return { events: [] };
        throw error;
      });
    if (lines.length < count) return undefined;
    return lines.map(({ message = '' }) => JSON.parse(message.slice(message.indexOf('EVENT ') + 6)));
  });
}

/** Makes a queue and returns its URL and its ARN. */
async function makeQueue(QueueName: string, Attributes: Record<string, string> = {}) {
  const { QueueUrl } = await queues.send(new sqs.CreateQueueCommand({ QueueName, Attributes }));
  return { url: QueueUrl!, arn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}` };
}

/** The next message of a queue; waits for it. */
async function receive(QueueUrl: string): Promise<sqs.Message> {
  const { Messages } = await queues.send(
    new sqs.ReceiveMessageCommand({
      QueueUrl,
      WaitTimeSeconds: 10,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  assert.equal(Messages?.length, 1, 'a message came');
  return Messages[0]!;
}

const now = async (): Promise<number> => Date.parse((await moveClock(server, 0)).now);
const stamp = (time: number): string => new Date(time).toISOString().slice(0, 19);

describe('Scheduler by the AWS SDK', () => {
  it('makes, reads, changes, lists and deletes schedules and groups', async () => {
    const { ScheduleGroupArn } = await client.send(
      new scheduler.CreateScheduleGroupCommand({ Name: 'team', Tags: [{ Key: 'owner', Value: 'ops' }] }),
    );
    assert.equal(ScheduleGroupArn, 'arn:aws:scheduler:us-east-1:000000000000:schedule-group/team');
    const StartDate = new Date(Math.floor(((await now()) + HOUR) / 1000) * 1000);
    const { ScheduleArn } = await client.send(
      new scheduler.CreateScheduleCommand(
        settings('daily', 'cron(30 2 * * ? *)', {
          GroupName: 'team',
          StartDate,
          ScheduleExpressionTimezone: 'Europe/Berlin',
          FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 10 },
        }),
      ),
    );
    assert.equal(ScheduleArn, 'arn:aws:scheduler:us-east-1:000000000000:schedule/team/daily');
    const found = await client.send(new scheduler.GetScheduleCommand({ Name: 'daily', GroupName: 'team' }));
    assert.deepEqual(
      [found.StartDate, found.ScheduleExpressionTimezone, found.FlexibleTimeWindow, found.Target?.RetryPolicy],
      [
        StartDate,
        'Europe/Berlin',
        { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 10 },
        { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 },
      ],
    );
    await client.send(
      new scheduler.UpdateScheduleCommand(settings('daily', 'rate(1 day)', { GroupName: 'team', State: 'DISABLED' })),
    );
    for (const Name of ['a', 'b', 'c']) {
      await client.send(
        new scheduler.CreateScheduleCommand(settings(Name, 'rate(1 day)', { GroupName: 'team', State: 'DISABLED' })),
      );
    }
    const names: (string | undefined)[] = [];
    for await (const page of scheduler.paginateListSchedules({ client, pageSize: 3 }, { GroupName: 'team' })) {
      names.push(...page.Schedules!.map(({ Name }) => Name));
    }
    assert.deepEqual(names, ['a', 'b', 'c', 'daily']);
    const { Tags } = await client.send(new scheduler.ListTagsForResourceCommand({ ResourceArn: ScheduleGroupArn }));
    assert.deepEqual(Tags, [{ Key: 'owner', Value: 'ops' }]);
    await client.send(new scheduler.UntagResourceCommand({ ResourceArn: ScheduleGroupArn, TagKeys: ['owner'] }));
    await client.send(new scheduler.DeleteScheduleCommand({ Name: 'a', GroupName: 'team' }));
    await client.send(new scheduler.DeleteScheduleGroupCommand({ Name: 'team' }));
    const { ScheduleGroups } = await client.send(new scheduler.ListScheduleGroupsCommand({}));
    assert.deepEqual(
      ScheduleGroups!.map(({ Name, State }) => [Name, State]),
      [['default', 'ACTIVE']],
    );
  });

  it('gets errors as the SDK knows them', async () => {
    const missing = new scheduler.GetScheduleCommand({ Name: 'missing' });
    await assert.rejects(client.send(missing), scheduler.ResourceNotFoundException);
    const twice = () =>
      client.send(new scheduler.CreateScheduleCommand(settings('twice', 'rate(1 day)', { State: 'DISABLED' })));
    await twice();
    await assert.rejects(twice(), scheduler.ConflictException);
    await assert.rejects(
      client.send(new scheduler.CreateScheduleCommand(settings('unix', '0 2 * * *'))),
      (error: Error) => error instanceof scheduler.ValidationException && /cron\(0 2 \* \* \? \*\)/.test(error.message),
    );
    await assert.rejects(
      client.send(
        new scheduler.CreateScheduleCommand(
          settings('universal', 'rate(1 day)', {
            Target: { Arn: 'arn:aws:scheduler:::aws-sdk:ec2:stopInstances', RoleArn: ROLE },
          }),
        ),
      ),
      { name: 'NotImplemented', message: /universal target/ },
    );
  });

  it('runs a function once at a time to come, then forgets the schedule', async () => {
    const time = (await now()) + 6 * HOUR;
    await client.send(
      new scheduler.CreateScheduleCommand(
        settings('once', `at(${stamp(time)})`, {
          ActionAfterCompletion: 'DELETE',
          Target: {
            Arn: functionArn,
            RoleArn: ROLE,
            Input: '{"mark":"once","at":"<aws.scheduler.scheduled-time>","try":"<aws.scheduler.attempt-number>"}',
          },
        }),
      ),
    );
    await moveClock(server, 6 * HOUR);
    assert.deepEqual(await events(1, 'once'), [{ mark: 'once', at: `${stamp(time)}Z`, try: '1' }]);
    await assert.rejects(
      client.send(new scheduler.GetScheduleCommand({ Name: 'once' })),
      scheduler.ResourceNotFoundException,
    );
  });

  it('runs a function each time that the clock is moved over, with the default notification', async () => {
    await client.send(new scheduler.CreateScheduleCommand(settings('hourly', 'rate(1 hour)')));
    await moveClock(server, 24 * HOUR);
    const found = await events(25, 'schedule/default/hourly');
    const times = found.map(({ time }) => Date.parse(String(time))).sort((a, b) => a - b);
    assert.equal(times.length, 25);
    assert.ok(times.every((time, index) => time - times[0]! === index * HOUR));
    assert.deepEqual(
      [found[0]!.source, found[0]!['detail-type'], found[0]!.detail],
      ['aws.scheduler', 'Scheduled Event', '{}'],
    );
    await client.send(new scheduler.DeleteScheduleCommand({ Name: 'hourly' }));
  });

  it('sends messages to queues, in the message group of a FIFO queue', async () => {
    const plain = await makeQueue('plain');
    const fifo = await makeQueue('ordered.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'true' });
    const target = (Arn: string, more: Partial<scheduler.Target> = {}) => ({ Target: { Arn, RoleArn: ROLE, ...more } });
    await client.send(
      new scheduler.CreateScheduleCommand(
        settings('plain', 'rate(1 day)', target(plain.arn, { Input: 'any text, ü' })),
      ),
    );
    assert.equal((await receive(plain.url)).Body, 'any text, ü');
    const SqsParameters = { MessageGroupId: 'jobs' };
    await client.send(
      new scheduler.CreateScheduleCommand(
        settings('ordered', 'rate(1 day)', target(fifo.arn, { Input: 'x', SqsParameters })),
      ),
    );
    const message = await receive(fifo.url);
    assert.deepEqual([message.Body, message.Attributes?.MessageGroupId], ['x', 'jobs']);
  });

  it('publishes to topics, and puts events on event buses', async () => {
    const { arn, url } = await makeQueue('heard');
    const topics = new SNSClient(server.settings());
    const { TopicArn } = await topics.send(new CreateTopicCommand({ Name: 'ticks' }));
    await topics.send(
      new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: arn, Attributes: { RawMessageDelivery: 'true' } }),
    );
    topics.destroy();
    await client.send(
      new scheduler.CreateScheduleCommand(
        settings('topic', 'rate(1 day)', { Target: { Arn: TopicArn!, RoleArn: ROLE, Input: 'tick' } }),
      ),
    );
    const told = await receive(url);
    assert.equal(told.Body, 'tick');
    await queues.send(new sqs.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: told.ReceiptHandle! }));
    const buses = new EventBridgeClient(server.settings());
    await buses.send(
      new PutRuleCommand({ Name: 'orders', EventPattern: '{"source":["shop"],"detail":{"due":[true]}}' }),
    );
    await buses.send(new PutTargetsCommand({ Rule: 'orders', Targets: [{ Id: 'q', Arn: arn }] }));
    buses.destroy();
    const Target = {
      Arn: 'arn:aws:events:us-east-1:000000000000:event-bus/default',
      RoleArn: ROLE,
      Input: '{"due":true}',
      EventBridgeParameters: { Source: 'shop', DetailType: 'reminder' },
    };
    await client.send(new scheduler.CreateScheduleCommand(settings('bus', 'rate(1 day)', { Target })));
    const event = JSON.parse((await receive(url)).Body!);
    assert.deepEqual(
      [event.source, event['detail-type'], event.detail, event.resources],
      ['shop', 'reminder', { due: true }, ['arn:aws:scheduler:us-east-1:000000000000:schedule/default/bus']],
    );
  });

  it('tells the dead-letter queue of a target that is not there', async () => {
    const dead = await makeQueue('dead');
    const missing = 'arn:aws:sqs:us-east-1:000000000000:missing';
    await client.send(
      new scheduler.CreateScheduleCommand(
        settings('lost', 'rate(1 day)', {
          Target: { Arn: missing, RoleArn: ROLE, Input: 'hello', DeadLetterConfig: { Arn: dead.arn } },
        }),
      ),
    );
    const { Body, MessageAttributes } = await receive(dead.url);
    assert.equal(JSON.parse(Body!).MessageBody, 'hello');
    const values = Object.fromEntries(
      Object.entries(MessageAttributes!).map(([name, { StringValue }]) => [name, StringValue]),
    );
    assert.deepEqual(
      [values.SCHEDULE_ARN, values.TARGET_ARN, values.RETRY_ATTEMPTS, values.IS_PAYLOAD_TRUNCATED],
      ['arn:aws:scheduler:us-east-1:000000000000:schedule/default/lost', missing, '0', 'false'],
    );
    assert.match(values.ERROR_CODE!, /NonExistentQueue|QueueDoesNotExist/);
    assert.match(values.SCHEDULED_TIME!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });
});
