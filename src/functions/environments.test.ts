import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createManualClock } from '../base/system-clock.ts';
import type { ResponseSink } from './engine.ts';
import { startEngine, until } from './test-support/engine-fixture.ts';

const counter = {
  'index.js':
    'let n = 0; exports.handler = async (e) => { n += 1; if (e.wait) await new Promise(r => setTimeout(r, e.wait)); return n; }',
};

describe('execution environments', () => {
  it('are used again, one request at a time', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter);
    const both = await Promise.all([fixture.call(spec, { wait: 100 }), fixture.call(spec, { wait: 100 })]);
    assert.deepEqual(
      both.map((one) => one.value),
      [1, 1],
    );
    assert.equal(fixture.engine.status().environments.length, 2);
    assert.equal((await fixture.call(spec)).value, 2);
  });

  it('are replaced when the revision changes', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter);
    await fixture.call(spec);
    assert.equal((await fixture.call({ ...spec, revision: '2' })).value, 1);
    assert.equal(fixture.engine.status().environments.length, 1);
  });

  it('end their running invocation before they retire', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter);
    await fixture.call(spec);
    const running = fixture.call(spec, { wait: 150 });
    await until(() => fixture.engine.status().environments.some((one) => one.state === 'busy'));
    fixture.engine.retire(spec.arn);
    assert.equal((await running).value, 2);
    assert.equal(fixture.engine.status().environments.length, 0);
  });

  it('that die while idle are replaced without anyone noticing', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.js':
        'let n = 0; exports.handler = async (e) => { n += 1; if (e.die) setTimeout(() => process.kill(process.pid, "SIGKILL"), 5); return n; }',
    });
    assert.equal((await fixture.call(spec, { die: true })).value, 1);
    await until(() => fixture.engine.status().environments.length === 0);
    assert.equal((await fixture.call(spec)).value, 1);
  });

  it('are frozen while idle and resume', async () => {
    await using fixture = await startEngine({ freezeAfterMs: 10 });
    const spec = await fixture.spec({
      'index.js': 'let n = 0; setInterval(() => { n += 1; }, 5); exports.handler = async () => n;',
    });
    const first = (await fixture.call(spec)).value;
    await delay(300);
    const second = (await fixture.call(spec)).value;
    assert.ok(second - first < 20, `${second - first} timer ticks while frozen`);
  });

  it('are reclaimed by the clock when idle for long', async () => {
    await using fixture = await startEngine({ idleTimeoutMs: 60_000, clock: createManualClock() });
    const spec = await fixture.spec(counter);
    await fixture.call(spec);
    fixture.clock.advance(59_000);
    assert.equal(fixture.engine.status().environments.length, 1);
    fixture.clock.advance(2_000);
    assert.equal(fixture.engine.status().environments.length, 0);
  });

  it('give way to others when memory runs out, and are refused when all are busy', async () => {
    await using fixture = await startEngine({ memoryBudgetMb: 45, poolSizes: { nodejs: 0 } });
    const one = await fixture.spec(counter);
    const two = await fixture.spec(counter);
    await fixture.call(one);
    await fixture.call(two);
    await fixture.call(await fixture.spec(counter));
    assert.ok(fixture.engine.status().environments.length <= 2, 'the one idle longest has gone');
    const busy = await Promise.allSettled(Array.from({ length: 8 }, () => fixture.call(two, { wait: 200 })));
    const refused = busy.filter((one) => one.status === 'rejected').map((one) => one.reason);
    assert.ok(refused.length > 0 && refused.length < 8);
    assert.deepEqual(
      [refused[0].code, refused[0].status, refused[0].members.Reason],
      ['TooManyRequestsException', 429, 'ConcurrentInvocationLimitExceeded'],
    );
  });

  it('are provisioned ahead, as many as are wanted', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter, { initializationType: 'provisioned-concurrency' });
    await fixture.engine.provision(spec, 2);
    assert.deepEqual(
      fixture.engine.status().environments.map((one) => one.state),
      ['idle', 'idle'],
    );
    const { result } = await fixture.call(spec);
    assert.equal(result.report.initDurationMs, undefined);
    await fixture.engine.provision(spec, 1);
    assert.equal(fixture.engine.status().environments.length, 1);
    await fixture.engine.provision(spec, 0);
    assert.equal(fixture.engine.status().environments.length, 0);
  });

  it('that die right after they have initialised are reported, not started again and again', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.js': 'exports.handler = async () => 1; setImmediate(() => process.exit(9));',
    });
    const { value } = await fixture.call(spec);
    assert.ok(value === 1 || value.errorType === 'Runtime.ExitError', JSON.stringify(value));
  });

  it('come in a burst without any of them failing', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter);
    const all = await Promise.all(Array.from({ length: 24 }, () => fixture.call(spec, { wait: 5 })));
    assert.deepEqual([...new Set(all.map((one) => one.result.functionError))], [undefined]);
  });

  it('are reloaded when a file of a hot-reload directory changes', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({ 'index.js': 'exports.handler = async () => 1' });
    const hot = { ...spec, code: { ...spec.code, hotReload: true } };
    assert.equal((await fixture.call(hot)).value, 1);
    await writeFile(join(spec.code.directory, 'index.js'), 'exports.handler = async () => 2');
    await until(() => fixture.engine.status().environments.length === 0);
    assert.equal((await fixture.call(hot)).value, 2);
  });

  it('bill the initialisation of an on-demand environment once', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.js': 'const end = Date.now() + 60; while (Date.now() < end); exports.handler = async () => 1',
    });
    const { result } = await fixture.call(spec);
    const { initDurationMs, billedDurationMs, durationMs } = result.report;
    assert.ok(initDurationMs !== undefined && initDurationMs >= 60);
    assert.equal(billedDurationMs, Math.ceil(durationMs + initDurationMs));
    const again = await fixture.call(spec);
    assert.equal(again.result.report.initDurationMs, undefined);
    assert.equal(again.result.report.billedDurationMs, Math.ceil(again.result.report.durationMs));
  });

  it('write the trace of a sampled request into the report', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter, { tracing: 'Active' });
    const { tail } = await fixture.call(
      spec,
      {},
      { traceId: 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1' },
    );
    assert.match(
      tail,
      /\nXRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: [0-9a-f]{16}\tSampled: true\t\n$/,
    );
  });

  it('say which interpreter runs them when it is not the one asked for', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(counter, { runtime: 'nodejs22.x' });
    await fixture.call(spec);
    await fixture.call(spec);
    const first = [...fixture.logs.streams.values()][0]?.[0]?.message ?? '';
    assert.match(
      first,
      /^(KOBUNE nodejs22\.x runs on Node\.js \d+\.\S+, the nearest|INIT_START Runtime Version: nodejs:22\.)/,
    );
  });

  it('ask for their credentials anew: a role may have been made again', async () => {
    let asked = 0;
    await using fixture = await startEngine({
      credentials: {
        credentialsFor: async () => ({
          accessKeyId: `ASIA${++asked}`,
          secretAccessKey: 'secret',
          sessionToken: 'token',
          expiration: Date.now() + 6 * 3_600_000,
        }),
      },
    });
    const spec = await fixture.spec({ 'index.js': 'exports.handler = async () => process.env.AWS_ACCESS_KEY_ID;' });
    const first = (await fixture.call(spec)).value;
    const second = (await fixture.call({ ...spec, revision: '2' })).value;
    assert.notEqual(second, first);
  });

  it('stop with the engine, in flight or not', async () => {
    const fixture = await startEngine();
    const spec = await fixture.spec(counter);
    const running = fixture.call(spec, { wait: 5_000 });
    await until(() => fixture.engine.status().environments.some((one) => one.state === 'busy'));
    await fixture.engine.close();
    assert.equal((await running).result.functionError, 'Unhandled');
    await assert.rejects(fixture.call(spec), { code: 'ServiceException' });
    await fixture[Symbol.asyncDispose]();
  });
});

