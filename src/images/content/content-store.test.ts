import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { createManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { BlobDigestError, BlobNotFoundError, openBlobStore, openMemoryStore, type Store } from '../../store/index.ts';
import { type ContentStore, SizeMismatchError } from '../content.ts';
import { createContentStore } from './content-store.ts';

interface Opened extends AsyncDisposable {
  readonly directory: string;
  readonly store: Store;
  readonly content: ContentStore;
  files(): Promise<string[]>;
  refer(digest: string, ...owner: string[]): Promise<void>;
  forget(digest: string, ...owner: string[]): Promise<void>;
}

async function open(clock?: Clock): Promise<Opened> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-content-'));
  const store = openMemoryStore();
  const blobs = await openBlobStore({ directory, store, random: createSeededRandom(), ...(clock && { clock }) });
  const content = createContentStore({ store, blobs });
  return {
    directory,
    store,
    content,
    files: async () => (await readdir(directory, { recursive: true })).filter((name) => /[0-9a-f]{32}/.test(name)),
    refer: (digest, ...owner) =>
      store.transact(async (transaction) => content.reference(transaction, digest, ['test', ...owner])),
    forget: (digest, ...owner) =>
      store.transact(async (transaction) => content.dereference(transaction, digest, ['test', ...owner])),
    async [Symbol.asyncDispose]() {
      await blobs.close();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

const bytesOf = (size: number, seed = 1) => Buffer.from(createSeededRandom(seed).bytes(size));
const digestOf = (algorithm: 'sha256' | 'sha512', bytes: Uint8Array) =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

async function* chunks(bytes: Uint8Array, size = 65_536) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const ALGORITHMS = ['sha256', 'sha512'] as const;

describe('content store', () => {
  it('keeps content under the digest that was asked for, by either algorithm', async () => {
    await using at = await open();
    for (const algorithm of ALGORITHMS) {
      for (const size of [0, 1000, 2_500_000]) {
        const bytes = bytesOf(size);
        const digest = digestOf(algorithm, bytes);
        for (const source of [bytes, chunks(bytes)]) {
          const written = await at.content.write(source, { digest, size });
          assert.deepEqual([written.digest, written.size], [digest, size]);
          written.release();
        }
        assert.deepEqual(await at.content.stat(digest), { size });
        assert.ok(bytes.equals(await at.content.read(digest)));
        const parts = await (await at.content.open(digest, { start: 1, end: 10 })).toArray();
        assert.ok(Buffer.concat(parts).equals(bytes.subarray(1, 11)));
      }
    }
    assert.equal((await at.files()).length, 3, 'the same bytes are kept once');
  });

  it('refuses content with another digest or size, and keeps nothing', async () => {
    await using at = await open();
    const bytes = bytesOf(2_000_000);
    for (const algorithm of ALGORITHMS) {
      const digest = digestOf(algorithm, bytes);
      const other = Buffer.from(bytes);
      other[1_500_000]! ^= 1;
      await assert.rejects(at.content.write(chunks(other), { digest }), BlobDigestError);
      await assert.rejects(at.content.write(other, { digest }), BlobDigestError);
      for (const size of [bytes.length - 1, bytes.length + 1]) {
        await assert.rejects(at.content.write(chunks(bytes), { digest, size }), SizeMismatchError);
      }
      await assert.rejects(at.content.read(digest), BlobNotFoundError);
      assert.equal(await at.content.stat(digest), undefined);
    }
    assert.deepEqual(await at.files(), []);
  });

  it('takes no other text for a digest', async () => {
    await using at = await open();
    for (const digest of ['', 'sha256:abc', `sha1:${'a'.repeat(40)}`, `sha256:../${'a'.repeat(61)}`]) {
      await assert.rejects(at.content.write(bytesOf(1), { digest }), TypeError);
      await assert.rejects(at.content.read(digest), BlobNotFoundError);
      assert.equal(await at.content.stat(digest), undefined);
    }
  });

  it('adopts a complete file, also under a SHA-512 name', async () => {
    await using at = await open();
    const bytes = bytesOf(100_000);
    const path = join(at.directory, 'upload');
    await writeFile(path, bytes);
    const sha512 = digestOf('sha512', bytes);
    const blob = await at.content.adopt(path, { digest: digestOf('sha256', bytes), size: bytes.length }, sha512);
    assert.equal(blob.digest, sha512);
    assert.ok(bytes.equals(await at.content.read(sha512)));
    assert.ok(!(await readdir(at.directory)).includes('upload'));
  });
});

describe('content store: collection', { timeout: 20_000 }, () => {
  it('deletes what is neither referenced nor leased, whichever name it goes by', async () => {
    await using at = await open();
    for (const algorithm of ALGORITHMS) {
      const bytes = bytesOf(1000);
      const digest = digestOf(algorithm, bytes);
      const written = await at.content.write(bytes, { digest });
      assert.equal((await at.content.collect()).deleted, 0, 'the writer holds it');
      await at.refer(digest, 'a');
      written.release();
      const lease = await at.content.lease(digest);
      await at.forget(digest, 'a');
      assert.equal((await at.content.collect()).deleted, 0, 'a lease holds it');
      lease!.release();
      assert.deepEqual(await at.content.collect(), { deleted: 1, bytes: 1000 });
      assert.equal(await at.content.lease(digest), undefined);
    }
    assert.deepEqual(await at.store.range({ prefix: [] }), []);
  });

  it('keeps a blob whose SHA-512 name alone is referenced, and one whose SHA-512 name is gone', async () => {
    await using at = await open();
    const bytes = bytesOf(1000);
    const [sha256, sha512] = [digestOf('sha256', bytes), digestOf('sha512', bytes)];
    (await at.content.write(bytes, { digest: sha512 })).release();
    await at.refer(sha512, 'a');
    await at.content.collect();
    assert.deepEqual(await at.content.stat(sha256), { size: 1000 });
    await at.refer(sha256, 'b');
    await at.forget(sha512, 'a');
    await at.content.collect();
    assert.equal(await at.content.stat(sha512), undefined);
    assert.deepEqual(await at.content.stat(sha256), { size: 1000 });
  });

  it('happens by itself, by the clock, when nothing refers to a SHA-512 name any more or ever did', async () => {
    const clock = createManualClock();
    await using at = await open(clock);
    clock.advance(60_000); // what an earlier process left is looked for only now
    const [kept, dropped] = [bytesOf(10, 1), bytesOf(10, 2)];
    const blob = await at.content.write(kept, { digest: digestOf('sha512', kept) });
    await at.refer(blob.digest, 'a');
    blob.release();
    (await at.content.write(dropped, { digest: digestOf('sha512', dropped) })).release();
    clock.advance(60_000);
    while ((await at.files()).length > 1) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(kept.equals(await at.content.read(blob.digest)));
    await at.forget(blob.digest, 'a');
    clock.advance(60_000);
    while ((await at.files()).length > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await at.store.range({ prefix: [] }), []);
  });

  it('deletes what references by a SHA-512 name were erased of, with all else of their owner', async () => {
    await using at = await open();
    const bytes = bytesOf(1000);
    const digest = digestOf('sha512', bytes);
    (await at.content.write(bytes, { digest })).release();
    await at.refer(digest, 'a');
    // As a reset of the service erases it.
    for (const { key } of await at.store.range({ prefix: ['blob-references'] })) {
      if (key[2] === 'test') await at.store.delete(key);
    }
    assert.deepEqual(await at.content.collect(), { deleted: 1, bytes: 1000 });
    assert.deepEqual(await at.store.range({ prefix: [] }), []);
  });
});
