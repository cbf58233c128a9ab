import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../base/system-random.ts';
import { bodyOf, openS3Fixture, requestContext, type S3Fixture } from './s3-fixture.ts';

const Bucket = 'histories';
const context = requestContext();
const keys = ['a', 'b/1', 'b/2'];

/** One version as it should be: `undefined` content is a delete marker. */
interface ExpectedVersion {
  readonly id: string;
  readonly content: string | undefined;
}

/** What S3 Versioning documents, in the simplest form: per key a list of versions, newest first. */
class Expectation {
  versioning: 'Enabled' | 'Suspended' | undefined;
  readonly keys = new Map<string, ExpectedVersion[]>(keys.map((key) => [key, []]));

  write(key: string, id: string, content: string | undefined): void {
    const versions = this.keys.get(key)!;
    const kept = this.versioning === 'Enabled' ? versions : versions.filter((version) => version.id !== 'null');
    this.keys.set(key, [{ id, content }, ...kept]);
  }

  remove(key: string, id: string): void {
    this.keys.set(
      key,
      this.keys.get(key)!.filter((version) => version.id !== id),
    );
  }
}

async function randomStep(fixture: S3Fixture, expected: Expectation, random: ReturnType<typeof createSeededRandom>) {
  const { operations } = fixture;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.fraction() * list.length)]!;
  const Key = pick(keys);
  const dice = random.fraction();
  if (dice < 0.5) {
    // Some in the store, some in files; some files with the same content.
    const content = pick([random.hex(10), 'x'.repeat(20_000), `${random.hex(4)}${'y'.repeat(20_000)}`, '']);
    const put = await operations.PutObject({ Bucket, Key, Body: content }, context);
    expected.write(Key, put.VersionId ?? 'null', content);
  } else if (dice < 0.65) {
    const deleted = await operations.DeleteObject({ Bucket, Key }, context);
    if (expected.versioning === undefined) expected.remove(Key, 'null');
    else expected.write(Key, deleted.VersionId!, undefined);
  } else if (dice < 0.85) {
    const version = pick(expected.keys.get(Key)!);
    if (!version) return;
    await operations.DeleteObject({ Bucket, Key, VersionId: version.id }, context);
    expected.remove(Key, version.id);
  } else if (dice < 0.93) {
    const source = pick(expected.keys.get(Key)!.filter(({ content }) => content !== undefined));
    const target = pick(keys.filter((key) => key !== Key));
    if (!source) return;
    const CopySource = `${Bucket}/${Key}?versionId=${source.id}`;
    const copied = await operations.CopyObject({ Bucket, Key: target, CopySource }, context);
    expected.write(target, copied.VersionId ?? 'null', source.content);
  } else {
    expected.versioning = pick(['Enabled', 'Suspended'] as const);
    const VersioningConfiguration = { Status: expected.versioning };
    await operations.PutBucketVersioning({ Bucket, VersioningConfiguration }, context);
  }
  if (random.fraction() < 0.3) fixture.clock.advance(1);
}

async function check(fixture: S3Fixture, expected: Expectation): Promise<void> {
  const listed = await fixture.operations.ListObjectVersions({ Bucket }, context);
  const seen = [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].map(
    ({ Key, VersionId, IsLatest }) => `${Key} ${VersionId} ${IsLatest}`,
  );
  const wanted = keys.flatMap((key) => expected.keys.get(key)!.map(({ id }, index) => `${key} ${id} ${index === 0}`));
  assert.deepEqual(seen.toSorted(), wanted.toSorted());
  for (const [Key, versions] of expected.keys) {
    for (const { id, content } of versions) {
      if (content === undefined) continue;
      const got = await fixture.operations.GetObject({ Bucket, Key, VersionId: id }, context);
      assert.equal((await bodyOf(got)).toString(), content);
    }
  }
  const current = keys.filter((key) => expected.keys.get(key)![0]?.content !== undefined);
  const objects = await fixture.operations.ListObjectsV2({ Bucket }, context);
  assert.deepEqual(
    (objects.Contents ?? []).map(({ Key }) => Key),
    current,
  );
}

describe('S3 version histories', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`are as documented after any sequence of changes, and leave nothing behind (${seed})`, async () => {
      await using fixture = await openS3Fixture();
      const random = createSeededRandom(seed);
      const expected = new Expectation();
      await fixture.operations.CreateBucket({ Bucket }, context);
      for (let step = 1; step <= 150; step++) {
        await randomStep(fixture, expected, random);
        if (step % 25 === 0) {
          await fixture.blobs.collect();
          await check(fixture, expected);
        }
      }
      for (const [Key, versions] of expected.keys) {
        for (const { id } of versions) await fixture.operations.DeleteObject({ Bucket, Key, VersionId: id }, context);
      }
      await fixture.operations.DeleteBucket({ Bucket }, context);
      assert.deepEqual(await fixture.store.range({ prefix: ['s3'] }), []);
      assert.deepEqual(await fixture.store.range({ prefix: ['blob-references'] }), []);
    });
  }
});
