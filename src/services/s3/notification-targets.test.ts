import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeliveryRequest } from '../../events/index.ts';
import { openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();
const QueueArn = 'arn:aws:sqs:us-east-1:111122223333:pictures';
const TopicArn = 'arn:aws:sns:us-east-1:111122223333:pictures';
const LambdaFunctionArn = 'arn:aws:lambda:us-east-1:111122223333:function:thumbnail';
const CREATED = ['s3:ObjectCreated:*'];

async function opened(permits?: boolean): Promise<S3Fixture> {
  const fixture = await openS3Fixture(permits === undefined ? {} : { permits });
  await fixture.operations.CreateBucket({ Bucket }, context);
  return fixture;
}

const put = (fixture: S3Fixture, NotificationConfiguration: object, more: object = {}) =>
  fixture.operations.PutBucketNotificationConfiguration(
    { Bucket, NotificationConfiguration, ...more } as never,
    context,
  );
const get = (fixture: S3Fixture) => fixture.operations.GetBucketNotificationConfiguration({ Bucket }, context);
const payloadOf = (event: DeliveryRequest) => JSON.parse(Buffer.from(event.payload).toString());

describe('S3 notifications to queues and topics', () => {
  it('begin with a test event for each of them, and for no function', async () => {
    await using fixture = await opened();
    await put(fixture, {
      QueueConfigurations: [
        { Id: 'q1', QueueArn, Events: CREATED },
        { Id: 'q2', QueueArn, Events: ['s3:ObjectRemoved:Delete'] },
      ],
      TopicConfigurations: [{ Id: 't', TopicArn, Events: ['s3:ObjectTagging:*'] }],
      LambdaFunctionConfigurations: [{ Id: 'f', LambdaFunctionArn, Events: ['s3:LifecycleExpiration:*'] }],
    });
    const events = await fixture.events();
    assert.deepEqual(
      events.map(({ targetArn }) => targetArn),
      [QueueArn, TopicArn],
    );
    const { HostId, ...rest } = payloadOf(events[0]!);
    assert.equal(typeof HostId, 'string');
    assert.deepEqual(rest, {
      Service: 'Amazon S3',
      Event: 's3:TestEvent',
      Time: '2026-01-15T10:30:00.000Z',
      Bucket,
      RequestId: 'REQUEST1',
    });
    assert.deepEqual(events[1]!.parameters, { subject: 'Amazon S3 Notification' });
    const caller = { service: 's3.amazonaws.com', sourceArn: `arn:aws:s3:::${Bucket}`, sourceAccount: '111122223333' };
    assert.deepEqual(events[0]!.caller, caller);
  });

  it('carry the records that functions get', async () => {
    await using fixture = await opened();
    await put(
      fixture,
      {
        QueueConfigurations: [{ Id: 'q', QueueArn, Events: ['s3:ObjectCreated:Put'] }],
        TopicConfigurations: [{ Id: 't', TopicArn, Events: ['s3:ObjectRemoved:*'] }],
      },
      { SkipDestinationValidation: true },
    );
    await fixture.operations.PutObject({ Bucket, Key: 'a b', Body: 'hello' }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: 'a b' }, context);
    const seen = (await fixture.events()).map((event) => {
      const [record] = payloadOf(event).Records;
      return [event.targetArn, record.eventName, record.s3.configurationId, record.s3.object.key];
    });
    assert.deepEqual(seen, [
      [QueueArn, 'ObjectCreated:Put', 'q', 'a+b'],
      [TopicArn, 'ObjectRemoved:Delete', 't', 'a+b'],
    ]);
  });

  it('are shown as they were set', async () => {
    await using fixture = await opened();
    const configuration = {
      QueueConfigurations: [
        {
          Id: 'q',
          QueueArn,
          Events: CREATED,
          Filter: { Key: { FilterRules: [{ Name: 'Prefix', Value: 'in/' }] } },
        },
      ],
      TopicConfigurations: [{ Id: 't', TopicArn, Events: ['s3:ObjectRemoved:*'] }],
      EventBridgeConfiguration: {},
    };
    await put(fixture, configuration);
    assert.deepEqual(await get(fixture), configuration);
    await put(fixture, { EventBridgeConfiguration: {} });
    assert.deepEqual(await get(fixture), { EventBridgeConfiguration: {} });
  });

  it('refuse destinations that S3 may not reach, each with the reason', async () => {
    await using fixture = await opened(false);
    const configuration = {
      QueueConfigurations: [{ QueueArn, Events: CREATED }],
      TopicConfigurations: [{ TopicArn, Events: ['s3:ObjectRemoved:*'] }],
    };
    await assert.rejects(put(fixture, configuration), {
      code: 'InvalidArgument',
      message: 'Unable to validate the following destination configurations',
      members: {
        ArgumentName1: `${QueueArn}, null`,
        ArgumentValue1:
          'Permissions on the destination queue do not allow S3 to publish notifications from this bucket',
        ArgumentName2: `${TopicArn}, null`,
        ArgumentValue2:
          'Permissions on the destination topic do not allow S3 to publish notifications from this bucket',
      },
    });
    assert.deepEqual(await get(fixture), {});
    assert.deepEqual(await fixture.events(), []);
    await put(fixture, configuration, { SkipDestinationValidation: true });
    assert.deepEqual(await fixture.events(), []);
  });

  it('refuse what is no queue or topic, FIFO ones, and those of other regions', async () => {
    await using fixture = await opened();
    const queue = (arn: string) => put(fixture, { QueueConfigurations: [{ QueueArn: arn, Events: CREATED }] });
    const topic = (arn: string) => put(fixture, { TopicConfigurations: [{ TopicArn: arn, Events: CREATED }] });
    for (const arn of ['', 'pictures', TopicArn, `${QueueArn}:x`, LambdaFunctionArn]) {
      await assert.rejects(queue(arn), { code: 'InvalidArgument', message: 'The ARN could not be parsed' }, arn);
    }
    await assert.rejects(topic(QueueArn), { code: 'InvalidArgument', message: 'The ARN could not be parsed' });
    await assert.rejects(queue(`${QueueArn}.fifo`), { message: 'FIFO SQS queues are not supported' });
    await assert.rejects(topic(`${TopicArn}.fifo`), { message: 'FIFO SNS topics are not supported' });
    await assert.rejects(queue(QueueArn.replace('us-east-1', 'eu-west-1')), { message: /region is not valid/ });
  });

  it('refuse rules of different kinds that overlap, or have the same id', async () => {
    await using fixture = await opened();
    const both = (queue: object, topic: object) =>
      put(fixture, {
        QueueConfigurations: [{ QueueArn, Events: CREATED, ...queue }],
        TopicConfigurations: [{ TopicArn, Events: ['s3:ObjectCreated:Put'], ...topic }],
      });
    await assert.rejects(both({}, {}), { code: 'InvalidArgument', message: /overlap/ });
    const removed = { Events: ['s3:ObjectRemoved:*'] };
    await assert.rejects(both({ Id: 'x' }, { Id: 'x', ...removed }), { message: 'Configuration Ids must be unique' });
    await both({ Id: 'x' }, { Id: 'y', ...removed });
  });
});

