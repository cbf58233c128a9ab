import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { checksum } from '../../base/checksum/index.ts';
import { bodyOf, openS3Fixture, requestContext, type S3Fixture, streamOf } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();

async function withBucket(): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  return fixture;
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

describe('S3 PutObject', () => {
  it('keeps a small object with its headers, metadata and checksum', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    const put = await operations.PutObject(
      {
        Bucket,
        Key: 'a/b c.txt',
        Body: streamOf(Buffer.from('hello')),
        ContentType: 'text/plain',
        CacheControl: 'no-cache',
        ContentEncoding: 'aws-chunked,gzip',
        Metadata: { colour: 'red' },
        StorageClass: 'STANDARD_IA',
        Tagging: 'team=blue&a%20b=c+d',
      },
      context,
    );
    assert.equal(put.ETag, '"5d41402abc4b2a76b9719d911017c592"');
    assert.equal(put.ServerSideEncryption, 'AES256');
    assert.equal(put.ChecksumCRC64NVME, checksum('CRC64NVME', Buffer.from('hello')).toString('base64'));
    const got = await operations.GetObject({ Bucket, Key: 'a/b c.txt', ChecksumMode: 'ENABLED' }, context);
    assert.equal((await bodyOf(got)).toString(), 'hello');
    assert.equal(got.ContentType, 'text/plain');
    assert.equal(got.CacheControl, 'no-cache');
    assert.equal(got.ContentEncoding, 'gzip');
    assert.deepEqual(got.Metadata, { colour: 'red' });
    assert.equal(got.StorageClass, 'STANDARD_IA');
    assert.equal(got.TagCount, 2);
    assert.equal(got.ContentLength, 5);
    assert.equal(got.ChecksumCRC64NVME, put.ChecksumCRC64NVME);
    assert.equal(got.ChecksumType, 'FULL_OBJECT');
    assert.equal(got.VersionId, undefined);
  });

  it('streams a large object to a file and lets go of it when it is replaced', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    const bytes = randomBytes(3_000_000);
    const put = await operations.PutObject({ Bucket, Key: 'big', Body: streamOf(bytes) }, context);
    assert.equal(put.ETag, `"${md5(bytes)}"`);
    const got = await operations.GetObject({ Bucket, Key: 'big' }, context);
    assert.deepEqual(await bodyOf(got), bytes);
    assert.equal((await fixture.blobs.collect()).deleted, 0);
    await operations.PutObject({ Bucket, Key: 'big', Body: streamOf(Buffer.from('small')) }, context);
    assert.equal((await fixture.blobs.collect()).deleted, 1);
  });

  it('keeps nothing of an upload whose client went away', async () => {
    await using fixture = await withBucket();
    const broken = Readable.from(
      (async function* () {
        yield randomBytes(200_000);
        throw new Error('aborted');
      })(),
    );
    await assert.rejects(fixture.operations.PutObject({ Bucket, Key: 'x', Body: broken }, context), /aborted/);
    await assert.rejects(fixture.operations.HeadObject({ Bucket, Key: 'x' }, context), {
      code: 'NotFound',
      status: 404,
    });
    assert.deepEqual(await fixture.blobs.collect(), { deleted: 0, bytes: 0 });
  });

  it('refuses a body that does not have its checksum, small or large, and keeps nothing', async () => {
    await using fixture = await withBucket();
    for (const size of [10, 300_000]) {
      const wrong = checksum('CRC32', Buffer.from('other')).toString('base64');
      await assert.rejects(
        fixture.operations.PutObject(
          { Bucket, Key: 'x', Body: Readable.from([randomBytes(size)]), ChecksumCRC32: wrong },
          context,
        ),
        { code: 'BadDigest', status: 400 },
      );
      await assert.rejects(
        fixture.operations.PutObject(
          { Bucket, Key: 'x', Body: streamOf(randomBytes(size)), ContentMD5: Buffer.alloc(16).toString('base64') },
          context,
        ),
        { code: 'BadDigest' },
      );
    }
    await assert.rejects(fixture.operations.HeadObject({ Bucket, Key: 'x' }, context), { code: 'NotFound' });
    await fixture.blobs.collect();
    assert.deepEqual(await fixture.store.range({ prefix: ['blob-references'] }), []);
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'inline'] }), []);
  });

  it('refuses a body shorter than its announced length', async () => {
    await using fixture = await withBucket();
    const body = Object.assign(Readable.from([Buffer.from('abc')]), { contentLength: 10, trailers: {} });
    await assert.rejects(fixture.operations.PutObject({ Bucket, Key: 'x', Body: body }, context), {
      code: 'IncompleteBody',
    });
  });

  it('wants to know the length in advance', async () => {
    await using fixture = await withBucket();
    const body = Object.assign(Readable.from([Buffer.from('abc')]), { contentLength: undefined, trailers: {} });
    await assert.rejects(fixture.operations.PutObject({ Bucket, Key: 'x', Body: body }, context), {
      code: 'MissingContentLength',
      status: 411,
    });
  });

  it('refuses more than 5 GB by the announced length, without reading', async () => {
    await using fixture = await withBucket();
    const body = Object.assign(Readable.from([Buffer.from('abc')]), { contentLength: 5 * 1024 ** 3 + 1, trailers: {} });
    await assert.rejects(fixture.operations.PutObject({ Bucket, Key: 'x', Body: body }, context), {
      code: 'EntityTooLarge',
    });
  });

  for (const kind of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    it(`verifies and returns ${kind}`, async () => {
      await using fixture = await withBucket();
      for (const size of [100, 100_000]) {
        const bytes = randomBytes(size);
        const value = checksum(kind, bytes).toString('base64');
        const put = await fixture.operations.PutObject(
          { Bucket, Key: 'x', Body: Readable.from([bytes]), [`Checksum${kind}`]: value },
          context,
        );
        assert.equal(put[`Checksum${kind}`], value);
        const head = await fixture.operations.HeadObject({ Bucket, Key: 'x', ChecksumMode: 'ENABLED' }, context);
        assert.equal(head[`Checksum${kind}`], value);
        const plain = await fixture.operations.HeadObject({ Bucket, Key: 'x' }, context);
        assert.equal(plain[`Checksum${kind}`], undefined);
      }
    });
  }

  it('takes a checksum from the trailers', async () => {
    await using fixture = await withBucket();
    const bytes = randomBytes(40_000);
    const value = checksum('CRC32', bytes).toString('base64');
    const body = Object.assign(Readable.from([bytes]), {
      contentLength: bytes.length,
      trailers: { 'x-amz-checksum-crc32': value },
    });
    const put = await fixture.operations.PutObject(
      { Bucket, Key: 'x', Body: body },
      requestContext({ headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' } }),
    );
    assert.equal(put.ChecksumCRC32, value);
  });

  it('refuses what it would have to ignore, by name', async () => {
    await using fixture = await withBucket();
    const put = (input: object) => fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x', ...input }, context);
    await assert.rejects(put({ ServerSideEncryption: 'aws:kms' }), { code: 'NotImplemented', message: /aws:kms/ });
    await assert.rejects(put({ SSECustomerAlgorithm: 'AES256' }), { code: 'NotImplemented', message: /SSE-C/ });
    await assert.rejects(put({ ObjectLockMode: 'GOVERNANCE' }), { code: 'NotImplemented', message: /Object Lock/ });
    await assert.rejects(put({ StorageClass: 'GLACIER' }), { code: 'NotImplemented', message: /GLACIER/ });
    await assert.rejects(put({ StorageClass: 'NOPE' }), { code: 'InvalidStorageClass' });
    await assert.rejects(put({ ACL: 'public-read' }), { code: 'AccessControlListNotSupported' });
    await assert.rejects(put({ Metadata: { a: 'x'.repeat(2048) } }), { code: 'MetadataTooLarge' });
    await assert.rejects(put({ Key: 'é'.repeat(513) }), { code: 'KeyTooLongError' });
    await assert.rejects(put({ Tagging: Array.from({ length: 11 }, (_, i) => `k${i}=v`).join('&') }), {
      code: 'InvalidArgument',
    });
    await put({ Key: 'é'.repeat(512) });
  });

  it('writes only when its conditions hold', async () => {
    await using fixture = await withBucket();
    const put = (input: object) => fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x', ...input }, context);
    await assert.rejects(put({ IfMatch: '"abc"' }), { code: 'NoSuchKey', status: 404 });
    const { ETag } = await put({ IfNoneMatch: '*' });
    await assert.rejects(put({ IfNoneMatch: '*' }), { code: 'PreconditionFailed', status: 412 });
    await put({ IfMatch: ETag });
    await assert.rejects(put({ IfMatch: '"abc"' }), { code: 'PreconditionFailed' });
    await assert.rejects(put({ IfNoneMatch: '"abc"' }), { code: 'NotImplemented' });
  });

  it('lets only one of many writers create a key', async () => {
    await using fixture = await withBucket();
    const attempts = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        fixture.operations.PutObject({ Bucket, Key: 'x', Body: `${i}`, IfNoneMatch: '*' }, context),
      ),
    );
    assert.equal(attempts.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await fixture.store.range({ prefix: ['s3', 'inline'] })).length, 1);
  });
});

