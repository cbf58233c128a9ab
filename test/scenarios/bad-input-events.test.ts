import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as eventbridge from '@aws-sdk/client-eventbridge';
import * as lambda from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import * as scheduler from '@aws-sdk/client-scheduler';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { type Queue, QueueFunctions } from '../support/queue-functions.ts';
import { refused, sendRaw, unverified } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const ROLE = 'arn:aws:iam::000000000000:role/r';
const LEVELS = 10_000;
const DEEP_LIST = '['.repeat(LEVELS) + ']'.repeat(LEVELS);
const DEEP_OBJECT = `${'{"a":'.repeat(LEVELS)}1${'}'.repeat(LEVELS)}`;
const OFF = { Mode: 'OFF' } as const;

let server: RunningKobune;
let world: QueueFunctions;
let buses: eventbridge.EventBridgeClient;
let topics: sns.SNSClient;
let schedules: scheduler.SchedulerClient;
let objects: s3.S3Client;
let topic: string;
let queue: Queue;

before(async () => {
  server = await runKobune();
  const settings = server.settings();
  world = new QueueFunctions(settings);
  buses = new eventbridge.EventBridgeClient(settings);
  topics = new sns.SNSClient(settings);
  schedules = new scheduler.SchedulerClient(settings);
  objects = new s3.S3Client({ ...settings, forcePathStyle: true });
  queue = await world.queue('fine');
  topic = (await topics.send(new sns.CreateTopicCommand({ Name: 'fine' }))).TopicArn!;
});
after(async () => {
  world?.[Symbol.dispose]();
  for (const client of [buses, topics, schedules, objects]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const putRule = (input: Partial<eventbridge.PutRuleCommandInput>) =>
  buses.send(new eventbridge.PutRuleCommand({ Name: 'r', ...input }));
const putTarget = (target: Partial<eventbridge.Target>) =>
  buses.send(new eventbridge.PutTargetsCommand({ Rule: 'r', Targets: [{ Id: '1', Arn: queue.arn, ...target }] }));
const putEvent = (Detail: string) =>
  buses.send(new eventbridge.PutEventsCommand({ Entries: [{ Source: 'app', DetailType: 'T', Detail }] }));
const subscribe = (input: Partial<sns.SubscribeCommandInput>) =>
  topics.send(new sns.SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: queue.arn, ...input }));
const schedule = (ScheduleExpression: string, target: Partial<scheduler.Target> = {}, Name = 's') =>
  schedules.send(
    new scheduler.CreateScheduleCommand({
      Name,
      ScheduleExpression,
      FlexibleTimeWindow: OFF,
      Target: { Arn: queue.arn, RoleArn: ROLE, ...target },
    }),
  );
const attributesOf = ({ MessageAttributes = {} }: sqs.Message) =>
  Object.fromEntries(Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue]));

