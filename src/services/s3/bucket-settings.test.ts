import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();

async function withBucket(): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  return fixture;
}

const statement = (changes: object = {}) => ({
  Effect: 'Allow',
  Principal: { AWS: 'arn:aws:iam::999988887777:root' },
  Action: 's3:GetObject',
  Resource: `arn:aws:s3:::${Bucket}/*`,
  ...changes,
});
const policyOf = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const everybody = { Principal: '*' };

describe('S3 bucket policy', () => {
  it('is kept as it was given', async () => {
    await using fixture = await withBucket();
    await assert.rejects(fixture.operations.GetBucketPolicy({ Bucket }, context), { code: 'NoSuchBucketPolicy' });
    const Policy = policyOf(statement());
    await fixture.operations.PutBucketPolicy({ Bucket, Policy }, context);
    assert.equal((await fixture.operations.GetBucketPolicy({ Bucket }, context)).Policy, Policy);
    await fixture.operations.DeleteBucketPolicy({ Bucket }, context);
    await assert.rejects(fixture.operations.GetBucketPolicy({ Bucket }, context), { code: 'NoSuchBucketPolicy' });
  });

  it('must be one', async () => {
    await using fixture = await withBucket();
    const malformed = [
      '',
      '[]',
      '{',
      JSON.stringify({ Version: '2020-01-01', Statement: [statement()] }),
      JSON.stringify({ Version: '2012-10-17' }),
      policyOf(statement({ Effect: 'Maybe' })),
      policyOf(statement({ Principal: undefined })),
      policyOf(statement({ Principal: { AWS: 'nobody' } })),
      policyOf(statement({ Action: 'ec2:Run' })),
      policyOf(statement({ Resource: 'arn:aws:s3:::other/*' })),
      policyOf(statement({ NotAction: 's3:PutObject' })),
      policyOf(statement({ Unknown: 1 })),
      policyOf(statement({ Sid: 'x'.repeat(21_000) })),
    ];
    for (const Policy of malformed) {
      await assert.rejects(
        fixture.operations.PutBucketPolicy({ Bucket, Policy }, context),
        { code: 'MalformedPolicy' },
        Policy,
      );
    }
  });

  it('may let everybody in only when that is not blocked', async () => {
    await using fixture = await withBucket();
    const Policy = policyOf(statement(everybody));
    await assert.rejects(fixture.operations.PutBucketPolicy({ Bucket, Policy }, context), {
      code: 'AccessDenied',
      message: /BlockPublicPolicy/,
    });
    const tied = statement({ ...everybody, Condition: { StringEquals: { 'aws:SourceAccount': '111122223333' } } });
    await fixture.operations.PutBucketPolicy({ Bucket, Policy: policyOf(tied) }, context);
    const loose = statement({ ...everybody, Condition: { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } } });
    await assert.rejects(fixture.operations.PutBucketPolicy({ Bucket, Policy: policyOf(loose) }, context));
    await fixture.operations.DeletePublicAccessBlock({ Bucket }, context);
    await fixture.operations.PutBucketPolicy({ Bucket, Policy }, context);
    const { PolicyStatus } = await fixture.operations.GetBucketPolicyStatus({ Bucket }, context);
    assert.equal(PolicyStatus?.IsPublic, true);
  });
});

