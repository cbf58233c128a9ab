import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EngineFixture, startEngine } from './test-support/engine-fixture.ts';

describe('Python handlers', () => {
  let fixture: EngineFixture;
  before(async () => {
    fixture = await startEngine();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });
  const python = { runtime: 'python3.11', handler: 'app.handler' };
  const run = async (body: string, event: unknown = {}, changes = {}) =>
    fixture.call(await fixture.spec({ 'app.py': body }, { ...python, ...changes }), event);

  it('return what the handler returns, decimals and text included', async () => {
    const { value } = await run(
      'import decimal\ndef handler(event, context):\n    return {"n": event["a"] + 1, "d": decimal.Decimal("1.5"), "t": "ä"}',
      { a: 1 },
    );
    assert.deepEqual(value, { n: 2, d: 1.5, t: 'ä' });
  });

  it('see boto3 with the environment of their function', async () => {
    const { value } = await run(
      'import boto3\ndef handler(event, context):\n    s = boto3.session.Session()\n    return [s.region_name, s.get_credentials().access_key]',
      {},
      { region: 'eu-north-1' },
    );
    assert.deepEqual(value, ['eu-north-1', 'ASIAEXAMPLE']);
  });

  it('see the boto3 that they bring, not the one imported ahead', async () => {
    const spec = await fixture.spec(
      { 'app.py': 'import boto3\ndef handler(e, c):\n    return boto3.mine', 'boto3/__init__.py': 'mine = "own"' },
      python,
    );
    assert.equal((await fixture.call(spec)).value, 'own');
  });

  it('find packages of a layer, and modules named like parts of the runtime', async () => {
    const layer = await fixture.files({ 'python/dep.py': 'value = "layer"' });
    const spec = await fixture.spec(
      {
        'app.py': 'import dep, log, context\ndef handler(e, c):\n    return [dep.value, log.mine, context.mine]',
        'log.py': 'mine = 1',
        'context.py': 'mine = 2',
      },
      { ...python, layers: [{ directory: layer, digest: 'layer' }] },
    );
    assert.deepEqual((await fixture.call(spec)).value, ['layer', 1, 2]);
  });

  it('find a handler in a package', async () => {
    const spec = await fixture.spec(
      { 'pkg/__init__.py': '', 'pkg/app.py': 'def handler(e, c):\n    return "in"' },
      { ...python, handler: 'pkg/app.handler' },
    );
    assert.equal((await fixture.call(spec)).value, 'in');
  });

  it('report a raised exception with its stack trace', async () => {
    const { value, requestId, tail, result } = await run(
      'def inner():\n    raise KeyError("k")\n\ndef handler(event, context):\n    inner()\n',
    );
    assert.deepEqual(value, {
      errorMessage: "'k'",
      errorType: 'KeyError',
      requestId,
      stackTrace: [
        '  File "/var/task/app.py", line 5, in handler\n    inner()\n',
        '  File "/var/task/app.py", line 2, in inner\n    raise KeyError("k")\n',
      ],
    });
    assert.equal(result.functionError, 'Unhandled');
    assert.match(
      tail,
      /\[ERROR\] KeyError: 'k'\nTraceback \(most recent call last\):\n\u00a0\u00a0File "\/var\/task\/app.py", line 5, in handler\n/,
    );
  });

  it('name the errors of a handler that cannot be loaded', async () => {
    const missing = await run('import nothing_here');
    assert.deepEqual(missing.value, {
      errorMessage: "Unable to import module 'app': No module named 'nothing_here'",
      errorType: 'Runtime.ImportModuleError',
      requestId: '',
      stackTrace: [],
    });
    const syntax = await run('def handler(:');
    assert.equal(syntax.value.errorType, 'Runtime.UserCodeSyntaxError');
    assert.match(syntax.value.errorMessage, /^Syntax error in module 'app': /);
    const none = await run('x = 1');
    assert.deepEqual(
      [none.value.errorType, none.value.errorMessage],
      ['Runtime.HandlerNotFound', "Handler 'handler' missing on module 'app'"],
    );
    const bad = await run('', {}, { handler: 'nodot' });
    assert.equal(bad.value.errorType, 'Runtime.MalformedHandlerName');
    const marshal = await run('def handler(e, c):\n    return {1, 2}');
    assert.deepEqual(
      [marshal.value.errorType, marshal.value.errorMessage],
      ['Runtime.MarshalError', 'Unable to marshal response: Object of type set is not JSON serializable'],
    );
  });

  it('report sys.exit as an exit of the runtime', async () => {
    const { value } = await run('import sys\ndef handler(e, c):\n    print("bye")\n    sys.exit(4)');
    assert.equal(value.errorType, 'Runtime.ExitError');
    assert.match(value.errorMessage, /exit status 4$/);
  });

  it('print lines, and log in the text format', async () => {
    const { tail, requestId } = await run(
      'import logging, os, sys\nlogger = logging.getLogger()\nlogger.setLevel("INFO")\n' +
        'def handler(e, c):\n    print("one\\ntwo")\n    print("part", end="")\n    logger.info("hello %s", "x")\n    os.system("echo child")\n    print("error", file=sys.stderr)',
    );
    const lines = tail.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>').split('\n');
    assert.ok(lines.includes('one') && lines.includes('two') && lines.includes('error'), tail);
    assert.ok(lines.includes(`[INFO]\t<time>\t${requestId}\thello x`), tail);
    assert.ok(lines.includes('child'), tail);
  });

  it('log as JSON, filtered by level', async () => {
    const spec = await fixture.spec(
      {
        'app.py':
          'import logging\nlog = logging.getLogger("mine")\ndef handler(e, c):\n    log.info("quiet")\n    log.warning("loud", extra={"k": 1})\n    raise ValueError("bad")',
      },
      { ...python, logging: { format: 'JSON', group: '/g', applicationLevel: 'WARN', systemLevel: 'DEBUG' } },
    );
    const { tail, requestId } = await fixture.call(spec);
    const entries = tail
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      entries.map((one) => one.type ?? one.level ?? one.log_level),
      ['platform.start', 'WARNING', 'ERROR', 'platform.runtimeDone', 'platform.report'],
    );
    const loud = entries[1];
    assert.deepEqual([loud.message, loud.logger, loud.requestId, loud.k], ['loud', 'mine', requestId, 1]);
    assert.deepEqual([entries[2].errorType, entries[2].errorMessage], ['ValueError', 'bad']);
    assert.equal(entries[4].record.status, 'failure');
    assert.equal(entries[4].record.metrics.memorySizeMB, 256);
  });

  it('get the context object with its fields', async () => {
    const { value, requestId } = await fixture.call(
      await fixture.spec(
        {
          'app.py':
            'def handler(e, c):\n    return [c.aws_request_id, c.function_name, c.memory_limit_in_mb, c.get_remaining_time_in_millis(), c.client_context.custom, c.client_context.client.app_title, c.identity.cognito_identity_id]',
        },
        { ...python, name: 'named' },
      ),
      {},
      { clientContext: { custom: { a: 1 }, client: { app_title: 'T' } } },
    );
    assert.ok(value[3] > 2_000 && value[3] <= 3_000);
    value[3] = 0;
    assert.deepEqual(value, [requestId, 'named', '256', 0, { a: 1 }, 'T', null]);
  });
});
