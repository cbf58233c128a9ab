import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openS3Fixture, requestContext } from './s3-fixture.ts';

const context = requestContext();
const stranger = requestContext({ account: '999988887777' });
const inEurope = requestContext({ region: 'eu-west-1', headers: { authorization: 'AWS4-HMAC-SHA256 …' } });

describe('S3 CreateBucket', () => {
  it('checks names', async () => {
    await using fixture = await openS3Fixture();
    for (const Bucket of [
      'ab',
      'Upper',
      '-start',
      'end-',
      'a..b',
      '1.2.3.4',
      'xn--x',
      'x-s3alias',
      'a'.repeat(64),
      'a_b',
    ]) {
      await assert.rejects(fixture.operations.CreateBucket({ Bucket }, context), { code: 'InvalidBucketName' }, Bucket);
    }
    for (const Bucket of ['abc', 'a.b-c.1', 'a'.repeat(63)]) await fixture.operations.CreateBucket({ Bucket }, context);
  });

  it('gives a name to one account only', async () => {
    await using fixture = await openS3Fixture();
    await fixture.operations.CreateBucket({ Bucket: 'mine' }, context);
    await fixture.operations.CreateBucket({ Bucket: 'mine' }, context);
    await assert.rejects(fixture.operations.CreateBucket({ Bucket: 'mine' }, stranger), {
      code: 'BucketAlreadyExists',
      status: 409,
    });
    const europe = { Bucket: 'mine-eu', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' as const } };
    await fixture.operations.CreateBucket(europe, inEurope);
    await assert.rejects(fixture.operations.CreateBucket(europe, inEurope), {
      code: 'BucketAlreadyOwnedByYou',
      status: 409,
    });
  });

  it('wants a location constraint that fits the endpoint', async () => {
    await using fixture = await openS3Fixture();
    await assert.rejects(fixture.operations.CreateBucket({ Bucket: 'abc' }, inEurope), {
      code: 'IllegalLocationConstraintException',
    });
    await assert.rejects(
      fixture.operations.CreateBucket(
        { Bucket: 'abc', CreateBucketConfiguration: { LocationConstraint: 'mars-1' as never } },
        context,
      ),
      { code: 'InvalidLocationConstraint' },
    );
  });
});

describe('S3 buckets of others', () => {
  it('are denied, and in other regions told where', async () => {
    await using fixture = await openS3Fixture();
    await fixture.operations.CreateBucket({ Bucket: 'mine' }, context);
    await assert.rejects(fixture.operations.ListObjectsV2({ Bucket: 'mine' }, stranger), {
      code: 'AccessDenied',
      status: 403,
    });
    await assert.rejects(fixture.operations.ListObjectsV2({ Bucket: 'mine', ExpectedBucketOwner: '1' }, context), {
      code: 'AccessDenied',
    });
    await assert.rejects(fixture.operations.ListObjectsV2({ Bucket: 'mine' }, inEurope), {
      code: 'AuthorizationHeaderMalformed',
      members: { Region: 'us-east-1' },
    });
    await assert.rejects(fixture.operations.HeadBucket({ Bucket: 'mine' }, inEurope), {
      status: 301,
      headers: { 'x-amz-bucket-region': 'us-east-1' },
    });
    await assert.rejects(fixture.operations.HeadBucket({ Bucket: 'mine' }, stranger), { status: 403 });
    assert.equal((await fixture.operations.HeadBucket({ Bucket: 'mine' }, context)).BucketRegion, 'us-east-1');
    assert.deepEqual(await fixture.operations.GetBucketLocation({ Bucket: 'mine' }, inEurope), {});
    assert.deepEqual((await fixture.operations.ListBuckets({}, stranger)).Buckets, []);
  });
});

describe('S3 ListBuckets', () => {
  it('pages, by prefix', async () => {
    await using fixture = await openS3Fixture();
    for (const Bucket of ['aaa', 'bbb-1', 'bbb-2', 'bbb-3']) await fixture.operations.CreateBucket({ Bucket }, context);
    const first = await fixture.operations.ListBuckets({ Prefix: 'bbb', MaxBuckets: 2 }, context);
    assert.deepEqual(
      first.Buckets?.map(({ Name }) => Name),
      ['bbb-1', 'bbb-2'],
    );
    const rest = await fixture.operations.ListBuckets(
      { Prefix: 'bbb', MaxBuckets: 2, ContinuationToken: first.ContinuationToken },
      context,
    );
    assert.deepEqual(
      rest.Buckets?.map(({ Name }) => Name),
      ['bbb-3'],
    );
    assert.equal(rest.ContinuationToken, undefined);
  });
});

describe('S3 DeleteBucket', () => {
  it('refuses a bucket with objects, and takes its configuration along', async () => {
    await using fixture = await openS3Fixture();
    const { operations } = fixture;
    await operations.CreateBucket({ Bucket: 'mine' }, context);
    await operations.PutObject({ Bucket: 'mine', Key: 'x', Body: 'x' }, context);
    await assert.rejects(operations.DeleteBucket({ Bucket: 'mine' }, context), { code: 'BucketNotEmpty', status: 409 });
    await operations.DeleteObject({ Bucket: 'mine', Key: 'x' }, context);
    await operations.DeleteBucket({ Bucket: 'mine' }, context);
    await assert.rejects(operations.HeadBucket({ Bucket: 'mine' }, context), { status: 404 });
    assert.deepEqual(await fixture.store.range({ prefix: ['s3'] }), []);
  });
});
