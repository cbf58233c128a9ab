import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { checksum } from '../../base/checksum/index.ts';
import { bodyOf, openS3Fixture, requestContext, type S3Fixture, streamOf } from './s3-fixture.ts';

const Bucket = 'pictures';
const Key = 'big/film.mp4';
const context = requestContext();
const partSize = 5 * 1024 * 1024;

async function withBucket(): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  return fixture;
}

async function begin(fixture: S3Fixture, input: object = {}): Promise<string> {
  const created = await fixture.operations.CreateMultipartUpload({ Bucket, Key, ...input }, context);
  return created.UploadId!;
}

async function upload(fixture: S3Fixture, UploadId: string, PartNumber: number, bytes: Uint8Array, input: object = {}) {
  const body = Readable.from([bytes]);
  const part = await fixture.operations.UploadPart(
    { Bucket, Key, UploadId, PartNumber, Body: body, ...input },
    context,
  );
  return { ...part, PartNumber };
}

const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();

describe('S3 multipart uploads', () => {
  it('make one object of their parts, with the ETag of their ETags', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    const UploadId = await begin(fixture, { ContentType: 'video/mp4', Metadata: { a: 'b' }, Tagging: 'x=y' });
    const bytes = [randomBytes(partSize), randomBytes(partSize + 7), randomBytes(100)];
    const parts = [];
    for (const [index, part] of bytes.entries()) parts.push(await upload(fixture, UploadId, index + 1, part));
    const done = await operations.CompleteMultipartUpload(
      { Bucket, Key, UploadId, MultipartUpload: { Parts: parts } },
      context,
    );
    const etag = `"${createHash('md5')
      .update(Buffer.concat(bytes.map(md5)))
      .digest('hex')}-3"`;
    assert.equal(done.ETag, etag);
    const whole = Buffer.concat(bytes);
    assert.equal(done.ChecksumCRC64NVME, checksum('CRC64NVME', whole).toString('base64'));
    assert.equal(done.ChecksumType, 'FULL_OBJECT');
    const got = await operations.GetObject({ Bucket, Key }, context);
    assert.equal(got.ETag, etag);
    assert.equal(got.ContentType, 'video/mp4');
    assert.equal(got.TagCount, 1);
    assert.ok((await bodyOf(got)).equals(whole));
    const across = await operations.GetObject({ Bucket, Key, Range: `bytes=${partSize - 5}-${partSize + 4}` }, context);
    assert.deepEqual(await bodyOf(across), whole.subarray(partSize - 5, partSize + 5));
    const second = await operations.GetObject({ Bucket, Key, PartNumber: 2 }, context);
    assert.equal(second.PartsCount, 3);
    assert.equal(second.ContentRange, `bytes ${partSize}-${2 * partSize + 6}/${whole.length}`);
    assert.ok((await bodyOf(second)).equals(bytes[1]!));
    await assert.rejects(operations.GetObject({ Bucket, Key, PartNumber: 4 }, context), { code: 'InvalidPartNumber' });
    await assert.rejects(operations.ListParts({ Bucket, Key, UploadId }, context), { code: 'NoSuchUpload' });
    await operations.DeleteObject({ Bucket, Key }, context);
    assert.deepEqual(await fixture.store.range({ prefix: ['blob-references'] }), []);
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'parts'] }), []);
  });

  it('refuse parts that are out of order, unknown or too small', async () => {
    await using fixture = await withBucket();
    const UploadId = await begin(fixture);
    const small = await upload(fixture, UploadId, 1, randomBytes(10));
    const last = await upload(fixture, UploadId, 2, randomBytes(10));
    const complete = (Parts: object[]) =>
      fixture.operations.CompleteMultipartUpload(
        { Bucket, Key, UploadId, MultipartUpload: { Parts: Parts as never } },
        context,
      );
    await assert.rejects(complete([small, last]), { code: 'EntityTooSmall', status: 400 });
    await assert.rejects(complete([last, small]), { code: 'InvalidPartOrder' });
    await assert.rejects(complete([{ PartNumber: 3, ETag: small.ETag }]), { code: 'InvalidPart' });
    await assert.rejects(complete([{ PartNumber: 1, ETag: '"no"' }]), { code: 'InvalidPart' });
    await assert.rejects(complete([]), { code: 'MalformedXML' });
    for (const PartNumber of [0, 10_001]) {
      await assert.rejects(upload(fixture, UploadId, PartNumber, randomBytes(1)), { code: 'InvalidArgument' });
    }
    await complete([last]);
    const got = await fixture.operations.GetObject({ Bucket, Key }, context);
    assert.equal(got.ContentLength, 10);
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'uploaded-part'] }), []);
  });

  it('keep the last of two parts with one number, and nothing once aborted', async () => {
    await using fixture = await withBucket();
    const UploadId = await begin(fixture);
    await upload(fixture, UploadId, 1, randomBytes(100_000));
    const again = await upload(fixture, UploadId, 1, randomBytes(100_000));
    const listed = await fixture.operations.ListParts({ Bucket, Key, UploadId }, context);
    assert.deepEqual(
      listed.Parts?.map(({ ETag }) => ETag),
      [again.ETag],
    );
    assert.equal((await fixture.blobs.collect()).deleted, 1);
    await fixture.operations.AbortMultipartUpload({ Bucket, Key, UploadId }, context);
    await assert.rejects(upload(fixture, UploadId, 2, randomBytes(1)), { code: 'NoSuchUpload', status: 404 });
    assert.equal((await fixture.blobs.collect()).deleted, 1);
    assert.deepEqual(await fixture.store.range({ prefix: ['blob-references'] }), []);
  });

  it('take part checksums and make a composite one', async () => {
    await using fixture = await withBucket();
    for (const kind of ['SHA1', 'SHA256', 'CRC32', 'CRC32C'] as const) {
      const UploadId = await begin(fixture, { ChecksumAlgorithm: kind });
      const bytes = [randomBytes(partSize), randomBytes(9)];
      const digests = bytes.map((part) => checksum(kind, part));
      await assert.rejects(upload(fixture, UploadId, 1, bytes[0]!), { code: 'InvalidRequest', message: /null/ });
      const parts = [];
      for (const [index, part] of bytes.entries()) {
        const value = digests[index]!.toString('base64');
        parts.push(await upload(fixture, UploadId, index + 1, part, { [`Checksum${kind}`]: value }));
      }
      const complete = (Parts: object[]) =>
        fixture.operations.CompleteMultipartUpload(
          { Bucket, Key, UploadId, MultipartUpload: { Parts: Parts as never } },
          context,
        );
      await assert.rejects(complete(parts.map(({ ETag, PartNumber }) => ({ ETag, PartNumber }))), {
        code: 'InvalidRequest',
        message: /missing for part 1/,
      });
      const done = await complete(parts);
      assert.equal(done[`Checksum${kind}`], `${checksum(kind, Buffer.concat(digests)).toString('base64')}-2`);
      assert.equal(done.ChecksumType, 'COMPOSITE');
      const attributes = await fixture.operations.GetObjectAttributes(
        { Bucket, Key, ObjectAttributes: ['ObjectParts', 'Checksum', 'ObjectSize', 'ETag'] },
        context,
      );
      assert.equal(attributes.ObjectParts?.TotalPartsCount, 2);
      assert.equal(attributes.ObjectParts?.Parts?.[1]?.Size, 9);
      assert.equal(attributes.ObjectParts?.Parts?.[1]?.[`Checksum${kind}`], digests[1]!.toString('base64'));
      assert.equal(attributes.ObjectSize, partSize + 9);
      assert.doesNotMatch(attributes.ETag!, /"/);
    }
  });

  it('make full-object checksums of parts', async () => {
    await using fixture = await withBucket();
    for (const kind of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
      const UploadId = await begin(fixture, { ChecksumAlgorithm: kind, ChecksumType: 'FULL_OBJECT' });
      const bytes = [randomBytes(partSize), randomBytes(9)];
      const parts: Awaited<ReturnType<typeof upload>>[] = [];
      for (const [index, part] of bytes.entries()) parts.push(await upload(fixture, UploadId, index + 1, part));
      const value = checksum(kind, Buffer.concat(bytes)).toString('base64');
      const complete = (told: string) =>
        fixture.operations.CompleteMultipartUpload(
          { Bucket, Key, UploadId, MultipartUpload: { Parts: parts }, [`Checksum${kind}`]: told },
          context,
        );
      await assert.rejects(complete(checksum(kind, randomBytes(3)).toString('base64')), { code: 'BadDigest' });
      assert.equal((await complete(value))[`Checksum${kind}`], value);
    }
    await assert.rejects(begin(fixture, { ChecksumAlgorithm: 'SHA256', ChecksumType: 'FULL_OBJECT' }), {
      code: 'InvalidRequest',
    });
  });

  it('are listed by key, then by age, in pages', async () => {
    await using fixture = await withBucket();
    const ids: string[] = [];
    for (const Name of ['a', 'b/1', 'b/2', 'c', 'c']) ids.push(await begin(fixture, { Key: Name }));
    const listed = await fixture.operations.ListMultipartUploads({ Bucket }, context);
    assert.deepEqual(
      listed.Uploads?.map(({ UploadId }) => UploadId),
      ids,
    );
    const seen: string[] = [];
    let KeyMarker: string | undefined;
    let UploadIdMarker: string | undefined;
    do {
      const page = await fixture.operations.ListMultipartUploads(
        { Bucket, Delimiter: '/', MaxUploads: 1, KeyMarker, UploadIdMarker },
        context,
      );
      seen.push(...(page.Uploads ?? []).map(({ UploadId }) => UploadId!));
      seen.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!));
      ({ NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page);
    } while (KeyMarker !== undefined);
    assert.deepEqual(seen, [ids[0], 'b/', ids[3], ids[4]]);
  });

  it('obey the conditions of a write', async () => {
    await using fixture = await withBucket();
    const UploadId = await begin(fixture);
    const part = await upload(fixture, UploadId, 1, randomBytes(5));
    await fixture.operations.PutObject({ Bucket, Key, Body: 'there' }, context);
    const complete = (input: object) =>
      fixture.operations.CompleteMultipartUpload(
        { Bucket, Key, UploadId, MultipartUpload: { Parts: [part] }, ...input },
        context,
      );
    await assert.rejects(complete({ IfNoneMatch: '*' }), { status: 412 });
    await assert.rejects(complete({ MpuObjectSize: 6 }), { code: 'InvalidRequest' });
    await complete({ IfMatch: `"${md5(Buffer.from('there')).toString('hex')}"`, MpuObjectSize: 5 });
  });
});

