import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { UserError } from '../base/errors.ts';
import { StoreWriteError } from './commit-queue.ts';
import type { FormatSupport } from './drivers/lmdb-format.ts';
import { openLmdbStore } from './lmdb-store.ts';

async function scratch(): Promise<AsyncDisposable & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-store-'));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

/** A process that opens the store in `directory` and holds it until it is killed; resolves once it says so. */
async function holder(directory: string) {
  const script = `
    import { openLmdbStore } from ${JSON.stringify(new URL('./lmdb-store.ts', import.meta.url).href)};
    const store = await openLmdbStore({ directory: ${JSON.stringify(directory)} });
    await store.put(['from'], process.pid);
    console.log('open');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

/** Spoils the pages after the first third of a file. */
async function overwrite(path: string, byte: number): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  const third = Math.floor(size / 3 / 4096) * 4096;
  await file.write(Buffer.alloc(third, byte), 0, third, third);
}

describe('lmdb store: a directory', () => {
  it('holds after reopening what was there: values, revision, history, and watches go on without a gap', async () => {
    await using place = await scratch();
    let store = await openLmdbStore(place);
    for (let i = 1; i <= 20; i++) await store.put(['k', i % 3], i);
    await store.delete(['k', 0]);
    await store.compact(4);
    await store.close();
    store = await openLmdbStore(place);
    assert.equal(store.revision, 21);
    assert.equal((await store.get(['k', 0], { revision: 12 }))!.value, 12);
    await assert.rejects(store.get(['k', 0], { revision: 3 }), { name: 'CompactedError', compactedRevision: 4 });
    const watch = store.watch<number>({ prefix: ['k'], fromRevision: 18 });
    await store.put(['k', 9], 22);
    const seen: unknown[] = [];
    for await (const { revision, events } of watch) {
      for (const event of events) seen.push([revision, event.type === 'put' ? event.entry.value : event.key]);
      if (revision === 22) break;
    }
    assert.deepEqual(seen, [
      [19, 19],
      [20, 20],
      [21, ['k', 0]],
      [22, 22],
    ]);
    await store.close();
  });

  it('belongs to one process, whose id the error tells; one that was killed does not block', async () => {
    await using place = await scratch();
    const child = await holder(place.directory);
    try {
      await assert.rejects(openLmdbStore(place), (error: UserError) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, new RegExp(`in use by process ${child.pid}$`));
        return true;
      });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const store = await openLmdbStore(place);
    assert.equal((await store.get(['from']))!.value, child.pid);
    await assert.rejects(openLmdbStore(place), /in use/, 'nor can the same process open it twice');
    assert.equal(await store.put(['still'], 'works'), 2);
    await store.close();
  });

  it('of a newer format is refused, and left as it is', async () => {
    await using place = await scratch();
    const newer: FormatSupport = { format: 2, migrations: [] };
    await (await openLmdbStore({ ...place, formats: newer })).close();
    await assert.rejects(openLmdbStore(place), (error: UserError) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /has format 2, .*reads up to 1/);
      return true;
    });
    await rm(join(place.directory, 'format'));
    await assert.rejects(openLmdbStore(place), /has format 2/, 'the store itself says so too');
    await (await openLmdbStore({ ...place, formats: newer })).close();
  });

  it('of an older format is migrated step by step', async () => {
    await using place = await scratch();
    const old = await openLmdbStore(place);
    await old.put(['a'], 'old');
    await old.close();
    const steps: number[] = [];
    const formats: FormatSupport = {
      format: 3,
      migrations: [1, 2].map((from) => ({
        from,
        migrate({ data }) {
          steps.push(from);
          for (const { key, value } of [...data.getRange()]) {
            const text = value.toString('latin1').replace(from === 1 ? 'old' : 'mid', from === 1 ? 'mid' : 'new');
            data.putSync(key, Buffer.from(text, 'latin1'));
          }
        },
      })),
    };
    const store = await openLmdbStore({ ...place, formats });
    assert.equal((await store.get(['a']))!.value, 'new');
    await store.close();
    await (await openLmdbStore({ ...place, formats })).close();
    assert.deepEqual(steps, [1, 2]);
    assert.equal(await readFile(join(place.directory, 'format'), 'utf8'), '3\n');
    assert.deepEqual((await readdir(place.directory)).sort(), ['data.mdb', 'format', 'lock.mdb']);
  });

  it('whose migration fails is what it was', async () => {
    await using place = await scratch();
    const old = await openLmdbStore(place);
    await old.put(['a'], 'old');
    await old.close();
    const formats: FormatSupport = {
      format: 2,
      migrations: [
        {
          from: 1,
          migrate({ data }) {
            data.clearSync();
            throw new Error('cannot');
          },
        },
      ],
    };
    await assert.rejects(openLmdbStore({ ...place, formats }), (error: UserError) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /could not be brought to format 2/);
      assert.match(String(error.cause), /cannot/);
      return true;
    });
    const store = await openLmdbStore(place);
    assert.equal((await store.get(['a']))!.value, 'old');
    await store.close();
  });

  for (const [how, damage] of [
    ['is empty', (path: string) => truncate(path)],
    ['is something else', (path: string) => writeFile(path, Buffer.alloc(100_000, 'not a database'))],
    ['has lost its second half', async (path: string) => truncate(path, 2_000_000)],
    ['has disappeared', (path: string) => rm(path)],
    ['has zeros in the middle', (path: string) => overwrite(path, 0)],
    ['has garbage in the middle', (path: string) => overwrite(path, 0xa5)],
  ] as const) {
    it(`whose data file ${how} is refused with the file's name and what to do`, async () => {
      await using place = await scratch();
      const store = await openLmdbStore(place);
      for (let i = 0; i < 40; i++) await store.put(['k', i], Buffer.alloc(100_000, i));
      await Promise.all(Array.from({ length: 500 }, (_, i) => store.put(['small', i], 'x'.repeat(500))));
      await store.close();
      const path = join(place.directory, 'data.mdb');
      await damage(path);
      await assert.rejects(openLmdbStore(place), (error: UserError) => {
        assert.ok(error instanceof UserError, String(error));
        assert.ok(error.message.includes(path));
        assert.match(error.hint!, /copy of the data directory/);
        return true;
      });
    });
  }

  it('that need not outlive the machine is written without flushing, and still kept when closed', async () => {
    await using place = await scratch();
    let store = await openLmdbStore({ ...place, durable: false });
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.put(['k', i], i)));
    await store.close();
    store = await openLmdbStore(place);
    assert.equal((await store.range({ prefix: ['k'] })).length, 100);
    await store.close();
  });

  it('that cannot be made is refused', async () => {
    await using place = await scratch();
    const file = join(place.directory, 'file');
    await writeFile(file, '');
    await assert.rejects(openLmdbStore({ directory: join(file, 'store') }), { code: 'ENOTDIR' });
  });
});

