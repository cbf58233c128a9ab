import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '../base/errors.ts';
import { TestRegistry } from './registry-client/test-registry.ts';
import {
  addLayer,
  assertNothingKept,
  makeArchive,
  noRootsReason,
  openImagesIn,
  type TestImages,
} from './test-support.ts';

const PROGRAM = fileURLToPath(new URL('./test-pulling-process.ts', import.meta.url));
const skip = noRootsReason;

interface Killable extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Resolves once a line begins so. */
  says(beginning: string): Promise<void>;
  kill(): Promise<void>;
}

function startPulling(directory: string, reference: string): Killable {
  const child = spawn(process.execPath, [PROGRAM, directory, reference], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let check = () => {};
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    check();
  });
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const says = (beginning: string) =>
    new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`it has ended: ${lines.join(', ')}`)));
      check = () => {
        if (lines.some((line) => line.startsWith(beginning))) resolve();
      };
      check();
    });
  return { child, says, kill, [Symbol.asyncDispose]: kill };
}

/** A directory that goes with all that is mounted in it. */
async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'kobune-faults-'));
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const mount of mountsBelow(path)) execFileSync('umount', ['-l', mount]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** The innermost first. */
function mountsBelow(path: string): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return mounts.filter((mount) => mount === path || mount.startsWith(`${path}/`)).reverse();
}

describe('images after kill -9', { skip }, () => {
  for (const moment of ['Downloading', 'Download complete', 'Extracting', 'Pull complete']) {
    it(`have nothing half-made when they were killed at "${moment}"`, async () => {
      await using directory = await scratch();
      await using registry = await TestRegistry.start();
      const files = Array.from({ length: 300 }, (_, i) => ({ path: `d/${i}`, content: 'x'.repeat(2000) }));
      const { layers } = registry.addImage('app:1', [makeArchive(files), makeArchive([{ path: 'last' }])]);
      // The last layer never comes to its end.
      registry.intercept = ({ path }, response) => {
        if (!path.endsWith(layers[1]!)) return false;
        const bytes = registry.blobs.get(layers[1]!)!;
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 50));
        return true;
      };
      {
        await using pulling = startPulling(directory.path, `${registry.host}/app:1`);
        await pulling.says(moment);
      }
      await using at = await openImagesIn(directory.path);
      await assertNothingKept(at);
      registry.intercept = () => false;
      const image = await at.images.pull(`${registry.host}/app:1`);
      const root = await at.images.roots.create('after', image.layers);
      assert.equal((await readdir(join(root.path, 'd'))).length, 300);
      await root.remove();
    });
  }

  it('keep what was acknowledged: the image, its holder, and roots with what was written', async () => {
    await using directory = await scratch();
    await using registry = await TestRegistry.start();
    registry.addImage('app:1', [makeArchive([{ path: 'a', content: 'content' }])]);
    const name = `${registry.host}/app:1`;
    {
      await using pulling = startPulling(directory.path, name);
      await pulling.says('written');
    }
    assert.equal(mountsBelow(directory.path).length, 1, 'the root stays mounted');
    for (const reboot of [false, true]) {
      if (reboot) for (const mount of mountsBelow(directory.path)) execFileSync('umount', [mount]);
      await using at = await openImagesIn(directory.path);
      const image = await at.images.get(name);
      assert.deepEqual(await at.images.holders(image.id), ['kept']);
      assert.deepEqual(await at.images.roots.list(), ['kept']);
      const root = (await at.images.roots.open('kept'))!;
      assert.equal(readFileSync(join(root.path, 'written'), 'utf8'), 'by the one that was killed');
      assert.equal(readFileSync(join(root.path, 'a'), 'utf8'), 'content');
      if (reboot) await root.remove();
    }
    assert.deepEqual(mountsBelow(directory.path), []);
  });

  it('unpack a layer again that may not have reached the disk before the machine stopped', async () => {
    await using directory = await scratch();
    await using registry = await TestRegistry.start();
    registry.addImage('app:1', [makeArchive([{ path: 'a', content: 'content' }])]);
    const name = `${registry.host}/app:1`;
    {
      await using at = await openImagesIn(directory.path);
      await at.images.pull(name);
      // As another boot of the machine would have left it.
      for (const { key, value } of await at.store.range<object>({ prefix: ['images', 'layer'] })) {
        await at.store.put(key, { ...value, boot: 'another' });
      }
    }
    await using at = await openImagesIn(directory.path);
    assert.deepEqual(await readdir(join(directory.path, 'images/layers')), []);
    const root = await at.images.roots.create('r', (await at.images.get(name)).layers);
    assert.equal(readFileSync(join(root.path, 'a'), 'utf8'), 'content');
    await root.remove();
  });
});

describe('images on a full disk', { skip }, () => {
  /** A small disk with images on it. */
  async function small(directory: string, megabytes: number): Promise<TestImages> {
    const path = join(directory, 'small');
    await mkdir(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'kobune-test', path]);
    return openImagesIn(path);
  }
  const isFull = (error: unknown) =>
    error instanceof ServiceError && error.code === 'DiskFull' && /no space left on device/.test(error.message);

  it('refuse what has no room, while it comes or while it is unpacked, and go on with what has', async () => {
    await using directory = await scratch();
    await using registry = await TestRegistry.start();
    const noise = Buffer.alloc(14_000_000);
    for (let i = 0; i < noise.length; i += 4) noise.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i);
    registry.addImage('large:1', [makeArchive([{ path: 'a' }]), makeArchive([{ path: 'noise', content: noise }])]);
    registry.addImage('expanding:1', [makeArchive([{ path: 'zeros', content: Buffer.alloc(25_000_000) }])]);
    registry.addImage('fits:1', [makeArchive([{ path: 'a', content: 'x' }])]);
    await using at = await small(directory.path, 12);
    for (const name of ['large', 'expanding']) {
      await assert.rejects(at.images.pull(`${registry.host}/${name}:1`), isFull, name);
      await assertNothingKept(at);
    }
    const image = await at.images.pull(`${registry.host}/fits:1`);
    const root = await at.images.roots.create('r', image.layers);
    assert.equal(readFileSync(join(root.path, 'a'), 'utf8'), 'x');
    // What a container has written has room, but not once more as an archive.
    execFileSync('dd', ['if=/dev/zero', `of=${join(root.path, 'big')}`, 'bs=1M', 'count=6'], { stdio: 'ignore' });
    await assert.rejects(at.images.roots.commit(root), isFull);
    assert.deepEqual(await readdir(join(at.directory, 'images/packing')), []);
    assert.ok(existsSync(join(root.path, 'big')), 'the root is as it was');
    async function* large() {
      yield makeArchive([{ path: 'more', content: Buffer.alloc(9_000_000) }]);
    }
    await assert.rejects(at.images.roots.writeArchive(root, '/', large()), isFull);
    await assert.rejects(at.images.load(large()), isFull);
    await root.remove();
  });

  it('unpack again once there is room, where there was none from the beginning', async () => {
    await using directory = await scratch();
    await using at = await small(directory.path, 12);
    const { layer, release } = await addLayer(at.content, makeArchive([{ path: 'a', content: 'x' }]));
    const { bavail, bsize } = statfsSync(at.directory);
    const filling = join(at.directory, 'filling');
    writeFileSync(filling, Buffer.alloc(bavail * bsize - 100_000));
    await assert.rejects(at.images.roots.unpack([layer]), isFull);
    await rm(filling);
    await at.images.roots.unpack([layer]);
    assert.deepEqual(await readdir(join(at.directory, 'images/layers')), [layer.diffId.replace('sha256:', '')]);
    release();
  });
});