describe('S3 GetObject of an object with parts', () => {
  it('reads to its end what is deleted and collected meanwhile', async () => {
    await using fixture = await withBucket();
    const UploadId = await begin(fixture);
    const bytes = [randomBytes(partSize), randomBytes(100_000)];
    const Parts = [await upload(fixture, UploadId, 1, bytes[0]!), await upload(fixture, UploadId, 2, bytes[1]!)];
    await fixture.operations.CompleteMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } }, context);
    const got = await fixture.operations.GetObject({ Bucket, Key }, context);
    await fixture.operations.DeleteObject({ Bucket, Key }, context);
    assert.equal((await fixture.blobs.collect()).deleted, 0);
    assert.ok((await bodyOf(got)).equals(Buffer.concat(bytes)));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await fixture.blobs.collect()).deleted, 2);
  });
});

describe('S3 CopyObject', () => {
  const Source = 'a b/ü.txt';
  const CopySource = `${Bucket}/${encodeURIComponent(Source)}`;

  it('copies headers, metadata and tags unless they are replaced', async () => {
    await using fixture = await withBucket();
    const { operations } = fixture;
    await operations.PutObject(
      {
        Bucket,
        Key: Source,
        Body: 'hello',
        ContentType: 'text/plain',
        Metadata: { a: '1' },
        Tagging: 'x=y',
        StorageClass: 'ONEZONE_IA',
      },
      context,
    );
    const copied = await operations.CopyObject({ Bucket, Key: 'copy', CopySource }, context);
    assert.equal(copied.CopyObjectResult?.ETag, '"5d41402abc4b2a76b9719d911017c592"');
    const copy = await operations.HeadObject({ Bucket, Key: 'copy' }, context);
    assert.deepEqual(
      [copy.ContentType, copy.Metadata, copy.TagCount, copy.StorageClass],
      ['text/plain', { a: '1' }, 1, undefined],
    );
    await operations.CopyObject(
      {
        Bucket,
        Key: 'copy',
        CopySource,
        MetadataDirective: 'REPLACE',
        Metadata: { b: '2' },
        TaggingDirective: 'REPLACE',
        ChecksumAlgorithm: 'SHA256',
      },
      context,
    );
    const replaced = await operations.HeadObject({ Bucket, Key: 'copy', ChecksumMode: 'ENABLED' }, context);
    assert.deepEqual(
      [replaced.ContentType, replaced.Metadata, replaced.TagCount],
      ['binary/octet-stream', { b: '2' }, undefined],
    );
    assert.equal(replaced.ChecksumSHA256, checksum('SHA256', Buffer.from('hello')).toString('base64'));
  });

  it('shares the file of a large object, which outlives its source', async () => {
    await using fixture = await withBucket();
    const bytes = randomBytes(200_000);
    await fixture.operations.PutObject({ Bucket, Key: Source, Body: streamOf(bytes) }, context);
    await fixture.operations.CopyObject({ Bucket, Key: 'copy', CopySource }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: Source }, context);
    assert.equal((await fixture.blobs.collect()).deleted, 0);
    const got = await fixture.operations.GetObject({ Bucket, Key: 'copy' }, context);
    assert.ok((await bodyOf(got)).equals(bytes));
  });

  it('makes one upload of an object with parts', async () => {
    await using fixture = await withBucket();
    const UploadId = await begin(fixture);
    const bytes = [randomBytes(partSize), randomBytes(1000)];
    const Parts = [await upload(fixture, UploadId, 1, bytes[0]!), await upload(fixture, UploadId, 2, bytes[1]!)];
    await fixture.operations.CompleteMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } }, context);
    const whole = Buffer.concat(bytes);
    const copied = await fixture.operations.CopyObject(
      { Bucket, Key: 'copy', CopySource: `/${Bucket}/${Key}` },
      context,
    );
    assert.equal(copied.CopyObjectResult?.ETag, `"${md5(whole).toString('hex')}"`);
    assert.ok((await bodyOf(await fixture.operations.GetObject({ Bucket, Key: 'copy' }, context))).equals(whole));
  });

  it('refuses a copy onto itself that changes nothing, and conditions that do not hold', async () => {
    await using fixture = await withBucket();
    const { ETag } = await fixture.operations.PutObject({ Bucket, Key: Source, Body: 'hello' }, context);
    const copy = (input: object) =>
      fixture.operations.CopyObject({ Bucket, Key: 'copy', CopySource, ...input }, context);
    await assert.rejects(copy({ Key: Source }), { code: 'InvalidRequest', message: /illegal/ });
    await copy({ Key: Source, MetadataDirective: 'REPLACE', Metadata: { now: 'changed' } });
    await assert.rejects(copy({ CopySourceIfMatch: '"no"' }), { status: 412 });
    await assert.rejects(copy({ CopySourceIfNoneMatch: ETag }), { status: 412 });
    await assert.rejects(copy({ CopySource: 'nonsense' }), { code: 'InvalidArgument' });
    await assert.rejects(copy({ CopySource: `${Bucket}/nope` }), { code: 'NoSuchKey' });
    await assert.rejects(copy({ CopySource: 'nope/x' }), { code: 'NoSuchBucket' });
  });
});

