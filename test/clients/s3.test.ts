import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectVersionsCommand,
  ListPartsCommand,
  NoSuchKey,
  NotFound,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ServiceException,
  SelectObjectContentCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  waitUntilBucketExists,
} from '@aws-sdk/client-s3';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

let server: RunningKobune;
let s3: S3Client;
let buckets = 0;

before(async () => {
  server = await runKobune({ origins: ['https://example.com'] });
  s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
});
after(async () => {
  s3.destroy();
  await server[Symbol.asyncDispose]();
});

async function newBucket(): Promise<string> {
  const Bucket = `sdk-${++buckets}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

/** Matches an error of the SDK by name and HTTP status. */
const failure = (name: string, status: number) => (error: S3ServiceException) =>
  error.name === name && error.$metadata.httpStatusCode === status;

describe('S3 by the AWS SDK for JavaScript', () => {
  it('creates, finds, lists and deletes buckets', async () => {
    const Bucket = await newBucket();
    await waitUntilBucketExists({ client: s3, maxWaitTime: 30, minDelay: 1 }, { Bucket });
    assert.equal((await s3.send(new HeadBucketCommand({ Bucket }))).BucketRegion, 'us-east-1');
    assert.equal((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint, undefined);
    const { Buckets } = await s3.send(new ListBucketsCommand({}));
    assert.ok(Buckets?.some(({ Name }) => Name === Bucket));
    await s3.send(new DeleteBucketCommand({ Bucket }));
    await assert.rejects(s3.send(new HeadBucketCommand({ Bucket })), failure('NotFound', 404));
    await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: 'No_Good' })), failure('InvalidBucketName', 400));
  });

  it('writes and reads objects of every size, streamed or not', async () => {
    const Bucket = await newBucket();
    for (const size of [0, 1, 1000, 16_384, 16_385, 300_000, 3_000_000]) {
      const bytes = randomBytes(size);
      const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
      const Key = `size ${size}`;
      assert.equal((await s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes }))).ETag, etag);
      const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
      assert.equal(got.ETag, etag);
      assert.deepEqual(Buffer.from(await got.Body!.transformToByteArray()), bytes);
      // Without a length known in advance the SDK sends aws-chunked with a trailing checksum.
      const streamed = new PutObjectCommand({
        Bucket,
        Key,
        Body: Readable.from([bytes]),
        ContentLength: size,
        ContentType: 'x/y',
      });
      assert.equal((await s3.send(streamed)).ETag, etag);
      assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength, size);
    }
  });

  it('keeps keys with any character, and all headers', async () => {
    const Bucket = await newBucket();
    const Key = 'a b/ü+%20&<>"\'?#~!*()\u{1f600}/…';
    await s3.send(
      new PutObjectCommand({
        Bucket,
        Key,
        Body: 'x',
        ContentType: 'text/plain; charset=utf-8',
        CacheControl: 'max-age=60',
        ContentDisposition: 'attachment; filename="x"',
        ContentLanguage: 'ja',
        Expires: new Date('2030-01-01T00:00:00Z'),
        Metadata: { 'one-two': 'three' },
        Tagging: 'a=b',
      }),
    );
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    assert.equal(head.ContentType, 'text/plain; charset=utf-8');
    assert.equal(head.CacheControl, 'max-age=60');
    assert.equal(head.ContentLanguage, 'ja');
    assert.equal(head.ExpiresString, 'Tue, 01 Jan 2030 00:00:00 GMT');
    assert.deepEqual(head.Metadata, { 'one-two': 'three' });
    assert.equal(head.ServerSideEncryption, 'AES256');
    assert.ok(head.ChecksumCRC32);
    const { Contents } = await s3.send(new ListObjectsCommand({ Bucket }));
    assert.equal(Contents?.[0]?.Key, Key);
    const copied = { Bucket, Key: 'copy', CopySource: encodeURIComponent(`${Bucket}/${Key}`) };
    await s3.send(new CopyObjectCommand(copied));
    assert.deepEqual((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'copy' }))).TagSet, [
      { Key: 'a', Value: 'b' },
    ]);
    await s3.send(new DeleteObjectCommand({ Bucket, Key }));
    await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key })), NoSuchKey);
    await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key })), NotFound);
  });

  it('answers ranges with 206, and conditions with 304 and 412', async () => {
    const Bucket = await newBucket();
    const Key = 'x';
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key, Body: '0123456789' }));
    const part = await s3.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=-3' }));
    assert.equal(part.$metadata.httpStatusCode, 206);
    assert.equal(await part.Body!.transformToString(), '789');
    const get = (input: object) => s3.send(new GetObjectCommand({ Bucket, Key, ...input }));
    await assert.rejects(get({ Range: 'bytes=10-' }), failure('InvalidRange', 416));
    await assert.rejects(
      get({ IfNoneMatch: ETag }),
      (error: S3ServiceException) => error.$metadata.httpStatusCode === 304,
    );
    await assert.rejects(get({ IfMatch: '"no"' }), failure('PreconditionFailed', 412));
    const again = new PutObjectCommand({ Bucket, Key, Body: 'x', IfNoneMatch: '*' });
    await assert.rejects(s3.send(again), failure('PreconditionFailed', 412));
  });

  it('pages through listings', async () => {
    const Bucket = await newBucket();
    const keys = Array.from({ length: 25 }, (_, i) => `k/${String(i).padStart(2, '0')}`);
    await Promise.all(keys.map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: '' }))));
    const seen: string[] = [];
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 7 }, { Bucket })) {
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key!));
    }
    assert.deepEqual(seen, keys);
    const deleted = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }),
    );
    assert.equal(deleted.Deleted?.length, 25);
  });

  it('uploads in parts', async () => {
    const Bucket = await newBucket();
    const Key = 'film';
    const bytes = randomBytes(5 * 1024 * 1024);
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'SHA256' }));
    const first = await s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: bytes, ChecksumAlgorithm: 'SHA256' }),
    );
    await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'the end' }));
    const second = await s3.send(
      new UploadPartCopyCommand({ Bucket, Key, UploadId, PartNumber: 2, CopySource: `${Bucket}/source` }),
    );
    assert.equal((await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }))).Parts?.length, 2);
    assert.equal((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads?.[0]?.UploadId, UploadId);
    const Parts = [
      { PartNumber: 1, ETag: first.ETag, ChecksumSHA256: first.ChecksumSHA256 },
      { PartNumber: 2, ETag: second.CopyPartResult?.ETag, ChecksumSHA256: second.CopyPartResult?.ChecksumSHA256 },
    ];
    const done = await s3.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
    assert.match(done.ETag!, /^"[0-9a-f]{32}-2"$/);
    assert.match(done.ChecksumSHA256!, /-2$/);
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
    const whole = Buffer.from(await got.Body!.transformToByteArray());
    assert.ok(whole.equals(Buffer.concat([bytes, Buffer.from('the end')])));
    const attributes = new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: ['ObjectParts', 'Checksum'] });
    assert.equal((await s3.send(attributes)).ObjectParts?.TotalPartsCount, 2);
    const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
    await assert.rejects(s3.send(abort), failure('NoSuchUpload', 404));
  });

  it('keeps versions', async () => {
    const Bucket = await newBucket();
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, 'Enabled');
    const { VersionId } = await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'one' }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'two' }));
    const deleted = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'x' }));
    assert.equal(deleted.DeleteMarker, true);
    const listed = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    assert.equal(listed.Versions?.length, 2);
    assert.equal(listed.DeleteMarkers?.length, 1);
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'x', VersionId }));
    assert.equal(await got.Body!.transformToString(), 'one');
  });

  it('keeps settings', async () => {
    const Bucket = await newBucket();
    const CORSRules = [{ AllowedMethods: ['GET'], AllowedOrigins: ['https://example.com'] }];
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    assert.deepEqual((await s3.send(new GetBucketCorsCommand({ Bucket }))).CORSRules, CORSRules);
    const TagSet = [{ Key: 'team', Value: 'blue + green' }];
    await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    assert.deepEqual((await s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet, TagSet);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'x' }));
    await s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'x', Tagging: { TagSet } }));
    assert.deepEqual((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'x' }))).TagSet, TagSet);
    const Rules = [{ ID: 'a', Status: 'Enabled' as const, Filter: { Prefix: 'logs/' }, Expiration: { Days: 3 } }];
    await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
    assert.deepEqual((await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).Rules, Rules);
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: '999988887777' },
          Action: 's3:GetObject',
          Resource: `arn:aws:s3:::${Bucket}/*`,
        },
      ],
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    assert.equal((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy, Policy);
    const select = new SelectObjectContentCommand({
      Bucket,
      Key: 'x',
      Expression: 'select * from s3object',
      ExpressionType: 'SQL',
      InputSerialization: { CSV: {} },
      OutputSerialization: { CSV: {} },
    });
    await assert.rejects(s3.send(select), failure('NotImplemented', 501));
  });

  it('answers browsers of allowed origins', async () => {
    const Bucket = await newBucket();
    const CORSRules = [
      { AllowedMethods: ['GET', 'PUT'], AllowedOrigins: ['https://example.com'], AllowedHeaders: ['*'] },
    ];
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'hi' }));
    const origin = { origin: 'https://example.com' };
    const preflight = await send('OPTIONS', `/${Bucket}/x`, {
      ...origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'content-type',
    });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers['access-control-allow-origin'], 'https://example.com');
    assert.equal(preflight.headers['access-control-allow-headers'], 'content-type');
    const signed = {
      ...origin,
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    };
    const answer = await send('GET', `/${Bucket}/x`, { ...signed, 'x-amz-date': '20260101T000000Z' });
    assert.equal(answer.body, 'hi');
    assert.equal(answer.headers['access-control-allow-origin'], 'https://example.com');
  });

  it('refuses forms and signatures of version 2 by name', async () => {
    const Bucket = await newBucket();
    const form = new FormData();
    form.set('key', 'x');
    form.set('file', new Blob(['x']));
    const posted = await fetch(`${server.endpoint}/${Bucket}`, { method: 'POST', body: form });
    assert.equal(posted.status, 501);
    assert.match(await posted.text(), /POST Object/);
    const old = await fetch(`${server.endpoint}/${Bucket}/x?AWSAccessKeyId=a&Expires=9999999999&Signature=b`);
    assert.equal(old.status, 400);
    assert.match(await old.text(), /<Code>InvalidRequest<.*AWS4-HMAC-SHA256/);
  });

  it('leaves nothing of an upload that was broken off', async () => {
    const Bucket = await newBucket();
    await new Promise<void>((resolve) => {
      const { hostname, port } = new URL(server.endpoint);
      const upload = request({
        hostname,
        port,
        method: 'PUT',
        path: `/${Bucket}/half`,
        headers: { 'content-length': 1e6 },
      });
      upload.on('error', () => resolve());
      upload.write(randomBytes(300_000), () => setImmediate(() => upload.destroy(new Error('gone'))));
    });
    await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: 'half' })), NotFound);
  });
});

function send(
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number | undefined; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.endpoint);
    const sent = request({ hostname, port, method, path, headers }, (answer) => {
      let body = '';
      answer.on('data', (chunk) => {
        body += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}
