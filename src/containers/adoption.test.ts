import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ContainerSpec } from './container.ts';
import { EngineProcess } from './testing/engine-process.ts';
import { defaultSpec, noContainersReason } from './testing/test-engine.ts';

describe('containers and a Kobune that is killed', { skip: noContainersReason }, () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-adoption-'));
  });
  after(async () => {
    const engine = await EngineProcess.start(directory);
    await engine.call('close', { stopAll: true });
    await engine.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function start(engine: EngineProcess, script: string, changes: Partial<ContainerSpec> = {}): Promise<string> {
    const spec = { ...defaultSpec(engine.imageId), command: ['sh', '-c', script], ...changes };
    const { container } = await engine.call('create', spec);
    await engine.call('startContainer', container.id);
    return container.id;
  }

  it('go on, keep what they print, and tell how they ended', async () => {
    const first = await EngineProcess.start(directory);
    const count = 'i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.03; done; exit 9';
    const going = await start(first, `${count.replace('exit 9', 'sleep 1000')}`);
    const ending = await start(first, count);
    await first.kill();
    const second = await EngineProcess.start(directory);
    const { exitCode } = await second.call('wait', ending, 'not-running');
    assert.equal(exitCode, 9);
    const expected = Array.from({ length: 30 }, (_, i) => `line ${i}\n`).join('');
    assert.equal(await second.logText(ending), expected);
    const { state } = await second.call('get', going);
    assert.equal(state.status, 'running');
    assert.equal(await second.logText(going), expected);
    await second.call('stop', going, { timeoutSeconds: 0 });
    assert.equal((await second.call('get', going)).state.exitCode, 137);
    await second.stop();
  });

  it('are noticed when they ended while nobody looked', async () => {
    const first = await EngineProcess.start(directory);
    const id = await start(first, 'echo before; read line; echo after; exit 4', { openStdin: true });
    const { state } = await first.call('get', id);
    await first.kill();
    process.kill(state.pid, 'SIGKILL');
    const second = await EngineProcess.start(directory);
    const container = await second.call('get', id);
    assert.equal(container.state.status, 'exited');
    assert.equal(container.state.exitCode, 137);
    assert.equal(await second.logText(id), 'before\n');
    await second.stop();
  });
});