describe('S3 UploadPartCopy', () => {
  it('takes a range of its source, or all of it', async () => {
    await using fixture = await withBucket();
    const bytes = randomBytes(partSize + 1000);
    await fixture.operations.PutObject({ Bucket, Key: 'source', Body: streamOf(bytes) }, context);
    const UploadId = await begin(fixture);
    const copy = (PartNumber: number, CopySourceRange?: string) =>
      fixture.operations.UploadPartCopy(
        { Bucket, Key, UploadId, PartNumber, CopySource: `${Bucket}/source`, CopySourceRange },
        context,
      );
    const first = await copy(1);
    const second = await copy(2, 'bytes=10-19');
    await assert.rejects(copy(3, `bytes=0-${bytes.length}`), { code: 'InvalidArgument' });
    await assert.rejects(copy(3, 'bytes=5-'), { code: 'InvalidArgument' });
    await fixture.operations.CompleteMultipartUpload(
      {
        Bucket,
        Key,
        UploadId,
        MultipartUpload: {
          Parts: [
            { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
            { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
          ],
        },
      },
      context,
    );
    const got = await fixture.operations.GetObject({ Bucket, Key }, context);
    assert.ok((await bodyOf(got)).equals(Buffer.concat([bytes, bytes.subarray(10, 20)])));
  });
});
