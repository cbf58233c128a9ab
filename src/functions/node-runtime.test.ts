import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EngineFixture, startEngine, until } from './test-support/engine-fixture.ts';

describe('Node.js handlers', () => {
  let fixture: EngineFixture;
  before(async () => {
    fixture = await startEngine();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });
  const run = async (body: string, event: unknown = {}, changes = {}) =>
    fixture.call(await fixture.spec({ 'index.js': body }, changes), event);

  it('returns what an async handler returns', async () => {
    const { value, result } = await run('exports.handler = async (event) => ({ got: event.a + 1 })', { a: 1 });
    assert.deepEqual(value, { got: 2 });
    assert.equal(result.functionError, undefined);
    assert.equal(result.report.status, 'success');
  });

  it('returns null for undefined', async () => {
    const { value } = await run('exports.handler = async () => {}');
    assert.equal(value, null);
  });

  it('loads ES modules with top-level await, by extension and by package type', async () => {
    const body = 'const later = await Promise.resolve(7); export const handler = async () => later;';
    const byExtension = await fixture.call(await fixture.spec({ 'index.mjs': body }));
    assert.equal(byExtension.value, 7);
    const byType = await fixture.call(await fixture.spec({ 'index.js': body, 'package.json': '{"type":"module"}' }));
    assert.equal(byType.value, 7);
  });

  it('finds a handler in a directory, and one nested in an object', async () => {
    const spec = await fixture.spec(
      { 'src/app.js': 'exports.api = { handler: async () => "nested" }' },
      { handler: 'src/app.api.handler' },
    );
    assert.equal((await fixture.call(spec)).value, 'nested');
  });

  it('answers a callback once the event loop is empty', async () => {
    const { value } = await run(
      'let n = 0; exports.handler = (e, c, cb) => { setTimeout(() => { n = 1; }, 20); cb(null, { get n() { return n; } }); }',
    );
    assert.deepEqual(value, { n: 1 });
  });

  it('answers a callback at once when callbackWaitsForEmptyEventLoop is false', async () => {
    const { value, result } = await run(
      'exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60000); cb(null, 1); }',
    );
    assert.equal(value, 1);
    assert.equal(result.report.status, 'success');
  });

  it('ends by context.succeed, context.fail and context.done', async () => {
    assert.equal((await run('exports.handler = (e, c) => c.succeed("s")')).value, 's');
    assert.equal((await run('exports.handler = (e, c) => c.done(null, "d")')).value, 'd');
    const failed = await run('exports.handler = (e, c) => c.fail("no")');
    assert.deepEqual(failed.value, { errorType: 'string', errorMessage: 'no', trace: [] });
    assert.equal(failed.result.functionError, 'Unhandled');
  });

  it('answers null when nothing is called, and fails when a promise never settles', async () => {
    assert.equal((await run('exports.handler = () => {}')).value, null);
    const stuck = await run('exports.handler = async () => new Promise(() => {})');
    assert.equal(stuck.value.errorType, 'Runtime.NodeJsExit');
  });

  it('refuses callback handlers on nodejs24.x', async () => {
    const { value } = await run('exports.handler = (e, c, cb) => cb(null, 1)', {}, { runtime: 'nodejs24.x' });
    assert.equal(value.errorType, 'Runtime.CallbackHandlerDeprecated');
  });

  it('reports a thrown error with its trace, and logs it', async () => {
    const { value, result, tail, requestId } = await run(
      'class Odd extends Error { constructor(m) { super(m); this.name = "Odd"; this.extra = 5; } }\n' +
        'exports.handler = async () => { throw new Odd("bad thing"); }',
    );
    assert.equal(result.functionError, 'Unhandled');
    assert.equal(result.report.status, 'error');
    assert.equal(value.errorType, 'Odd');
    assert.equal(value.errorMessage, 'bad thing');
    assert.equal(value.trace[0], 'Odd: bad thing');
    assert.match(value.trace[1], /\/var\/task\/index\.js:2/);
    assert.match(
      tail,
      new RegExp(`\\t${requestId}\\tERROR\\tInvoke Error \\t\\{"errorType":"Odd","errorMessage":"bad thing"`),
    );
    assert.match(tail, /"extra":5/);
    assert.doesNotMatch(tail, /Status: error/, 'the platform does not report an error of the handler');
  });

  it('names the errors of a handler that cannot be loaded', async () => {
    const missing = await run('exports.other = 1');
    assert.deepEqual(
      [missing.value.errorType, missing.value.errorMessage],
      ['Runtime.HandlerNotFound', 'index.handler is undefined or not exported'],
    );
    const noFunction = await run('exports.handler = 1');
    assert.equal(noFunction.value.errorMessage, 'index.handler is not a function');
    const noModule = await run('require("left-pad")');
    assert.equal(noModule.value.errorType, 'Runtime.ImportModuleError');
    assert.equal(
      noModule.value.errorMessage,
      "Error: Cannot find module 'left-pad'\nRequire stack:\n- /var/task/index.js\n- /var/runtime/index.mjs",
    );
    const syntax = await run('exports.handler = async () => {');
    assert.equal(syntax.value.errorType, 'Runtime.UserCodeSyntaxError');
    const climbing = await run('', {}, { handler: '../index.handler' });
    assert.equal(climbing.value.errorType, 'Runtime.MalformedHandlerName');
    const noDot = await run('', {}, { handler: 'index' });
    assert.deepEqual(
      [noDot.value.errorType, noDot.value.errorMessage],
      ['Runtime.MalformedHandlerName', 'Bad handler'],
    );
    const noFile = await run('', {}, { handler: 'nothing.handler' });
    assert.match(noFile.value.errorMessage, /^Error: Cannot find module 'nothing'/);
  });

  it('reports an init error again as part of the invocation', async () => {
    const { tail, requestId, value } = await run('throw new TypeError("at init")');
    assert.deepEqual([value.errorType, value.errorMessage], ['TypeError', 'at init']);
    const first = /INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: TypeError\n/;
    await until(() => fixture.logs.messages().some((line) => first.test(line)));
    assert.match(
      tail,
      /INIT_REPORT Init Duration: [\d.]+ ms\tPhase: invoke\tStatus: error\tError Type: TypeError\nSTART /,
    );
    assert.match(tail, new RegExp(`END RequestId: ${requestId}\nREPORT RequestId: ${requestId}\t`));
  });

  it('reports an unhandled rejection and an uncaught exception', async () => {
    const rejection = await run(
      'exports.handler = async () => { Promise.reject(new Error("lost")); await new Promise(r => setTimeout(r, 1000)); }',
    );
    assert.deepEqual(
      [rejection.value.errorType, rejection.value.errorMessage],
      ['Runtime.UnhandledPromiseRejection', 'Error: lost'],
    );
    assert.match(rejection.tail, /ERROR\tUnhandled Promise Rejection \t/);
    const exception = await run(
      'exports.handler = async () => { setTimeout(() => { throw new RangeError("late"); }, 1); await new Promise(r => setTimeout(r, 1000)); }',
    );
    assert.deepEqual([exception.value.errorType, exception.value.errorMessage], ['RangeError', 'late']);
    assert.match(exception.tail, /Runtime exited with error: exit status 129/);
  });

  it('reports an exit', async () => {
    const { value, requestId, tail } = await run('exports.handler = async () => process.exit(3)');
    assert.deepEqual(value, {
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 3`,
    });
    assert.match(tail, /Status: error\tError Type: Runtime\.ExitError/);
    const clean = await run('exports.handler = async () => process.exit(0)');
    assert.match(clean.value.errorMessage, /Error: Runtime exited without providing a reason$/);
  });

  it('refuses a response over 6 MB and keeps the environment', async () => {
    const spec = await fixture.spec({
      'index.js': 'let n = 0; exports.handler = async (e) => { n += 1; return e.big ? "x".repeat(7e6) : n; }',
    });
    const { value } = await fixture.call(spec, { big: true });
    assert.deepEqual(value, {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
    assert.equal((await fixture.call(spec)).value, 2);
  });

  it('passes payloads of several megabytes both ways', async () => {
    const { value } = await run('exports.handler = async (e) => e', { text: 'ä'.repeat(2_500_000) });
    assert.equal(value.text.length, 2_500_000);
  });

  it('gives the context object its fields', async () => {
    const spec = await fixture.spec({
      'index.js': 'exports.handler = async (e, c) => ({ ...c, left: c.getRemainingTimeInMillis() })',
    });
    const { value, requestId } = await fixture.call(spec, {}, { clientContext: { custom: { a: 1 } } });
    const { left, logStreamName, ...fields } = value;
    assert.ok(left > 2_000 && left <= 3_000, String(left));
    assert.match(logStreamName, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
    assert.deepEqual(fields, {
      callbackWaitsForEmptyEventLoop: true,
      functionVersion: '$LATEST',
      functionName: spec.name,
      memoryLimitInMB: '256',
      logGroupName: `/aws/lambda/${spec.name}`,
      clientContext: { custom: { a: 1 } },
      invokedFunctionArn: spec.arn,
      awsRequestId: requestId,
    });
  });

  it('sets the documented variables, and the trace id for each invocation', async () => {
    const spec = await fixture.spec(
      { 'index.js': 'exports.handler = async () => process.env' },
      { environment: { MINE: 'yes', AWS_REGION: 'mars' } },
    );
    const { value } = await fixture.call(spec);
    assert.equal(value.MINE, 'yes');
    assert.equal(value.AWS_REGION, 'us-east-1', 'a reserved variable cannot be replaced');
    assert.equal(value.AWS_EXECUTION_ENV, 'AWS_Lambda_nodejs22.x');
    assert.equal(value.AWS_LAMBDA_INITIALIZATION_TYPE, 'on-demand');
    assert.equal(value._HANDLER, 'index.handler');
    assert.equal(value.LAMBDA_TASK_ROOT, '/var/task');
    assert.equal(value.TZ, ':UTC');
    assert.equal(value.AWS_SESSION_TOKEN, 'token');
    assert.equal(value._X_AMZN_TRACE_ID, 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0');
    const again = await fixture.call(spec, {}, { traceId: 'Root=1-2-3' });
    assert.equal(again.value._X_AMZN_TRACE_ID, 'Root=1-2-3');
  });

  it('starts a process of its own for variables that are read at start', async () => {
    const spec = await fixture.spec(
      {
        'index.js': 'exports.handler = async () => process.execArgv.length + ":" + globalThis.fromOption',
        'pre.js': 'globalThis.fromOption = 1',
      },
      { environment: { NODE_OPTIONS: '--require /var/task/pre.js' } },
    );
    assert.match((await fixture.call(spec)).value, /:1$/);
  });

  it('finds modules of layers, the later layer winning', async () => {
    const one = await fixture.files({
      'nodejs/node_modules/dep/index.js': 'module.exports = 1',
      'nodejs/node_modules/only/index.js': 'module.exports = "one"',
    });
    const two = await fixture.files({ 'nodejs/node_modules/dep/index.js': 'module.exports = 2' });
    const { value } = await run(
      'exports.handler = async () => [require("dep"), require("only")]',
      {},
      {
        layers: [
          { directory: one, digest: 'one' },
          { directory: two, digest: 'two' },
        ],
      },
    );
    assert.deepEqual(value, [2, 'one']);
  });

  it('writes console lines as JSON, filtered by level, and the platform events of its level', async () => {
    const spec = await fixture.spec(
      {
        'index.js':
          'exports.handler = async () => { console.debug("no"); console.info("one", 2); console.warn({ a: 1 }); console.error("with", new TypeError("t")); process.stdout.write("raw\\n"); }',
      },
      { logging: { format: 'JSON', group: '/json', applicationLevel: 'INFO', systemLevel: 'INFO' } },
    );
    const { tail, requestId } = await fixture.call(spec);
    const lines = tail.trim().split('\n');
    assert.ok(lines.includes('raw'));
    const entries = lines.filter((line) => line !== 'raw').map((line) => JSON.parse(line));
    assert.deepEqual(
      entries.map((one) => one.type ?? [one.level, one.message]),
      ['platform.start', ['INFO', 'one 2'], ['WARN', { a: 1 }], ['ERROR', entries[3].message], 'platform.report'],
    );
    assert.equal(entries[1].requestId, requestId);
    assert.deepEqual([entries[3].errorType, entries[3].errorMessage], ['TypeError', 't']);
    assert.deepEqual(entries[0].record, { requestId, version: '$LATEST' });
    assert.deepEqual(Object.keys(entries[4].record.metrics), [
      'durationMs',
      'billedDurationMs',
      'memorySizeMB',
      'maxMemoryUsedMB',
      'initDurationMs',
    ]);
  });

  it('finds the AWS SDK of the runtime, unless a layer or the function brings its own', async () => {
    const cjs = 'const { S3Client } = require("@aws-sdk/client-s3"); exports.handler = async () => typeof S3Client;';
    assert.equal((await run(cjs)).value, 'function');
    const esm = 'import { S3Client } from "@aws-sdk/client-s3"; export const handler = async () => typeof S3Client;';
    for (const runtime of ['nodejs20.x', 'nodejs24.x']) {
      assert.equal(
        (await fixture.call(await fixture.spec({ 'index.mjs': esm }, { runtime, timeoutMs: 20_000 }))).value,
        'function',
      );
    }
    const own = { 'node_modules/@aws-sdk/client-s3/index.js': 'exports.S3Client = "own"' };
    const ask = 'exports.handler = async () => require("@aws-sdk/client-s3").S3Client;';
    assert.equal((await fixture.call(await fixture.spec({ 'index.js': ask, ...own }))).value, 'own');
    const directory = await fixture.files({
      'nodejs/node_modules/@aws-sdk/client-s3/index.js': 'exports.S3Client = "layer"',
    });
    assert.equal((await run(ask, {}, { layers: [{ directory, digest: 'sdk' }] })).value, 'layer');
    const missing = await fixture.spec({ 'index.mjs': 'import "left-pad"; export const handler = 1;' });
    assert.equal((await fixture.call(missing)).value.errorType, 'Runtime.ImportModuleError');
  });

  it('writes console lines in the text format and raw output line by line', async () => {
    const spec = await fixture.spec({
      'index.js':
        'exports.handler = async () => { console.log("a %d", 1, { b: 2 }); console.error("two\\nlines"); process.stdout.write("raw"); process.stdout.write(" one\\nraw two\\nno end"); }',
    });
    const { requestId } = await fixture.call(spec, {}, { tailLog: false });
    await fixture.engine.close();
    const stream = [...fixture.logs.streams].find(([name]) => name.startsWith(`${spec.logging.group} `))!;
    const messages = stream[1].map((line) => line.message.replace(/^[\d:.TZ-]+\t/, '<time>\t'));
    const start = messages.indexOf(`START RequestId: ${requestId} Version: $LATEST\n`);
    assert.deepEqual(messages.slice(start + 1, -2), [
      `<time>\t${requestId}\tINFO\ta 1 { b: 2 }\n`,
      `<time>\t${requestId}\tERROR\ttwo\nlines\n`,
      'raw one\n',
      'raw two\n',
      'no end\n',
    ]);
    assert.equal(messages.at(-2), `END RequestId: ${requestId}\n`);
    assert.match(
      messages.at(-1)!,
      /^REPORT RequestId: \S+\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n$/,
    );
  });
});
