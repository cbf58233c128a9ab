import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { CreateFunctionCommand, InvokeCommand, LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

/** A function whose owner may run anything in it, while policies are enforced: what is not allowed must not work. */
const ATTACKER = `
import glob, http.client, json, os, signal, socket, time, urllib.parse
import boto3, botocore

def ask(method, path, headers={}, host=None):
    url = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
    connection.putrequest(method, path, skip_host=host is not None)
    for name, value in {**({"host": host} if host else {}), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return [answer.status, answer.read().decode()]

def knock(host, port):
    try:
        with socket.create_connection((host, port), timeout=2) as s:
            s.sendall(b"GET / HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n")
            return s.recv(100).decode("latin1")
    except OSError as error:
        return ""

def handler(event, context):
    scope = dict(globals(), event=event, context=context)
    exec(event["code"], scope)
    return scope["result"]
`;
const SECRET = 'the-secret-of-the-neighbour';
const NEIGHBOUR = `${`NOTE = "${SECRET}"`}\ndef handler(event, context):\n    open("/tmp/note", "w").write(NOTE)\n    return "fine"\n`;
const ROLE = 'arn:aws:iam::000000000000:role/powerless';
/** Said by services of this machine that a function must not reach. */
const BANNER = 'a service of the host';

let server: RunningKobune;
let lambda: LambdaClient;
let s3: S3Client;
const services: Server[] = [];
let reached = 0;

async function listen(host: string): Promise<number> {
  const service = createServer((socket) => {
    reached++;
    socket.on('error', () => {});
    socket.end(BANNER);
  });
  services.push(service);
  service.listen(0, host);
  await once(service, 'listening');
  return (service.address() as { port: number }).port;
}

async function createFunction(FunctionName: string, code: string, secret: string, client = lambda): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName,
      Runtime: 'python3.11',
      Handler: 'app.handler',
      Role: ROLE,
      Code: { ZipFile: await zipOf({ 'app.py': code }) },
      Environment: { Variables: { SECRET: secret } },
      Timeout: 30,
      MemorySize: 512,
    }),
  );
  await waitUntilFunctionActiveV2({ client, maxWaitTime: 30, minDelay: 0.05 }, { FunctionName });
}

before(async () => {
  server = await runKobune({ iam: 'enforce', ephemeral: false });
  lambda = new LambdaClient(server.settings());
  s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
  const iam = new IAMClient(server.settings());
  const trust = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [trust] });
  await iam.send(new CreateRoleCommand({ RoleName: 'powerless', AssumeRolePolicyDocument }));
  iam.destroy();
  await s3.send(new CreateBucketCommand({ Bucket: 'guarded' }));
  await s3.send(new PutObjectCommand({ Bucket: 'guarded', Key: 'k', Body: SECRET }));
  await createFunction('neighbour', NEIGHBOUR, SECRET);
  await createFunction('attacker', ATTACKER, 'mine');
});
after(async () => {
  for (const service of services) service.close();
  lambda?.destroy();
  s3?.destroy();
  await server?.[Symbol.asyncDispose]();
});

/** Runs Python in the attacker's function and returns what it leaves in `result`. */
async function attack<Result>(code: string, event: object = {}): Promise<Result> {
  const Payload = JSON.stringify({ code, ...event });
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'attacker', Payload }));
  const payload = answer.Payload!.transformToString();
  assert.equal(answer.FunctionError, undefined, payload);
  return JSON.parse(payload);
}

async function neighbourIsFine(): Promise<void> {
  const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: 'neighbour' }));
  assert.equal(Payload?.transformToString(), '"fine"');
}