describe('what does not parse is refused when it is set', () => {
  it('as a pattern of a rule', async () => {
    const bad = [
      '{',
      '[]',
      '{}',
      '{"a":1}',
      '{"a":[]}',
      '{"a":[{"no-operator":1}]}',
      '{"a":[{"numeric":["__proto__",1]}]}',
    ];
    for (const EventPattern of [...bad, DEEP_OBJECT, DEEP_OBJECT.slice(0, 4000)]) {
      const { message } = await refused(putRule({ EventPattern }), 'InvalidEventPatternException', 400);
      assert.match(message, /^Event pattern is not valid\. Reason: /);
    }
  });

  it('as a filter policy of a subscription', async () => {
    const six = JSON.stringify(Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`k${n}`, ['a']])));
    for (const FilterPolicy of ['{', '[]', six, '{"a":[{"no-operator":1}]}', DEEP_OBJECT]) {
      const { message } = await refused(subscribe({ Attributes: { FilterPolicy } }), 'InvalidParameterException', 400);
      assert.match(message, /FilterPolicy: /);
    }
  });

  it('as a time', async () => {
    const bad = ['rate(0 minutes)', 'rate(-1 days)', 'cron(* * * * *)', 'cron(61 * * * ? *)', 'every day', ''];
    for (const ScheduleExpression of [...bad, 'rate(1 minutes)', 'at(2099-01-01T00:00:00)', 'cron('.repeat(60)]) {
      await refused(putRule({ ScheduleExpression }), 'ValidationException', 400);
    }
    for (const expression of [...bad, 'at(2099-02-30T00:00:00)', 'at(2001-01-01T00:00:00)', 'cron('.repeat(60)]) {
      await refused(schedule(expression), 'ValidationException', 400);
    }
  });

  it('as a redrive policy', async () => {
    const none = JSON.stringify({ deadLetterTargetArn: `${queue.arn}-none`, maxReceiveCount: 1 });
    for (const RedrivePolicy of ['{', '[]', '{}', none, DEEP_OBJECT]) {
      await refused(world.queue('q', { RedrivePolicy }), 'InvalidParameterValue', 400);
    }
    for (const RedrivePolicy of ['{', '[]', '{}', '{"deadLetterTargetArn":"x"}', DEEP_OBJECT]) {
      await refused(subscribe({ Attributes: { RedrivePolicy } }), 'InvalidParameterException', 400);
    }
  });

  it('as a policy of a resource', async () => {
    for (const text of ['{', '[]', '{}', '{"Statement":[]}', '{"Statement":[{"Effect":"Maybe"}]}', DEEP_OBJECT]) {
      const Attributes = { Policy: text };
      const onQueue = new sqs.SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes });
      await refused(world.sqs.send(onQueue), 'InvalidAttributeValue', 400);
      const attribute = { AttributeName: 'Policy', AttributeValue: text };
      const onTopic = new sns.SetTopicAttributesCommand({ TopicArn: topic, ...attribute });
      await refused(topics.send(onTopic), 'InvalidParameterException', 400);
      await refused(buses.send(new eventbridge.PutPermissionCommand({ Policy: text })), 'ValidationException', 400);
    }
  });
});

describe('targets of services that are not served', () => {
  const resources = {
    kinesis: 'stream/s',
    states: 'stateMachine:m',
    ecs: 'cluster/c',
    batch: 'job-queue/j',
    firehose: 'deliverystream/d',
    constructor: 'x',
  };
  for (const [service, resource] of Object.entries(resources)) {
    it(`are refused by name: ${service}`, async () => {
      const Arn = `arn:aws:${service}:us-east-1:000000000000:${resource}`;
      await putRule({ EventPattern: '{"source":["app"]}' });
      const named = (error: Error) => assert.ok(error.message.includes(Arn), error.message);
      named(await refused(putTarget({ Arn, RoleArn: ROLE }), 'NotImplemented', 501));
      named(await refused(schedule('rate(1 day)', { Arn }), 'NotImplemented', 501));
      const OnFailure = { Destination: Arn };
      const input = { FunctionName: 'f', DestinationConfig: { OnFailure } };
      const destination = world.lambda.send(new lambda.PutFunctionEventInvokeConfigCommand(input));
      named(await refused(destination, 'InvalidParameterValueException', 400));
      const mapping = world.lambda.send(
        new lambda.CreateEventSourceMappingCommand({ FunctionName: 'f', EventSourceArn: Arn }),
      );
      if (service === 'kinesis') named(await refused(mapping, 'NotImplemented', 501));
      else await refused(mapping, 'InvalidParameterValueException', 400);
      const protocol = subscribe({ Protocol: service, Endpoint: Arn });
      if (service === 'firehose') await refused(protocol, 'NotImplemented', 501);
      else assert.match((await refused(protocol, 'InvalidParameterException', 400)).message, new RegExp(service));
    });
  }

  it('are refused by a bucket', async () => {
    await objects.send(new s3.CreateBucketCommand({ Bucket: 'notifying' }));
    const QueueArn = 'arn:aws:kinesis:us-east-1:000000000000:stream/s';
    const QueueConfigurations = [{ QueueArn, Events: ['s3:ObjectCreated:*' as const] }];
    const command = new s3.PutBucketNotificationConfigurationCommand({
      Bucket: 'notifying',
      NotificationConfiguration: { QueueConfigurations },
    });
    await refused(objects.send(command), 'InvalidArgument', 400);
  });
});