describe('S3 authorization', () => {
  const ask = async (fixture: S3Fixture, operation: string, input: object, from = context) =>
    fixture.s3.authorization!(operation, { Bucket, ...input } as never, from);

  it('names action, resource and conditions', async () => {
    await using fixture = await withBucket();
    assert.deepEqual(await ask(fixture, 'GetObject', { Key: 'a/b' }), [
      {
        action: 's3:GetObject',
        resource: `arn:aws:s3:::${Bucket}/a/b`,
        conditions: {},
        resourceAccount: '111122223333',
      },
    ]);
    const [list] = await ask(fixture, 'ListObjectsV2', { Prefix: 'a/' });
    assert.equal(list?.action, 's3:ListBucket');
    assert.deepEqual(list?.conditions, { 's3:prefix': ['a/'] });
    const copy = await ask(fixture, 'CopyObject', { Key: 'b', CopySource: `${Bucket}/a?versionId=v1` });
    assert.deepEqual(
      copy.map(({ action, resource }) => [action, resource]),
      [
        ['s3:PutObject', `arn:aws:s3:::${Bucket}/b`],
        ['s3:GetObjectVersion', `arn:aws:s3:::${Bucket}/a`],
      ],
    );
    const put = await ask(fixture, 'PutObject', { Key: 'b', Tagging: 'x=1' });
    assert.deepEqual(
      put.map(({ action }) => action),
      ['s3:PutObject', 's3:PutObjectTagging'],
    );
  });

  it('knows the action of every operation that is there', async () => {
    await using fixture = await withBucket();
    for (const operation of Object.keys(fixture.operations)) {
      const requests = await ask(fixture, operation, {
        Key: 'a',
        CopySource: operation.includes('Copy') ? `${Bucket}/a` : undefined,
        Delete: { Objects: [{ Key: 'a' }] },
      });
      assert.ok(requests.length > 0, operation);
      for (const { resource } of requests) assert.match(resource, /^(\*|arn:aws:s3:::pictures(\/a)?)$/, operation);
    }
  });

  it('does not hear a public policy from outside when buckets are restricted', async () => {
    await using fixture = await withBucket();
    const block = { BlockPublicPolicy: false, RestrictPublicBuckets: true };
    await fixture.operations.PutPublicAccessBlock({ Bucket, PublicAccessBlockConfiguration: block }, context);
    await fixture.operations.PutBucketPolicy({ Bucket, Policy: policyOf(statement(everybody)) }, context);
    const outside = requestContext({
      principal: { ...context.principal, account: '999988887777' },
      account: '999988887777',
    });
    assert.equal((await ask(fixture, 'GetObject', { Key: 'a' }, outside))[0]?.resourcePolicy, undefined);
    assert.ok((await ask(fixture, 'GetObject', { Key: 'a' }))[0]?.resourcePolicy);
  });
});

describe('S3 CORS', () => {
  const rule = {
    AllowedOrigins: ['https://*.example.com'],
    AllowedMethods: ['GET', 'PUT'],
    AllowedHeaders: ['x-amz-*', 'content-type'],
    ExposeHeaders: ['etag'],
    MaxAgeSeconds: 60,
  };
  const setCors = (fixture: S3Fixture, CORSRules: object[]) =>
    fixture.operations.PutBucketCors({ Bucket, CORSConfiguration: { CORSRules: CORSRules as never } }, context);
  const preflight = (fixture: S3Fixture, headers: Record<string, string>) =>
    fixture.s3.preflight!({ bucket: Bucket, key: 'a', headers });

  it('answers preflights by the first rule that fits', async () => {
    await using fixture = await withBucket();
    const asked = { origin: 'https://a.example.com', 'access-control-request-method': 'PUT' };
    await assert.rejects(preflight(fixture, asked), { code: 'AccessForbidden', status: 403 });
    await setCors(fixture, [rule]);
    const { headers } = await preflight(fixture, {
      ...asked,
      'access-control-request-headers': 'X-Amz-Date, Content-Type',
    });
    assert.deepEqual(headers, {
      'access-control-allow-origin': 'https://a.example.com',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'x-amz-date, content-type',
      'access-control-expose-headers': 'etag',
      'access-control-max-age': '60',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    });
    await assert.rejects(preflight(fixture, { ...asked, origin: 'https://example.org' }), { status: 403 });
    await assert.rejects(preflight(fixture, { ...asked, 'access-control-request-method': 'DELETE' }), { status: 403 });
    await assert.rejects(preflight(fixture, { ...asked, 'access-control-request-headers': 'x-other' }), {
      status: 403,
    });
    await assert.rejects(preflight(fixture, { origin: 'https://a.example.com' }), { code: 'BadRequest' });
  });

  it('lets pages read answers', async () => {
    await using fixture = await withBucket();
    await setCors(fixture, [{ AllowedOrigins: ['*'], AllowedMethods: ['GET'] }]);
    const from = requestContext({ operation: 'ListObjectsV2', headers: { origin: 'https://a.example' } });
    await fixture.operations.ListObjectsV2({ Bucket }, from);
    assert.equal(from.responseHeaders['access-control-allow-origin'], '*');
    const put = requestContext({ operation: 'PutObject', headers: { origin: 'https://a.example' } });
    await fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x' }, put);
    assert.deepEqual(put.responseHeaders, {});
  });

  it('checks and gives back rules', async () => {
    await using fixture = await withBucket();
    await assert.rejects(setCors(fixture, []), { code: 'MalformedXML' });
    await assert.rejects(setCors(fixture, [{ ...rule, AllowedMethods: ['PATCH'] }]), { code: 'InvalidRequest' });
    await assert.rejects(setCors(fixture, [{ ...rule, AllowedOrigins: ['*.*'] }]), { code: 'InvalidRequest' });
    await setCors(fixture, [{ ID: 'one', ...rule }]);
    const got = await fixture.operations.GetBucketCors({ Bucket }, context);
    assert.deepEqual(got.CORSRules, [{ ID: 'one', ...rule }]);
    await fixture.operations.DeleteBucketCors({ Bucket }, context);
    await assert.rejects(fixture.operations.GetBucketCors({ Bucket }, context), { code: 'NoSuchCORSConfiguration' });
  });
});

