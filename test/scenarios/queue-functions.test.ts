import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import * as sns from '@aws-sdk/client-sns';
import { moveClock } from '../support/clock.ts';
import { FUNCTION_TIMEOUT_S, type Queue, QueueFunctions } from '../support/queue-functions.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const TIMEOUT = { timeout: 60_000 };
/** As long as the function may take; the clock is moved past it. */
const VisibilityTimeout = String(FUNCTION_TIMEOUT_S);

describe('functions and queues', () => {
  let server: RunningKobune;
  let world: QueueFunctions;
  let objects: s3.S3Client;
  let topics: sns.SNSClient;
  let seen: Queue;
  before(async () => {
    server = await runKobune();
    world = new QueueFunctions(server.settings());
    objects = new s3.S3Client({ ...server.settings(), forcePathStyle: true });
    topics = new sns.SNSClient(server.settings());
    seen = await world.queue('seen');
    await world.relay('relay', seen);
  });
  after(async () => {
    world?.[Symbol.dispose]();
    objects?.destroy();
    topics?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  it('a message that always fails ends in the dead-letter queue', TIMEOUT, async () => {
    const dead = await world.queue('dead');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 2 });
    const work = await world.queue('work', { VisibilityTimeout, RedrivePolicy });
    await world.map('relay', work);
    const id = await world.send(work, 'bad', {
      MessageAttributes: { colour: { DataType: 'String', StringValue: 'red' } },
    });
    for (const count of ['1', '2']) {
      const { Records } = await world.event(seen);
      assert.equal(Records[0].attributes.ApproximateReceiveCount, count);
      await moveClock(server, FUNCTION_TIMEOUT_S * 1000);
    }
    const letter = await world.take(dead);
    assert.equal(letter.Body, 'bad');
    assert.equal(letter.MessageId, id);
    assert.deepEqual(letter.MessageAttributes?.colour, { DataType: 'String', StringValue: 'red' });
    assert.equal(letter.Attributes?.DeadLetterQueueSourceArn, work.arn);
    assert.equal(await world.count(work), 0);
  });

  it('an asynchronous event that fails ends in the dead-letter queue of the function', TIMEOUT, async () => {
    const dead = await world.queue('dead-events');
    const records = await world.queue('records');
    const client = world.lambda;
    await world.relay('fails', seen);
    await client.send(
      new lambda.UpdateFunctionConfigurationCommand({
        FunctionName: 'fails',
        DeadLetterConfig: { TargetArn: dead.arn },
      }),
    );
    await client.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'fails',
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: records.arn } },
      }),
    );
    const Payload = JSON.stringify({ Records: [{ body: 'bad' }] });
    await client.send(new lambda.InvokeCommand({ FunctionName: 'fails', InvocationType: 'Event', Payload }));
    assert.deepEqual(await world.event(seen), JSON.parse(Payload));
    const letter = await world.take(dead);
    assert.equal(letter.Body, Payload);
    assert.deepEqual(letter.MessageAttributes?.ErrorCode, { DataType: 'Number', StringValue: '200' });
    assert.deepEqual(letter.MessageAttributes?.ErrorMessage, { DataType: 'String', StringValue: 'bad message' });
    const record = JSON.parse((await world.take(records)).Body!);
    assert.equal(record.requestContext.condition, 'RetriesExhausted');
    assert.equal(record.requestContext.requestId, letter.MessageAttributes?.RequestID?.StringValue);
  });

  it('a topic gets the records and the dead letters of functions', TIMEOUT, async () => {
    const told = await world.queue('told-by-topic');
    const { TopicArn } = await topics.send(new sns.CreateTopicCommand({ Name: 'failures' }));
    await topics.send(new sns.SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: told.arn }));
    await world.relay('tells', seen);
    await world.lambda.send(
      new lambda.UpdateFunctionConfigurationCommand({
        FunctionName: 'tells',
        DeadLetterConfig: { TargetArn: TopicArn },
      }),
    );
    await world.lambda.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'tells',
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: TopicArn } },
      }),
    );
    const Payload = JSON.stringify({ Records: [{ body: 'bad' }] });
    await world.lambda.send(new lambda.InvokeCommand({ FunctionName: 'tells', InvocationType: 'Event', Payload }));
    await world.event(seen);
    const envelopes = [];
    for (let taken = 0; taken < 2; taken += 1) envelopes.push(JSON.parse((await world.take(told)).Body!));
    const letter = envelopes.find(({ Message }) => Message === Payload);
    const record = envelopes.find(({ Message }) => Message !== Payload);
    assert.deepEqual(letter.MessageAttributes.ErrorMessage, { Type: 'String', Value: 'bad message' });
    assert.equal(JSON.parse(record.Message).requestContext.condition, 'RetriesExhausted');
  });

  it('a function that sends to its own queue is stopped after sixteen invocations', TIMEOUT, async () => {
    const dead = await world.queue('dead-loops');
    const told = await world.queue('told');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 1 });
    const loop = await world.queue('loop', { VisibilityTimeout, RedrivePolicy });
    await world.relay('loop', told, { AGAIN: loop.url });
    await world.map('loop', loop);
    await world.send(loop, 'begin');
    for (let run = 0; run < 16; run += 1) await world.event(told);
    await moveClock(server, FUNCTION_TIMEOUT_S * 1000);
    const letter = await world.take(dead);
    assert.equal(letter.Body, 'again');
    assert.equal(await world.count(told), 0);
  });

  it('a bucket tells a queue of its objects', TIMEOUT, async () => {
    const told = await world.queue('pictures');
    await objects.send(new s3.CreateBucketCommand({ Bucket: 'pictures' }));
    await objects.send(
      new s3.PutBucketNotificationConfigurationCommand({
        Bucket: 'pictures',
        NotificationConfiguration: {
          QueueConfigurations: [{ QueueArn: told.arn, Events: ['s3:ObjectCreated:*'] }],
        },
      }),
    );
    const test = JSON.parse((await world.take(told)).Body!);
    assert.deepEqual([test.Event, test.Bucket], ['s3:TestEvent', 'pictures']);
    await objects.send(new s3.PutObjectCommand({ Bucket: 'pictures', Key: 'in/a b.jpg', Body: 'picture' }));
    const { Records } = JSON.parse((await world.take(told)).Body!);
    assert.equal(Records[0].eventName, 'ObjectCreated:Put');
    assert.equal(Records[0].s3.object.key, 'in/a+b.jpg');
    // And by way of a topic.
    const { TopicArn } = await topics.send(new sns.CreateTopicCommand({ Name: 'pictures' }));
    const subscription = { TopicArn, Protocol: 'sqs', Endpoint: told.arn };
    await topics.send(new sns.SubscribeCommand({ ...subscription, Attributes: { RawMessageDelivery: 'true' } }));
    await objects.send(
      new s3.PutBucketNotificationConfigurationCommand({
        Bucket: 'pictures',
        NotificationConfiguration: {
          TopicConfigurations: [{ TopicArn, Events: ['s3:ObjectRemoved:*'] }],
        },
      }),
    );
    assert.equal(JSON.parse((await world.take(told)).Body!).Event, 's3:TestEvent');
    await objects.send(new s3.DeleteObjectCommand({ Bucket: 'pictures', Key: 'in/a b.jpg' }));
    assert.equal(JSON.parse((await world.take(told)).Body!).Records[0].eventName, 'ObjectRemoved:Delete');
    const missing = new s3.PutBucketNotificationConfigurationCommand({
      Bucket: 'pictures',
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn: `${told.arn}-none`, Events: ['s3:ObjectCreated:*'] }],
      },
    });
    await assert.rejects(objects.send(missing), {
      name: 'InvalidArgument',
      message: 'Unable to validate the following destination configurations',
    });
  });
});
