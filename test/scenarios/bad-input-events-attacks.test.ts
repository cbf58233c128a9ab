import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import * as sns from '@aws-sdk/client-sns';
import { eventually } from '../support/eventually.ts';
import { QueueFunctions } from '../support/queue-functions.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

/** Runs what it is sent. */
const ATTACKER = `
import boto3, json, os, socket, urllib.parse

def handler(event, context):
    scope = dict(globals(), event=event)
    exec(event["code"], scope)
    return scope["result"]
`;
const TIMEOUT = { timeout: 60_000 };

describe('the owner of a function, by what services call for others', () => {
  let server: RunningKobune;
  let world: QueueFunctions;
  let topics: sns.SNSClient;
  let host: Server;
  let port: number;
  /** Paths that something of the host was asked for. */
  const reached: string[] = [];

  before(async () => {
    server = await runKobune();
    world = new QueueFunctions(server.settings());
    topics = new sns.SNSClient(server.settings());
    host = createServer((request, response) => {
      reached.push(request.url!);
      response.end('{"access_token":"t"}');
    });
    host.listen(0, '127.0.0.1');
    await once(host, 'listening');
    port = (host.address() as { port: number }).port;
    await world.lambda.send(
      new lambda.CreateFunctionCommand({
        FunctionName: 'attacker',
        Runtime: 'python3.11',
        Handler: 'app.handler',
        Role: 'arn:aws:iam::000000000000:role/r',
        Code: { ZipFile: await zipOf({ 'app.py': ATTACKER }) },
        Timeout: 30,
        MemorySize: 512,
      }),
    );
    await lambda.waitUntilFunctionActiveV2(
      { client: world.lambda, maxWaitTime: 30, minDelay: 0.05 },
      { FunctionName: 'attacker' },
    );
  });
  after(async () => {
    host?.close();
    world?.[Symbol.dispose]();
    topics?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  async function attack<Result>(code: string, event: object = {}): Promise<Result> {
    const Payload = JSON.stringify({ code, ...event });
    const answer = await world.lambda.send(new lambda.InvokeCommand({ FunctionName: 'attacker', Payload }));
    const payload = answer.Payload!.transformToString();
    assert.equal(answer.FunctionError, undefined, payload);
    return JSON.parse(payload);
  }

  it('reaches nothing on the host by subscribing it to a topic, also when it hangs up at once', TIMEOUT, async () => {
    const dead = await world.queue('dead');
    const urls = [
      `http://127.0.0.1:${port}/by-address`,
      `http://localhost:${port}/by-name`,
      `http://[::ffff:127.0.0.1]:${port}/mapped`,
      `http://0x7f.1:${port}/hexadecimal`,
      `http://2130706433:${port}/decimal`,
      `http://0.0.0.0:${port}/any`,
      `http://user@127.0.0.1:${port}/user`,
      'http://169.254.169.254/latest/meta-data/',
      `http://127.0.0.1:${server.port}/_kobune/shutdown`,
    ];
    const kept = await attack<string[]>(
      `
sns = boto3.client("sns")
topic = sns.create_topic(Name="attack")["TopicArn"]
for url in event["urls"]:
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
# The request is complete, and nobody is there any more to tell where it came from.
here = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"])
key = os.environ["AWS_ACCESS_KEY_ID"]
for n in range(40):
    url = f"http://127.0.0.1:{event['port']}/gone-{n}"
    body = urllib.parse.urlencode({"Action": "Subscribe", "Version": "2010-03-31", "TopicArn": topic,
        "Protocol": "http", "Endpoint": url}).encode()
    head = (f"POST / HTTP/1.1\\r\\nhost: {here.hostname}\\r\\ncontent-type: application/x-www-form-urlencoded\\r\\n"
        f"x-amz-date: 20260101T000000Z\\r\\nauthorization: AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sns/aws4_request, "
        f"SignedHeaders=host, Signature={'0' * 64}\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n").encode()
    s = socket.create_connection((here.hostname, here.port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
    s.sendall(head + body)
    s.close()
result = [s["Endpoint"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]]`,
      { urls, port },
    );
    for (const url of urls) assert.ok(kept.includes(url), url);
    // What comes after all of these has been delivered: so have they been, or not.
    const { TopicArn } = await topics.send(new sns.CreateTopicCommand({ Name: 'after' }));
    await topics.send(new sns.SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: dead.arn }));
    await topics.send(new sns.PublishCommand({ TopicArn, Message: 'after' }));
    await world.take(dead);
    // The host's own subscription is asked to be confirmed.
    const Endpoint = `http://127.0.0.1:${port}/own`;
    await topics.send(new sns.SubscribeCommand({ TopicArn, Protocol: 'http', Endpoint }));
    await eventually(async () => (reached.includes('/own') ? true : undefined));
    assert.deepEqual(reached, ['/own']);
    reached.length = 0;
  });

  it('reaches nothing on the host by connections and API destinations', TIMEOUT, async () => {
    const answers = await attack<string[]>(
      `
events = boto3.client("events")
def tried(call, **input):
    try:
        return call(**input).get("ConnectionState", "made")
    except Exception as error:
        return type(error).__name__
def oauth(name, url):
    return tried(events.create_connection, Name=name, AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters={
        "OAuthParameters": {"AuthorizationEndpoint": url, "HttpMethod": "POST",
            "ClientParameters": {"ClientID": "i", "ClientSecret": "s"}}})
at = f"127.0.0.1:{event['port']}"
basic = events.create_connection(Name="basic", AuthorizationType="BASIC",
    AuthParameters={"BasicAuthParameters": {"Username": "u", "Password": "p"}})["ConnectionArn"]
result = [
  oauth("o1", f"http://{at}/token"),
  oauth("o2", f"https://{at}/token"),
  tried(events.create_api_destination, Name="d1", ConnectionArn=basic, InvocationEndpoint=f"http://{at}/d", HttpMethod="POST"),
  tried(events.create_api_destination, Name="d2", ConnectionArn=basic, InvocationEndpoint="https://example.com", HttpMethod="POST"),
  tried(events.update_api_destination, Name="d2", InvocationEndpoint=f"http://{at}/d"),
]
import time
for _ in range(100):
    state = events.describe_connection(Name="o2")["ConnectionState"]
    if state != "AUTHORIZING":
        break
    time.sleep(0.05)
result.append(state)`,
      { port },
    );
    assert.deepEqual(answers, ['ClientError', 'AUTHORIZING', 'ClientError', 'made', 'ClientError', 'DEAUTHORIZED']);
    assert.deepEqual(reached, []);
  });
});
