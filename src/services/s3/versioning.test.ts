import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bodyOf, openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'pictures';
const context = requestContext();

async function withVersioning(Status: 'Enabled' | 'Suspended' = 'Enabled'): Promise<S3Fixture> {
  const fixture = await openS3Fixture();
  await fixture.operations.CreateBucket({ Bucket }, context);
  await setVersioning(fixture, Status);
  return fixture;
}

function setVersioning(fixture: S3Fixture, Status: 'Enabled' | 'Suspended') {
  return fixture.operations.PutBucketVersioning({ Bucket, VersioningConfiguration: { Status } }, context);
}

async function put(fixture: S3Fixture, Body: string, Key = 'x'): Promise<string> {
  return (await fixture.operations.PutObject({ Bucket, Key, Body }, context)).VersionId!;
}

async function read(fixture: S3Fixture, VersionId?: string, Key = 'x'): Promise<string> {
  return (await bodyOf(await fixture.operations.GetObject({ Bucket, Key, VersionId }, context))).toString();
}

async function versionsOf(fixture: S3Fixture): Promise<(string | undefined)[]> {
  const listed = await fixture.operations.ListObjectVersions({ Bucket }, context);
  return [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].map(({ VersionId }) => VersionId);
}

describe('S3 versioning', () => {
  it('keeps each version until it is deleted by its id', async () => {
    await using fixture = await withVersioning();
    const [one, two, three] = [await put(fixture, '1'), await put(fixture, '2'), await put(fixture, '3')];
    assert.equal(await read(fixture), '3');
    assert.equal(await read(fixture, one), '1');
    assert.deepEqual(await versionsOf(fixture), [three, two, one]);
    await fixture.operations.DeleteObject({ Bucket, Key: 'x', VersionId: three }, context);
    assert.equal(await read(fixture), '2');
    await fixture.operations.DeleteObject({ Bucket, Key: 'x', VersionId: one }, context);
    await fixture.operations.DeleteObject({ Bucket, Key: 'x', VersionId: two }, context);
    await assert.rejects(read(fixture), { code: 'NoSuchKey' });
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'inline'] }), []);
    assert.deepEqual(await fixture.store.range({ prefix: ['s3', 'noncurrent'] }), []);
  });

  it('hides a deleted object behind a marker, which can be deleted', async () => {
    await using fixture = await withVersioning();
    const one = await put(fixture, '1');
    const deleted = await fixture.operations.DeleteObject({ Bucket, Key: 'x' }, context);
    assert.equal(deleted.DeleteMarker, true);
    await assert.rejects(read(fixture), {
      code: 'NoSuchKey',
      status: 404,
      headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': deleted.VersionId },
    });
    await assert.rejects(read(fixture, deleted.VersionId), { code: 'MethodNotAllowed', status: 405 });
    assert.equal(await read(fixture, one), '1');
    assert.equal((await fixture.operations.ListObjectsV2({ Bucket }, context)).KeyCount, 0);
    const undeleted = await fixture.operations.DeleteObject(
      { Bucket, Key: 'x', VersionId: deleted.VersionId },
      context,
    );
    assert.deepEqual(undeleted, { DeleteMarker: true, VersionId: deleted.VersionId });
    assert.equal(await read(fixture), '1');
  });

  it('keeps what was there before as the null version', async () => {
    await using fixture = await openS3Fixture();
    await fixture.operations.CreateBucket({ Bucket }, context);
    assert.equal(await put(fixture, 'old'), undefined);
    await setVersioning(fixture, 'Enabled');
    const two = await put(fixture, 'new');
    assert.deepEqual(await versionsOf(fixture), [two, 'null']);
    assert.equal(await read(fixture, 'null'), 'old');
    await setVersioning(fixture, 'Suspended');
    assert.equal(await put(fixture, 'newer'), 'null');
    assert.deepEqual(await versionsOf(fixture), ['null', two]);
    assert.equal(await read(fixture, 'null'), 'newer');
    assert.equal((await fixture.store.range({ prefix: ['s3', 'inline'] })).length, 2);
    const marker = await fixture.operations.DeleteObject({ Bucket, Key: 'x' }, context);
    assert.equal(marker.VersionId, 'null');
    assert.deepEqual(await versionsOf(fixture), [two, 'null']);
    await fixture.operations.DeleteObject({ Bucket, Key: 'x', VersionId: 'null' }, context);
    assert.equal(await read(fixture), 'new');
    await assert.rejects(read(fixture, 'null'), { code: 'NoSuchVersion', status: 404 });
  });

  it('finds the null version again after it was promoted', async () => {
    await using fixture = await withVersioning('Suspended');
    await put(fixture, 'null one');
    await setVersioning(fixture, 'Enabled');
    const two = await put(fixture, '2');
    const three = await put(fixture, '3');
    for (const VersionId of [three, two])
      await fixture.operations.DeleteObject({ Bucket, Key: 'x', VersionId }, context);
    assert.equal(await read(fixture, 'null'), 'null one');
    const four = await put(fixture, '4');
    assert.equal(await read(fixture, 'null'), 'null one');
    assert.deepEqual(await versionsOf(fixture), [four, 'null']);
  });

  it('lists versions in pages, with prefixes rolled up', async () => {
    await using fixture = await withVersioning();
    for (const Key of ['a', 'b/1', 'b/2', 'c']) {
      await put(fixture, '1', Key);
      await put(fixture, '2', Key);
      await fixture.operations.DeleteObject({ Bucket, Key }, context);
    }
    for (const Delimiter of [undefined, '/']) {
      const whole = await fixture.operations.ListObjectVersions({ Bucket, Delimiter }, context);
      const names = (page: typeof whole): string[] => [
        ...(page.Versions ?? []).map((v) => `${v.Key} ${v.VersionId} ${v.IsLatest}`),
        ...(page.DeleteMarkers ?? []).map((v) => `${v.Key} ${v.VersionId} ${v.IsLatest}`),
        ...(page.CommonPrefixes ?? []).map((p) => p.Prefix!),
      ];
      assert.equal(names(whole).length, Delimiter ? 7 : 12);
      for (const MaxKeys of [1, 2, 5]) {
        const seen: string[] = [];
        let KeyMarker: string | undefined;
        let VersionIdMarker: string | undefined;
        do {
          const page = await fixture.operations.ListObjectVersions(
            { Bucket, Delimiter, MaxKeys, KeyMarker, VersionIdMarker },
            context,
          );
          assert.ok(names(page).length <= MaxKeys);
          seen.push(...names(page));
          ({ NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page);
        } while (KeyMarker !== undefined);
        assert.deepEqual(seen.sort(), names(whole).sort());
      }
    }
  });

  it('copies an old version over the newest', async () => {
    await using fixture = await withVersioning();
    const one = await put(fixture, 'old');
    await put(fixture, 'new');
    const copied = await fixture.operations.CopyObject(
      { Bucket, Key: 'x', CopySource: `${Bucket}/x?versionId=${one}` },
      context,
    );
    assert.equal(copied.CopySourceVersionId, one);
    assert.equal(await read(fixture), 'old');
  });

  it('tags one version', async () => {
    await using fixture = await withVersioning();
    const one = await put(fixture, 'old');
    await put(fixture, 'new');
    const TagSet = [{ Key: 'team', Value: 'blue' }];
    await fixture.operations.PutObjectTagging({ Bucket, Key: 'x', VersionId: one, Tagging: { TagSet } }, context);
    const tags = (VersionId?: string) => fixture.operations.GetObjectTagging({ Bucket, Key: 'x', VersionId }, context);
    assert.deepEqual((await tags(one)).TagSet, TagSet);
    assert.deepEqual((await tags()).TagSet, []);
    await fixture.operations.DeleteObjectTagging({ Bucket, Key: 'x', VersionId: one }, context);
    assert.deepEqual((await tags(one)).TagSet, []);
  });

  it('refuses what cannot be: MFA delete, ids of its own making, a missing status', async () => {
    await using fixture = await withVersioning();
    await assert.rejects(
      fixture.operations.PutBucketVersioning(
        { Bucket, VersioningConfiguration: { Status: 'Enabled', MFADelete: 'Enabled' } },
        context,
      ),
      { code: 'NotImplemented', message: /MFA/ },
    );
    await assert.rejects(fixture.operations.PutBucketVersioning({ Bucket, VersioningConfiguration: {} }, context), {
      code: 'IllegalVersioningConfigurationException',
    });
    await assert.rejects(read(fixture, 'nonsense'), { code: 'InvalidArgument' });
    await assert.rejects(fixture.operations.DeleteObject({ Bucket, Key: 'x', MFA: '1 2' }, context), {
      code: 'NotImplemented',
    });
  });

  it('keeps a bucket from being deleted while a marker is in it', async () => {
    await using fixture = await withVersioning();
    const { VersionId } = await fixture.operations.DeleteObject({ Bucket, Key: 'x' }, context);
    await assert.rejects(fixture.operations.DeleteBucket({ Bucket }, context), { code: 'BucketNotEmpty' });
    await fixture.operations.DeleteObject({ Bucket, Key: 'x', VersionId }, context);
    await fixture.operations.DeleteBucket({ Bucket }, context);
  });
});
