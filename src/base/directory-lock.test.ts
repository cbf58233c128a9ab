import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { lockDirectory } from './directory-lock.ts';

describe('a directory lock', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-lock-'));
  });
  after(() => rm(directory, { recursive: true }));

  it('keeps a second holder out, and lets it in once released', async () => {
    const lock = await lockDirectory(directory);
    if (process.platform === 'linux') {
      await assert.rejects(lockDirectory(directory), { name: 'DirectoryInUseError', pid: process.pid });
    }
    await lock.release();
    await (await lockDirectory(directory)).release();
  });

  it('ends with its process, even one that is killed', async () => {
    const module = JSON.stringify(new URL('./directory-lock.ts', import.meta.url).href);
    const script = `const { lockDirectory } = await import(${module}); await lockDirectory(process.env.DIRECTORY); process.send('held'); setInterval(() => {}, 1000);`;
    const child = fork('-', [], {
      execArgv: ['--input-type=module', '--eval', script],
      env: { ...process.env, DIRECTORY: directory },
    });
    await once(child, 'message');
    await assert.rejects(lockDirectory(directory), { name: 'DirectoryInUseError', pid: child.pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await lockDirectory(directory)).release();
  });
});
