import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ServiceError } from '../../base/errors.ts';
import type { Root } from '../roots.ts';
import {
  type ArchiveFile,
  addImage,
  addLayer,
  makeArchive,
  noRootsReason,
  openTestImages,
  type TestImages,
} from '../test-support.ts';

const skip = noRootsReason;
let count = 0;

/** A root of an image of these layers, bottom first. */
async function rootOf(at: TestImages, ...layers: readonly (readonly ArchiveFile[])[]): Promise<Root> {
  const image = await addImage(at, undefined, layers.map(makeArchive));
  return at.images.roots.create(`r${++count}`, image.layers);
}

const isInvalid = (problem: RegExp) => (error: unknown) =>
  error instanceof ServiceError && error.code === 'InvalidArchive' && problem.test(error.message);

/** What is in the directories of images, to see whether anything stays. */
const leftovers = async (at: TestImages) =>
  (await Promise.all(['layers', 'unpacking'].map((name) => readdir(join(at.directory, 'images', name))))).flat();

describe('unpacking layers', { skip }, () => {
  it('makes files of each kind with all that they have', async () => {
    await using at = await openTestImages();
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const root = await rootOf(at, [
      { path: 'dir/', mode: 0o2750, uid: 1, gid: 2, mtime: { seconds: 1000, nanoseconds: 5 } },
      { path: 'dir/file', content: 'text', mode: 0o4711, uid: 3, gid: 4, mtime: { seconds: -5, nanoseconds: 7 } },
      { path: 'dir/hard', type: 'hard-link', linkTarget: '/dir/file' },
      { path: 'soft', type: 'symlink', linkTarget: '/no/where', uid: 5, gid: 6, mtime: { seconds: 7, nanoseconds: 0 } },
      { path: 'pipe', type: 'fifo', mode: 0o600 },
      { path: 'null', type: 'character', mode: 0o666, deviceMajor: 1, deviceMinor: 3 },
      { path: 'disk', type: 'block', mode: 0o660, deviceMajor: 259, deviceMinor: 300 },
      {
        path: 'capable',
        content: 'x',
        mode: 0o755,
        uid: 9,
        xattrs: new Map([
          ['security.capability', capability],
          ['user.note', Buffer.from('hi')],
          ['trusted.overlay.redirect', Buffer.from('/etc')],
        ]),
      },
      { path: 'sticky/', mode: 0o1777 },
    ]);
    const { path } = root;
    const dir = lstatSync(join(path, 'dir'), { bigint: true });
    assert.deepEqual([Number(dir.mode & 0o7777n), dir.uid, dir.gid, dir.mtimeNs], [0o2750, 1n, 2n, 1_000_000_000_000n]);
    const file = lstatSync(join(path, 'dir/file'), { bigint: true });
    assert.deepEqual(
      [Number(file.mode & 0o7777n), file.uid, file.gid, file.mtimeNs, file.nlink],
      [0o4711, 3n, 4n, -5_000_000_000n, 2n],
    );
    assert.equal(readFileSync(join(path, 'dir/hard'), 'utf8'), 'text');
    const soft = lstatSync(join(path, 'soft'));
    assert.deepEqual([readlinkSync(join(path, 'soft')), soft.uid, soft.gid, soft.mtimeMs], ['/no/where', 5, 6, 7000]);
    assert.ok(lstatSync(join(path, 'pipe')).isFIFO());
    assert.equal(lstatSync(join(path, 'null')).rdev, (1 << 8) | 3);
    assert.ok(lstatSync(join(path, 'disk')).isBlockDevice());
    assert.equal(execFileSync('stat', ['-c', '%t %T', join(path, 'disk')], { encoding: 'utf8' }), '103 12c\n');
    assert.equal(lstatSync(join(path, 'sticky')).mode & 0o7777, 0o1777);
    const script = 'import os, sys; print({n: os.getxattr(sys.argv[1], n).hex() for n in os.listxattr(sys.argv[1])})';
    const attributes = execFileSync('/usr/bin/python3', ['-c', script, join(path, 'capable')], { encoding: 'utf8' });
    assert.match(attributes, /'security\.capability': '0100000200040000000000000000000000000000'/);
    assert.match(attributes, /'user\.note': '6869'/);
    assert.doesNotMatch(attributes, /trusted/);
  });

  it('keeps names that are no UTF-8', async () => {
    await using at = await openTestImages();
    const name = 'caf\udce9';
    const root = await rootOf(
      at,
      [
        { path: `${name}/` },
        { path: `${name}/${name}`, content: 'x', xattrs: new Map([['user.a', Buffer.from('b')]]) },
        { path: `${name}-link`, type: 'symlink', linkTarget: name },
      ],
      [{ path: `.wh.${name}-link` }, { path: `${name}/new` }],
    );
    const bytes = Buffer.concat([Buffer.from(`${root.path}/caf`), Buffer.from([0xe9])]);
    assert.ok(statSync(bytes).isDirectory());
    assert.equal(readFileSync(Buffer.concat([bytes, Buffer.from('/caf'), Buffer.from([0xe9])]), 'utf8'), 'x');
    writeFileSync(Buffer.concat([bytes, Buffer.from('/'), Buffer.from([0xff])]), 'made');
    assert.deepEqual(
      (await root.changes()).map(({ path }) => path),
      [`/${name}`, `/${name}/\udcff`],
    );
    const { layer, release } = await at.images.roots.commit(root);
    release();
    const names = execFileSync('tar', ['-tf', await at.content.path(layer.diffId)], { encoding: 'latin1' });
    assert.equal(names, 'caf\\351/\ncaf\\351/\\377\n');
  });

  it('puts whiteouts and opaque directories where overlayfs wants them, in whatever order they come', async () => {
    await using at = await openTestImages();
    const base: ArchiveFile[] = [
      { path: 'a/' },
      { path: 'a/x', content: 'old' },
      { path: 'a/y' },
      { path: 'b/' },
      { path: 'b/z' },
      { path: 'c', content: 'old' },
      { path: 'd/' },
      { path: 'd/old' },
      { path: 'e/' },
      { path: 'e/old' },
    ];
    const root = await rootOf(at, base, [
      { path: 'a/.wh.x' },
      { path: 'b/new' },
      { path: 'b/.wh..wh..opq' },
      { path: '.wh.c' },
      { path: 'c', content: 'new' },
      { path: '.wh.d' },
      { path: 'd/' },
      { path: 'd/new' },
      { path: 'e/new' },
      { path: '.wh.e' },
      { path: '.wh..wh.plnk/' },
      { path: 'nowhere/.wh.x' },
    ]);
    const list = async (name: string) => (await readdir(join(root.path, name))).sort();
    assert.deepEqual(await list('.'), ['a', 'b', 'c', 'd', 'e', 'nowhere']);
    assert.deepEqual(await list('a'), ['y']);
    assert.deepEqual(await list('b'), ['new']);
    assert.deepEqual(await list('d'), ['new']);
    assert.deepEqual(await list('e'), ['new']);
    assert.equal(readFileSync(join(root.path, 'c'), 'utf8'), 'new');
  });

  it('lets later entries take the place of earlier ones', async () => {
    await using at = await openTestImages();
    const root = await rootOf(at, [
      { path: 'a/' },
      { path: 'a/b/' },
      { path: 'a/b/c' },
      { path: 'a', content: 'now a file' },
      { path: 'f', content: 'first' },
      { path: 'f', content: '2' },
      { path: 's', type: 'symlink', linkTarget: 'a' },
      { path: 's/' },
      { path: 's/in' },
      { path: 'm/', mode: 0o700 },
      { path: 'm/x' },
      { path: 'm/', mode: 0o711 },
      { path: './/f2' },
      { path: '/abs', content: 'x' },
      { path: 'q/../r', content: 'x' },
    ]);
    assert.equal(readFileSync(join(root.path, 'a'), 'utf8'), 'now a file');
    assert.equal(readFileSync(join(root.path, 'f'), 'utf8'), '2');
    assert.ok(lstatSync(join(root.path, 's')).isDirectory());
    assert.ok(existsSync(join(root.path, 'm/x')));
    assert.equal(lstatSync(join(root.path, 'm')).mode & 0o777, 0o711);
    assert.deepEqual((await readdir(root.path)).sort(), ['a', 'abs', 'f', 'f2', 'm', 'r', 's']);
  });

  it('gives directories that a layer does not describe what they have below', async () => {
    await using at = await openTestImages();
    const root = await rootOf(
      at,
      [
        { path: './', mode: 0o711, uid: 8 },
        { path: 'var/', mode: 0o750, uid: 4, gid: 5, mtime: { seconds: 50, nanoseconds: 0 } },
        { path: 'var/lib/', mode: 0o700 },
        { path: 'own/', mode: 0o700 },
      ],
      [{ path: 'other' }],
      [{ path: 'var/lib/x' }, { path: 'fresh/x' }, { path: '.wh.own' }, { path: 'own/x' }],
    );
    const facts = (path: string) => {
      const { mode, uid, gid } = lstatSync(join(root.path, path));
      return [mode & 0o7777, uid, gid];
    };
    assert.deepEqual(facts('.'), [0o711, 8, 0]);
    assert.deepEqual(facts('var'), [0o750, 4, 5]);
    assert.equal(lstatSync(join(root.path, 'var')).mtimeMs, 50_000);
    assert.deepEqual(facts('var/lib'), [0o700, 0, 0]);
    assert.deepEqual(facts('fresh'), [0o755, 0, 0]);
  });

  it('reads plain, gzip and zstd archives, also of several members', async () => {
    await using at = await openTestImages();
    const archive = makeArchive([
      { path: 'a', content: 'x'.repeat(300_000) },
      { path: 'b', content: 'y' },
    ]);
    const [head, tail] = [archive.subarray(0, 1000), archive.subarray(1000)];
    const skippable = Buffer.from('502a4d18040000006b6f6275', 'hex');
    for (const packed of [
      archive,
      gzipSync(archive),
      zstdCompressSync(archive),
      Buffer.concat([gzipSync(head), gzipSync(tail)]),
      Buffer.concat([skippable, zstdCompressSync(head), skippable, zstdCompressSync(tail)]),
    ]) {
      const { layer, release } = await addLayer(at.content, archive);
      const blob = await at.content.write(packed);
      const packedLayer = { ...layer, descriptor: { ...layer.descriptor, digest: blob.digest, size: blob.size } };
      const root = await at.images.roots.create(`r${++count}`, [packedLayer]);
      assert.equal(readFileSync(join(root.path, 'a')).length, 300_000);
      await root.remove();
      release();
      blob.release();
    }
  });

  it('unpacks a layer once, whoever asks', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, undefined, [
      makeArchive([{ path: 'a', content: 'x'.repeat(5_000_000) }]),
      makeArchive([{ path: 'b' }]),
    ]);
    const seen: string[] = [];
    await Promise.all([1, 2, 3].map(() => at.images.roots.unpack(image.layers, (diffId) => seen.push(diffId))));
    assert.equal((await leftovers(at)).length, 2);
    assert.ok(new Set(seen).size > 0);
  });
});