describe('messages that are too large, or too many things at once', () => {
  it('are refused with what each service has for it', async () => {
    const mib = 'x'.repeat(1_048_576);
    await refused(world.send(queue, `${mib}x`), 'InvalidParameterValue', 400);
    const publish = (Message: string) => topics.send(new sns.PublishCommand({ TopicArn: topic, Message }));
    await refused(publish('x'.repeat(262_145)), 'InvalidParameterException', 400);
    await refused(putEvent(JSON.stringify({ mib })), 'ValidationException', 400);
    await refused(schedule('rate(1 day)', { Input: 'x'.repeat(262_145) }), 'ValidationException', 400);
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, { DataType: 'String', StringValue: 'x' }]));
    await refused(world.send(queue, 'x', { MessageAttributes: many(5000) }), 'InvalidParameterValue', 400);
    const large = { TopicArn: topic, Message: 'x', MessageAttributes: many(50_000) };
    await refused(topics.send(new sns.PublishCommand(large)), 'MalformedInput', 400);
    const entries = Array.from({ length: 11 }, (_, n) => ({ Id: String(n), MessageBody: 'x' }));
    const batch = new sqs.SendMessageBatchCommand({ QueueUrl: queue.url, Entries: entries });
    await refused(world.sqs.send(batch), 'TooManyEntriesInBatchRequest', 400);
  });

  it('are taken however deep they are, matched and delivered as they came', async () => {
    const seen = await world.queue('deep');
    await putRule({ EventPattern: '{"detail":{"list":["x"]}}' });
    await putTarget({ Arn: seen.arn });
    for (const list of [DEEP_LIST, `["x",${DEEP_LIST}]`]) {
      assert.equal((await putEvent(`{"list":${list}}`)).FailedEntryCount, 0);
    }
    assert.ok((await world.take(seen)).Body!.endsWith(`"detail":{"list":["x",${DEEP_LIST}]}}`));
    const Attributes = { FilterPolicyScope: 'MessageBody', FilterPolicy: '{"a":["x"]}', RawMessageDelivery: 'true' };
    await subscribe({ Endpoint: seen.arn, Attributes });
    for (const Message of [DEEP_LIST, DEEP_OBJECT, `{"a":["x",${DEEP_LIST}]}`]) {
      await topics.send(new sns.PublishCommand({ TopicArn: topic, Message }));
    }
    assert.equal((await world.take(seen)).Body, `{"a":["x",${DEEP_LIST}]}`);
    assert.equal(await world.count(seen), 0);
  });
});

