import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { ContainerSpec, Resources } from './container.ts';
import { noContainersReason, printed, TestEngine } from './testing/test-engine.ts';

const MEBIBYTE = 1024 * 1024;

describe('limits of containers', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  const limited = (changes: Partial<Resources>): Partial<ContainerSpec> => ({
    resources: { ...world.spec().resources, ...changes },
  });

  it('end who takes more memory than that, and say so', async () => {
    const events: string[] = [];
    const stop = world.engine.onEvent(({ action }) => events.push(action));
    const { id, exitCode } = await world.run(
      'x=x; while :; do x=$x$x$x$x; done',
      limited({ memory: 16 * MEBIBYTE, memorySwap: 16 * MEBIBYTE }),
    );
    stop();
    assert.equal(exitCode, 137);
    assert.equal((await world.engine.get(id)).state.oomKilled, true);
    assert.ok(events.includes('oom'));
    const { id: fine } = await world.run('exit 137');
    assert.equal((await world.engine.get(fine)).state.oomKilled, false);
  });

  it('tell at once when another process than the first is ended for want of memory', async () => {
    const id = await world.start('sleep 100', limited({ memory: 16 * MEBIBYTE, memorySwap: 16 * MEBIBYTE }));
    for (let time = 0; time < 2; time++) {
      const told = new Promise<void>((resolve) => {
        const stop = world.engine.onEvent((event) => {
          if (event.id !== id || event.action !== 'oom') return;
          stop();
          resolve();
        });
      });
      const { exitCode } = await world.exec(id, ['sh', '-c', 'x=x; while :; do x=$x$x$x$x; done']);
      assert.equal(exitCode, 137);
      await told;
      const { state } = await world.engine.get(id);
      assert.deepEqual([state.status, state.oomKilled], ['running', true]);
    }
    const actions: string[] = [];
    const stop = world.engine.onEvent(({ action }) => actions.push(action));
    await world.engine.stop(id, { timeoutSeconds: 0 });
    stop();
    assert.ok(!actions.includes('oom'));
    assert.equal((await world.engine.get(id)).state.oomKilled, true);
  });

  it('hold the number of processes', async () => {
    const { stdout, stderr } = await world.run(
      'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; echo begun',
      limited({ pidsLimit: 5 }),
    );
    assert.match(stdout + stderr, /can't fork/);
  });

  it('hold processor time, and can be changed while it runs', async () => {
    const id = await world.start('echo ready; while :; do :; done', limited({ nanoCpus: 0.1e9 }));
    await printed(world.engine, id, 'ready');
    while ((await world.engine.stats(id)).throttledPeriods === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await world.engine.update(id, { resources: { nanoCpus: 0.5e9, memory: 64 * MEBIBYTE, pidsLimit: 20 } });
    const { memoryLimit, pidsLimit } = await world.engine.stats(id);
    assert.deepEqual([memoryLimit, pidsLimit], [64 * MEBIBYTE, 20]);
    assert.equal((await world.engine.get(id)).spec.resources.nanoCpus, 0.5e9);
    await world.engine.remove(id, { force: true });
  });

  it('refuse what cannot be', async () => {
    const refused: readonly (readonly [Partial<Resources>, RegExp])[] = [
      [{ memory: MEBIBYTE }, /Minimum memory limit allowed is 6MB/],
      [{ memory: 64 * MEBIBYTE, memorySwap: 32 * MEBIBYTE }, /memoryswap limit should be larger/],
      [{ memorySwap: 64 * MEBIBYTE }, /always set the Memory limit/],
      [{ nanoCpus: 5000e9 }, /Range of CPUs is from 0.01/],
      [{ nanoCpus: 1e9, cpuQuota: 5000 }, /Conflicting options/],
      [{ cpusetCpus: '0-9999' }, /Requested CPUs are not available/],
      [{ cpusetCpus: '$(x)' }, /Invalid value/],
      [{ cpuPeriod: 5 }, /CPU cfs period/],
      [{ blkioWeight: 5 }, /blkio weight/],
      [{ memory: 1.5 }, /not a whole number/],
    ];
    for (const [resources, message] of refused) {
      await assert.rejects(world.create('true', limited(resources)), { code: 'InvalidContainer', message });
    }
  });

  it('set what a process may have open, and warn of what this machine may not give', async () => {
    const { stdout } = await world.run('ulimit -n; ulimit -c', {
      ulimits: [
        { name: 'nofile', soft: 100, hard: 200 },
        { name: 'core', soft: 0, hard: 0 },
      ],
    });
    assert.equal(stdout, '100\n0\n');
    await assert.rejects(
      world.create('true', { ulimits: [{ name: 'nosuch', soft: 1, hard: 1 }] }),
      /invalid ulimit type: nosuch/,
    );
    await assert.rejects(
      world.create('true', { ulimits: [{ name: 'nofile', soft: 2, hard: 1 }] }),
      /soft limit must be less/,
    );
    const mayRaise =
      (BigInt(`0x${/CapEff:\s+([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'latin1'))![1]}`) >> 24n) & 1n;
    const many = { ulimits: [{ name: 'nofile', soft: 900_000_000, hard: 900_000_000 }] };
    const { warnings } = await world.engine.create(world.spec({ command: ['true'], ...many }));
    assert.equal(warnings.length, mayRaise ? 0 : 1);
    if (!mayRaise) assert.match(warnings[0]!, /CAP_SYS_RESOURCE is missing/);
  });

  it('set the size of shared memory', async () => {
    const { stdout } = await world.run('df -k /dev/shm | tail -1', { shmSizeBytes: 4 * MEBIBYTE });
    assert.match(stdout, /^shm +4096 /);
  });

  it('are seen in what is used', async () => {
    const id = await world.start(
      'head -c 3000000 /dev/zero > /dev/shm/x; echo ready; sleep 100',
      limited({ memory: 32 * MEBIBYTE }),
    );
    await printed(world.engine, id, 'ready');
    const stats = await world.engine.stats(id);
    assert.ok(stats.memoryUsage > 3_000_000 && stats.memoryUsage < 32 * MEBIBYTE);
    assert.equal(stats.memoryLimit, 32 * MEBIBYTE);
    assert.ok(stats.cpuTotal > 0 && stats.machineCpuTotal > stats.cpuTotal);
    assert.ok(stats.pids >= 1 && stats.onlineCpus >= 1);
    const { titles, processes } = await world.engine.top(id);
    assert.deepEqual(titles.slice(0, 2), ['UID', 'PID']);
    assert.ok(processes.some((row) => row.at(-1) === 'sleep 100'));
    assert.ok(processes.every((row) => row.length === titles.length));
    assert.deepEqual((await world.engine.top(id, '-o pid,comm')).titles, ['PID', 'COMMAND']);
    await assert.rejects(world.engine.top(id, '-o comm'), /Couldn't find PID/);
    await world.engine.remove(id, { force: true });
    await assert.rejects(world.engine.stats(id), { code: 'ContainerNotFound' });
  });
});
