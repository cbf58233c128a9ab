import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { FunctionSpec } from '../engine.ts';
import { type EngineFixture, startEngine, until } from '../test-support/engine-fixture.ts';

/** An extension that registers, listens, does `setup` and then takes its events; what it gets it prints. */
const extension = (setup: string, listener = httpListener) => `#!/usr/bin/python3 -u
import http.client, http.server, json, os, socket, sys, threading, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()
name = os.path.basename(__file__)
registered, _ = call("POST", "/2020-01-01/extension/register", json.dumps({"events": ["INVOKE", "SHUTDOWN"]}), {"Lambda-Extension-Name": name})
me = {"Lambda-Extension-Identifier": registered.getheader("Lambda-Extension-Identifier")}
def subscribe(**changes):
    body = {"schemaVersion": "2022-12-13", "types": ["platform", "function", "extension"], "buffering": {"timeoutMs": 25},
            "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/events?a=1"}, **changes}
    answer, text = call("PUT", "/2022-07-01/telemetry", json.dumps(body), me)
    return answer.status, text
def got(events):
    # Its own lines come back to it, and are not told of again.
    for event in events:
        if event["type"] != "extension" or "GOT" not in event["record"]: print("GOT", json.dumps(event))
${listener}
${setup}
while True:
    event = json.loads(call("GET", "/2020-01-01/extension/event/next", None, me)[1])
    if event["eventType"] == "SHUTDOWN":
        print("LAST WORDS", event["shutdownReason"]); time.sleep(0.2); sys.exit(0)
`;

const httpListener = `
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/events?a=1" and self.headers["Content-Type"] == "application/json"
        # Before the answer: the next batch is sent once this one was taken, and is served by another thread.
        got(json.loads(body))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("sandbox.localdomain", 8080), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
`;

const tcpListener = `
server = socket.create_server(("0.0.0.0", 8081))
def take():
    while True:
        peer, _ = server.accept()
        for line in peer.makefile(): got([json.loads(line)])
threading.Thread(target=take, daemon=True).start()
`;

interface Received {
  readonly time: string;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: its shape is what is tested
  readonly record: any;
}

