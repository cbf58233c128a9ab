import assert from 'node:assert/strict';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { type Header, pack } from 'tar-stream';
import { unpackContext } from './context-directory.ts';

type Entry = Partial<Header> & { readonly name: string; readonly content?: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', ...header } of entries) archive.entry(header, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('an uploaded build context', () => {
  let parent: string;
  let directory: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'kobune-context-'));
    directory = await mkdtemp(join(parent, 'context-'));
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const unpack = async (entries: readonly Entry[]) =>
    unpackContext(Readable.from([await tarOf(entries)]), async () => directory);
  const refused = async (entries: readonly Entry[], message: RegExp) => {
    await assert.rejects(unpack(entries), { status: 400, message });
    assert.deepEqual(await readdir(parent), [directory.slice(parent.length + 1)], 'nothing was made outside');
  };

  it('is unpacked with its modes, times and links, whatever the umask', async (t) => {
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const mtime = new Date('2020-02-02T02:02:02Z');
    await unpack([
      { name: './', type: 'directory', mode: 0o755, mtime },
      { name: './src', type: 'directory', mode: 0o700, mtime },
      { name: 'src/run.sh', mode: 0o750, mtime, content: 'echo' },
      { name: 'deep/er/file', mode: 0o644, mtime, content: 'x' },
      { name: 'shared', mode: 0o664, mtime, content: 'x' },
      { name: 'setuid', mode: 0o4755, mtime, content: 'x' },
      { name: 'link', type: 'symlink', linkname: '/etc/passwd', mtime },
      { name: 'same', type: 'link', linkname: 'src/run.sh', mtime },
    ]);
    assert.equal(await readFile(join(directory, 'src/run.sh'), 'utf8'), 'echo');
    const [file, folder, same, shared, setuid] = await Promise.all(
      ['src/run.sh', 'src', 'same', 'shared', 'setuid'].map((name) => stat(join(directory, name))),
    );
    assert.equal((await stat(join(directory, 'deep/er'))).mode & 0o777, 0o755);
    assert.equal(shared!.mode & 0o7777, 0o664);
    assert.equal(setuid!.mode & 0o7777, 0o4755);
    assert.equal(file!.mode & 0o777, 0o750);
    assert.equal(file!.mtimeMs, mtime.getTime());
    assert.equal(folder!.mode & 0o777, 0o700);
    assert.equal(folder!.mtimeMs, mtime.getTime());
    assert.equal(same!.ino, file!.ino);
    assert.equal(await readlink(join(directory, 'link')), '/etc/passwd');
    assert.equal((await lstat(join(directory, 'link'))).mtimeMs, mtime.getTime());
    assert.equal(await readFile(join(directory, 'deep/er/file'), 'utf8'), 'x');
  });

  it('may bring a file twice: the last one counts', async () => {
    await unpack([
      { name: 'a', content: 'one' },
      { name: 'a', type: 'symlink', linkname: '/etc' },
      { name: 'a', content: 'two' },
    ]);
    assert.equal(await readFile(join(directory, 'a'), 'utf8'), 'two');
    assert.ok((await lstat(join(directory, 'a'))).isFile());
  });

  it('does not climb out', async () => {
    await refused([{ name: '../evil', content: 'x' }], /the name \.\.\/evil leads out of the build context/);
    await refused([{ name: 'a/../../evil', content: 'x' }], /leads out of the build context/);
  });

  it('takes absolute names as those within', async () => {
    await unpack([{ name: '/abs', content: 'x' }]);
    assert.equal(await readFile(join(directory, 'abs'), 'utf8'), 'x');
  });

  it('does not go through links of its own', async () => {
    const link = { name: 'out', type: 'symlink', linkname: '..' } as const;
    await refused([link, { name: 'out/evil', content: 'x' }], /out\/evil goes through out, which is no directory/);
    await refused(
      [
        { name: 'f', content: '' },
        { name: 'f/x', content: 'x' },
      ],
      /goes through f, which is no directory/,
    );
  });

  it('has hard links only to files that it has brought', async () => {
    await refused(
      [{ name: 'a', type: 'link', linkname: '/etc/passwd' }],
      /a is a link to etc\/passwd, which is no file before it/,
    );
    await refused(
      [
        { name: 's', type: 'symlink', linkname: '/etc/passwd' },
        { name: 'a', type: 'link', linkname: 's' },
      ],
      /which is no file before it/,
    );
    await refused([{ name: 'a', type: 'link', linkname: '../x' }], /leads out/);
  });

  it('holds no devices and no pipes', async () => {
    await refused([{ name: 'sda', type: 'block-device', devmajor: 8, devminor: 0 }], /sda is a device or a pipe/);
    await refused([{ name: 'p', type: 'fifo' }], /p is a device or a pipe/);
  });

  it('that is no archive, or ends too early, is refused', async () => {
    const bytes = await tarOf([{ name: 'a', content: 'x'.repeat(2000) }]);
    await assert.rejects(
      unpackContext(Readable.from([Buffer.from('x'.repeat(600))]), async () => directory),
      {
        status: 400,
        message: /Error processing tar file/,
      },
    );
    await assert.rejects(
      unpackContext(Readable.from([bytes.subarray(0, 1000)]), async () => directory),
      {
        status: 400,
        message: /ends in the middle/,
      },
    );
  });
});

describe('an uploaded build context that is compressed', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-context-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** In pieces, as it comes over a connection. */
  const unpack = (bytes: Uint8Array) =>
    unpackContext(
      Readable.from(
        Array.from({ length: Math.ceil(bytes.length / 3) }, (_, index) => bytes.subarray(index * 3, index * 3 + 3)),
      ),
      async () => directory,
    );

  it('is read with gzip and with zstd', async () => {
    const archive = await tarOf([{ name: 'a', content: 'x'.repeat(1000) }]);
    for (const compressed of [gzipSync(archive), zstdCompressSync(archive)]) {
      await unpack(compressed);
      assert.equal((await readFile(join(directory, 'a'), 'utf8')).length, 1000);
      await rm(join(directory, 'a'));
    }
  });

  it('in another way, or damaged, is refused', async () => {
    const message = /Error processing tar file: /;
    await assert.rejects(unpack(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0])), {
      status: 400,
      message: /with xz/,
    });
    const archive = await tarOf([{ name: 'a', content: 'x'.repeat(1000) }]);
    const damaged = gzipSync(archive);
    damaged.fill(0xff, 12, 20);
    await assert.rejects(unpack(damaged), { status: 400, message });
    await assert.rejects(unpack(gzipSync(archive).subarray(0, 20)), { status: 400, message });
  });
});
