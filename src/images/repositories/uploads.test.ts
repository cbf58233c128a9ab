import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { digestOf, openTestRepositories, type TestRepositories } from './testing/test-repositories.ts';

async function* chunks(...parts: readonly (string | Uint8Array)[]) {
  for (const part of parts) yield Buffer.from(part);
}

async function fileOf(at: TestRepositories): Promise<string> {
  return join(at.directory, 'uploads', (await readdir(join(at.directory, 'uploads')))[0]!);
}

describe('registry: uploads', { timeout: 20_000 }, () => {
  it('go on after a restart from what is in the file, whoever had hashed it', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    await at.repositories.appendUpload('app', id, chunks('abc', 'def'));
    const again = await at.restart();
    assert.equal((await again.getUpload('app', id)).offset, 6);
    await assert.rejects(again.appendUpload('app', id, chunks('x'), { start: 5, end: 5 }), { status: 416 });
    await again.appendUpload('app', id, chunks('ghi'), { start: 6, end: 8 });
    assert.equal((await again.finishUpload('app', id, digestOf('abcdefghi'))).size, 9);
  });

  it('count what a killed process had written without saying so', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    await at.repositories.appendUpload('app', id, chunks('abc'));
    await appendFile(await fileOf(at), 'def');
    assert.equal((await at.repositories.getUpload('app', id)).offset, 6);
    await at.repositories.finishUpload('app', id, digestOf('abcdefghi'), chunks('ghi'));
  });

  it('do not count what a failed disk has lost', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    await at.repositories.appendUpload('app', id, chunks('abcdef'));
    await truncate(await fileOf(at), 2);
    assert.equal((await at.repositories.getUpload('app', id)).offset, 2);
    await at.repositories.finishUpload('app', id, digestOf('abc'), chunks('c'));
  });

  it('keep what came before their source failed', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    async function* failing() {
      yield Buffer.from('abc');
      throw new Error('the client went away');
    }
    await assert.rejects(at.repositories.appendUpload('app', id, failing(), { start: 0, end: 9 }), /went away/);
    assert.equal((await at.repositories.getUpload('app', id)).offset, 3);
    await at.repositories.finishUpload('app', id, digestOf('abcdef'), chunks('def'));
  });

  it('are continued by the latest request; an earlier one that hangs is cut off', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    const hanging = new PassThrough();
    hanging.write('abc');
    const first = at.repositories.appendUpload('app', id, hanging);
    const refused = assert.rejects(first, { code: 'BLOB_UPLOAD_INVALID' });
    while (hanging.readableLength > 0) await new Promise(setImmediate);
    const second = await at.repositories.appendUpload('app', id, chunks('def'));
    await refused;
    assert.equal(second.offset, 6);
    await at.repositories.finishUpload('app', id, digestOf('abcdef'));
  });

  it('hash and write large content in order', async () => {
    await using at = await openTestRepositories();
    const part = Buffer.alloc(700_001, 'kobune');
    const all = Buffer.concat(Array.from({ length: 9 }, () => part));
    const { id } = await at.repositories.startUpload('app');
    await at.repositories.appendUpload('app', id, chunks(part, part, part, part));
    await at.restart();
    await at.repositories.appendUpload('app', id, chunks(part, part));
    const { size } = await at.repositories.finishUpload('app', id, digestOf(all), chunks(part, part, part));
    assert.equal(size, all.length);
    assert.equal(digestOf(await at.content.read(digestOf(all))), digestOf(all));
    assert.deepEqual(await at.uploads(), []);
  });

  const reason = process.getuid?.() === 0 ? false : 'needs root, to mount a small file system';
  it('stay where they are when the disk is full, and go on when there is room', { skip: reason }, async (t) => {
    const mount = await mkdtemp(join(tmpdir(), 'kobune-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      await rm(mount, { recursive: true });
      t.skip('mounting is not allowed here');
      return;
    }
    try {
      await using at = await openTestRepositories({ directory: mount });
      await writeFile(join(mount, 'other'), Buffer.alloc(1_500_000));
      const content = Buffer.alloc(2_500_000, 'kobune');
      const parts = Array.from({ length: 25 }, (_, i) => content.subarray(i * 100_000, (i + 1) * 100_000));
      const { id } = await at.repositories.startUpload('app');
      await assert.rejects(at.repositories.appendUpload('app', id, chunks(...parts)), { code: 'ENOSPC' });
      const { offset } = await at.repositories.getUpload('app', id);
      assert.ok(offset > 0 && offset < content.length);
      await rm(join(mount, 'other'));
      await at.repositories.finishUpload('app', id, digestOf(content), chunks(content.subarray(offset)));
      assert.equal(digestOf(await at.content.read(digestOf(content))), digestOf(content));
    } finally {
      execFileSync('umount', ['-l', mount]);
      await rm(mount, { recursive: true });
    }
  });

  it('can begin once what was in the way of their directory is gone', async () => {
    await using at = await openTestRepositories();
    await writeFile(join(at.directory, 'uploads'), '');
    await assert.rejects(at.repositories.startUpload('app'), { code: 'EEXIST' });
    await rm(join(at.directory, 'uploads'));
    assert.equal((await at.repositories.startUpload('app')).offset, 0);
  });

  it('are gone with what does not have the digest, and nothing stays of it', async () => {
    await using at = await openTestRepositories();
    for (const digest of [digestOf('else'), digestOf('else', 'sha512')]) {
      const { id } = await at.repositories.startUpload('app');
      const finished = at.repositories.finishUpload('app', id, digest, chunks('content'));
      await assert.rejects(finished, { code: 'DIGEST_INVALID' });
      await assert.rejects(at.repositories.getUpload('app', id), { code: 'BLOB_UPLOAD_UNKNOWN' });
    }
    assert.deepEqual([await at.uploads(), await at.files()], [[], []]);
  });

  it('finish once', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    await at.repositories.appendUpload('app', id, chunks('abc'));
    const results = await Promise.allSettled([
      at.repositories.finishUpload('app', id, digestOf('abc')),
      at.repositories.finishUpload('app', id, digestOf('abc')),
    ]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    await at.repositories.statBlob('app', digestOf('abc'));
  });

  it('push nothing into a repository that was deleted meanwhile', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    const source = new PassThrough();
    const appending = at.repositories.finishUpload('app', id, digestOf('abc'), source);
    const refused = assert.rejects(appending, { code: /BLOB_UNKNOWN|NAME_UNKNOWN/ });
    await at.repositories.delete('app');
    await at.repositories.create('app');
    source.end('abc');
    await refused;
    await assert.rejects(at.repositories.statBlob('app', digestOf('abc')), { code: 'BLOB_UNKNOWN' });
  });
});