describe('Lambda Telemetry API', () => {
  let fixture: EngineFixture;
  before(async () => {
    // A frozen listener takes nothing until the next invocation.
    fixture = await startEngine({ freezeAfterMs: 60_000 });
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  const code = { 'index.js': 'exports.handler = async (e) => { console.log("handler", e); return { ok: e }; }' };
  async function deploy(text: string, changes: Partial<FunctionSpec> = {}, files = code): Promise<FunctionSpec> {
    const directory = await fixture.files({ 'extensions/listener*': text });
    return fixture.spec(files, { layers: [{ directory, digest: directory }], ...changes });
  }
  function lines(spec: FunctionSpec): string[] {
    return [...fixture.logs.streams]
      .filter(([key]) => key.startsWith(`${spec.logging.group} `))
      .flatMap(([, events]) => events.map((event) => event.message));
  }
  function received(spec: FunctionSpec): Received[] {
    return lines(spec)
      .filter((line) => line.startsWith('GOT '))
      .map((line) => JSON.parse(line.slice(4)) as Received);
  }
  const reports = (spec: FunctionSpec) => received(spec).filter((event) => event.type === 'platform.report').length;

  it('posts the events of the init phase and of each invocation, in order', async () => {
    const spec = await deploy(extension('print("ANSWER", *subscribe())'), { tracing: 'Active' });
    const traceId = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=3fe1be46a9942727;Sampled=1';
    const first = await fixture.call(spec, 1, { traceId });
    await until(() => reports(spec) === 1);
    const second = await fixture.call(spec, 2, { traceId });
    await until(() => reports(spec) === 2);
    assert.ok(lines(spec).includes('ANSWER 200 "OK"\n'));
    assert.ok(
      lines(spec).includes('TELEMETRY\tName: listener\tState: Subscribed\tTypes: [Platform, Function, Extension]\n'),
    );
    assert.ok(lines(spec).includes('EXTENSION\tName: listener\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n'));
    const events = received(spec);
    for (const event of events) assert.equal(new Date(event.time).toISOString(), event.time);
    const of = (type: string) => events.filter((event) => event.type === type).map((event) => event.record);
    const platform = events.filter((event) => event.type.startsWith('platform.')).map((event) => event.type);
    assert.deepEqual(platform.slice(0, 2), ['platform.initStart', 'platform.telemetrySubscription']);
    // The runtime and the extension become ready in either order.
    assert.deepEqual(platform.slice(2, 4).sort(), ['platform.extension', 'platform.initRuntimeDone']);
    const invocation = ['platform.start', 'platform.runtimeDone', 'platform.report'];
    assert.deepEqual(platform.slice(4), ['platform.initReport', ...invocation, ...invocation]);
    const initialization = { initializationType: 'on-demand', phase: 'init' };
    assert.partialDeepStrictEqual(of('platform.initStart')[0], {
      ...initialization,
      functionName: spec.name,
      functionVersion: '$LATEST',
    });
    assert.match(of('platform.initStart')[0].runtimeVersion, /^nodejs:22/);
    assert.deepEqual(of('platform.initRuntimeDone'), [{ ...initialization, status: 'success' }]);
    assert.partialDeepStrictEqual(of('platform.initReport')[0], { ...initialization, status: 'success' });
    assert.ok(of('platform.initReport')[0].metrics.durationMs > 1);
    assert.deepEqual(of('platform.telemetrySubscription'), [
      { name: 'listener', state: 'Subscribed', types: ['platform', 'function', 'extension'] },
    ]);
    assert.deepEqual(of('platform.extension'), [{ name: 'listener', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] }]);
    const ids = [first.requestId, second.requestId];
    for (const [at, requestId] of ids.entries()) {
      const { tracing, ...start } = of('platform.start')[at];
      assert.deepEqual(start, { requestId, version: '$LATEST' });
      assert.match(tracing.spanId, /^[0-9a-f]{16}$/);
      assert.deepEqual({ type: tracing.type, value: tracing.value }, { type: 'X-Amzn-Trace-Id', value: traceId });
      const done = of('platform.runtimeDone')[at];
      assert.partialDeepStrictEqual(done, { requestId, status: 'success', tracing });
      assert.equal(done.metrics.producedBytes, '{"ok":1}'.length);
      assert.deepEqual(
        done.spans.map((span: { name: string }) => span.name),
        ['responseLatency', 'responseDuration'],
      );
      const report = of('platform.report')[at];
      assert.partialDeepStrictEqual(report, { requestId, status: 'success', tracing });
      assert.equal(report.metrics.memorySizeMB, 256);
      assert.equal(report.metrics.initDurationMs !== undefined, at === 0);
      assert.ok(report.metrics.durationMs >= done.metrics.durationMs && report.metrics.billedDurationMs >= 1);
    }
    assert.deepEqual(
      of('function').map((line: string) => line.split('\t').slice(1)),
      ids.map((id, at) => [id, 'INFO', `handler ${at + 1}`]),
    );
    assert.deepEqual(of('extension'), ['ANSWER 200 "OK"']);
  });

  it('sends lines of JSON over TCP, only of the types asked for', async () => {
    const setup = `print(*subscribe(types=["function"], destination={"protocol": "TCP", "URI": "tcp://sandbox.localdomain:8081"}))`;
    const spec = await deploy(extension(setup, tcpListener), {
      logging: { format: 'JSON', group: '/tcp', applicationLevel: 'INFO', systemLevel: 'INFO' },
    });
    await fixture.call(spec, 1);
    await until(() => received(spec).length === 1);
    await fixture.call(spec, 2);
    await until(() => received(spec).length === 2);
    assert.deepEqual(
      received(spec).map(({ type, record }) => [type, record.level, record.message]),
      [
        ['function', 'INFO', 'handler 1'],
        ['function', 'INFO', 'handler 2'],
      ],
    );
  });

  it('tells that a handler has failed, and why', async () => {
    const spec = await deploy(
      extension('subscribe(types=["platform"])'),
      {},
      {
        'index.js': 'exports.handler = async () => { throw new TypeError("no"); }',
      },
    );
    await fixture.call(spec);
    await until(() => reports(spec) === 1);
    const ends = received(spec).filter((event) => /runtimeDone|report/.test(event.type));
    for (const { record } of ends) assert.partialDeepStrictEqual(record, { status: 'failure', errorType: 'TypeError' });
  });

  it('tells of a time-out before the environment ends for it', async () => {
    const spec = await deploy(
      extension('subscribe(types=["platform"])'),
      { timeoutMs: 1_000 },
      {
        'index.js': 'exports.handler = () => new Promise(() => setInterval(() => {}, 1000));',
      },
    );
    await fixture.call(spec);
    await until(() => lines(spec).includes('LAST WORDS timeout\n'));
    const ends = received(spec).filter((event) => /runtimeDone|platform\.report/.test(event.type));
    assert.deepEqual(
      ends.map(({ type, record }) => [type, record.status]),
      [
        ['platform.runtimeDone', 'timeout'],
        ['platform.report', 'timeout'],
      ],
    );
  });

  it('gives subscribers the last events before the end', async () => {
    const spec = await deploy(extension('subscribe(types=["platform"], buffering={"timeoutMs": 30000})'));
    await fixture.call(spec);
    assert.equal(reports(spec), 0);
    fixture.engine.retire(spec.arn);
    await until(() => lines(spec).includes('LAST WORDS spindown\n'));
    assert.equal(reports(spec), 1);
  });

  it('sends a batch again until the listener takes it', async () => {
    const setup = `
subscribe(types=["platform"])
def later():
    time.sleep(0.3)
    global server
    server = http.server.ThreadingHTTPServer(("sandbox.localdomain", 8080), Listener)
    server.serve_forever()
threading.Thread(target=later, daemon=True).start()`;
    const late = httpListener.replace(/^server = [\s\S]*$/m, '');
    const spec = await deploy(
      extension(setup, late),
      {},
      {
        'index.js': 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 600));',
      },
    );
    await fixture.call(spec);
    await until(() => reports(spec) === 1);
    const types = received(spec).map((event) => event.type);
    assert.equal(types[0], 'platform.initStart');
    assert.equal(new Set(types).size, types.length, 'nothing comes twice');
  });

  it('neither waits for a listener that never answers nor is held up by its backlog', async () => {
    const deaf = 'server = socket.create_server(("0.0.0.0", 8080)); print("BUFFERS", server.getsockname()[1])';
    const spec = await deploy(
      extension('subscribe(types=["function"])', deaf),
      {},
      {
        'index.js':
          'exports.handler = async () => { const line = "y".repeat(1000); for (let i = 0; i < 2000; i++) console.log(line); return 1; }',
      },
    );
    for (let round = 0; round < 3; round++) assert.equal((await fixture.call(spec)).value, 1);
  });

  it('reaches no listener outside its own environment', async () => {
    let reached = 0;
    const outside = createServer((socket) => {
      reached++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
    const { port } = outside.address() as AddressInfo;
    const setup = `
print("ANSWER", *subscribe(destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain:${port}"}))
time.sleep(0.3)`;
    const spec = await deploy(extension(setup));
    await fixture.call(spec);
    assert.ok(lines(spec).includes('ANSWER 200 "OK"\n'));
    assert.equal(reached, 0);
    outside.close();
  });

  it('refuses bad requests, telling everything that is wrong, and late ones', async () => {
    const setup = `
def refused(*answer): print("REFUSED", *answer)
refused(*subscribe(types=[], destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain"}))
refused(*subscribe(schemaVersion="2019-01-01", types=["kernel"]))
refused(*subscribe(buffering={"maxItems": 999, "maxBytes": 1048577, "timeoutMs": 24}))
refused(*subscribe(destination={"protocol": "HTTP", "URI": "http://127.0.0.1:8080"}))
refused(*subscribe(destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain:9001"}))
refused(*subscribe(destination={"protocol": "TCP", "URI": "http://sandbox.localdomain:8080"}))
refused(*[f(x) for x in [call("PUT", "/2022-07-01/telemetry", "nonsense", me)] for f in (lambda a: a[0].status, lambda a: a[1])])
refused(*[f(x) for x in [call("PUT", "/2022-07-01/telemetry", "{}", {})] for f in (lambda a: a[0].status, lambda a: a[1])])
call("GET", "/2020-01-01/extension/event/next", None, me)
refused(*subscribe())`;
    const spec = await deploy(extension(setup));
    await fixture.call(spec);
    const refusals = () => lines(spec).filter((line) => line.startsWith('REFUSED '));
    await until(() => refusals().length === 9);
    const seen = refusals().map((line) => [line.slice(8, 11), JSON.parse(line.slice(12))] as const);
    assert.deepEqual(
      seen.map(([status, body]) => `${status} ${body.errorType}`),
      [
        ...Array<string>(7).fill('400 ValidationError'),
        '403 Extension.MissingExtensionIdentifier',
        '403 Telemetry.SubscriptionClosed',
      ],
    );
    assert.equal(seen[0]![1].errorMessage, 'types should not be empty; URI port is not provided');
    assert.match(seen[1]![1].errorMessage, /^schemaVersion should be one of .*; types should be among .*"kernel"$/);
    assert.match(seen[2]![1].errorMessage, /maxItems.*between 1000 and 10000; .*maxBytes.*; .*timeoutMs.*25 and 30000/);
    assert.match(seen[3]![1].errorMessage, /host should be sandbox\.localdomain/);
    assert.match(seen[4]![1].errorMessage, /9001 is reserved/);
    assert.match(seen[5]![1].errorMessage, /tcp:\/\/sandbox\.localdomain:PORT/);
  });
});
