import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { ContainerEvent } from './engine.ts';
import { noContainersReason, printed, TestEngine, textOf } from './testing/test-engine.ts';

const ALL = { stdin: false, stdout: true, stderr: true, logs: false };

describe('containers', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  const stateOf = async (id: string) => (await world.engine.get(id)).state;

  describe('run', () => {
    it('a command, and tell what it printed and how it ended', async () => {
      const { id, stdout, stderr, exitCode } = await world.run('echo out; echo err >&2; exit 7');
      assert.deepEqual([stdout, stderr, exitCode], ['out\n', 'err\n', 7]);
      const { status, exitCode: told, pid, startedAt, finishedAt } = await stateOf(id);
      assert.deepEqual([status, told, pid], ['exited', 7, 0]);
      assert.ok(startedAt! <= finishedAt!);
    });

    it('again after they have ended', async () => {
      const { id } = await world.run('echo once');
      const { output } = await world.engine.attach(id, ALL);
      await world.engine.startContainer(id);
      assert.equal((await textOf(output)).stdout, 'once\n');
      assert.equal(await world.logText(id), 'once\nonce\n');
    });

    it('not twice at a time', async () => {
      const id = await world.start('sleep 100');
      await assert.rejects(world.engine.startContainer(id), { code: 'AlreadyRunning', status: 304 });
      await world.engine.remove(id, { force: true });
    });

    it('not when the command is not there, cannot be run, or the user is unknown', async () => {
      for (const [command, exitCode] of [
        ['nothing', 127],
        ['/etc/passwd', 126],
        ['/bin', 126],
      ] as const) {
        const { container } = await world.engine.create(world.spec({ command: [command] }));
        await assert.rejects(world.engine.startContainer(container.id), (error: { code: string; members: object }) => {
          assert.equal(error.code, 'CannotStart');
          assert.deepEqual(error.members, { exitCode });
          return true;
        });
        const state = await stateOf(container.id);
        assert.deepEqual([state.status, state.exitCode], ['created', exitCode]);
        assert.ok(state.error.includes(command));
      }
      const id = await world.create('true', { user: 'nobody-knows' });
      await assert.rejects(world.engine.startContainer(id), /unable to find user nobody-knows/);
    });

    it('with an init process that takes what is left over', async () => {
      const { stdout } = await world.run('(sleep 0 & ) ; sleep 0.1; ps -o pid,comm', { init: true });
      assert.match(stdout, /1 docker-init/);
      assert.doesNotMatch(stdout, /sleep 0$/m);
    });
  });

  describe('end', () => {
    it('by their stop signal, and by SIGKILL when that takes too long', async () => {
      const polite = await world.start('trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.01; done');
      await printed(world.engine, polite, 'ready');
      await world.engine.stop(polite);
      assert.equal((await stateOf(polite)).exitCode, 3);
      const stubborn = await world.start('trap "" TERM; echo ready; while :; do sleep 0.01; done');
      await printed(world.engine, stubborn, 'ready');
      await world.engine.stop(stubborn, { timeoutSeconds: 0 });
      assert.equal((await stateOf(stubborn)).exitCode, 137);
      const own = await world.start('trap "exit 4" USR1; echo ready; while :; do sleep 0.01; done', {
        stopSignal: 'SIGUSR1',
      });
      await printed(world.engine, own, 'ready');
      await world.engine.stop(own);
      assert.equal((await stateOf(own)).exitCode, 4);
    });

    it('by any signal, when its process takes it so', async () => {
      const id = await world.start('trap "echo hup" HUP; echo ready; while :; do sleep 0.01; done');
      await printed(world.engine, id, 'ready');
      await world.engine.kill(id, 'HUP');
      await printed(world.engine, id, 'hup');
      await assert.rejects(world.engine.kill(id, 'NOSUCH'), { code: 'InvalidContainer' });
      await world.engine.kill(id, '9');
      assert.equal((await stateOf(id)).exitCode, 137);
      await assert.rejects(world.engine.kill(id, 'KILL'), { code: 'NotRunning', status: 409 });
    });

    it('stopping one that does not run is nothing', async () => {
      const id = await world.create('true');
      await world.engine.stop(id);
      assert.equal((await stateOf(id)).status, 'created');
    });
  });

  it('stand still while they are paused, and can be killed then', async () => {
    const id = await world.start('echo ready; i=0; while :; do i=$((i+1)); echo $i > /count; done');
    await printed(world.engine, id, 'ready');
    await world.engine.pause(id);
    assert.equal((await stateOf(id)).status, 'paused');
    await assert.rejects(world.engine.pause(id), { status: 409 });
    await assert.rejects(world.engine.startContainer(id), { status: 409 });
    const used = async () => (await world.engine.stats(id)).cpuTotal;
    const before = await used();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await used(), before);
    await world.engine.unpause(id);
    await world.engine.pause(id);
    await world.engine.stop(id, { timeoutSeconds: 0 });
    assert.deepEqual([(await stateOf(id)).status, (await stateOf(id)).exitCode], ['exited', 137]);
  });

  it('are found by ID, by a beginning of it, and by name; names are unique', async () => {
    const id = await world.create('true', { name: 'findable' });
    for (const name of [id, id.slice(0, 12), 'findable', '/findable']) {
      assert.equal((await world.engine.get(name)).id, id);
    }
    await assert.rejects(world.engine.get('nowhere'), {
      code: 'ContainerNotFound',
      message: 'No such container: nowhere',
    });
    await assert.rejects(world.create('true', { name: 'findable' }), { code: 'NameInUse', status: 409 });
    await assert.rejects(world.create('true', { name: '../x' }), { code: 'InvalidContainer' });
    await world.engine.rename('findable', 'found');
    assert.equal((await world.engine.get('found')).id, id);
    assert.equal(await world.engine.find('findable'), undefined);
    await world.create('true', { name: 'findable' });
    await assert.rejects(world.engine.rename('found', 'findable'), { code: 'NameInUse' });
  });

  it('made at the same time get names of their own, whatever was chosen first', async () => {
    let chosen = 0;
    await using own = await TestEngine.open({ fraction: () => (chosen++ < 8 ? 0 : Math.random()) });
    const ids = await Promise.all(Array.from({ length: 4 }, () => own.create('true')));
    const names = await Promise.all(ids.map(async (id) => (await own.engine.get(id)).name));
    assert.equal(new Set(names).size, 4);
  });

  it('are removed with all that is theirs', async () => {
    const id = await world.start('sleep 100');
    const { logPath } = await world.engine.get(id);
    await assert.rejects(world.engine.remove(id), { code: 'ContainerInUse', status: 409 });
    const removed = world.engine.wait(id, 'removed');
    await world.engine.remove(id, { force: true });
    assert.equal((await removed).exitCode, 137);
    assert.equal(await world.engine.find(id), undefined);
    assert.equal(existsSync(logPath), false);
    assert.deepEqual(await world.at.images.holders(world.imageId).then((ids) => ids.includes(id)), false);
    assert.equal((await world.at.images.roots.list()).includes(id), false);
    assert.equal(existsSync(`/run/kobune/containers/${world.instance}/${id}`), false);
    assert.equal(existsSync(`/sys/fs/cgroup/memory/kobune-${world.instance}/${id}`), false);
  });

  it('remove themselves when that was asked for', async () => {
    const id = await world.create('exit 5', { autoRemove: true });
    const removed = world.engine.wait(id, 'removed');
    await world.engine.startContainer(id);
    assert.equal((await removed).exitCode, 5);
    assert.equal(await world.engine.find(id), undefined);
  });

  it('are waited for: the next end, or that they do not run', async () => {
    const id = await world.create('exit 2');
    assert.equal((await world.engine.wait(id, 'not-running')).exitCode, 0);
    const next = world.engine.wait(id, 'next-exit');
    await world.engine.startContainer(id);
    assert.equal((await next).exitCode, 2);
    assert.equal((await world.engine.wait(id, 'not-running')).exitCode, 2);
    const leaving = new AbortController();
    const never = world.engine.wait(id, 'next-exit', leaving.signal);
    leaving.abort(new Error('left'));
    await assert.rejects(never, /left/);
  });

  it('tell what happens to them', async () => {
    const events: ContainerEvent[] = [];
    const stop = world.engine.onEvent((event) => events.push(event));
    const mount = { type: 'volume', volume: 'told', target: '/v', readOnly: true, noCopy: false } as const;
    const id = await world.create('exit 3', { name: 'eventful', labels: { color: 'red' }, mounts: [mount] });
    const ended = world.engine.wait(id, 'next-exit');
    await world.engine.startContainer(id);
    await ended;
    await world.engine.remove(id);
    stop();
    const own = events.filter((event) => event.id === id);
    assert.deepEqual(
      own.map(({ action }) => action),
      ['create', 'start', 'die', 'destroy'],
    );
    const { name, image, color, exitCode } = own[2]!.attributes;
    assert.deepEqual([name, image, color, exitCode], ['eventful', 'busybox:latest', 'red', '3']);
    const ofVolume = events.filter(({ kind, id: volume }) => kind === 'volume' && volume === 'told');
    const driver = 'local';
    assert.deepEqual(
      ofVolume.map(({ action, attributes }) => [action, attributes]),
      [
        ['create', { driver }],
        ['mount', { driver, container: id, destination: '/v', propagation: '', 'read/write': 'false' }],
        ['unmount', { driver, container: id }],
      ],
    );
  });

  it('are made many at a time', async () => {
    const ids = await Promise.all(Array.from({ length: 25 }, () => world.create('exit 1')));
    const exits = ids.map((id) => world.engine.wait(id, 'next-exit'));
    await Promise.all(ids.map((id) => world.engine.startContainer(id)));
    assert.deepEqual(new Set((await Promise.all(exits)).map(({ exitCode }) => exitCode)), new Set([1]));
    const pruned = await world.engine.pruneContainers(({ id }) => ids.includes(id));
    assert.deepEqual([...pruned.ids].sort(), [...ids].sort());
  });
});