describe('S3 events on EventBridge', () => {
  const bus = 'arn:aws:events:us-east-1:111122223333:event-bus/default';

  async function listening(versioned = false): Promise<S3Fixture> {
    const fixture = await opened();
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    if (versioned) await fixture.operations.PutBucketVersioning({ Bucket, VersioningConfiguration }, context);
    await put(fixture, { EventBridgeConfiguration: {} });
    return fixture;
  }

  it('tell of every object, whatever the rules are', async () => {
    await using fixture = await listening();
    const { ETag } = await fixture.operations.PutObject({ Bucket, Key: 'a b/é', Body: 'hello' }, context);
    const [event, ...others] = await fixture.events();
    assert.deepEqual(others, []);
    assert.equal(event!.targetArn, bus);
    const { id, detail, ...rest } = payloadOf(event!);
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      version: '0',
      'detail-type': 'Object Created',
      source: 'aws.s3',
      account: '111122223333',
      time: '2026-01-15T10:30:00Z',
      region: 'us-east-1',
      resources: ['arn:aws:s3:::pictures'],
    });
    assert.match(detail.object.sequencer, /^[0-9A-F]{18}$/);
    assert.deepEqual(detail, {
      version: '0',
      bucket: { name: Bucket },
      object: { key: 'a b/é', size: 5, etag: JSON.parse(ETag!), sequencer: detail.object.sequencer },
      'request-id': 'REQUEST1',
      requester: '111122223333',
      'source-ip-address': '127.0.0.1',
      reason: 'PutObject',
    });
  });

  it('name what was done, and to which version', async () => {
    await using fixture = await listening(true);
    const { VersionId } = await fixture.operations.PutObject({ Bucket, Key: 'a', Body: 'hello' }, context);
    await fixture.operations.CopyObject({ Bucket, Key: 'b', CopySource: `${Bucket}/a` }, context);
    const Tagging = { TagSet: [{ Key: 'k', Value: 'v' }] };
    await fixture.operations.PutObjectTagging({ Bucket, Key: 'a', Tagging }, context);
    await fixture.operations.DeleteObjectTagging({ Bucket, Key: 'a' }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: 'a' }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: 'a', VersionId }, context);
    const events = (await fixture.events()).map(payloadOf);
    assert.deepEqual(
      events.map(({ detail, ...event }) => [event['detail-type'], detail.reason, detail['deletion-type']]),
      [
        ['Object Created', 'PutObject', undefined],
        ['Object Created', 'CopyObject', undefined],
        ['Object Tags Added', undefined, undefined],
        ['Object Tags Deleted', undefined, undefined],
        ['Object Deleted', 'DeleteObject', 'Delete Marker Created'],
        ['Object Deleted', 'DeleteObject', 'Permanently Deleted'],
      ],
    );
    assert.equal(events[0].detail.object['version-id'], VersionId);
    assert.equal(events[4].detail.object.etag, 'd41d8cd98f00b204e9800998ecf8427e');
    assert.notEqual(events[4].detail.object['version-id'], VersionId);
    assert.deepEqual(events[5].detail.object, {
      key: 'a',
      etag: '5d41402abc4b2a76b9719d911017c592',
      'version-id': VersionId,
      sequencer: events[5].detail.object.sequencer,
    });
  });

  it('tell of what lifecycle rules expire, which nobody asked for', async () => {
    await using fixture = await listening();
    await fixture.operations.PutObject({ Bucket, Key: 'a', Body: 'hello' }, context);
    await fixture.operations.PutBucketLifecycleConfiguration(
      {
        Bucket,
        LifecycleConfiguration: { Rules: [{ Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } }] },
      },
      context,
    );
    fixture.clock.advance(3 * 24 * 3600 * 1000);
    await fixture.s3.idle();
    const { detail, ...event } = payloadOf((await fixture.events()).at(-1)!);
    assert.equal(event['detail-type'], 'Object Deleted');
    assert.equal(detail.requester, 's3.amazonaws.com');
    assert.equal(detail['source-ip-address'], undefined);
    assert.equal(detail.reason, 'Lifecycle Expiration');
    assert.equal(detail['deletion-type'], 'Permanently Deleted');
  });

  it('are not sent for a write that failed', async () => {
    await using fixture = await listening();
    await assert.rejects(fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x', IfMatch: '"no"' }, context));
    assert.deepEqual(await fixture.events(), []);
  });
});