describe('lmdb store: a full disk', () => {
  const reason = process.getuid?.() === 0 ? false : 'needs root, to mount a small file system';
  it('refuses the write, keeps everything else, and goes on when there is room again', { skip: reason }, async (t) => {
    await using place = await scratch();
    const mount = join(place.directory, 'disk');
    await mkdir(mount);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      t.skip('mounting is not allowed here');
      return;
    }
    try {
      let store = await openLmdbStore({ directory: join(mount, 'store') });
      const written: number[] = [];
      const watch = store.watch<Buffer>({ prefix: ['k'] });
      let failure: unknown;
      for (let i = 0; !failure; i++) {
        // Two at once: the second builds on a commit that may fail.
        const both = await Promise.allSettled([
          store.put(['k', 2 * i], Buffer.alloc(50_000, i)),
          store.transact(async (transaction) => {
            await transaction.get(['k', 2 * i]);
            transaction.put(['k', 2 * i + 1], Buffer.alloc(50_000, i));
          }),
        ]);
        for (const [j, result] of both.entries()) {
          if (result.status === 'fulfilled') written.push(2 * i + j);
          else failure = result.reason;
        }
      }
      assert.ok(failure instanceof StoreWriteError);
      assert.match(failure.message, /full/);
      assert.equal(store.revision, written.length);
      const keys = async () => (await store.range({ prefix: ['k'] })).map(({ key }) => key[1]);
      assert.deepEqual(await keys(), written);
      await assert.rejects(store.put(['k', 1000], Buffer.alloc(4_000_000)), StoreWriteError);
      execFileSync('mount', ['-o', 'remount,size=8m', mount]);
      assert.equal(await store.put(['k', 1001], 'room'), written.length + 1);
      let told = 0;
      for await (const { revision } of watch) {
        assert.equal(revision, ++told);
        if (told === written.length + 1) break;
      }
      await store.close();
      store = await openLmdbStore({ directory: join(mount, 'store') });
      assert.deepEqual(await keys(), [...written, 1001]);
      await store.close();
    } finally {
      execFileSync('umount', ['-l', mount]); // lazily: a failed assertion leaves the store open
    }
  });
});
