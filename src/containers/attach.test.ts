import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { AttachedStreams } from './engine.ts';
import { noContainersReason, printed, TestEngine, textOf } from './testing/test-engine.ts';

const EVERYTHING = { stdin: true, stdout: true, stderr: true, logs: false };

describe('attaching to a container', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  async function startAttached(script: string, changes: object): Promise<{ id: string; streams: AttachedStreams }> {
    const id = await world.create(script, { openStdin: true, stdinOnce: true, ...changes });
    const streams = await world.engine.attach(id, EVERYTHING);
    await world.engine.startContainer(id);
    return { id, streams };
  }

  /** Reads until `text` has come. */
  async function until(output: AsyncIterator<{ bytes: Uint8Array }>, text: string): Promise<string> {
    let seen = '';
    while (!seen.includes(text)) {
      const { value, done } = await output.next();
      if (done) assert.fail(`ended without ${text}: ${seen}`);
      seen += Buffer.from(value.bytes);
    }
    return seen;
  }

  it('hands input on until its end', async () => {
    const { streams } = await startAttached('cat; echo done', {});
    streams.stdin!.end('hi\n');
    assert.equal((await textOf(streams.output)).stdout, 'hi\ndone\n');
  });

  it('passes any bytes on, whole and in order', async () => {
    const bytes = randomBytes(3_000_000);
    const { streams } = await startAttached('cat', {});
    streams.stdin!.end(bytes);
    const parts: Uint8Array[] = [];
    for await (const chunk of streams.output) parts.push(chunk.bytes);
    assert.ok(Buffer.concat(parts).equals(bytes));
  });

  it('leaves the process alone when it leaves', async () => {
    const { id, streams } = await startAttached('read line; echo got $line; sleep 100', { stdinOnce: false });
    streams.detach();
    const again = await world.engine.attach(id, EVERYTHING);
    again.stdin!.write('more\n');
    await until(again.output[Symbol.asyncIterator](), 'got more\n');
    again.detach();
    assert.equal((await world.engine.get(id)).state.status, 'running');
    await world.engine.remove(id, { force: true });
  });

  it('shows what came before, then what comes', async () => {
    const id = await world.start('echo before; echo ready; read x; echo after', { openStdin: true, stdinOnce: true });
    await printed(world.engine, id, 'ready');
    const { stdin, output } = await world.engine.attach(id, { ...EVERYTHING, logs: true });
    stdin!.end('\n');
    assert.equal((await textOf(output)).stdout, 'before\nready\nafter\n');
  });

  it('gives a terminal of the size that it is told, which answers at once', async () => {
    const { id, streams } = await startAttached('sh', { tty: true });
    const output = streams.output[Symbol.asyncIterator]();
    await until(output, '# ');
    await world.engine.resize(id, { rows: 40, columns: 101 });
    streams.stdin!.write('stty size\n');
    await until(output, '40 101\r\n');
    await until(output, '# ');
    streams.stdin!.write('exit 6\n');
    while (!(await output.next()).done) {}
    assert.equal((await world.engine.wait(id, 'not-running')).exitCode, 6);
  });

  it('gives a terminal that has its size from the beginning', async () => {
    const { stdout } = await world.run('stty size', { tty: true, terminalSize: { rows: 21, columns: 99 } });
    assert.equal(stdout, '21 99\r\n');
  });

  it('gives each of several what is written', async () => {
    const id = await world.create('echo to all');
    const streams = await Promise.all([1, 2, 3].map(() => world.engine.attach(id, { ...EVERYTHING, stdin: false })));
    await world.engine.startContainer(id);
    const texts = await Promise.all(streams.map(({ output }) => textOf(output)));
    assert.deepEqual(
      texts.map(({ stdout }) => stdout),
      ['to all\n', 'to all\n', 'to all\n'],
    );
  });
});
