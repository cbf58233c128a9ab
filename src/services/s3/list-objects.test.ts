import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();

async function withKeys(keys: readonly string[]): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  for (const Key of keys) await fixture.operations.PutObject({ Bucket, Key, Body: '' }, context);
  return fixture;
}

const tree = ['a.txt', 'b/1', 'b/2', 'b/c/3', 'c d', 'd/', 'd/4', 'é', '\u{ffff}', '\u{1f600}'];

describe('S3 ListObjectsV2', () => {
  it('lists in the order of UTF-8 bytes', async () => {
    await using fixture = await withKeys([...tree].reverse());
    const listed = await fixture.operations.ListObjectsV2({ Bucket }, context);
    assert.deepEqual(
      listed.Contents?.map(({ Key }) => Key),
      tree,
    );
    assert.equal(listed.KeyCount, 10);
    assert.equal(listed.IsTruncated, false);
    assert.equal(listed.Contents?.[0]?.StorageClass, 'STANDARD');
    assert.equal(listed.Contents?.[0]?.Owner, undefined);
  });

  it('rolls up common prefixes', async () => {
    await using fixture = await withKeys(tree);
    const root = await fixture.operations.ListObjectsV2({ Bucket, Delimiter: '/' }, context);
    assert.deepEqual(root.CommonPrefixes, [{ Prefix: 'b/' }, { Prefix: 'd/' }]);
    assert.deepEqual(
      root.Contents?.map(({ Key }) => Key),
      ['a.txt', 'c d', 'é', '\u{ffff}', '\u{1f600}'],
    );
    const inside = await fixture.operations.ListObjectsV2({ Bucket, Delimiter: '/', Prefix: 'b/' }, context);
    assert.deepEqual(
      inside.Contents?.map(({ Key }) => Key),
      ['b/1', 'b/2'],
    );
    assert.deepEqual(inside.CommonPrefixes, [{ Prefix: 'b/c/' }]);
  });

  for (const [name, query] of [
    ['plainly', {}],
    ['with a delimiter', { Delimiter: '/' }],
    ['with a prefix', { Prefix: 'b/' }],
  ] as const) {
    it(`pages ${name} without losing or repeating anything`, async () => {
      await using fixture = await withKeys(tree);
      const whole = await fixture.operations.ListObjectsV2({ Bucket, ...query }, context);
      for (const MaxKeys of [1, 2, 3]) {
        const names: (string | undefined)[] = [];
        let ContinuationToken: string | undefined;
        do {
          const page = await fixture.operations.ListObjectsV2(
            { Bucket, ...query, MaxKeys, ContinuationToken },
            context,
          );
          assert.ok(page.KeyCount! <= MaxKeys);
          for (const { Key } of page.Contents ?? []) names.push(Key);
          for (const { Prefix } of page.CommonPrefixes ?? []) names.push(Prefix);
          ContinuationToken = page.NextContinuationToken;
        } while (ContinuationToken !== undefined);
        const expected = [
          ...(whole.Contents ?? []).map(({ Key }) => Key),
          ...(whole.CommonPrefixes ?? []).map((p) => p.Prefix),
        ];
        assert.deepEqual(names.sort(), expected.sort());
      }
    });
  }

  it('starts after a key, which need not exist', async () => {
    await using fixture = await withKeys(tree);
    const listed = await fixture.operations.ListObjectsV2({ Bucket, StartAfter: 'b/15', MaxKeys: 2 }, context);
    assert.deepEqual(
      listed.Contents?.map(({ Key }) => Key),
      ['b/2', 'b/c/3'],
    );
  });

  it('encodes names and tells owners when asked', async () => {
    await using fixture = await withKeys(['c d/é+']);
    const listed = await fixture.operations.ListObjectsV2({ Bucket, EncodingType: 'url', FetchOwner: true }, context);
    assert.equal(listed.Contents?.[0]?.Key, 'c+d/%C3%A9%2B');
    assert.match(listed.Contents?.[0]?.Owner?.ID ?? '', /^[0-9a-f]{64}$/);
  });

  it('takes no page size below zero and no token of its own making', async () => {
    await using fixture = await withKeys(['a']);
    const empty = await fixture.operations.ListObjectsV2({ Bucket, MaxKeys: 0 }, context);
    assert.equal(empty.IsTruncated, false);
    assert.equal(empty.Contents, undefined);
    await assert.rejects(fixture.operations.ListObjectsV2({ Bucket, MaxKeys: -1 }, context), {
      code: 'InvalidArgument',
    });
    await assert.rejects(fixture.operations.ListObjectsV2({ Bucket, ContinuationToken: '!' }, context), {
      code: 'InvalidArgument',
    });
  });

  it('jumps over a common prefix with many keys', async () => {
    const many = Array.from({ length: 450 }, (_, i) => `many/${String(i).padStart(4, '0')}`);
    await using fixture = await withKeys(['a', ...many, 'z']);
    const listed = await fixture.operations.ListObjectsV2({ Bucket, Delimiter: '/' }, context);
    assert.deepEqual(
      listed.Contents?.map(({ Key }) => Key),
      ['a', 'z'],
    );
    assert.deepEqual(listed.CommonPrefixes, [{ Prefix: 'many/' }]);
  });
});

describe('S3 ListObjects', () => {
  it('pages by markers that may be common prefixes', async () => {
    await using fixture = await withKeys(tree);
    const names: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const page = await fixture.operations.ListObjects({ Bucket, Delimiter: '/', MaxKeys: 1, Marker }, context);
      names.push(...(page.Contents ?? []).map(({ Key }) => Key), ...(page.CommonPrefixes ?? []).map((p) => p.Prefix));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    assert.deepEqual(names, ['a.txt', 'b/', 'c d', 'd/', 'é', '\u{ffff}', '\u{1f600}']);
    const plain = await fixture.operations.ListObjects({ Bucket, MaxKeys: 1 }, context);
    assert.equal(plain.IsTruncated, true);
    assert.equal(plain.NextMarker, undefined);
  });
});
