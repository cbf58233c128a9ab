import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../base/json-logger.ts';
import { openKernel } from '../network/kernel/index.ts';
import { makeEphemeralDirectory, sweepEphemeralDirectories } from './ephemeral-directory.ts';

const kernel = process.getuid?.() === 0 ? openKernel() : undefined;
const MNT_DETACH = 2;

describe('the directory of an ephemeral Kobune', () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'kobune ephemerals-'));
  });
  afterEach(() => rm(parent, { recursive: true }));

  /** One whose process was killed. */
  async function abandoned(): Promise<string> {
    const module = JSON.stringify(new URL('./ephemeral-directory.ts', import.meta.url).href);
    const script = `const { makeEphemeralDirectory } = await import(${module}); process.send((await makeEphemeralDirectory(process.env.PARENT)).path); setInterval(() => {}, 1000);`;
    const child = fork('-', [], {
      execArgv: ['--input-type=module', '--eval', script],
      env: { ...process.env, PARENT: parent },
    });
    const [path] = await once(child, 'message');
    await mkdir(join(path, 'blobs'));
    await writeFile(join(path, 'blobs/content'), 'x');
    await sweepEphemeralDirectories(silentLogger, parent);
    assert.ok(existsSync(join(path, 'blobs/content')), 'it is in use');
    child.kill('SIGKILL');
    await once(child, 'exit');
    return path;
  }

  it('is removed by its owner, or swept when that was killed', async () => {
    const own = await makeEphemeralDirectory(parent);
    await writeFile(join(own.path, 'file'), 'x');
    await abandoned();
    await sweepEphemeralDirectories(silentLogger, parent);
    assert.deepEqual(await readdir(parent), [own.path.split('/').at(-1)]);
    await own.remove();
    assert.deepEqual(await readdir(parent), []);
  });

  it('is told from what others have made', async () => {
    const others = ['kobune-ephemeral-mine', 'kobune-ephemeral-abcdef', 'kobune-abcdef'];
    for (const name of others) await mkdir(join(parent, name));
    await symlink(join(parent, 'kobune-abcdef'), join(parent, 'kobune-ephemeral-ABCDEF'));
    for (const name of ['kobune-ephemeral-mine', 'kobune-abcdef']) await writeFile(join(parent, name, 'lock'), '1\n');
    await sweepEphemeralDirectories(silentLogger, parent);
    assert.deepEqual((await readdir(parent)).sort(), [...others, 'kobune-ephemeral-ABCDEF'].sort());
  });

  const skip = kernel ? false : 'mounting needs root';
  it('goes with the file systems of functions in it; whatever else is mounted there keeps it', { skip }, async () => {
    const place = async (name: string) => {
      const merged = join(await abandoned(), 'images/roots', name, 'merged');
      await mkdir(merged, { recursive: true });
      kernel!.call('mount', 'tmpfs', merged, 'tmpfs', 0n, '');
      await writeFile(join(merged, 'file'), 'x');
      return merged;
    };
    const [root, container] = [await place('function-0123'), await place('0123')];
    try {
      await sweepEphemeralDirectories(silentLogger, parent);
      assert.deepEqual([existsSync(root), existsSync(join(container, 'file'))], [false, true]);
      assert.equal((await readdir(parent)).length, 1);
    } finally {
      kernel!.call('umount2', container, MNT_DETACH);
    }
    await sweepEphemeralDirectories(silentLogger, parent);
    assert.deepEqual(await readdir(parent), []);
  });
});
