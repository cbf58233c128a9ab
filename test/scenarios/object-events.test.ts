import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as events from '@aws-sdk/client-eventbridge';
import * as lambda from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import { type Queue, QueueFunctions } from '../support/queue-functions.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const TIMEOUT = { timeout: 60_000 };

describe('functions that are told of objects, and buses of functions', () => {
  let server: RunningKobune;
  let world: QueueFunctions;
  let objects: s3.S3Client;
  let buses: events.EventBridgeClient;
  let seen: Queue;
  before(async () => {
    server = await runKobune();
    world = new QueueFunctions(server.settings());
    objects = new s3.S3Client({ ...server.settings(), forcePathStyle: true });
    buses = new events.EventBridgeClient(server.settings());
    seen = await world.queue('seen');
  });
  after(async () => {
    world?.[Symbol.dispose]();
    objects?.destroy();
    buses?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  async function rule(Name: string, EventPattern: object, Arn: string): Promise<void> {
    await buses.send(new events.PutRuleCommand({ Name, EventPattern: JSON.stringify(EventPattern) }));
    const { FailedEntryCount } = await buses.send(
      new events.PutTargetsCommand({ Rule: Name, Targets: [{ Id: 'target', Arn }] }),
    );
    assert.equal(FailedEntryCount, 0);
  }

  it('a function gets the events of objects that a rule picks', TIMEOUT, async () => {
    const arn = await world.relay('relay', seen);
    await world.lambda.send(
      new lambda.AddPermissionCommand({
        FunctionName: 'relay',
        StatementId: 'rules',
        Action: 'lambda:InvokeFunction',
        Principal: 'events.amazonaws.com',
      }),
    );
    await objects.send(new s3.CreateBucketCommand({ Bucket: 'album' }));
    await objects.send(
      new s3.PutBucketNotificationConfigurationCommand({
        Bucket: 'album',
        NotificationConfiguration: { EventBridgeConfiguration: {} },
      }),
    );
    const detail = { bucket: { name: ['album'] }, object: { key: [{ prefix: 'in/' }], size: [{ numeric: ['>', 3] }] } };
    await rule('pictures', { source: ['aws.s3'], 'detail-type': ['Object Created'], detail }, arn);
    for (const [Key, Body] of [
      ['out/a', 'picture'],
      ['in/a', 'tiny'.slice(0, 3)],
      ['in/a b', 'picture'],
    ]) {
      await objects.send(new s3.PutObjectCommand({ Bucket: 'album', Key, Body }));
    }
    const event = await world.event(seen);
    assert.equal(event.source, 'aws.s3');
    assert.equal(event['detail-type'], 'Object Created');
    assert.deepEqual(event.resources, ['arn:aws:s3:::album']);
    assert.equal(event.detail.object.key, 'in/a b');
    assert.equal(event.detail.object.size, 7);
    assert.equal(event.detail.reason, 'PutObject');
    assert.equal(await world.count(seen), 0);
  });

  it('a bus gets what came of an asynchronous invocation', TIMEOUT, async () => {
    const results = await world.queue('results');
    await world.relay('done', seen);
    await world.lambda.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'done',
        DestinationConfig: {
          OnSuccess: { Destination: 'arn:aws:events:us-east-1:000000000000:event-bus/default' },
        },
      }),
    );
    await rule('results', { source: ['lambda'] }, results.arn);
    await world.lambda.send(
      new lambda.InvokeCommand({ FunctionName: 'done', InvocationType: 'Event', Payload: '{"order":17}' }),
    );
    const event = JSON.parse((await world.take(results)).Body!);
    assert.equal(event['detail-type'], 'Lambda Function Invocation Result - Success');
    assert.deepEqual(event.detail.requestPayload, { order: 17 });
    assert.deepEqual(event.detail.responsePayload, { batchItemFailures: [] });
  });
});