describe('S3 bucket settings', () => {
  it('keep tags', async () => {
    await using fixture = await withBucket();
    const TagSet = [{ Key: 'team', Value: 'blue' }];
    await fixture.operations.PutBucketTagging({ Bucket, Tagging: { TagSet } }, context);
    assert.deepEqual((await fixture.operations.GetBucketTagging({ Bucket }, context)).TagSet, TagSet);
    const twice = [...TagSet, ...TagSet];
    await assert.rejects(fixture.operations.PutBucketTagging({ Bucket, Tagging: { TagSet: twice } }, context), {
      code: 'InvalidTag',
    });
    await fixture.operations.DeleteBucketTagging({ Bucket }, context);
    await assert.rejects(fixture.operations.GetBucketTagging({ Bucket }, context), {
      code: 'NoSuchTagSet',
      status: 404,
    });
  });

  it('refuse other encryption and ownership than there is', async () => {
    await using fixture = await withBucket();
    const encrypt = (SSEAlgorithm: 'AES256' | 'aws:kms') =>
      fixture.operations.PutBucketEncryption(
        {
          Bucket,
          ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm } }] },
        },
        context,
      );
    await encrypt('AES256');
    await assert.rejects(encrypt('aws:kms'), { code: 'NotImplemented', message: /aws:kms/ });
    const own = (ObjectOwnership: 'ObjectWriter' | 'BucketOwnerEnforced') =>
      fixture.operations.PutBucketOwnershipControls(
        { Bucket, OwnershipControls: { Rules: [{ ObjectOwnership }] } },
        context,
      );
    await own('BucketOwnerEnforced');
    await assert.rejects(own('ObjectWriter'), { code: 'NotImplemented' });
    await assert.rejects(fixture.operations.PutBucketAcl({ Bucket, ACL: 'private' }, context), {
      code: 'AccessControlListNotSupported',
    });
    const acl = await fixture.operations.GetBucketAcl({ Bucket }, context);
    assert.equal(acl.Grants?.[0]?.Permission, 'FULL_CONTROL');
  });

  it('block public access from the start', async () => {
    await using fixture = await withBucket();
    const { PublicAccessBlockConfiguration } = await fixture.operations.GetPublicAccessBlock({ Bucket }, context);
    assert.deepEqual(PublicAccessBlockConfiguration, {
      BlockPublicAcls: true,
      IgnorePublicAcls: true,
      BlockPublicPolicy: true,
      RestrictPublicBuckets: true,
    });
  });
});

describe('S3 for other services', () => {
  it('reads and writes objects of an account', async () => {
    await using fixture = await withBucket();
    const { objects } = fixture.s3;
    const { etag } = await objects.write('111122223333', Bucket, 'report.json', Buffer.from('{}'));
    const read = await objects.read('111122223333', Bucket, 'report.json');
    assert.deepEqual([read.etag, read.size], [etag, 2]);
    await assert.rejects(objects.read('999988887777', Bucket, 'report.json'), { code: 'AccessDenied' });
  });
});

describe('S3 operations', () => {
  it('are there or refused by name, all of them', async () => {
    await using fixture = await openS3Fixture();
    const sdk = await import('@aws-sdk/client-s3');
    const known = Object.keys(sdk)
      .filter((name) => /^[A-Z].*Command$/.test(name))
      .map((name) => name.slice(0, -'Command'.length));
    const { operations, refused } = fixture.s3;
    assert.deepEqual(
      known.filter((name) => !(name in operations) && !(name in refused)),
      [],
    );
    assert.deepEqual(
      Object.keys(refused).filter((name) => name in operations || !known.includes(name)),
      [],
    );
  });
});
