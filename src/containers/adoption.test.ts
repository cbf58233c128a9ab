import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ContainerSpec } from './container.ts';
import { mountsBelow } from './mounts/mount-table.ts';
import { identify, isAlive, sendSignal } from './runtime/processes.ts';
import { EngineProcess } from './testing/engine-process.ts';
import { defaultSpec, noContainersReason } from './testing/test-engine.ts';

const COUNTING = 'i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.03; done';
const COUNTED = Array.from({ length: 30 }, (_, i) => `line ${i}\n`).join('');
const FLOOD_LINES = 20_000;
const FLOOD = `i=0; while [ $i -lt ${FLOOD_LINES} ]; do echo "line $i of many that are printed"; i=$((i+1)); done`;

describe('containers and a Kobune that is killed', { skip: noContainersReason }, () => {
  let directory: string;
  let engine: EngineProcess;
  /** By what they do. */
  const ids: Record<string, string> = {};
  const pids: Record<string, number> = {};
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-adoption-'));
    engine = await EngineProcess.start(directory);
    ids.going = await start(`${COUNTING}; sleep 1000`);
    ids.ending = await start(`${COUNTING}; exit 9`);
    ids.killed = await start('echo before; read line', { openStdin: true });
    ids.flooding = await start(FLOOD, { log: { driver: 'json-file', maxSizeBytes: 200_000, maxFiles: 50 } });
    ids.always = await start('sleep 1000', { restart: { name: 'always', maximumRetries: 0 } });
    ids.stopped = await start('sleep 1000', { restart: { name: 'unless-stopped', maximumRetries: 0 } });
    await engine.call('stop', ids.stopped, { timeoutSeconds: 0 });
    for (const [name, id] of Object.entries(ids)) pids[name] = (await engine.call('get', id)).state.pid;
    await engine.kill();
    for (const name of ['killed', 'always']) process.kill(pids[name]!, 'SIGKILL');
    engine = await EngineProcess.start(directory);
  });
  after(async () => {
    await engine.call('close', { stopAll: true });
    await engine.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function start(script: string, changes: Partial<ContainerSpec> = {}, by = engine): Promise<string> {
    const spec = { ...defaultSpec(by.imageId), command: ['sh', '-c', script], ...changes };
    const { container } = await by.call('create', spec);
    await by.call('startContainer', container.id);
    return container.id;
  }

  it('go on, keep what they print, and tell how they ended', async () => {
    assert.equal((await engine.call('wait', ids.ending!, 'not-running')).exitCode, 9);
    assert.equal(await engine.logText(ids.ending!), COUNTED);
    const { state } = await engine.call('get', ids.going!);
    assert.deepEqual([state.status, state.pid], ['running', pids.going]);
    assert.equal(await engine.logText(ids.going!), COUNTED);
    await engine.call('stop', ids.going!, { timeoutSeconds: 0 });
    assert.equal((await engine.call('get', ids.going!)).state.exitCode, 137);
  });

  it('are noticed when they ended while nobody looked', async () => {
    const { state } = await engine.call('get', ids.killed!);
    assert.deepEqual([state.status, state.exitCode], ['exited', 137]);
    assert.ok(state.finishedAt! >= state.startedAt!);
    assert.equal(await engine.logText(ids.killed!), 'before\n');
  });

  it('are started when their policy says so, and not when they were stopped', async () => {
    assert.equal((await engine.call('get', ids.stopped!)).state.status, 'exited');
    const again = () => engine.call('get', ids.always!).then(({ state }) => state);
    while ((await again()).status !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await again()).restartCount, 1);
  });

  it('whose monitor was killed are ended', async () => {
    const id = await start('sleep 1000');
    const { pid } = (await engine.call('get', id)).state;
    const monitor = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    const ended = engine.call('wait', id, 'next-exit');
    process.kill(monitor, 'SIGKILL');
    assert.equal((await ended).exitCode, 137);
    assert.equal(identify(pid), undefined);
  });

  it('that cannot be followed any more are ended, and hold nobody else up', async () => {
    const [lost, other] = [await start('sleep 1000'), await start('sleep 1000')];
    const { pid, logPath } = await engine.call('get', lost).then(({ state, logPath }) => ({ ...state, logPath }));
    await engine.kill();
    await rm(join(dirname(logPath), 'run', 'alive'));
    engine = await EngineProcess.start(directory);
    const { state } = await engine.call('get', lost);
    assert.deepEqual([state.status, state.exitCode], ['exited', 137]);
    assert.match(state.error, /ENOENT/);
    assert.equal(identify(pid), undefined);
    assert.equal((await engine.call('get', other)).state.status, 'running');
    for (const id of [lost, other]) await engine.call('remove', id, { force: true });
  });

  it('that were being made or started are whole, or gone', async () => {
    for (let i = 0; i < 6; i++) void start('sleep 1000', { name: `half-${i}` }).catch(() => {});
    await engine.call('list');
    await engine.kill();
    engine = await EngineProcess.start(directory);
    for (const { id, name, state } of await engine.call('list')) {
      assert.ok(['created', 'running', 'exited'].includes(state.status), state.status);
      if (state.status === 'running') process.kill(state.pid, 0);
      if (name.startsWith('half-')) await engine.call('remove', id, { force: true });
    }
  });

  it('lose nothing of what they printed meanwhile, however much, also with rotation', async () => {
    await engine.call('wait', ids.flooding!, 'not-running');
    const lines = (await engine.logText(ids.flooding!)).trimEnd().split('\n');
    assert.deepEqual(
      lines,
      Array.from({ length: FLOOD_LINES }, (_, i) => `line ${i} of many that are printed`),
    );
  });

  it('end with an ephemeral one: the next Kobune on the machine sees to it', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'kobune-ephemeral-'));
    const ephemeral = await EngineProcess.start(scratch, { ephemeral: true });
    const id = await start('sleep 1000', {}, ephemeral);
    const { pid } = (await ephemeral.call('get', id)).state;
    const group = readFileSync(`/proc/${pid}/cgroup`, 'latin1');
    await ephemeral.kill();
    process.kill(pid, 0);
    await engine.stop();
    engine = await EngineProcess.start(directory);
    assert.equal(identify(pid), undefined);
    const path = /:pids:(.*)$/m.exec(group)?.[1];
    if (path) assert.equal(existsSync(`/sys/fs/cgroup/pids${path}`), false);
    assert.equal(existsSync(join(scratch, 'docker')), false);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(scratch), false);
    await rm(scratch, { recursive: true, force: true });
  });

  it('whose state was deleted are ended by the next Kobune on the machine, and those whose state is there are not', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'kobune-deleted-'));
    const deleted = await EngineProcess.start(join(scratch, 'deleted'));
    const moved = await EngineProcess.start(join(scratch, 'moved'));
    const begun = await Promise.all(
      [deleted, moved, engine].map(async (by) => {
        const id = await start('sleep 1000', {}, by);
        return { id, process: identify((await by.call('get', id)).state.pid)! };
      }),
    );
    const isRunning = () => begun.map(({ process }) => isAlive(process));
    await deleted.kill();
    await moved.kill();
    // As a user does: what is mounted stays.
    await writeFile(join(scratch, 'kept'), 'x');
    spawnSync('rm', ['-rf', join(scratch, 'deleted')]);
    await mkdir(join(scratch, 'deleted/docker'));
    await rename(join(scratch, 'kept'), join(scratch, 'deleted/docker/kept'));
    await rename(join(scratch, 'moved'), join(scratch, 'elsewhere'));
    const another = await EngineProcess.start(join(scratch, 'another'));
    assert.deepEqual(isRunning(), [false, true, true]);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(join(scratch, 'deleted')), false);
    assert.deepEqual(await readdir(join(scratch, 'deleted'), { recursive: true }), ['docker', 'docker/kept']);
    await another.stop();
    sendSignal(begun[1]!.process, 'SIGKILL');
    for (const mount of mountsBelow(scratch)) spawnSync('umount', ['--lazy', mount]);
    await rm(scratch, { recursive: true, force: true });
    // What was moved is deleted now.
    await (await EngineProcess.start(join(scratch, 'last'))).stop();
    await engine.call('remove', begun[2]!.id, { force: true });
    await rm(scratch, { recursive: true, force: true });
  });
});
