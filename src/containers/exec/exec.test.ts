import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ExecSpec } from '../engine.ts';
import { EXEC, noContainersReason, TestEngine, textOf } from '../testing/test-engine.ts';

describe('exec', { skip: noContainersReason }, () => {
  let world: TestEngine;
  let container: string;
  before(async () => {
    world = await TestEngine.open();
    container = await world.start('sleep 1000');
  });
  after(() => world[Symbol.asyncDispose]());

  const spec = (command: readonly string[], changes: Partial<ExecSpec> = {}): ExecSpec => ({
    ...EXEC,
    command,
    ...changes,
  });

  it('runs a command beside the first one', async () => {
    const result = await world.exec(container, ['sh', '-c', 'echo out; echo err >&2; exit 5'], {
      environment: ['A=b'],
    });
    assert.deepEqual(result, { stdout: 'out\n', stderr: 'err\n', exitCode: 5 });
  });

  it('takes input until its end', async () => {
    const { id } = await world.engine.createExec(container, spec(['cat'], { attachStdin: true }));
    const streams = await world.engine.startExec(id, { detach: false });
    streams!.stdin!.end('through');
    assert.equal((await textOf(streams!.output)).stdout, 'through');
  });

  it('answers 127 for a command that is not there, and 126 for one that cannot be run', async () => {
    for (const [command, exitCode] of [
      ['nothing', 127],
      ['/etc/passwd', 126],
    ] as const) {
      const { id } = await world.engine.createExec(container, spec([command]));
      await assert.rejects(world.engine.startExec(id, { detach: false }), { code: 'CannotStart' });
      assert.equal((await world.engine.getExec(id)).exitCode, exitCode);
    }
  });

  it('has a terminal of the size that it was told', async () => {
    const { id } = await world.engine.createExec(container, spec(['sh'], { tty: true, attachStdin: true }));
    const streams = await world.engine.startExec(id, { detach: false });
    await world.engine.resizeExec(id, { rows: 33, columns: 111 });
    streams!.stdin!.write('tty; stty size; exit 3\n');
    const { stdout } = await textOf(streams!.output);
    assert.match(stdout, /\/dev\/pts\/0\r\n33 111\r\n/);
    assert.equal((await world.engine.getExec(id)).exitCode, 3);
  });

  it('has that size from the beginning when it is told with its making or its start', async () => {
    const terminalSize = { rows: 21, columns: 99 };
    for (const [made, started, seen] of [
      [{ terminalSize }, {}, '21 99'],
      [{ terminalSize }, { size: { rows: 7, columns: 8 } }, '7 8'],
      [{}, {}, '24 80'],
    ] as const) {
      const { id } = await world.engine.createExec(container, spec(['stty', 'size'], { tty: true, ...made }));
      const streams = await world.engine.startExec(id, { detach: false, ...started });
      assert.equal((await textOf(streams!.output)).stdout, `${seen}\r\n`);
    }
  });

  it('is like the first process where nothing else is told', async () => {
    const id = await world.start('sleep 100', { environment: ['A=1', 'B=2'], user: '12', workingDirectory: '/tmp' });
    const { stdout } = await world.exec(id, ['sh', '-c', 'echo $A $B $HOME; id -u; pwd'], { environment: ['B=3'] });
    assert.equal(stdout, '1 3 /\n12\n/tmp\n');
    const other = await world.exec(id, ['sh', '-c', 'id -u; pwd; grep CapEff /proc/self/status'], {
      user: '0',
      workingDirectory: '/bin',
      privileged: true,
    });
    assert.match(other.stdout, /^0\n\/bin\nCapEff:\t000001f/);
    const refused = await world.exec(id, ['unshare', '-m', 'true'], { user: '0' });
    assert.match(refused.stderr, /Operation not permitted/);
    await world.engine.remove(id, { force: true });
  });

  it('runs many at a time, and ends with its container', async () => {
    const results = await Promise.all(Array.from({ length: 10 }, (_, i) => world.exec(container, ['echo', `${i}`])));
    assert.deepEqual(
      results.map(({ stdout }) => stdout),
      Array.from({ length: 10 }, (_, i) => `${i}\n`),
    );
    const id = await world.start('sleep 100');
    const { id: exec } = await world.engine.createExec(id, spec(['sleep', '1000']));
    const streams = await world.engine.startExec(exec, { detach: false });
    assert.deepEqual((await world.engine.get(id)).execIds, [exec]);
    await world.engine.stop(id, { timeoutSeconds: 0 });
    await textOf(streams!.output);
    assert.equal((await world.engine.getExec(exec)).exitCode, 137);
  });

  it('is read to its end by who reads slowly, also when it has ended long before', async () => {
    const bytes = 1_100_000;
    const { id } = await world.engine.createExec(container, spec(['head', '-c', String(bytes), '/dev/zero']));
    const streams = await world.engine.startExec(id, { detach: false });
    let length = 0;
    for await (const chunk of streams!.output) {
      length += chunk.bytes.length;
      await new Promise((resolve) => setTimeout(resolve, length < 200_000 ? 300 : 0));
    }
    assert.equal(length, bytes);
    assert.equal((await world.engine.getExec(id)).exitCode, 0);
  });

  it('goes on when nobody reads', async () => {
    const { id } = await world.engine.createExec(container, spec(['sh', '-c', 'yes | head -c 300000; touch /done']));
    const ended = new Promise<void>((resolve) => {
      const stop = world.engine.onEvent(({ action, attributes }) => {
        if (action !== 'exec_die' || attributes.execID !== id) return;
        stop();
        resolve();
      });
    });
    assert.equal(await world.engine.startExec(id, { detach: true }), undefined);
    await ended;
    assert.equal((await world.engine.getExec(id)).exitCode, 0);
    assert.equal((await world.exec(container, ['ls', '/done'])).exitCode, 0);
  });

  it('is refused where there is nothing to run it in', async () => {
    const id = await world.create('true');
    await assert.rejects(world.engine.createExec(id, spec(['true'])), { code: 'NotRunning', status: 409 });
    await assert.rejects(world.engine.createExec(container, spec([])), { code: 'InvalidContainer' });
    await assert.rejects(world.engine.getExec('none'), { code: 'ExecNotFound', status: 404 });
    await world.engine.pause(container);
    await assert.rejects(world.engine.createExec(container, spec(['true'])), /is paused/);
    await world.engine.unpause(container);
  });
});
