import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ResponseSink } from './engine.ts';
import { type EngineFixture, startEngine, until } from './test-support/engine-fixture.ts';

/** A runtime in Python: the interpreter is on every machine that runs these tests. */
const bootstrap = `#!/usr/bin/python3 -u
import http.client, json, os, sys
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def request(method, path, body=None, headers={}):
    connection.request(method, "/2018-06-01/runtime" + path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read()
exec(open(os.environ["LAMBDA_TASK_ROOT"] + "/function.py").read())
`;

const serve = `
while True:
    answer, body = request("GET", "/invocation/next")
    rid = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    event = json.loads(body)
    print("serving", rid)
    handle(rid, event, answer)
`;

const reply = `
def respond(rid, value):
    return request("POST", f"/invocation/{rid}/response", json.dumps(value))
`;

describe('custom runtimes', () => {
  let fixture: EngineFixture;
  before(async () => {
    fixture = await startEngine();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });
  const specFor = (code: string, changes = {}) =>
    fixture.spec(
      { 'bootstrap*': bootstrap, 'function.py': reply + code + serve },
      { runtime: 'provided.al2023', ...changes },
    );

  it('serve invocations over the Runtime API, with its headers', async () => {
    const spec = await specFor(`
def handle(rid, event, answer):
    names = ["Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Trace-Id", "Lambda-Runtime-Client-Context"]
    respond(rid, {"event": event, "headers": [answer.getheader(n) for n in names], "env": os.environ.get("AWS_EXECUTION_ENV"),
                  "left": int(answer.getheader("Lambda-Runtime-Deadline-Ms"))})
`);
    const { value, requestId, tail } = await fixture.call(spec, { a: 1 }, { clientContext: { b: 2 } });
    assert.deepEqual(value.event, { a: 1 });
    assert.deepEqual(value.headers, [spec.arn, 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0', '{"b":2}']);
    assert.equal(value.env, null);
    assert.match(tail, new RegExp(`START RequestId: ${requestId} Version: \\$LATEST\nserving ${requestId}\nEND `));
    assert.deepEqual((await fixture.call(spec, 2)).value.event, 2);
  });

  it('report errors of invocations and of the initialisation', async () => {
    const spec = await specFor(`
def handle(rid, event, answer):
    request("POST", f"/invocation/{rid}/error", json.dumps({"errorType": "My.Error", "errorMessage": "no"}), {"Lambda-Runtime-Function-Error-Type": "My.Error"})
`);
    const { value, result } = await fixture.call(spec);
    assert.deepEqual([value, result.functionError], [{ errorType: 'My.Error', errorMessage: 'no' }, 'Unhandled']);
    const init = await specFor(`
request("POST", "/init/error", json.dumps({"errorType": "Init.Bad", "errorMessage": "broken"}))
sys.exit(1)
`);
    assert.deepEqual((await fixture.call(init)).value, { errorType: 'Init.Bad', errorMessage: 'broken' });
  });

  it('are told when they break the rules', async () => {
    const spec = await specFor(`
def handle(rid, event, answer):
    wrong, wrong_body = request("POST", "/invocation/other/response", "1")
    done = respond(rid, {"wrong": [wrong.status, json.loads(wrong_body)]})
    again, again_body = respond(rid, 1)
    print("again", again.status, again_body.decode())
    missing, body = request("GET", "/nothing")
    print("missing", missing.status)
`);
    const { value } = await fixture.call(spec);
    assert.deepEqual(value.wrong, [400, { errorMessage: 'Invalid request ID', errorType: 'InvalidRequestID' }]);
    await until(() =>
      fixture.logs.messages().some((line) => /^again 40[03] .*Invalid(StateTransition|RequestID)/.test(line)),
    );
  });

  it('are refused a response over 6 MB', async () => {
    const spec = await specFor(`
def handle(rid, event, answer):
    if event: return respond(rid, "small")
    other = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        other.request("POST", f"/2018-06-01/runtime/invocation/{rid}/response", b"x" * 7_000_000)
        print("status", other.getresponse().status)
    except OSError as error:
        print("refused", error)
`);
    const { value } = await fixture.call(spec, 0);
    assert.equal(value.errorType, 'Function.ResponseSizeTooLarge');
    assert.equal((await fixture.call(spec, 1)).value, 'small');
  });

  it('stream a response, with an error in the trailers', async () => {
    const spec = await specFor(`
def handle(rid, event, answer):
    connection.putrequest("POST", f"/2018-06-01/runtime/invocation/{rid}/response")
    for name, value in (("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"),
                        ("Content-Type", "text/plain"), ("Trailer", "Lambda-Runtime-Function-Error-Type")):
        connection.putheader(name, value)
    connection.endheaders()
    for part in (b"one ", b"two"):
        connection.send(b"%x\\r\\n%s\\r\\n" % (len(part), part))
    trailer = b"Lambda-Runtime-Function-Error-Type: Late.Error\\r\\n" if event else b""
    connection.send(b"0\\r\\n" + trailer + b"\\r\\n")
    connection.getresponse().read()
`);
    const stream = async (event: number) => {
      const parts: string[] = [];
      const sink: ResponseSink = {
        start: ({ contentType }) => parts.push(contentType),
        write: async (chunk) => void parts.push(Buffer.from(chunk).toString()),
      };
      const result = await fixture.engine.invokeStreaming(
        spec,
        { requestId: `r${event}`, payload: Buffer.from(String(event)), invokedArn: spec.arn, traceId: 'Root=1' },
        sink,
      );
      return { parts: parts.join('|'), result };
    };
    const good = await stream(0);
    assert.match(good.parts, /^text\/plain\|one (\|)?two$/);
    assert.equal(good.result.functionError, undefined);
    const bad = await stream(1);
    assert.equal(bad.result.functionError, 'Unhandled');
    assert.equal(JSON.parse(Buffer.from(bad.result.payload).toString()).errorType, 'Late.Error');
  });

  it('that do not exist are named', async () => {
    const spec = await fixture.spec({ 'other.txt': '' }, { runtime: 'provided.al2' });
    const { value, tail } = await fixture.call(spec);
    assert.equal(value.errorType, 'Runtime.ExitError');
    assert.match(tail, /Couldn't find valid bootstrap/);
  });

  it('cannot reach the API of another environment or of the host', async () => {
    const spec = await specFor(`
import socket
def handle(rid, event, answer):
    open_ports = []
    for port in (4566, 9001, 9002, 22, 80):
        s = socket.socket()
        s.settimeout(0.5)
        if s.connect_ex(("127.0.0.1", port)) == 0: open_ports.append(port)
        s.close()
    respond(rid, open_ports)
`);
    assert.deepEqual((await fixture.call(spec)).value, [9001]);
  });
});