describe('requests of a wrong form', () => {
  const json = async (service: string, target: string, body: string) => {
    const headers = { ...unverified(service), 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
    return sendRaw(server.endpoint, { method: 'POST', path: '/', headers, body });
  };

  it('in JSON are SerializationException, whatever is wrong and however deep', async () => {
    const url = JSON.stringify(queue.url);
    const wrong: readonly (readonly [string, string, string])[] = [
      ['sqs', 'AmazonSQS.SendMessage', '{"QueueUrl":5,"MessageBody":"x"}'],
      ['sqs', 'AmazonSQS.SendMessage', `{"QueueUrl":${url},"MessageBody":{}}`],
      ['sqs', 'AmazonSQS.SendMessage', `{"QueueUrl":${url},"MessageBody":"x","MessageAttributes":[]}`],
      ['sqs', 'AmazonSQS.SendMessage', `{"QueueUrl":${url},"MessageBody":${DEEP_LIST}}`],
      ['events', 'AWSEvents.PutEvents', '{"Entries":{}}'],
      ['events', 'AWSEvents.PutEvents', '{"Entries":[null]}'],
      ['events', 'AWSEvents.PutEvents', '{"Entries":[{"Time":"x"}]}'],
      ['events', 'AWSEvents.PutEvents', `{"Entries":${DEEP_LIST}}`],
      ['kms', 'TrentService.Encrypt', '{"KeyId":{},"Plaintext":1}'],
      ['ssm', 'AmazonSSM.PutParameter', `{"Name":${DEEP_OBJECT}}`],
      ['secretsmanager', 'secretsmanager.CreateSecret', '{"Name":["x"]}'],
    ];
    for (const [service, target, body] of wrong) {
      const answer = await json(service, target, body);
      assert.deepEqual(
        [answer.status, JSON.parse(answer.body).__type],
        [400, 'SerializationException'],
        body.slice(0, 80),
      );
    }
  });

  it('in forms and in REST are refused under the names of those', async () => {
    const form = async (service: string, body: string) => {
      const headers = { ...unverified(service), 'content-type': 'application/x-www-form-urlencoded' };
      return sendRaw(server.endpoint, { method: 'POST', path: '/', headers, body });
    };
    const send = `Action=SendMessage&Version=2012-11-05&MessageBody=x&QueueUrl=${encodeURIComponent(queue.url)}`;
    const wrong: readonly (readonly [string, string])[] = [
      ['sqs', `${send}&DelaySeconds=soon`],
      // Gone through again and again, it would hold up everybody for minutes.
      ['sqs', `${send}&DelaySeconds=${'1'.repeat(500_000)}x`],
      ['sns', `Action=Publish&Version=2010-03-31&${'a.'.repeat(100_000)}=1`],
    ];
    for (const [service, body] of wrong) {
      const answer = await form(service, body);
      assert.equal(answer.status, 400);
      assert.match(answer.body, /<Code>MalformedInput<\/Code>/, body.slice(0, 80));
    }
    for (const body of ['{"ScheduleExpression":5}', '{"Target":[]}', `{"Target":${DEEP_LIST}}`, '{']) {
      const headers = { ...unverified('scheduler'), 'content-type': 'application/json' };
      const answer = await sendRaw(server.endpoint, { method: 'POST', path: '/schedules/x', headers, body });
      assert.deepEqual(
        [answer.status, answer.headers['x-amzn-errortype']],
        [400, 'SerializationException'],
        body.slice(0, 80),
      );
    }
  });

  it('with members that nobody knows are taken without them, and with names of Object kept apart', async () => {
    const url = JSON.stringify(queue.url);
    const unknown = await json('sqs', 'AmazonSQS.SendMessage', `{"QueueUrl":${url},"MessageBody":"x","Colour":"red"}`);
    assert.equal(unknown.status, 200);
    await json('sqs', 'AmazonSQS.TagQueue', `{"QueueUrl":${url},"Tags":{"__proto__":"v","constructor":"c"}}`);
    const { body } = await json('sqs', 'AmazonSQS.ListQueueTags', `{"QueueUrl":${url}}`);
    assert.equal(body, '{"Tags":{"__proto__":"v","constructor":"c"}}');
  });

  it('do not go on from tokens and receipts that are another’s or none', async () => {
    const own = await world.queue('receipts');
    await world.send(own, 'x');
    const { ReceiptHandle } = await world.take(own);
    const input = { QueueUrl: queue.url, ReceiptHandle };
    await refused(world.sqs.send(new sqs.DeleteMessageCommand(input)), 'ReceiptHandleIsInvalid', 404);
    const token = (content: string) => Buffer.from(content).toString('base64url');
    const listTopics = (NextToken: string) => topics.send(new sns.ListTopicsCommand({ NextToken }));
    const listSchedules = (NextToken: string) => schedules.send(new scheduler.ListSchedulesCommand({ NextToken }));
    const listRules = (NextToken: string) => buses.send(new eventbridge.ListRulesCommand({ NextToken }));
    for (const NextToken of ['####', token('[null]'), token('{}'), token(DEEP_LIST)]) {
      await refused(listTopics(NextToken), 'InvalidParameterException', 400);
      await refused(listSchedules(NextToken), 'ValidationException', 400);
      await refused(listRules(NextToken), 'ValidationException', 400);
    }
    // No page comes after it.
    const long = 'z'.repeat(5000);
    assert.deepEqual((await listTopics(token(JSON.stringify([long])))).Topics, []);
    assert.deepEqual((await listSchedules(token(JSON.stringify([long, long])))).Schedules, []);
  });
});

describe('a target that is deleted before its event comes', () => {
  let dead: Queue;
  before(async () => {
    dead = await world.queue('dead');
  });

  const remove = ({ url }: Queue) => world.sqs.send(new sqs.DeleteQueueCommand({ QueueUrl: url }));

  it('leaves EventBridge a dead letter with what is known', async () => {
    const gone = await world.queue('gone-1');
    const { RuleArn } = await putRule({ EventPattern: '{"source":["app"]}' });
    await putTarget({ Arn: gone.arn, DeadLetterConfig: { Arn: dead.arn }, Input: '{"made":true}' });
    await remove(gone);
    const { Entries } = await putEvent('{"n":1}');
    const letter = await world.take(dead);
    const event = JSON.parse(letter.Body!);
    assert.deepEqual([event.id, event.detail], [Entries![0]!.EventId, { n: 1 }]);
    const { ERROR_MESSAGE, ...known } = attributesOf(letter);
    assert.deepEqual(known, {
      ERROR_CODE: 'NO_RESOURCE',
      RETRY_ATTEMPTS: '0',
      RULE_ARN: RuleArn,
      TARGET_ARN: gone.arn,
    });
    assert.match(ERROR_MESSAGE!, /does not exist/);
    await buses.send(new eventbridge.RemoveTargetsCommand({ Rule: 'r', Ids: ['1'] }));
  });

  it('leaves EventBridge one for a function, too', async () => {
    const arn = await world.relay('gone', queue);
    await putRule({ EventPattern: '{"source":["app"]}' });
    await putTarget({ Arn: arn, DeadLetterConfig: { Arn: dead.arn } });
    await world.lambda.send(new lambda.DeleteFunctionCommand({ FunctionName: 'gone' }));
    await putEvent('{"n":2}');
    const letter = await world.take(dead);
    assert.deepEqual(JSON.parse(letter.Body!).detail, { n: 2 });
    const { ERROR_CODE, TARGET_ARN } = attributesOf(letter);
    assert.deepEqual([ERROR_CODE, TARGET_ARN], ['NO_RESOURCE', arn]);
    await buses.send(new eventbridge.RemoveTargetsCommand({ Rule: 'r', Ids: ['1'] }));
  });

  it('leaves SNS one with the message as it would have come', async () => {
    const gone = await world.queue('gone-2');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn });
    await subscribe({ Endpoint: gone.arn, Attributes: { RedrivePolicy } });
    await remove(gone);
    await topics.send(new sns.PublishCommand({ TopicArn: topic, Message: 'hello' }));
    const letter = await world.take(dead);
    const { Message, TopicArn, Type } = JSON.parse(letter.Body!);
    assert.deepEqual([Message, TopicArn, Type], ['hello', topic, 'Notification']);
  });

  it('leaves EventBridge Scheduler one with the request that it would have made', async () => {
    const gone = await world.queue('gone-3');
    await remove(gone);
    const target = { Arn: gone.arn, Input: 'work', DeadLetterConfig: { Arn: dead.arn } };
    const { ScheduleArn } = await schedule('rate(1 day)', target, 'to-nowhere');
    const letter = await world.take(dead);
    assert.deepEqual(JSON.parse(letter.Body!), {
      MessageBody: 'work',
      QueueUrl: 'https://sqs.us-east-1.amazonaws.com/000000000000/gone-3',
    });
    const { ERROR_MESSAGE, EXECUTION_ID, SCHEDULED_TIME, ...known } = attributesOf(letter);
    assert.deepEqual(known, {
      ERROR_CODE: 'AWS.SimpleQueueService.NonExistentQueue',
      IS_PAYLOAD_TRUNCATED: 'false',
      RETRY_ATTEMPTS: '0',
      SCHEDULE_ARN: ScheduleArn,
      TARGET_ARN: gone.arn,
    });
    assert.match(EXECUTION_ID!, /^[\da-f]{16}$/);
    assert.match(SCHEDULED_TIME!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(ERROR_MESSAGE!, /does not exist/);
  });
});
