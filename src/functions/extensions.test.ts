import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EngineFixture, startEngine, until } from './test-support/engine-fixture.ts';

const extension = (body: string, events = '["INVOKE", "SHUTDOWN"]') => `#!/usr/bin/python3 -u
import http.client, json, os, sys, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def request(method, path, body=None, **headers):
    connection.request(method, "/2020-01-01/extension" + path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    return answer, answer.read()
name = os.path.basename(__file__)
registered, about = request("POST", "/register", json.dumps({"events": ${events}}), Lambda_Extension_Name=name)
me = registered.getheader("Lambda-Extension-Identifier")
print(name, "registered", registered.status, about.decode())
def next_event():
    return json.loads(request("GET", "/event/next", Lambda_Extension_Identifier=me)[1])
${body}
`;

const loop = `
while True:
    event = next_event()
    print(name, event["eventType"], event.get("requestId", event.get("shutdownReason")))
    if event["eventType"] == "SHUTDOWN": sys.exit(0)
`;

describe('Lambda extensions', () => {
  let fixture: EngineFixture;
  before(async () => {
    fixture = await startEngine();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });
  const node = { 'index.js': 'exports.handler = async (e) => { console.log("handler"); return e; }' };
  const layer = async (name: string, text: string) => ({
    directory: await fixture.files({ [`extensions/${name}*`]: text }),
    digest: name,
  });

  it('are told of invocations beside a managed runtime, and of the end', async () => {
    const layers = [await layer('watcher', extension(loop))];
    const spec = await fixture.spec(node, { layers });
    const { value, requestId, tail } = await fixture.call(spec, { a: 1 });
    assert.deepEqual(value, { a: 1 });
    assert.match(tail, new RegExp(`watcher INVOKE ${requestId}`));
    fixture.engine.retire(spec.arn);
    await fixture.engine.close();
    const text = fixture.logs.messages().join('');
    assert.match(
      text,
      /watcher registered 200 \{"functionName":"fn-\d+","functionVersion":"\$LATEST","handler":"index\.handler"\}/,
    );
    assert.match(text, /watcher SHUTDOWN spindown/);
    await fixture[Symbol.asyncDispose]();
    fixture = await startEngine();
  });

  it('keep the environment busy after the answer', async () => {
    const layers = [
      await layer(
        'slow',
        extension(`
while True:
    event = next_event()
    if event["eventType"] == "SHUTDOWN": sys.exit(0)
    time.sleep(0.3)
    print("slow done")
`),
      ),
    ];
    const spec = await fixture.spec(node, { layers });
    const { result } = await fixture.call(spec, 1, { tailLog: false });
    assert.ok(result.report.durationMs < 250, `answered after ${result.report.durationMs} ms`);
    assert.equal(fixture.engine.status().environments.find((one) => one.functionArn === spec.arn)?.state, 'busy');
    const second = await fixture.call(spec, 2);
    assert.ok(second.result.report.durationMs >= 290, 'its time counts');
  });

  it('fail the initialisation when they exit', async () => {
    const layers = [await layer('crash', '#!/bin/sh\nexit 7\n')];
    const { value } = await fixture.call(await fixture.spec(node, { layers }));
    assert.deepEqual(value, { errorType: 'Extension.Crash', errorMessage: 'Error: exit status 7' });
  });

  it('lose no line when they flood the log', async () => {
    const layers = [
      await layer(
        'flood',
        extension(`
next_event()
for i in range(20000): print("f" * 200)
print("flooded", end="")
sys.stdout.flush()
${loop}`),
      ),
    ];
    const spec = await fixture.spec(node, { layers });
    assert.equal((await fixture.call(spec, 1)).value, 1);
    const flood = `${'f'.repeat(200)}\n`;
    await until(() => fixture.logs.messages().filter((line) => line === flood).length === 20_000);
    fixture.engine.retire(spec.arn);
    await until(() => fixture.logs.messages().some((line) => line.startsWith('floodedflood SHUTDOWN')));
  });

  it('report their own initialisation error', async () => {
    const layers = [
      await layer(
        'bad',
        extension(
          'request("POST", "/init/error", "oops", Lambda_Extension_Identifier=me, Lambda_Extension_Function_Error_Type="Extension.Oops"); time.sleep(5)',
        ),
      ),
    ];
    const { value } = await fixture.call(await fixture.spec(node, { layers }));
    assert.deepEqual(value, { errorType: 'Extension.Oops', errorMessage: 'Extension bad: oops' });
  });

  it('are refused unknown events, identifiers and a second registration', async () => {
    const layers = [
      await layer(
        'odd',
        extension(`
for args in (("POST", "/register", json.dumps({"events": ["OTHER"]})), ("POST", "/register", "nonsense")):
    answer, body = request(*args, Lambda_Extension_Name="other")
    print("refused", answer.status, json.loads(body)["errorType"])
answer, body = request("GET", "/event/next", Lambda_Extension_Identifier="nobody")
print("refused", answer.status, json.loads(body)["errorType"])
answer, body = request("POST", "/register", "{}", Lambda_Extension_Name=name)
print("refused", answer.status, json.loads(body)["errorType"])
connection.request("PUT", "/2020-08-15/logs", "{}", {"Lambda-Extension-Identifier": me})
answer = connection.getresponse(); body = answer.read()
print("refused", answer.status, json.loads(body)["errorType"])
${loop}`),
      ),
    ];
    const { tail } = await fixture.call(await fixture.spec(node, { layers }));
    await until(() => fixture.logs.messages().some((line) => line.includes('Logs.NotSupported')));
    const text = fixture.logs.messages().join('') + tail;
    assert.match(text, /refused 400 Extension\.InvalidEventType\n/);
    assert.match(text, /refused 400 InvalidRequestFormat\n/);
    assert.match(text, /refused 403 Extension\.UnknownExtensionIdentifier\n/);
    assert.match(text, /refused 400 Extension\.AlreadyRegistered\n/);
    assert.match(text, /refused 202 Logs\.NotSupported\n/);
  });

  it('run beside Python, with a wrapper script', async () => {
    const directory = await fixture.files({
      'extensions/beside*': extension(loop),
      'wrap*': '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n',
    });
    const spec = await fixture.spec(
      { 'app.py': 'import os\ndef handler(e, c):\n    return os.environ.get("WRAPPED", "no")' },
      {
        runtime: 'python3.12',
        handler: 'app.handler',
        layers: [{ directory, digest: 'beside' }],
        environment: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/wrap' },
      },
    );
    const { value, tail } = await fixture.call(spec);
    assert.match(tail, /beside INVOKE/);
    assert.equal(value, 'yes');
  });
});
