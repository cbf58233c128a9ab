import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { noContainersReason, TestEngine, textOf } from './testing/test-engine.ts';

describe('containers', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  it('run a command, and tell what it printed and how it ended', async () => {
    const { id, stdout, stderr, exitCode } = await world.run('echo out; echo err >&2; exit 7');
    assert.deepEqual([stdout, stderr, exitCode], ['out\n', 'err\n', 7]);
    const { state } = await world.engine.get(id);
    assert.equal(state.status, 'exited');
    assert.equal(state.exitCode, 7);
    assert.equal(state.pid, 0);
  });

  it('take input until its end', async () => {
    const id = await world.create('cat; echo done', { openStdin: true, stdinOnce: true });
    const { stdin, output } = await world.engine.attach(id, { stdin: true, stdout: true, stderr: true, logs: false });
    await world.engine.startContainer(id);
    stdin!.end('hi\n');
    assert.equal((await textOf(output)).stdout, 'hi\ndone\n');
  });

  it('keep what they printed', async () => {
    const { id } = await world.run('echo one; printf part; sleep 0.1; echo ial; echo two >&2');
    const lines: string[] = [];
    for await (const { stream, bytes } of world.engine.logs(id, { stdout: true, stderr: true, follow: false })) {
      lines.push(`${stream} ${Buffer.from(bytes)}`);
    }
    assert.deepEqual(lines.sort(), ['stderr two\n', 'stdout one\n', 'stdout partial\n']);
  });
});
