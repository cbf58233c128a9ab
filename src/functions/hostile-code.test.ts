import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EngineFixture, startEngine, until } from './test-support/engine-fixture.ts';

describe('functions that misbehave', () => {
  let fixture: EngineFixture;
  before(async () => {
    fixture = await startEngine();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });
  const run = async (body: string, event: unknown = {}, changes = {}) =>
    fixture.call(await fixture.spec({ 'index.js': body }, changes), event);

  it('end at their time-out when they never return', async () => {
    const { value, requestId, tail, result } = await run(
      'exports.handler = async () => { console.log("before"); for (;;); }',
      {},
      { timeoutMs: 300 },
    );
    assert.deepEqual(value, {
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${requestId} Error: Task timed out after 0.30 seconds`,
    });
    assert.equal(result.report.status, 'timeout');
    assert.match(
      tail,
      new RegExp(
        `\tINFO\tbefore\n.*Z ${requestId} Task timed out after 0.30 seconds\n\nEND RequestId: ${requestId}\nREPORT .*\tStatus: timeout\n$`,
      ),
    );
    assert.match(tail, /Duration: 300\.00 ms\tBilled Duration: \d+ ms/);
  });

  it('are given a new environment after a time-out', async () => {
    const spec = await fixture.spec(
      {
        'index.js':
          'let n = 0; exports.handler = async (e) => { n += 1; if (e.stop) await new Promise(r => setTimeout(r, 9e5)); return n; }',
      },
      { timeoutMs: 300 },
    );
    assert.equal((await fixture.call(spec)).value, 1);
    assert.equal((await fixture.call(spec)).value, 2);
    assert.equal((await fixture.call(spec, { stop: 1 })).value.errorType, 'Sandbox.Timedout');
    assert.equal((await fixture.call(spec)).value, 1);
  });

  it('die of a segmentation fault alone', async () => {
    const { value } = await fixture.call(
      await fixture.spec(
        { 'app.py': 'import ctypes\ndef handler(e, c):\n    ctypes.string_at(0)' },
        { runtime: 'python3.11', handler: 'app.handler' },
      ),
    );
    assert.equal(value.errorType, 'Runtime.ExitError');
    assert.match(value.errorMessage, /Runtime exited with error: signal: segmentation fault$/);
  });

  it('are killed when they eat more memory than they have', async (t) => {
    if (fixture.sandboxes.capabilities.cgroups === 'none') return t.skip('no control groups here');
    const { value, result } = await run(
      'exports.handler = async () => { const all = []; for (;;) all.push(Buffer.alloc(1e6, 1)); }',
      {},
      { memoryMb: 128, timeoutMs: 20_000 },
    );
    assert.equal(value.errorType, 'Runtime.OutOfMemory');
    assert.match(value.errorMessage, /Runtime exited with error: signal: killed$/);
    assert.ok(result.report.maxMemoryUsedMb > 100, `max memory used ${result.report.maxMemoryUsedMb}`);
  });

  it('find /tmp full at its size', async () => {
    const { value } = await run(
      'const fs = require("fs"); exports.handler = async () => { const f = fs.openSync("/tmp/x", "w"); const b = Buffer.alloc(1e7); let n = 0; try { for (;;) n += fs.writeSync(f, b); } catch (e) { return [e.code, n >> 20]; } }',
      {},
      { memoryMb: 1_024, timeoutMs: 20_000, ephemeralStorageMb: 512 },
    );
    assert.deepEqual(value, ['ENOSPC', 512]);
  });

  it('cannot fill the engine by flooding their log', async () => {
    const before = process.memoryUsage().rss;
    const spec = await fixture.spec(
      {
        'index.js':
          'const line = "x".repeat(99999) + "\\n"; exports.handler = async (e) => { for (let i = 0; i < 2000; i++) process.stdout.write(line); return "done"; }',
      },
      { timeoutMs: 30_000, memoryMb: 1_769 },
    );
    fixture.logs.discard = true;
    const { value } = await fixture.call(spec);
    fixture.logs.discard = false;
    assert.equal(value, 'done');
    const grown = (process.memoryUsage().rss - before) / 1e6;
    assert.ok(grown < 150, `grew by ${grown.toFixed(0)} MB over 200 MB of log`);
  });

  it('have an overlong line cut into events', async () => {
    const spec = await fixture.spec({
      'index.js':
        'exports.handler = async () => { console.log("y".repeat(600000)); process.stdout.write(Buffer.from([0xff, 0xfe, 10])); }',
    });
    await fixture.call(spec);
    await fixture.call(spec);
    await until(() => fixture.logs.messages().includes('\ufffd\ufffd\n'));
    const lengths = fixture.logs
      .messages()
      .filter((line) => line.includes('yyyy'))
      .map((line) => line.length);
    assert.ok(Math.max(...lengths) <= 256 * 1024);
  });

  for (const [what, code] of [
    ['an unknown type', 'Buffer.from([1, 0, 0, 0, 99])'],
    ['a huge length', 'Buffer.from([255, 255, 255, 255, 20, 0, 0, 0])'],
    ['an empty frame', 'Buffer.from([0, 0, 0, 0, 0])'],
    ['a body without its number', 'Buffer.from([2, 0, 0, 0, 19, 1])'],
  ] as const) {
    it(`are ended when they forge a frame with ${what}`, async () => {
      const { value } = await run(
        `exports.handler = async () => { require("fs").writeSync(3, ${code}); await new Promise(r => setTimeout(r, 2000)); }`,
      );
      assert.equal(value.errorType, 'Runtime.Unknown');
      assert.match(value.errorMessage, /protocol/);
    });
  }

  it('cannot answer for another invocation than their own', async () => {
    const { value } = await run(
      'exports.handler = async () => { for (const n of [0, 2, 7]) { const b = Buffer.from("xxxxx\\0\\0\\0\\0[9]"); b.writeUInt32LE(8, 0); b[4] = 19; b.writeUInt32LE(n, 5); require("fs").writeSync(3, b); } return "mine"; }',
    );
    assert.equal(value, 'mine');
  });

  it('lose their channel and are ended', async () => {
    const { value } = await run(
      'exports.handler = async () => { require("fs").closeSync(3); await new Promise(r => setTimeout(r, 2000)); }',
    );
    assert.equal(value.errorType, 'Runtime.ExitError');
  });

  it('do not leave children behind', async () => {
    const spec = await fixture.spec({
      'index.js':
        'const { spawn } = require("child_process"); exports.handler = async (e) => { spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref(); if (e.exit) process.exit(1); return 1; }',
    });
    await fixture.call(spec, { exit: true });
    assert.equal((await fixture.call(spec)).value, 1);
    fixture.engine.retire(spec.arn);
    assert.equal(fixture.engine.status().environments.filter((one) => one.functionArn === spec.arn).length, 0);
  });
});
