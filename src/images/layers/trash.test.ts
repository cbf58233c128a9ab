import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { silentLogger } from '../../base/json-logger.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import { Trash } from './trash.ts';

describe('the trash of images', () => {
  it('deletes a tree that is deeper than a path can be long', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-trash-'));
    try {
      const trash = new Trash({ directory, random: createSystemRandom(), logger: silentLogger });
      await trash.start();
      const tree = join(directory, 'tree');
      await mkdir(tree);
      const deeper = 'import os\nfor _ in range(3000):\n  os.mkdir("d")\n  os.chdir("d")\n';
      execFileSync('python3', ['-c', deeper], { cwd: tree });
      await trash.discard(tree);
      await trash.empty();
      assert.deepEqual(await readdir(join(directory, 'trash')), []);
    } finally {
      await rm(directory, { recursive: true, force: true }).catch(() => execFileSync('rm', ['-rf', '--', directory]));
    }
  });
});