describe('unpacking hostile layers', { skip }, () => {
  it('refuses names that climb out, and leaves nothing behind', async () => {
    await using at = await openTestImages();
    const escapes: [ArchiveFile[], RegExp][] = [
      [[{ path: '../escaped', content: 'x' }], /leads out of it: \.\.\/escaped/],
      [[{ path: 'a/../../escaped', content: 'x' }], /leads out of it/],
      [[{ path: 'x', type: 'hard-link', linkTarget: '../../../../../../etc/passwd' }], /leads out of it/],
      [
        [{ path: 'x', type: 'hard-link', linkTarget: '/etc/passwd' }],
        /hard link to what is not in it: x to \/etc\/passwd/,
      ],
      [
        [
          { path: 'link', type: 'symlink', linkTarget: '/etc' },
          { path: 'x', type: 'hard-link', linkTarget: 'link/passwd' },
        ],
        /what is not in it/,
      ],
      [[{ path: 'file' }, { path: 'file/below' }], /below what is no directory/],
      [[{ path: 'loop', type: 'symlink', linkTarget: 'loop' }, { path: 'loop/x' }], /below what is no directory/],
      [[{ path: './', type: 'symlink', linkTarget: '/' }], /root is a symlink/],
      [[{ path: '.wh.' }], /whiteout of no file/],
      [[{ path: '.wh...' }], /whiteout of no file/],
    ];
    for (const [files, problem] of escapes)
      await assert.rejects(rootOf(at, files), isInvalid(problem), String(problem));
    assert.deepEqual(await leftovers(at), []);
    assert.equal(existsSync(join(at.directory, 'escaped')), false);
  });

  it('follows links inside of the layer alone', async () => {
    await using at = await openTestImages();
    const outside = join(at.directory, 'outside');
    mkdirSync(outside, { mode: 0o700 });
    const before = statSync(outside);
    const root = await rootOf(
      at,
      [{ path: 'base' }],
      [
        { path: 'abs', type: 'symlink', linkTarget: outside },
        { path: `${outside.slice(1)}/`, mode: 0o777 },
        { path: 'abs/file', content: 'inside' },
        { path: 'abs/new/deep/', mode: 0o777 },
        { path: 'up', type: 'symlink', linkTarget: '../../../../../../../..' },
        { path: 'up/climbed', content: 'inside' },
        { path: 'abs/.wh.gone' },
        { path: 'up/tmp/made/implied/x' },
      ],
    );
    assert.deepEqual(await readdir(outside), []);
    assert.equal(statSync(outside).mode, before.mode);
    assert.equal(readFileSync(join(root.path, outside, 'file'), 'utf8'), 'inside');
    assert.equal(readFileSync(join(root.path, 'climbed'), 'utf8'), 'inside');
    assert.equal(existsSync('/climbed'), false);
    assert.equal(existsSync('/tmp/made'), false);
  });

  it('does not take over attributes through links of a layer', async () => {
    await using at = await openTestImages();
    const outside = join(at.directory, 'outside');
    mkdirSync(join(outside, 'd'), { recursive: true, mode: 0o700 });
    // The upper layer has a file in what it says is a directory of the lower one, and it is a link here.
    await rootOf(
      at,
      [{ path: 'l/' }, { path: 'l/d/', mode: 0o777, uid: 99 }],
      [{ path: 'l', type: 'symlink', linkTarget: outside }, { path: `${outside.slice(1)}/` }, { path: 'l/d/x' }],
    );
    await rootOf(at, [{ path: 'l', type: 'symlink', linkTarget: outside }], [{ path: 'l/d/x' }]);
    const { mode, uid } = statSync(join(outside, 'd'));
    assert.deepEqual([mode & 0o777, uid], [0o700, 0]);
  });

  it('never opens devices and pipes, nor what a link in a root leads to', async () => {
    await using at = await openTestImages();
    const secret = join(at.directory, 'secret');
    writeFileSync(secret, 'secret');
    const root = await rootOf(at, [
      { path: 'd/' },
      { path: 'd/pipe', type: 'fifo' },
      { path: 'd/tty', type: 'character', deviceMajor: 5, deviceMinor: 0 },
    ]);
    symlinkSync(secret, join(root.path, 'd/link'));
    const archive = Buffer.concat(await (await at.images.roots.readArchive(root, '/d'))!.toArray());
    assert.equal(archive.includes('secret\0'), true, 'the link itself is in it');
    assert.equal(archive.includes('secretx'), false);
    assert.equal(await at.images.roots.readArchive(root, '/d/link/'), undefined);
    const { empty, release } = await at.images.roots.commit(root);
    release();
    assert.equal(empty, false);
  });

  it('refuses what is not the layer that the image tells, or no archive at all', async () => {
    await using at = await openTestImages();
    const archive = makeArchive([{ path: 'a', content: 'x'.repeat(10_000) }]);
    const other = await addLayer(at.content, makeArchive([{ path: 'b' }]));
    const unpackAs = async (bytes: Uint8Array, diffId = other.layer.diffId) => {
      const blob = await at.content.write(bytes);
      await at.images.roots.unpack([
        { descriptor: { ...other.layer.descriptor, digest: blob.digest }, diffId, size: 0 },
      ]);
    };
    await assert.rejects(unpackAs(archive), isInvalid(/has digest sha256:\w+ instead of sha256:/));
    await assert.rejects(unpackAs(Buffer.from('nonsense'.repeat(100))), isInvalid(/no tar archive/));
    await assert.rejects(unpackAs(gzipSync(archive).subarray(0, 60)), isInvalid(/decompressed|ends/));
    await assert.rejects(unpackAs(Buffer.from('fd377a585a0000', 'hex')), isInvalid(/xz, which is not supported/));
    const broken = gzipSync(archive);
    broken[broken.length - 6]! ^= 1;
    await assert.rejects(unpackAs(broken), isInvalid(/decompressed/));
    assert.deepEqual(await leftovers(at), []);
  });

  it('stays inside and leaves no half of a layer for archives at will', async () => {
    await using at = await openTestImages();
    const outside = join(at.directory, 'outside');
    mkdirSync(outside);
    const part = fc.constantFrom('a', 'b', '..', '.', 'c', '.wh.a', '.wh..wh..opq', '');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const target = fc.oneof(path, fc.constantFrom('/', outside, '../..', '/a/b', '../../../../..'));
    const type = fc.constantFrom(
      'file' as const,
      'directory' as const,
      'symlink' as const,
      'hard-link' as const,
      'fifo' as const,
    );
    const file = fc.record({ path, type, linkTarget: target, mode: fc.constantFrom(0o755, 0o4755, 0o000) });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 8 }), async (files) => {
        const archive = makeArchive(
          files.map((one) => ({
            ...one,
            linkTarget: one.type.endsWith('link') ? one.linkTarget || 'x' : '',
            content: one.type === 'file' ? 'x' : '',
          })),
        );
        const { layer, release } = await addLayer(at.content, archive);
        try {
          const root = await at.images.roots.create(`r${++count}`, [layer]);
          await at.images.roots.commit(root).then((committed) => committed.release());
          await root.remove();
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error;
        } finally {
          release();
        }
        assert.deepEqual(await readdir(outside), []);
        assert.deepEqual(await leftovers(at), []);
      }),
      { seed: 7, numRuns: 60 },
    );
  });
});
