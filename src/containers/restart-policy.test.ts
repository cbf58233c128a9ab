import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createManualClock } from '../base/system-clock.ts';
import { Restarts, startsWithEngine } from './restart-policy.ts';
import { noContainersReason, TestEngine } from './testing/test-engine.ts';

describe('a restart policy', () => {
  const ended = { exitCode: 1, ranMs: 10, restartCount: 0, stoppedByUser: false };

  it('waits twice as long each time, a minute at most, and anew after ten good seconds', () => {
    const restarts = new Restarts();
    const next = (ranMs: number) => restarts.next({ name: 'always', maximumRetries: 0 }, { ...ended, ranMs });
    assert.deepEqual(
      [1, 2, 3, 4].map(() => next(10)),
      [100, 200, 400, 800],
    );
    for (let i = 0; i < 10; i++) next(10);
    assert.equal(next(10), 60_000);
    assert.equal(next(10_000), 100);
    restarts.reset();
    assert.equal(next(10), 100);
  });

  it('decides by how the process ended, how often, and who ended it', () => {
    const wants = (name: 'no' | 'always' | 'unless-stopped' | 'on-failure', changes: object, maximumRetries = 0) =>
      new Restarts().next({ name, maximumRetries }, { ...ended, ...changes }) !== undefined;
    const table: readonly [boolean, boolean][] = [
      [wants('no', {}), false],
      [wants('always', { exitCode: 0 }), true],
      [wants('always', { stoppedByUser: true }), false],
      [wants('unless-stopped', { exitCode: 0 }), true],
      [wants('unless-stopped', { stoppedByUser: true }), false],
      [wants('on-failure', { exitCode: 0 }), false],
      [wants('on-failure', {}), true],
      [wants('on-failure', { restartCount: 2 }, 3), true],
      [wants('on-failure', { restartCount: 3 }, 3), false],
    ];
    for (const [found, wanted] of table) assert.equal(found, wanted);
  });

  it('says what runs when Kobune starts', () => {
    const starts = (name: 'no' | 'always' | 'unless-stopped' | 'on-failure', stoppedByUser: boolean, hasRun = true) =>
      startsWithEngine({ name, maximumRetries: 0 }, { stoppedByUser, hasRun });
    assert.deepEqual(
      [
        starts('always', true),
        starts('always', false),
        starts('unless-stopped', true),
        starts('unless-stopped', false),
      ],
      [true, true, false, true],
    );
    assert.deepEqual(
      [starts('no', false), starts('on-failure', false), starts('always', false, false)],
      [false, false, false],
    );
  });
});

describe('containers with a restart policy', { skip: noContainersReason }, () => {
  const clock = createManualClock();
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open({ clock });
  });
  after(() => world[Symbol.asyncDispose]());

  it('are started again until they have failed too often', async () => {
    const id = await world.create('echo run; exit 3', { restart: { name: 'on-failure', maximumRetries: 2 } });
    const over = world.engine.wait(id, 'removed');
    let end = world.engine.wait(id, 'next-exit');
    await world.engine.startContainer(id);
    for (const delay of [100, 200]) {
      await end;
      assert.equal((await world.engine.get(id)).state.status, 'restarting');
      end = world.engine.wait(id, 'next-exit');
      clock.advance(delay);
    }
    await end;
    const { state } = await world.engine.get(id);
    assert.deepEqual([state.status, state.exitCode, state.restartCount], ['exited', 3, 2]);
    assert.equal(await world.logText(id), 'run\nrun\nrun\n');
    await world.engine.remove(id);
    await over;
  });

  it('stay ended when they were stopped, also between two runs', async () => {
    const id = await world.create('exit 1', { restart: { name: 'always', maximumRetries: 0 } });
    const end = world.engine.wait(id, 'next-exit');
    await world.engine.startContainer(id);
    await end;
    const notRunning = world.engine.wait(id, 'not-running');
    await world.engine.stop(id);
    await notRunning;
    clock.advance(60_000);
    assert.equal((await world.engine.get(id)).state.status, 'exited');
    const going = await world.start('sleep 100', { restart: { name: 'always', maximumRetries: 0 } });
    await world.engine.stop(going, { timeoutSeconds: 0 });
    assert.equal((await world.engine.get(going)).state.status, 'exited');
  });

  it('can be started by hand while they wait, and restarted while they run', async () => {
    const id = await world.create('read x; exit 1', {
      restart: { name: 'always', maximumRetries: 0 },
      openStdin: true,
    });
    await world.engine.startContainer(id);
    const first = (await world.engine.get(id)).state;
    await world.engine.restart(id, { timeoutSeconds: 0 });
    const second = (await world.engine.get(id)).state;
    assert.equal(second.status, 'running');
    assert.notEqual(second.pid, first.pid);
    const end = world.engine.wait(id, 'next-exit');
    process.kill(second.pid, 'SIGKILL');
    await end;
    await world.engine.startContainer(id);
    const third = (await world.engine.get(id)).state;
    assert.deepEqual([third.status, third.restartCount], ['running', 0]);
    await world.engine.remove(id, { force: true });
  });
});
