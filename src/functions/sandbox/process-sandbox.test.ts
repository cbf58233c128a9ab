import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startProcess } from './process-sandbox.ts';
import type { SandboxOptions } from './sandbox.ts';
import { outcome, printed } from './test-support.ts';

describe('process in place of a sandbox', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-process-'));
  });
  after(() => rm(directory, { recursive: true }));
  const node = (id: string, script: string): SandboxOptions => ({
    id,
    command: ['/var/runtime/node', '-e', script],
    environment: { ONLY: 'this' },
    binds: [{ source: dirname(process.execPath), target: '/var/runtime', readOnly: true }],
    workingDirectory: '/tmp',
    tmpMb: 1,
    memoryMb: 128,
  });

  it('runs what is bound, with no environment but its own, and removes its files', async () => {
    let ended = 0;
    const sandbox = await startProcess(
      directory,
      node('a', 'console.log(process.env.ONLY, process.env.HOME)'),
      () => ended++,
    );
    const { stdout, exit } = await outcome(sandbox);
    assert.deepEqual([stdout, exit.code, ended], ['this undefined\n', 0, 1]);
    assert.equal(existsSync(join(directory, 'a')), false);
  });

  it('finds its code through KOBUNE_ROOT', async () => {
    await writeFile(join(directory, 'name'), 'code');
    const script = `process.stdin.once('data', () => {
      console.log(fs.readFileSync(process.env.KOBUNE_ROOT + '/var/task/name', 'utf8')); process.exit() })`;
    const sandbox = await startProcess(directory, node('b', script), () => {});
    await sandbox.attach(directory, '/var/task');
    sandbox.stdin.write('.');
    await printed(sandbox, 'code');
    await sandbox.exited;
  });

  it('ends with all that it started, stopped or not', async () => {
    const script = `const child = require('child_process').spawn('sleep', ['1000']); console.log('pid ' + child.pid + ' ')`;
    const sandbox = await startProcess(directory, node('c', script), () => {});
    let pid = 0;
    for await (const chunk of sandbox.stdout) {
      pid = Number(/pid (\d+)/.exec(String(chunk))?.[1]);
      break;
    }
    await sandbox.freeze();
    sandbox.kill();
    assert.equal((await sandbox.exited).signal, 'SIGKILL');
    const { isRunning } = await import('./proc.ts');
    const { setTimeout } = await import('node:timers/promises');
    for (let round = 0; isRunning(pid) && round < 500; round++) await setTimeout(5);
    assert.equal(isRunning(pid), false);
  });
});
