import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ArchiveError, ArchiveTooLargeError, unpack } from './archive.ts';
import { resolvesInside } from './archive-links.ts';
import { type ZipEntry, zip } from './fixture.ts';

const LIMITS = { unpackedSize: 1024 * 1024, entries: 100 };
const link = (target: string): ZipEntry => ({ content: target, mode: 0o120777 });

let directory: string;
let target: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  target = join(directory, 'inside');
  await mkdir(target);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function unpackBytes(bytes: Buffer, limits = LIMITS): Promise<number> {
  const path = join(directory, 'package.zip');
  await writeFile(path, bytes);
  return unpack(path, target, limits);
}

/** Replaces a name in the finished archive with another of the same length, which a zip writer would refuse. */
async function zipNamed(evil: string): Promise<Buffer> {
  const placeholder = 'x'.repeat(evil.length);
  const bytes = await zip({ [placeholder]: 'evil' });
  return Buffer.from(bytes.toString('latin1').replaceAll(placeholder, evil), 'latin1');
}

describe('unpacking a deployment package', () => {
  it('writes files, folders and inner links, and keeps execute bits', async () => {
    const size = await unpackBytes(
      await zip({
        'lib/a.txt': 'hello',
        'bin/tool': { content: '#!', mode: 0o100755 },
        'secret.txt': { content: 'x', mode: 0o100600 },
        setuid: { content: 'x', mode: 0o104755 },
        'lib/link': link('../bin/tool'),
      }),
    );
    assert.equal(size, 9);
    assert.equal(await readFile(join(target, 'lib/a.txt'), 'utf8'), 'hello');
    assert.equal((await stat(join(target, 'bin/tool'))).mode & 0o7777, 0o755);
    assert.equal((await stat(join(target, 'secret.txt'))).mode & 0o7777, 0o644);
    assert.equal((await stat(join(target, 'setuid'))).mode & 0o7777, 0o755);
    assert.equal(await readlink(join(target, 'lib/link')), '../bin/tool');
  });

  for (const evil of ['../evil', '/tmp/evil', 'a/../../evil', '..\\evil', 'C:/evil']) {
    it(`refuses an entry called ${evil}`, async () => {
      await assert.rejects(unpackBytes(await zipNamed(evil)), ArchiveError);
      assert.deepEqual((await readdir(directory)).sort(), ['inside', 'package.zip']);
    });
  }

  for (const evil of ['/etc/passwd', '../outside', '../../etc', 'a/../../..', '']) {
    it(`refuses a link to '${evil}'`, async () => {
      await assert.rejects(
        unpackBytes(await zip({ 'a/file': 'x', 'b/link': link(evil === '../outside' ? '../../outside' : evil) })),
        ArchiveError,
      );
    });
  }

  it('refuses links that climb out through one another', async () => {
    await assert.rejects(
      unpackBytes(await zip({ 'a/b/up': link('../..'), out: link('a/b/up/..') })),
      /links to a place outside/,
    );
  });

  it('refuses links in a circle', async () => {
    await assert.rejects(unpackBytes(await zip({ a: link('b'), b: link('a') })), ArchiveError);
  });

  it('never writes through a link of the archive', async () => {
    await assert.rejects(unpackBytes(await zip({ dir: link('other'), 'dir/file': 'x' })), ArchiveError);
    await assert.rejects(readFile(join(target, 'other/file')), { code: 'ENOENT' });
  });

  it('refuses the same name twice', async () => {
    const bytes = await zip({ 'one.txt': '1', 'two.txt': '2' });
    const doubled = Buffer.from(bytes.toString('latin1').replaceAll('two.txt', 'one.txt'), 'latin1');
    await assert.rejects(unpackBytes(doubled), ArchiveError);
  });

  it('refuses devices, pipes and sockets', async () => {
    for (const mode of [0o010644, 0o020644, 0o060644, 0o140644]) {
      await assert.rejects(unpackBytes(await zip({ special: { content: '', mode } })), /special file/);
    }
  });

  it('refuses what is larger than the limit, as declared', async () => {
    await assert.rejects(
      unpackBytes(await zip({ zeros: { content: Buffer.alloc(2 * 1024 * 1024) } })),
      ArchiveTooLargeError,
    );
  });

  it('refuses what is larger than it declares', async () => {
    const bytes = await zip({ zeros: { content: Buffer.alloc(2 * 1024 * 1024) } });
    const size = Buffer.alloc(4);
    size.writeUInt32LE(2 * 1024 * 1024);
    const small = Buffer.alloc(4);
    small.writeUInt32LE(10);
    const lying = Buffer.from(
      bytes.toString('latin1').replaceAll(size.toString('latin1'), small.toString('latin1')),
      'latin1',
    );
    assert.notDeepEqual(lying, bytes);
    await assert.rejects(unpackBytes(lying), ArchiveError);
  });

  it('refuses too many entries', async () => {
    const files = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`f${index}`, '']));
    await assert.rejects(unpackBytes(await zip(files)), ArchiveTooLargeError);
  });

  it('refuses what is not a zip, an empty file, and one that was cut off', async () => {
    const whole = await zip({ 'a.txt': 'x'.repeat(1000), 'b.txt': 'y' });
    for (const bytes of [
      Buffer.from('plain text'),
      Buffer.alloc(0),
      whole.subarray(0, whole.length - 10),
      whole.subarray(20),
    ]) {
      await assert.rejects(unpackBytes(bytes), ArchiveError);
    }
  });

  it('refuses damaged data', async () => {
    const bytes = Buffer.from(await zip({ 'a.txt': { content: Buffer.from('abc'.repeat(1000)) } }));
    bytes.fill(0xff, 40, 55);
    await assert.rejects(unpackBytes(bytes), ArchiveError);
  });

  it('refuses contents that do not have their checksum, small and large', async () => {
    for (const size of [10, 300_000]) {
      const bytes = await zip({ 'a.bin': { content: Buffer.alloc(size, 'abcdefgh') } });
      const central = bytes.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
      bytes[central + 16]! ^= 0xff;
      await assert.rejects(unpackBytes(bytes), /wrong checksum/);
      await rm(join(target, 'a.bin'), { force: true });
    }
  });

  it('refuses encrypted entries', async () => {
    const bytes = Buffer.from(await zip({ 'a.txt': 'x' }));
    // The flag's lowest bit, in the local header and in the central directory.
    bytes[6]! |= 1;
    const central = bytes.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
    bytes[central + 8]! |= 1;
    await assert.rejects(unpackBytes(bytes), /encrypted/);
  });
});

describe('resolvesInside', () => {
  it('follows links of links', () => {
    const links = new Map([
      ['current', 'v1'],
      ['v1/self', '..'],
    ]);
    assert.equal(resolvesInside('current', 'v1', links), true);
    assert.equal(resolvesInside('x', 'current/self/current', links), true);
    assert.equal(resolvesInside('x', 'current/self/..', links), false);
  });
});
