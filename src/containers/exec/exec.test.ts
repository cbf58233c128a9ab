import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ExecSpec } from '../engine.ts';
import { noContainersReason, TestEngine, textOf } from '../testing/test-engine.ts';

describe('exec', { skip: noContainersReason }, () => {
  let world: TestEngine;
  let container: string;
  before(async () => {
    world = await TestEngine.open();
    container = await world.start('sleep 1000');
  });
  after(() => world[Symbol.asyncDispose]());

  const spec = (command: readonly string[], changes: Partial<ExecSpec> = {}): ExecSpec => ({
    command,
    environment: [],
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    privileged: false,
    ...changes,
  });

  async function exec(command: readonly string[], changes: Partial<ExecSpec> = {}) {
    const { id } = await world.engine.createExec(container, spec(command, changes));
    const streams = await world.engine.startExec(id, { detach: false });
    const text = await textOf(streams!.output);
    return { ...text, exitCode: (await world.engine.getExec(id)).exitCode };
  }

  it('runs a command beside the first one', async () => {
    const result = await exec(['sh', '-c', 'echo out; echo err >&2; exit 5'], { environment: ['A=b'] });
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
});
