import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { BlobDigestError, BlobNotFoundError, type BlobStore, BlobTooLargeError } from '../blob-store.ts';
import { openMemoryStore } from '../memory-store.ts';
import type { Store } from '../store.ts';
import { type BlobStoreOptions, openBlobStore } from './blob-files.ts';

interface Opened extends AsyncDisposable {
  readonly directory: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  files(): Promise<string[]>;
}

async function open(options: Partial<BlobStoreOptions> = {}): Promise<Opened> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-blobs-'));
  const store = openMemoryStore();
  const blobs = await openBlobStore({ directory, store, random: createSeededRandom(), ...options });
  return {
    directory,
    store,
    blobs,
    files: async () => (await readdir(directory, { recursive: true })).filter((name) => /[0-9a-f]{32}/.test(name)),
    async [Symbol.asyncDispose]() {
      await blobs.close();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

const sharedMemory = () => (existsSync('/dev/shm') ? false : 'needs /dev/shm');

const bytesOf = (size: number, seed = 1) => Buffer.from(createSeededRandom(seed).bytes(size));

async function* chunks(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const refer = (at: Opened, digest: string, ...owner: string[]) =>
  at.store.transact(async (transaction) => at.blobs.reference(transaction, digest, owner));

const forget = (at: Opened, digest: string, ...owner: string[]) =>
  at.store.transact(async (transaction) => at.blobs.dereference(transaction, digest, owner));

describe('blob store: writing and reading', () => {
  it('names a blob by the SHA-256 of what was streamed or given at once', async () => {
    await using at = await open();
    for (const [size, chunk] of [
      [0, 1],
      [1, 1],
      [1000, 7],
      [300_000, 65_536],
      [3_500_000, 65_536],
    ] as const) {
      const bytes = bytesOf(size);
      const expected = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      for (const source of [chunks(bytes, chunk), bytes]) {
        const blob = await at.blobs.write(source);
        assert.equal(blob.digest, expected);
        assert.equal(blob.size, size);
      }
      assert.ok(bytes.equals(await at.blobs.read(expected)));
      assert.ok(bytes.equals(await readFile(at.blobs.path(expected))));
    }
    assert.equal((await at.files()).length, 5, 'the same content is kept once, and no temporary file stays');
  });

  it('opens any part of a blob', async () => {
    await using at = await open();
    const bytes = bytesOf(700_000);
    const { digest } = await at.blobs.write(bytes);
    for (const range of [
      undefined,
      { start: 0, end: 0 },
      { start: 5, end: 600_004 },
      { start: 699_999, end: 699_999 },
    ]) {
      const expected = range ? bytes.subarray(range.start, range.end + 1) : bytes;
      const parts: Buffer[] = [];
      for await (const part of await at.blobs.open(digest, range)) parts.push(part as Buffer);
      assert.ok(expected.equals(Buffer.concat(parts)));
      assert.ok(expected.equals(await at.blobs.read(digest, range)));
    }
  });

  it('takes over a complete file without a copy', async () => {
    await using at = await open();
    const bytes = bytesOf(100_000);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    for (const name of ['first', 'again']) {
      const path = join(at.directory, name);
      await writeFile(path, bytes);
      const { ino } = await stat(path);
      const blob = await at.blobs.adopt(path, { digest, size: bytes.length });
      assert.deepEqual([blob.digest, blob.size], [digest, bytes.length]);
      assert.equal((await stat(at.blobs.path(digest))).ino === ino, name === 'first');
      await assert.rejects(stat(path), { code: 'ENOENT' });
    }
    assert.ok(bytes.equals(await at.blobs.read(digest)));
    assert.equal((await at.blobs.collect()).deleted, 0, 'it is leased');
    await assert.rejects(at.blobs.adopt(join(at.directory, 'none'), { digest, size: 1 }), { code: 'ENOENT' });
  });

  it('takes over a file of another file system by copying it', { skip: sharedMemory() }, async () => {
    await using at = await open();
    const directory = await mkdtemp('/dev/shm/kobune-blobs-');
    try {
      const [bytes, path] = [bytesOf(700_000), join(directory, 'file')];
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      await writeFile(path, bytes);
      assert.equal((await at.blobs.adopt(path, { digest, size: bytes.length })).digest, digest);
      assert.ok(bytes.equals(await at.blobs.read(digest)));
      assert.deepEqual(await readdir(directory), []);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('refuses what is larger than allowed and leaves nothing behind', async () => {
    await using at = await open();
    for (const source of [bytesOf(1001), chunks(bytesOf(5_000_000), 65_536)]) {
      await assert.rejects(at.blobs.write(source, { maxSize: 1000 }), (error) => error instanceof BlobTooLargeError);
    }
    await at.blobs.write(bytesOf(1000), { maxSize: 1000 });
    assert.equal((await at.files()).length, 1);
  });

  it('refuses what has another digest than asked for and leaves nothing behind', async () => {
    await using at = await open();
    const bytes = bytesOf(3_000_000);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    for (const source of [bytes.subarray(1), chunks(bytes.subarray(1), 65_536)]) {
      await assert.rejects(
        at.blobs.write(source, { digest }),
        (error) => error instanceof BlobDigestError && error.expected === digest,
      );
    }
    assert.deepEqual(await at.files(), []);
    assert.equal((await at.blobs.write(bytes, { digest })).digest, digest);
  });

  it('leaves nothing behind when the source fails', async () => {
    await using at = await open();
    async function* failing() {
      yield bytesOf(2_000_000);
      throw new Error('the client went away');
    }
    await assert.rejects(at.blobs.write(failing()), /went away/);
    assert.deepEqual(await at.files(), []);
  });

  const reason = process.getuid?.() === 0 ? false : 'needs root, to mount a small file system';
  it('leaves nothing behind when the disk is full, and goes on when there is room', { skip: reason }, async (t) => {
    const mount = await mkdtemp(join(tmpdir(), 'kobune-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      await rm(mount, { recursive: true });
      t.skip('mounting is not allowed here');
      return;
    }
    try {
      await using at = await open({ directory: join(mount, 'blobs') });
      for (const source of [bytesOf(3_000_000), chunks(bytesOf(3_000_000), 65_536)]) {
        await assert.rejects(at.blobs.write(source), { code: 'ENOSPC' });
      }
      const small = await at.blobs.write(bytesOf(1_500_000));
      assert.equal((await at.blobs.read(small.digest)).length, 1_500_000);
      assert.deepEqual(await readdir(join(mount, 'blobs', 'temporary')), []);
    } finally {
      execFileSync('umount', ['-l', mount]);
      await rm(mount, { recursive: true });
    }
  });

  it('knows no blob by a digest that was never written, or that is none', async () => {
    await using at = await open();
    await writeFile(join(at.directory, 'secret'), 'secret');
    for (const digest of [
      `sha256:${'0'.repeat(64)}`,
      'sha256:../secret',
      '../secret',
      `sha256:${'A'.repeat(64)}`,
      '',
    ]) {
      await assert.rejects(at.blobs.open(digest), BlobNotFoundError);
      await assert.rejects(at.blobs.read(digest), BlobNotFoundError);
    }
    assert.throws(() => at.blobs.path('sha256:../secret'), BlobNotFoundError);
    assert.equal(await at.blobs.lease(`sha256:${'0'.repeat(64)}`), undefined);
  });

  it('takes many writers at once, of the same content too', async () => {
    await using at = await open();
    const written = await Promise.all(
      Array.from({ length: 40 }, (_, i) => at.blobs.write(chunks(bytesOf(50_000, i % 10), 9000))),
    );
    assert.equal(new Set(written.map(({ digest }) => digest)).size, 10);
    assert.equal((await at.files()).length, 10);
  });
});

describe('blob store: collection', { timeout: 20_000 }, () => {
  it('keeps what is referenced or leased, and deletes the rest', async () => {
    await using at = await open();
    const [referenced, leased, neither] = [
      await at.blobs.write(bytesOf(10, 1)),
      await at.blobs.write(bytesOf(20, 2)),
      await at.blobs.write(bytesOf(30, 3)),
    ];
    await refer(at, referenced.digest, 's3', 'bucket', 'key');
    referenced.release();
    neither.release();
    neither.release();
    assert.deepEqual(await at.blobs.collect(), { deleted: 1, bytes: 30 });
    await assert.rejects(at.blobs.open(neither.digest), BlobNotFoundError);
    leased.release();
    assert.deepEqual(await at.blobs.collect(), { deleted: 1, bytes: 20 });
    await forget(at, referenced.digest, 's3', 'bucket', 'key');
    assert.deepEqual(await at.blobs.collect(), { deleted: 1, bytes: 10 });
    assert.deepEqual(await at.files(), []);
  });

  it('counts references by owner', async () => {
    await using at = await open();
    const blob = await at.blobs.write(bytesOf(10));
    await refer(at, blob.digest, 'a');
    await refer(at, blob.digest, 'a');
    await refer(at, blob.digest, 'a', 'b');
    blob.release();
    await forget(at, blob.digest, 'a');
    assert.equal((await at.blobs.collect()).deleted, 0);
    await forget(at, blob.digest, 'a', 'b');
    assert.equal((await at.blobs.collect()).deleted, 1);
  });

  it('does not count a reference of a transaction that failed', async () => {
    await using at = await open();
    const blob = await at.blobs.write(bytesOf(10));
    await assert.rejects(
      at.store.transact(async (transaction) => {
        at.blobs.reference(transaction, blob.digest, ['a']);
        throw new Error('no');
      }),
    );
    blob.release();
    assert.equal((await at.blobs.collect()).deleted, 1);
  });

  it('spares a blob that is leased, written again or referenced while it looks', async () => {
    const actions: Record<string, (at: Opened, digest: string) => Promise<unknown>> = {
      leased: (at, digest) => at.blobs.lease(digest),
      'leased, referenced and released': async (at, digest) => {
        const lease = await at.blobs.lease(digest);
        await refer(at, digest, 'a');
        lease!.release();
      },
      'written again': (at) => at.blobs.write(bytesOf(10)),
    };
    for (const [what, act] of Object.entries(actions)) {
      const inner = openMemoryStore();
      let during: (() => Promise<unknown>) | undefined;
      // The moment in which a collection waits for the answer to "who refers to it?".
      const store: Store = Object.create(inner, {
        revision: { get: () => inner.revision },
        transact: { value: inner.transact.bind(inner) },
        range: {
          value: async (options: Parameters<Store['range']>[0]) => {
            const found = await inner.range(options);
            await during?.();
            return found;
          },
        },
      });
      await using at = await open({ store });
      const place: Opened = { ...at, store: inner };
      const { digest, release } = await at.blobs.write(bytesOf(10));
      release();
      during = () => act(place, digest);
      assert.equal((await at.blobs.collect()).deleted, 0, what);
      assert.equal((await at.blobs.read(digest)).length, 10, what);
      await inner.close();
    }
  });

  it('looks again for who asks when it has passed already what is not referenced any more', async () => {
    const inner = openMemoryStore();
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const store: Store = Object.create(inner, {
      revision: { get: () => inner.revision },
      transact: { value: inner.transact.bind(inner) },
      range: {
        value: async (options: Parameters<Store['range']>[0]) => {
          const found = await inner.range(options);
          asked.resolve();
          await gate.promise;
          return found;
        },
      },
    });
    await using at = await open({ store });
    const { digest, release } = await at.blobs.write(bytesOf(10));
    await refer({ ...at, store: inner }, digest, 'a');
    release();
    const first = at.blobs.collect();
    await asked.promise;
    await forget({ ...at, store: inner }, digest, 'a');
    const [second, third] = [at.blobs.collect(), at.blobs.collect()];
    gate.resolve();
    assert.equal((await first).deleted, 0);
    assert.deepEqual([(await second).deleted, await third], [1, await second]);
    await inner.close();
  });

  it('never deletes what is referenced, however writers, copiers and deleters meet it', async () => {
    await using at = await open({ durable: false });
    const random = createSeededRandom(4);
    const pick = (below: number) => Math.floor(random.fraction() * below);
    let over = false;
    let deleted = 0;
    const collector = (async () => {
      while (!over) deleted += (await at.blobs.collect()).deleted;
    })();
    const worker = async () => {
      for (let i = 0; i < 60; i++) {
        const [key, other] = [`k${pick(6)}`, `k${pick(6)}`];
        const act = pick(3);
        if (act === 0) {
          const blob = await at.blobs.write(bytesOf(100, pick(4)));
          await at.store.transact(async (transaction) => {
            const old = await transaction.get<string>(['object', key]);
            if (old) at.blobs.dereference(transaction, old.value, [key]);
            at.blobs.reference(transaction, blob.digest, [key]);
            transaction.put(['object', key], blob.digest);
          });
          blob.release();
        } else {
          await at.store.transact(async (transaction) => {
            const source = await transaction.get<string>(['object', key]);
            if (!source) return;
            if (act === 1) {
              at.blobs.dereference(transaction, source.value, [key]);
              transaction.delete(['object', key]);
              return;
            }
            const target = await transaction.get<string>(['object', other]);
            if (target) at.blobs.dereference(transaction, target.value, [other]);
            at.blobs.reference(transaction, source.value, [other]);
            transaction.put(['object', other], source.value);
          });
        }
        // In a transaction, so that it is the names of one moment that are held against the files.
        const missing = await at.store.transact(async (transaction) => {
          const named = await transaction.range<string>({ prefix: ['object'] });
          const leases = await Promise.all(named.map(({ value }) => at.blobs.lease(value)));
          for (const lease of leases) lease?.release();
          return named.filter((_, i) => !leases[i]);
        });
        assert.deepEqual(missing, []);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    over = true;
    await collector;
    assert.ok(deleted > 0, 'the collector had something to do');
    for (const { value } of await at.store.range<string>({ prefix: ['object'] })) await at.blobs.read(value);
    for (const { key, value } of await at.store.range<string>({ prefix: ['object'] })) {
      await forget(at, value, key[1] as string);
    }
    await at.blobs.collect();
    assert.deepEqual(await at.files(), []);
  });

  it('happens by itself some time after a dereference, by the clock', async () => {
    const clock = createManualClock();
    await using at = await open({ clock, collectAfter: 1000 });
    const blob = await at.blobs.write(bytesOf(10));
    await refer(at, blob.digest, 'a');
    blob.release();
    await forget(at, blob.digest, 'a');
    clock.advance(999);
    assert.equal((await at.blobs.read(blob.digest)).length, 10);
    clock.advance(1);
    while ((await at.files()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('happens by itself some time after a blob was released that nothing has come to refer to', async () => {
    const clock = createManualClock();
    await using at = await open({ clock, collectAfter: 1000 });
    const [kept, dropped] = [await at.blobs.write(bytesOf(10, 1)), await at.blobs.write(bytesOf(10, 2))];
    clock.advance(1000); // what an earlier process left is looked for only now
    await refer(at, kept.digest, 'a');
    kept.release();
    dropped.release();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    while ((await at.files()).length > 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await at.blobs.read(kept.digest)).length, 10);
  });

  it('removes at opening what a killed process was writing, and nothing that is not its own', async () => {
    await using at = await open();
    await mkdir(join(at.directory, 'temporary'), { recursive: true });
    await writeFile(join(at.directory, 'temporary', 'a'.repeat(32)), 'half');
    await writeFile(join(at.directory, 'sha256', 'README'), 'not a blob');
    const again = await openBlobStore({ directory: at.directory, store: at.store, random: createSeededRandom() });
    assert.deepEqual(await at.files(), []);
    await again.collect();
    assert.equal(await readFile(join(at.directory, 'sha256', 'README'), 'utf8'), 'not a blob');
    await again.close();
  });
});