describe('streamed responses', () => {
  const collect = () => {
    const seen = { started: [] as unknown[], body: '' };
    const sink: ResponseSink = {
      start: (metadata) => void seen.started.push(metadata),
      write: async (chunk) => {
        seen.body += Buffer.from(chunk).toString();
      },
    };
    return { seen, sink };
  };
  const invocation = { requestId: 'r', payload: Buffer.from('{}'), invokedArn: 'arn', traceId: 'Root=1' };

  it('pass bytes on as they come, after their metadata', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.mjs':
        'export const handler = awslambda.streamifyResponse(async (event, out) => { const s = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { "x-a": "b" }, cookies: ["c=1"] }); s.write("one "); await new Promise(r => setTimeout(r, 20)); s.write("two"); s.end(); await new Promise(r => setTimeout(r, 1)); });',
    });
    const { seen, sink } = collect();
    const result = await fixture.engine.invokeStreaming(spec, invocation, sink);
    assert.equal(result.functionError, undefined);
    assert.deepEqual(seen.started, [
      {
        contentType: 'application/vnd.awslambda.http-integration-response',
        prelude: { statusCode: 201, headers: { 'x-a': 'b' }, cookies: ['c=1'] },
      },
    ]);
    assert.equal(seen.body, 'one two');
    const raw = collect();
    await fixture.engine.invokeStreaming(spec, invocation, { ...raw.sink, rawPrelude: true });
    assert.deepEqual(raw.seen.started, [{ contentType: 'application/vnd.awslambda.http-integration-response' }]);
    const prelude = '{"statusCode":201,"headers":{"x-a":"b"},"cookies":["c=1"]}';
    assert.equal(raw.seen.body, `${prelude}${'\0'.repeat(8)}one two`);
  });

  it('wait for a slow reader', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.mjs':
        'export const handler = awslambda.streamifyResponse(async (event, out) => { const b = Buffer.alloc(65536, 120); let n = 0; const t = setInterval(() => {}, 10); for (let i = 0; i < 32; i++) if (!out.write(b)) { n += 1; await new Promise(r => out.once("drain", r)); } clearInterval(t); console.log("drains " + n); out.end(); });',
    });
    let bytes = 0;
    let most = 0;
    let open = 0;
    const sink: ResponseSink = {
      start: () => {},
      write: async (chunk) => {
        open += 1;
        most = Math.max(most, open);
        await delay(2);
        bytes += chunk.length;
        open -= 1;
      },
    };
    await fixture.engine.invokeStreaming(spec, invocation, sink);
    assert.equal(bytes, 32 * 65_536);
    assert.equal(most, 1, 'one chunk at a time');
  });

  it('report an error, before and after the first byte', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.mjs':
        'export const handler = awslambda.streamifyResponse(async (event, out) => { if (event.late) { out.write("some"); await new Promise(r => setTimeout(r, 10)); } throw new Error("stop"); });',
    });
    const early = collect();
    const first = await fixture.engine.invokeStreaming(spec, invocation, early.sink);
    assert.deepEqual([first.functionError, early.seen.started.length], ['Unhandled', 0]);
    assert.equal(JSON.parse(Buffer.from(first.payload).toString()).errorMessage, 'stop');
    const late = collect();
    const second = await fixture.engine.invokeStreaming(
      spec,
      { ...invocation, payload: Buffer.from('{"late":1}') },
      late.sink,
    );
    assert.deepEqual([second.functionError, late.seen.body], ['Unhandled', 'some']);
  });

  it('are gathered for a caller that does not stream, and made of a plain answer for one that does', async () => {
    await using fixture = await startEngine();
    const streaming = await fixture.spec({
      'index.js':
        'exports.handler = awslambda.streamifyResponse(async (e, out) => { out.write("[1,"); out.end("2]"); });',
    });
    assert.deepEqual((await fixture.call(streaming)).value, [1, 2]);
    const plain = await fixture.spec({ 'index.js': 'exports.handler = async () => ({ a: 1 })' });
    const { seen, sink } = collect();
    await fixture.engine.invokeStreaming(plain, invocation, sink);
    assert.deepEqual([seen.started, seen.body], [[{ contentType: 'application/json' }], '{"a":1}']);
  });
});
