import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createManualClock } from '../../base/system-clock.ts';
import type { Health } from '../container.ts';
import { noContainersReason, printed, TestEngine } from '../testing/test-engine.ts';
import { afterProbe } from './probe-result.ts';

const SECOND = 1e9;

describe('a health check', () => {
  const starting: Health = { status: 'starting', failingStreak: 0, log: [] };
  const result = (exitCode: number) => ({ start: 0, end: 1, exitCode, output: '' });
  const fold = (codes: readonly number[], from: Health = starting, startingUp = false) =>
    codes.reduce((health, code) => afterProbe(health, result(code), { retries: 3, startingUp }), from);

  it('makes healthy at the first success, and unhealthy after so many failures in a row', () => {
    assert.equal(fold([0]).status, 'healthy');
    assert.deepEqual([fold([1, 1]).status, fold([1, 1]).failingStreak], ['starting', 2]);
    assert.equal(fold([1, 1, 1]).status, 'unhealthy');
    assert.equal(fold([0, 1, 1]).status, 'healthy');
    assert.equal(fold([0, 1, 1, 0, 1]).failingStreak, 1);
    assert.equal(fold([1, 1, 1, 0]).status, 'healthy');
  });

  it('counts no failures while the container starts up, once it was healthy they count', () => {
    assert.deepEqual(fold([1, 1, 1, 1], starting, true).failingStreak, 0);
    assert.equal(fold([0, 1, 1, 1], starting, true).status, 'unhealthy');
  });

  it('keeps the last five results', () => {
    assert.deepEqual(
      fold([1, 2, 3, 4, 5, 6]).log.map(({ exitCode }) => exitCode),
      [2, 3, 4, 5, 6],
    );
  });
});

describe('containers with a health check', { skip: noContainersReason }, () => {
  const clock = createManualClock();
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open({ clock });
  });
  after(() => world[Symbol.asyncDispose]());

  /** Resolves when the container's health is told to have become so. */
  function becomes(id: () => string, status: string): Promise<void> {
    return new Promise((resolve) => {
      const stop = world.engine.onEvent((event) => {
        if (event.id !== id() || event.action !== `health_status: ${status}`) return;
        stop();
        resolve();
      });
    });
  }

  it('are asked at each interval', async () => {
    const id = await world.start('touch /ok; echo ready; sleep 100', {
      healthcheck: { Test: ['CMD-SHELL', 'echo looking; test -e /ok'], Interval: 5 * SECOND, Retries: 2 },
    });
    await printed(world.engine, id, 'ready');
    assert.equal((await world.engine.get(id)).state.health?.status, 'starting');
    const healthy = becomes(() => id, 'healthy');
    clock.advance(5000);
    await healthy;
    const { health } = (await world.engine.get(id)).state;
    assert.equal(health?.log[0]?.output, 'looking\n');
    const { id: exec } = await world.engine.createExec(id, {
      command: ['rm', '/ok'],
      environment: [],
      tty: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      privileged: false,
    });
    for await (const _ of (await world.engine.startExec(exec, { detach: false }))!.output) {
      // Until it has ended.
    }
    const unhealthy = becomes(() => id, 'unhealthy');
    // A probe is only planned when the one before has ended.
    const advancing = setInterval(() => clock.advance(5000), 20);
    await unhealthy;
    clearInterval(advancing);
    assert.ok((await world.engine.get(id)).state.health!.failingStreak >= 2);
    await world.engine.remove(id, { force: true });
  });

  it('are not asked any more by an engine that has let go of them', async () => {
    const own = createManualClock();
    await using other = await TestEngine.open({ clock: own });
    const id = await other.start('sleep 100', { healthcheck: { Test: ['CMD', 'touch', '/asked'], Interval: SECOND } });
    const { path } = await other.engine.root(id);
    await other.engine.close();
    own.advance(1000);
    await other.engine.start();
    await other.exec(id, ['true']);
    assert.equal(existsSync(join(path, 'asked')), false);
  });

  it('are unhealthy when the answer takes too long or cannot be had, and much output is cut', async () => {
    const check = (Test: readonly string[]) => ({ Test, Interval: SECOND, Timeout: SECOND / 5, Retries: 1 });
    for (const [test, found] of [
      [['CMD', 'sleep', '100'], /exceeded timeout \(0.2s\)/],
      [['CMD', 'no-such-program'], /executable file not found/],
      [['CMD-SHELL', 'yes | head -c 10000; exit 1'], /^(y\n){2048}$/],
    ] as const) {
      const id = await world.start('sleep 100', { healthcheck: check(test) });
      const unhealthy = becomes(() => id, 'unhealthy');
      clock.advance(1000);
      await unhealthy;
      const { health } = (await world.engine.get(id)).state;
      assert.match(health!.log[0]!.output, found);
      await world.engine.remove(id, { force: true });
    }
  });
});