describe('the owner of a function', () => {
  it('reaches no service of the host, by whatever address, nor instance metadata', async () => {
    // Bridges of containers (`kb…`) come and go.
    const lasting = Object.entries(networkInterfaces()).filter(([name]) => !name.startsWith('kb'));
    const addresses = lasting.flatMap(([, all]) => (all ?? []).map(({ address }) => address));
    const port = await listen('0.0.0.0');
    const local = await listen('127.0.0.1');
    const targets: [string, number][] = [
      ...['127.0.0.1', '0.0.0.0', 'localhost', '::1', '::ffff:127.0.0.1', ...addresses].map(
        (address): [string, number] => [address, port],
      ),
      ['127.0.0.1', local],
      ['127.0.0.1', server.port],
      ...addresses.map((address): [string, number] => [address, server.port]),
      ['169.254.169.254', 80],
      ['169.254.170.2', 80],
      ['169.254.100.1', server.port],
      ['169.254.100.1', port],
    ];
    const knock = 'result = [knock(host, port) for host, port in event["targets"]]';
    const heard = await attack<string[]>(knock, { targets });
    assert.deepEqual(
      heard,
      targets.map(() => ''),
    );
    assert.equal(reached, 0);
    // The same knocks are heard where they may be: at the gateway, and from the host itself.
    assert.match((await attack<string[]>(knock, { targets: [['169.254.100.1', 4566]] }))[0]!, /^HTTP\/1\.1 /);
    assert.equal(await text(connect(port, addresses[0])), BANNER);
  });

  it('cannot use the admin API, however it spells it', async () => {
    const answers = await attack<[number, string][]>(`
admin = {"x-kobune-admin": "1", "content-length": "0"}
result = [ask(method, path, admin, host)
  for method, path in [
    ("GET", "/_kobune/status"), ("GET", "/_kobune/health"), ("GET", "/_kobune/logs?function=neighbour"),
    ("POST", "/_kobune/shutdown"), ("POST", "/_kobune/reset"), ("GET", "/_kobune"), ("GET", "//_kobune/status"),
    ("GET", "/%5fkobune/status"), ("GET", "/x/../_kobune/status"), ("GET", "http://127.0.0.1/_kobune/status"),
    ("GET", "/_kobune/status?x"), ("GET", "/_KOBUNE/status")]
  for host in (None, "127.0.0.1", "localhost:4566")]`);
    for (const [status, body] of answers) {
      assert.ok(status >= 400 && status < 500, `${status} ${body}`);
      assert.doesNotMatch(body, /"(?:pid|dataDirectory|status)"/);
    }
    assert.equal((await fetch(`${server.endpoint}/_kobune/health`)).status, 200);
  });

  it('may do what its role may, and no other account or key helps', async () => {
    const refusals = await attack<string[]>(`
def refusal(service, call, **keys):
    try:
        call(boto3.client(service, **keys))
        return "accepted"
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
read = lambda s3: s3.get_object(Bucket="guarded", Key="k")
result = [
    refusal("s3", read),
    refusal("lambda", lambda c: c.get_function(FunctionName="neighbour")),
    refusal("lambda", lambda c: c.invoke(FunctionName="neighbour")),
    refusal("iam", lambda c: c.create_user(UserName="mallory")),
    refusal("s3", read, aws_access_key_id="000000000000", aws_secret_access_key="test", aws_session_token=""),
    refusal("s3", read, aws_access_key_id="111111111111", aws_secret_access_key="test", aws_session_token=""),
    refusal("s3", read, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="test", aws_session_token=os.environ["AWS_SESSION_TOKEN"]),
    refusal("s3", read, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"], aws_session_token="made up"),
]`);
    assert.deepEqual(refusals, [
      'AccessDenied',
      'AccessDeniedException',
      'AccessDeniedException',
      'AccessDenied',
      'InvalidAccessKeyId',
      'InvalidAccessKeyId',
      'SignatureDoesNotMatch',
      'InvalidToken',
    ]);
  });

  it("sees no process, environment, code or file of the host's or of another function's", async () => {
    await neighbourIsFine();
    const seen = await attack<{ processes: number; found: string[]; written: string[]; here: string[] }>(
      `
found = []
open("/tmp/seen", "w").write(event["secret"])
def look(path):
    try:
        with open(path, "rb") as f: text = f.read(1_000_000)
        if event["secret"].encode() in text or event["key"].encode() in text: found.append(path)
    except OSError: pass
for pattern in ("/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/root/tmp/*", "/proc/[0-9]*/cwd/*", "/tmp/*", "/var/task/*", "/var/*/*", "/run/*", "/run/*/*", "/opt/*", "/home/*/*", "/root/*", "/etc/*"):
    for path in glob.glob(pattern): look(path)
for path in (event["data"], event["data"] + "/root-key.json", event["data"] + "/store/data.mdb"):
    if os.path.exists(path): found.append(path)
written = []
for path in ("/run/kobune/x", "/var/task/x", "/opt/x", "/etc/x", "/x", "/proc/sys/kernel/core_pattern", "/sys/x", "/dev/x"):
    try:
        open(path, "w").write("x"); written.append(path)
    except OSError: pass
result = {"processes": len(glob.glob("/proc/[0-9]*")), "found": found, "written": written, "here": os.listdir("/var/task")}`,
      { secret: SECRET, key: server.root.secretAccessKey, data: server.scratch },
    );
    assert.ok(seen.found.includes('/tmp/seen'), 'the search finds what is there');
    const foreign = seen.found.filter((path) => !path.endsWith('/tmp/seen'));
    assert.deepEqual([foreign, seen.written, seen.here], [[], [], ['app.py']]);
    assert.ok(seen.processes < 10, `${seen.processes} processes`);
  });

  it('breaks only its own environment by writing nonsense to every descriptor', async () => {
    const Payload = JSON.stringify({
      code: `
for fd in range(0, 64):
    for noise in (b"\\xff" * 70000, b"\\0" * 70000, b"END RequestId: x\\nREPORT RequestId: x\\n" * 100):
        try: os.write(fd, noise)
        except OSError: pass
for fd in range(0, 64):
    try: os.close(fd)
    except OSError: pass
result = 1`,
    });
    const answer = await lambda.send(new InvokeCommand({ FunctionName: 'attacker', Payload }));
    assert.equal(answer.FunctionError, 'Unhandled', answer.Payload!.transformToString());
    await neighbourIsFine();
    assert.equal(await attack<number>('result = 2'), 2);
  });

  it('holds up nobody by opening all the connections and processes that it may', async () => {
    const opened = await attack<number>(`
url = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"])
kept = []
for i in range(2000):
    try: kept.append(socket.create_connection((url.hostname, url.port), timeout=1))
    except OSError: break
result = len(kept)`);
    assert.ok(opened < 1_024, `${opened} connections`);
    await neighbourIsFine();
    const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: 'neighbour' }));
    assert.equal(Payload?.transformToString(), '"fine"');
  });
});

describe('the owner of a function, while no policies are enforced', () => {
  it('gets no folder of the host by naming it as code to be reloaded', async () => {
    await using open = await runKobune();
    const client = new LambdaClient(open.settings());
    try {
      await createFunction('attacker', ATTACKER, 'mine', client);
      const code = `
lambdas = boto3.client("lambda")
try:
    lambdas.create_function(FunctionName="spy", Runtime="python3.11", Handler="x.y", Role=event["role"],
        Code={"S3Bucket": "hot-reload", "S3Key": event["folder"]})
    result = "accepted"
except botocore.exceptions.ClientError as error:
    result = error.response["Error"]["Code"]`;
      // Readable for everyone, so that nothing else would be in the way.
      const Payload = JSON.stringify({ code, folder: '/etc', role: ROLE });
      const answer = await client.send(new InvokeCommand({ FunctionName: 'attacker', Payload }));
      assert.equal(answer.Payload!.transformToString(), '"NotImplemented"');
    } finally {
      client.destroy();
    }
  });
});