describe('S3 GetObject', () => {
  it('sends ranges, and 416 for one outside the object', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    for (const size of [1000, 2_500_000]) {
      const bytes = randomBytes(size);
      await operations.PutObject({ Bucket, Key: 'x', Body: streamOf(bytes) }, context);
      const get = async (Range: string) => {
        const got = await operations.GetObject({ Bucket, Key: 'x', Range }, context);
        return { range: got.ContentRange, length: got.ContentLength, bytes: await bodyOf(got) };
      };
      assert.deepEqual(await get('bytes=10-19'), {
        range: `bytes 10-19/${size}`,
        length: 10,
        bytes: bytes.subarray(10, 20),
      });
      assert.deepEqual((await get('bytes=990-')).bytes, bytes.subarray(990));
      assert.deepEqual((await get('bytes=-7')).bytes, bytes.subarray(size - 7));
      assert.deepEqual((await get('bytes=0-99999999')).range, `bytes 0-${size - 1}/${size}`);
      assert.equal((await get('bytes=0-1,5-6')).range, undefined);
      assert.equal((await get('lines=0-1')).range, undefined);
      await assert.rejects(get(`bytes=${size}-`), { code: 'InvalidRange', status: 416 });
      await assert.rejects(get('bytes=-0'), { code: 'InvalidRange' });
    }
  });

  it('answers 304 and 412 in the order that RFC 7232 gives', async () => {
    await using fixture = await withBucket();
    const { ETag } = await fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x' }, context);
    const get = (input: object) => fixture.operations.GetObject({ Bucket, Key: 'x', ...input }, context);
    const now = fixture.clock.now();
    const before = new Date(now - 60_000);
    const after = new Date(now + 60_000);
    await get({ IfMatch: ETag, IfUnmodifiedSince: before });
    await assert.rejects(get({ IfMatch: '"no"' }), { status: 412 });
    await assert.rejects(get({ IfUnmodifiedSince: before }), { status: 412 });
    await assert.rejects(get({ IfNoneMatch: ETag, IfModifiedSince: before }), { status: 304 });
    await get({ IfNoneMatch: '"no"', IfModifiedSince: after });
    await assert.rejects(get({ IfModifiedSince: after }), { status: 304 });
    await assert.rejects(get({ IfMatch: '"no"', IfNoneMatch: ETag }), { status: 412 });
    await get({ IfMatch: '*' });
  });

  it('answers with the headers that the request overrides', async () => {
    await using fixture = await withBucket();
    await fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x' }, context);
    const got = await fixture.operations.GetObject(
      { Bucket, Key: 'x', ResponseContentType: 'text/csv', ResponseContentDisposition: 'attachment' },
      context,
    );
    assert.equal(got.ContentType, 'text/csv');
    assert.equal(got.ContentDisposition, 'attachment');
  });

  it('reads one whole version while the object is replaced and old files are collected', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    const bodies = [
      Buffer.alloc(100, 'a'),
      Buffer.alloc(40_000, 'b'),
      Buffer.alloc(3_000_000, 'c'),
      Buffer.alloc(5, 'd'),
    ];
    await operations.PutObject({ Bucket, Key: 'x', Body: bodies[0] }, context);
    let writing = true;
    const writer = (async () => {
      for (let i = 1; i <= 40; i++) {
        await operations.PutObject({ Bucket, Key: 'x', Body: bodies[i % bodies.length] }, context);
        await fixture.blobs.collect();
      }
      writing = false;
    })();
    const readers = Array.from({ length: 4 }, async () => {
      while (writing) {
        const got = await operations.GetObject({ Bucket, Key: 'x' }, context);
        const bytes = await bodyOf(got);
        assert.equal(bytes.length, got.ContentLength);
        assert.equal(`"${md5(bytes)}"`, got.ETag);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    await Promise.all([writer, ...readers]);
  });

  it('tells a missing key from a missing bucket', async () => {
    await using fixture = await withBucket();
    await assert.rejects(fixture.operations.GetObject({ Bucket, Key: 'x' }, context), {
      code: 'NoSuchKey',
      status: 404,
      members: { Key: 'x' },
    });
    await assert.rejects(fixture.operations.GetObject({ Bucket: 'nope', Key: 'x' }, context), {
      code: 'NoSuchBucket',
      status: 404,
    });
  });
});

describe('S3 DeleteObject', () => {
  it('succeeds for a key that is not there', async () => {
    await using fixture = await withBucket();
    assert.deepEqual(await fixture.operations.DeleteObject({ Bucket, Key: 'x' }, context), {});
  });

  it('deletes only what matches its condition', async () => {
    await using fixture = await withBucket();
    const { ETag } = await fixture.operations.PutObject({ Bucket, Key: 'x', Body: 'x' }, context);
    await assert.rejects(fixture.operations.DeleteObject({ Bucket, Key: 'x', IfMatch: '"no"' }, context), {
      status: 412,
    });
    await fixture.operations.DeleteObject({ Bucket, Key: 'x', IfMatch: ETag }, context);
    await assert.rejects(fixture.operations.GetObject({ Bucket, Key: 'x' }, context), { code: 'NoSuchKey' });
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'inline'] }), []);
  });
});

describe('S3 DeleteObjects', () => {
  it('reports each key, or only failures when quiet', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    await operations.PutObject({ Bucket, Key: 'a', Body: 'x' }, context);
    const Objects = [{ Key: 'a' }, { Key: 'nope' }, { Key: 'b', VersionId: 'not-an-id' }];
    const loud = await operations.DeleteObjects({ Bucket, Delete: { Objects } }, context);
    assert.deepEqual(loud.Deleted, [{ Key: 'a' }, { Key: 'nope' }]);
    assert.equal(loud.Errors?.[0]?.Code, 'InvalidArgument');
    const quiet = await operations.DeleteObjects({ Bucket, Delete: { Objects, Quiet: true } }, context);
    assert.equal(quiet.Deleted, undefined);
    assert.equal(quiet.Errors?.length, 1);
    await assert.rejects(
      operations.DeleteObjects(
        { Bucket, Delete: { Objects: Array.from({ length: 1001 }, (_, i) => ({ Key: `${i}` })) } },
        context,
      ),
      { code: 'MalformedXML' },
    );
  });
});
