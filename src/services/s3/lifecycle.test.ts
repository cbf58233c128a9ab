import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LifecycleRule } from '@aws-sdk/client-s3';
import { openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();
const hour = 3600 * 1000;
const day = 24 * hour;

async function withRules(Rules: LifecycleRule[], versioned = false): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  if (versioned) {
    await fixture.operations.PutBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }, context);
  }
  await fixture.s3.start();
  await fixture.operations.PutBucketLifecycleConfiguration({ Bucket, LifecycleConfiguration: { Rules } }, context);
  return fixture;
}

/** Moves time; what that made due has been done when it resolves. */
async function advance(fixture: S3Fixture, ms: number): Promise<void> {
  fixture.clock.advance(ms);
  await fixture.s3.idle();
}

async function keys(fixture: S3Fixture): Promise<(string | undefined)[]> {
  return ((await fixture.operations.ListObjectsV2({ Bucket }, context)).Contents ?? []).map(({ Key }) => Key);
}

const put = (fixture: S3Fixture, Key: string, input: object = {}) =>
  fixture.operations.PutObject({ Bucket, Key, Body: 'x', ...input }, context);

describe('S3 lifecycle', () => {
  it('expires objects at the midnight after their days, and tells when in advance', async () => {
    await using fixture = await withRules([
      { ID: 'old logs', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 3 } },
    ]);
    // Put on 15 January 2026 at 10:30: three days and the rest of the day make 19 January.
    const output = await put(fixture, 'logs/a');
    assert.equal(output.Expiration, 'expiry-date="Mon, 19 Jan 2026 00:00:00 GMT", rule-id="old%20logs"');
    assert.equal((await put(fixture, 'kept')).Expiration, undefined);
    await advance(fixture, 3 * day);
    assert.deepEqual(await keys(fixture), ['kept', 'logs/a']);
    await advance(fixture, 13 * hour + 30 * 60 * 1000);
    assert.deepEqual(await keys(fixture), ['kept']);
  });

  it('looks at tags and sizes, and at rules that are enabled', async () => {
    await using fixture = await withRules([
      {
        ID: 'a',
        Status: 'Enabled',
        Filter: { And: { Prefix: 'p/', Tags: [{ Key: 'temp', Value: 'yes' }], ObjectSizeGreaterThan: 2 } },
        Expiration: { Days: 1 },
      },
      { ID: 'b', Status: 'Disabled', Filter: {}, Expiration: { Days: 1 } },
    ]);
    await put(fixture, 'p/goes', { Body: 'xxx', Tagging: 'temp=yes&more=1' });
    await put(fixture, 'p/too-small', { Body: 'xx', Tagging: 'temp=yes' });
    await put(fixture, 'p/untagged', { Body: 'xxx' });
    await put(fixture, 'elsewhere', { Body: 'xxx', Tagging: 'temp=yes' });
    await advance(fixture, 3 * day);
    assert.deepEqual(await keys(fixture), ['elsewhere', 'p/too-small', 'p/untagged']);
  });

  it('expires at a date', async () => {
    await using fixture = await withRules([
      { Status: 'Enabled', Filter: {}, Expiration: { Date: new Date(Date.UTC(2026, 0, 20)) } },
    ]);
    await put(fixture, 'a');
    await advance(fixture, 4 * day);
    assert.deepEqual(await keys(fixture), ['a']);
    await advance(fixture, day);
    assert.deepEqual(await keys(fixture), []);
  });

  it('marks versioned objects as deleted, expires old versions, then the marker', async () => {
    await using fixture = await withRules(
      [
        { ID: 'now', Status: 'Enabled', Filter: {}, Expiration: { Days: 1 } },
        { ID: 'old', Status: 'Enabled', Filter: {}, NoncurrentVersionExpiration: { NoncurrentDays: 5 } },
      ],
      true,
    );
    await put(fixture, 'a');
    const listed = () => fixture.operations.ListObjectVersions({ Bucket }, context);
    await advance(fixture, 2 * day);
    assert.equal((await listed()).Versions?.length, 1);
    assert.equal((await listed()).DeleteMarkers?.[0]?.IsLatest, true);
    await advance(fixture, 4 * day);
    assert.equal((await listed()).Versions?.length, 1);
    await advance(fixture, 2 * day);
    assert.equal((await listed()).Versions, undefined);
    assert.equal((await listed()).DeleteMarkers, undefined);
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'inline'] }), []);
  });

  it('keeps as many newer noncurrent versions as it is told', async () => {
    await using fixture = await withRules(
      [
        {
          Status: 'Enabled',
          Filter: {},
          NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 2 },
        },
      ],
      true,
    );
    for (let i = 0; i < 6; i++) await put(fixture, 'a', { Body: `${i}` });
    await advance(fixture, 3 * day);
    assert.equal((await fixture.operations.ListObjectVersions({ Bucket }, context)).Versions?.length, 3);
  });

  it('aborts uploads that nobody completes', async () => {
    await using fixture = await withRules([
      { ID: 'tidy', Status: 'Enabled', Filter: {}, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } },
    ]);
    const created = await fixture.operations.CreateMultipartUpload({ Bucket, Key: 'a' }, context);
    assert.deepEqual(created.AbortDate, new Date(Date.UTC(2026, 0, 18)));
    assert.equal(created.AbortRuleId, 'tidy');
    await fixture.operations.UploadPart(
      { Bucket, Key: 'a', UploadId: created.UploadId, PartNumber: 1, Body: 'x' },
      context,
    );
    await advance(fixture, 2 * day);
    assert.equal((await fixture.operations.ListMultipartUploads({ Bucket }, context)).Uploads?.length, 1);
    await advance(fixture, day);
    assert.equal((await fixture.operations.ListMultipartUploads({ Bucket }, context)).Uploads, undefined);
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'uploaded-part'] }), []);
  });

  it('sends its own events', async () => {
    await using fixture = await withRules([{ Status: 'Enabled', Filter: {}, Expiration: { Days: 1 } }]);
    await fixture.operations.PutBucketNotificationConfiguration(
      {
        Bucket,
        NotificationConfiguration: {
          LambdaFunctionConfigurations: [
            {
              LambdaFunctionArn: 'arn:aws:lambda:us-east-1:111122223333:function:f',
              Events: ['s3:LifecycleExpiration:*', 's3:ObjectRemoved:*'],
            },
          ],
        },
      },
      context,
    );
    await put(fixture, 'a');
    await advance(fixture, 3 * day);
    const [record, ...others] = await fixture.eventRecords();
    assert.equal(record?.eventName, 'LifecycleExpiration:Delete');
    assert.equal(record?.eventVersion, '2.3');
    assert.deepEqual(others, []);
  });

  it('gives back its rules, and refuses those that cannot act', async () => {
    const rules: LifecycleRule[] = [
      { ID: 'a', Status: 'Enabled', Prefix: 'old/', Expiration: { Days: 1 } },
      {
        ID: 'b',
        Status: 'Disabled',
        Filter: { ObjectSizeLessThan: 9 },
        NoncurrentVersionExpiration: { NoncurrentDays: 4 },
      },
      { ID: 'c', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { ExpiredObjectDeleteMarker: true } },
    ];
    await using fixture = await withRules(rules);
    const got = await fixture.operations.GetBucketLifecycleConfiguration({ Bucket }, context);
    assert.deepEqual(got.Rules, rules);
    const refused: [LifecycleRule, string][] = [
      [{ Status: 'Enabled', Filter: {}, Transitions: [{ Days: 1, StorageClass: 'GLACIER' }] }, 'NotImplemented'],
      [{ Status: 'Enabled', Filter: {} }, 'InvalidRequest'],
      [{ Status: 'Enabled', Expiration: { Days: 1 } }, 'MalformedXML'],
      [{ Status: 'Enabled', Filter: {}, Expiration: { Days: 0 } }, 'InvalidArgument'],
      [{ Status: 'Enabled', Filter: {}, Expiration: { Date: new Date(1) } }, 'InvalidArgument'],
      [{ Status: 'Enabled', Filter: {}, Expiration: { Days: 1, ExpiredObjectDeleteMarker: true } }, 'MalformedXML'],
    ];
    for (const [rule, code] of refused) {
      await assert.rejects(
        fixture.operations.PutBucketLifecycleConfiguration(
          { Bucket, LifecycleConfiguration: { Rules: [rule] } },
          context,
        ),
        { code },
      );
    }
    await fixture.operations.DeleteBucketLifecycle({ Bucket }, context);
    await assert.rejects(fixture.operations.GetBucketLifecycleConfiguration({ Bucket }, context), {
      code: 'NoSuchLifecycleConfiguration',
      status: 404,
    });
  });
});
