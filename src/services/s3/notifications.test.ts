import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();
const LambdaFunctionArn = 'arn:aws:lambda:us-east-1:111122223333:function:thumbnail';

type Rule = { Events: string[]; prefix?: string; suffix?: string; Id?: string };

function configuration(rules: readonly Rule[]): never {
  return {
    LambdaFunctionConfigurations: rules.map(({ Events, prefix, suffix, Id }) => ({
      Id,
      LambdaFunctionArn,
      Events,
      Filter: {
        Key: {
          FilterRules: [
            ...(prefix === undefined ? [] : [{ Name: 'prefix', Value: prefix }]),
            ...(suffix === undefined ? [] : [{ Name: 'suffix', Value: suffix }]),
          ],
        },
      },
    })),
  } as never;
}

async function withRules(rules: readonly Rule[]): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  await fixture.operations.PutBucketNotificationConfiguration(
    { Bucket, NotificationConfiguration: configuration(rules) },
    context,
  );
  return fixture;
}

describe('S3 event notifications', () => {
  it('tell what was put, with the key URL-encoded', async () => {
    await using fixture = await withRules([{ Id: 'thumbs', Events: ['s3:ObjectCreated:*'] }]);
    await fixture.operations.PutObject({ Bucket, Key: 'in/red flower+é.jpg', Body: 'hello' }, context);
    const [event] = await fixture.events();
    assert.equal(event?.targetArn, LambdaFunctionArn);
    const [record] = await fixture.eventRecords();
    assert.deepEqual(record, {
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: 'us-east-1',
      eventTime: '2026-01-15T10:30:00.000Z',
      eventName: 'ObjectCreated:Put',
      userIdentity: { principalId: 'AWS:AIDAEXAMPLE' },
      requestParameters: { sourceIPAddress: '127.0.0.1' },
      responseElements: {
        'x-amz-request-id': 'REQUEST1',
        'x-amz-id-2': (record as unknown as { responseElements: Record<string, string> }).responseElements[
          'x-amz-id-2'
        ],
      },
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: 'thumbs',
        bucket: {
          name: Bucket,
          ownerIdentity: {
            principalId: (record as unknown as { s3: { bucket: { ownerIdentity: { principalId: string } } } }).s3.bucket
              .ownerIdentity.principalId,
          },
          arn: 'arn:aws:s3:::pictures',
        },
        object: {
          key: 'in/red+flower%2B%C3%A9.jpg',
          size: 5,
          eTag: '5d41402abc4b2a76b9719d911017c592',
          sequencer: record?.s3.object.sequencer,
        },
      },
    });
    assert.match(record?.s3.object.sequencer ?? '', /^[0-9A-F]{18}$/);
  });

  it('go with the trace header of the request that caused them, if it is one', async () => {
    await using fixture = await withRules([{ Events: ['s3:ObjectCreated:*'] }]);
    const traceHeader = 'Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:3';
    const put = (Key: string, header?: string) =>
      fixture.operations.PutObject(
        { Bucket, Key, Body: 'hello' },
        requestContext({ headers: { 'x-amzn-trace-id': header } }),
      );
    await put('1', traceHeader);
    await put('2');
    await put('3', `Root=${'x'.repeat(1024)}`);
    const events = await fixture.events();
    assert.deepEqual(
      events.map((event) => event.traceHeader),
      [traceHeader, undefined, undefined],
    );
    const caller = { service: 's3.amazonaws.com', sourceArn: `arn:aws:s3:::${Bucket}`, sourceAccount: '111122223333' };
    assert.deepEqual(events[0]!.caller, caller);
  });

  it('come only for the keys and events that a rule names', async () => {
    await using fixture = await withRules([
      { Events: ['s3:ObjectCreated:Put'], prefix: 'in/', suffix: '.jpg' },
      { Events: ['s3:ObjectRemoved:*'] },
    ]);
    await fixture.operations.PutObject({ Bucket, Key: 'in/a.jpg', Body: 'x' }, context);
    await fixture.operations.PutObject({ Bucket, Key: 'in/a.png', Body: 'x' }, context);
    await fixture.operations.PutObject({ Bucket, Key: 'out/a.jpg', Body: 'x' }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: 'out/a.jpg' }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: 'never-there' }, context);
    const seen = (await fixture.eventRecords()).map((record) => [record.eventName, record.s3.object.key]);
    assert.deepEqual(seen, [
      ['ObjectCreated:Put', 'in/a.jpg'],
      ['ObjectRemoved:Delete', 'out/a.jpg'],
    ]);
  });

  it('carry sequencers that order the changes of a key', async () => {
    await using fixture = await withRules([{ Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'] }]);
    for (let i = 0; i < 5; i++) {
      await fixture.operations.PutObject({ Bucket, Key: 'x', Body: `${i}` }, context);
      await fixture.operations.DeleteObject({ Bucket, Key: 'x' }, context);
    }
    const sequencers = (await fixture.eventRecords()).map((record) => record.s3.object.sequencer);
    assert.deepEqual(sequencers, [...new Set(sequencers)].sort());
    assert.equal(sequencers.length, 10);
  });

  it('are not sent for a write that failed', async () => {
    await using fixture = await withRules([{ Events: ['s3:ObjectCreated:*'] }]);
    await assert.rejects(fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x', IfMatch: '"no"' }, context));
    assert.deepEqual(await fixture.events(), []);
  });
});

describe('S3 PutBucketNotificationConfiguration', () => {
  const put = (fixture: S3Fixture, NotificationConfiguration: object) =>
    fixture.operations.PutBucketNotificationConfiguration({ Bucket, NotificationConfiguration }, context);

  it('gives back what was set, and nothing after it was cleared', async () => {
    await using fixture = await withRules([{ Id: 'a', Events: ['s3:ObjectCreated:*'], suffix: '.jpg' }]);
    const got = await fixture.operations.GetBucketNotificationConfiguration({ Bucket }, context);
    assert.deepEqual(got.LambdaFunctionConfigurations, [
      {
        Id: 'a',
        LambdaFunctionArn,
        Events: ['s3:ObjectCreated:*'],
        Filter: { Key: { FilterRules: [{ Name: 'suffix', Value: '.jpg' }] } },
      },
    ]);
    await put(fixture, {});
    assert.deepEqual(await fixture.operations.GetBucketNotificationConfiguration({ Bucket }, context), {});
  });

  it('refuses rules that overlap', async () => {
    await using fixture = await withRules([]);
    const overlapping: Rule[][] = [
      [{ Events: ['s3:ObjectCreated:*'] }, { Events: ['s3:ObjectCreated:Put'] }],
      [
        { Events: ['s3:ObjectCreated:*'], prefix: 'a' },
        { Events: ['s3:ObjectCreated:*'], prefix: 'ab', suffix: '.jpg' },
      ],
      [
        { Events: ['s3:ObjectCreated:*'], suffix: 'pg' },
        { Events: ['s3:ObjectCreated:*'], suffix: 'jpg' },
      ],
    ];
    for (const rules of overlapping) {
      await assert.rejects(put(fixture, configuration(rules)), { code: 'InvalidArgument', message: /overlap/ });
    }
    await put(
      fixture,
      configuration([
        { Events: ['s3:ObjectCreated:*'], prefix: 'a', suffix: '.jpg' },
        { Events: ['s3:ObjectCreated:*'], prefix: 'a', suffix: '.png' },
        { Events: ['s3:ObjectRemoved:*'] },
      ]),
    );
  });

  it('refuses events that nothing sends', async () => {
    await using fixture = await withRules([]);
    await assert.rejects(put(fixture, configuration([{ Events: ['s3:Nope'] }])), { code: 'InvalidArgument' });
    await assert.rejects(put(fixture, configuration([{ Events: ['s3:Replication:*'] }])), { code: 'NotImplemented' });
  });

  it('refuses a function that S3 may not invoke, and keeps the old configuration', async () => {
    await using fixture = await openS3Fixture({ permits: false });
    await fixture.operations.CreateBucket({ Bucket }, context);
    await assert.rejects(put(fixture, configuration([{ Events: ['s3:ObjectCreated:*'] }])), {
      code: 'InvalidArgument',
      message: 'Unable to validate the following destination configurations',
    });
    assert.deepEqual(await fixture.operations.GetBucketNotificationConfiguration({ Bucket }, context), {});
  });
});
