import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventsArn, LETTERS, ROLE, START, TestEventBridge } from './test-eventbridge.ts';

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

let test: TestEventBridge;
let server: Server;
let address: string;
let requests: { readonly at: number; readonly url: string; readonly headers: IncomingMessage['headers'] }[] = [];
let answer: (path: string) => Answer;

beforeEach(async () => {
  test = new TestEventBridge();
  await test.start();
  requests = [];
  answer = () => ({ status: 200 });
  server = createServer(async (request, response) => {
    await text(request);
    requests.push({ at: test.clock.now(), url: request.url!, headers: request.headers });
    const { body, headers, status } = answer(request.url!);
    response.writeHead(status, { ...headers, connection: 'close' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await test.close();
  server.close();
});

const BASIC = {
  AuthorizationType: 'BASIC',
  AuthParameters: { BasicAuthParameters: { Username: 'u', Password: 'very-secret' } },
};
const oauth = (more: object = {}) => ({
  AuthorizationType: 'OAUTH_CLIENT_CREDENTIALS',
  AuthParameters: {
    OAuthParameters: {
      ClientParameters: { ClientID: 'me', ClientSecret: 'very-secret' },
      AuthorizationEndpoint: `${address}/token`,
      HttpMethod: 'POST',
      ...more,
    },
  },
});

const connect = (more: object = BASIC) => test.call('CreateConnection', { Name: 'c', ...more });

/** A rule that invokes an API destination. */
async function destination(connection: object = BASIC, more: object = {}): Promise<string> {
  const { ConnectionArn } = await connect(connection);
  const { ApiDestinationArn } = await test.call('CreateApiDestination', {
    Name: 'd',
    ConnectionArn,
    InvocationEndpoint: `${address}/hook`,
    HttpMethod: 'POST',
    ...more,
  });
  await test.rule(
    'r',
    { source: ['app'] },
    { Arn: ApiDestinationArn, RoleArn: ROLE, DeadLetterConfig: { Arn: LETTERS } },
  );
  return ApiDestinationArn;
}

const state = async () => (await test.call('DescribeConnection', { Name: 'c' })).ConnectionState;
/** Lets what happens over the network happen: until it is so. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'it never came');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
const pending = async () => (await test.store.range({ prefix: ['delivery'] })).length;
const waits = async (): Promise<number[]> =>
  (await test.store.range<{ attempts: number; notBefore?: number }>({ prefix: ['delivery'] }))
    .filter(({ value }) => value.attempts > 0)
    .map(({ value }) => value.notBefore! - test.clock.now());

describe('EventBridge API destinations', () => {
  it('are tried again when the endpoint is busy or broken, and not when it refuses', async () => {
    await destination();
    for (const status of [401, 407, 409, 429, 500, 503]) {
      answer = () => ({ status });
      await test.put();
      await until(async () => (await waits()).length === 1);
      const [wait] = await waits();
      assert.ok(wait! >= 750 && wait! <= 1000, `${status}: ${wait}`);
      answer = () => ({ status: 204 });
      test.clock.advance(1000);
      await until(async () => (await pending()) === 0);
    }
    for (const status of [301, 400, 403, 404]) {
      answer = () => ({ status });
      await test.put();
      await until(() => test.arrivals.length === 1);
      const [letter] = await test.arrived();
      assert.equal(letter!.target, LETTERS);
      assert.equal(letter!.delivery.parameters!.messageAttributes!.ERROR_CODE!.stringValue, 'ERROR_FROM_TARGET');
    }
  });

  it('wait as long as the endpoint asks for', async () => {
    await destination();
    answer = () => ({ status: 429, headers: { 'retry-after': '120' } });
    await test.put();
    await until(async () => (await waits()).length === 1);
    assert.deepEqual(await waits(), [120_000]);
  });

  it('are invoked no more often in a second than they allow', async () => {
    await destination(BASIC, { InvocationRateLimitPerSecond: 4 });
    const Entries = Array.from({ length: 10 }, () => ({ Source: 'app', DetailType: 'T', Detail: '{}' }));
    await test.call('PutEvents', { Entries });
    for (const expected of [4, 8, 10]) {
      await until(async () => requests.length === expected && (await pending()) === 10 - expected);
      test.clock.advance(999);
      assert.equal(requests.length, expected);
      test.clock.advance(1);
    }
    assert.deepEqual(
      requests.map(({ at }) => at - START),
      [0, 0, 0, 0, 1000, 1000, 1000, 1000, 2000, 2000],
    );
  });

  it('are INACTIVE, and take no events, without an authorized connection', async () => {
    await destination();
    await test.call('DeauthorizeConnection', { Name: 'c' });
    const described = await test.call('DescribeConnection', { Name: 'c' });
    assert.deepEqual([described.ConnectionState, described.AuthParameters], ['DEAUTHORIZED', undefined]);
    assert.equal((await test.call('DescribeApiDestination', { Name: 'd' })).ApiDestinationState, 'INACTIVE');
    await test.put();
    const [letter] = await test.arrived();
    assert.equal(letter!.delivery.parameters!.messageAttributes!.ERROR_CODE!.stringValue, 'NO_PERMISSIONS');
    assert.deepEqual(requests, []);
    await test.call('UpdateConnection', { Name: 'c', ...BASIC });
    await test.put();
    await until(() => requests.length === 1);
    await test.call('DeleteConnection', { Name: 'c' });
    await test.put();
    await until(() => test.arrivals.length === 1);
    assert.equal(test.arrivals[0]!.delivery.parameters!.messageAttributes!.ERROR_CODE!.stringValue, 'NO_RESOURCE');
  });

  it('on this machine are only for who named them from it', async () => {
    const far = { sourceIp: '10.0.0.9' };
    const { ConnectionArn } = await connect();
    const create = (InvocationEndpoint: string) =>
      test.call('CreateApiDestination', { Name: 'd', ConnectionArn, InvocationEndpoint, HttpMethod: 'POST' }, far);
    await assert.rejects(create(`${address}/hook`), { code: 'ValidationException' });
    const { ApiDestinationArn } = await create(address.replace('http:', 'https:'));
    await test.rule(
      'r',
      { source: ['app'] },
      { Arn: ApiDestinationArn, RoleArn: ROLE, DeadLetterConfig: { Arn: LETTERS } },
    );
    await test.put();
    await until(() => test.arrivals.length === 1);
    const { ERROR_MESSAGE } = test.arrivals[0]!.delivery.parameters!.messageAttributes!;
    assert.match(ERROR_MESSAGE!.stringValue!, /was not configured from there/);
    // Whoever changes it from here may.
    await test.call('UpdateApiDestination', { Name: 'd', InvocationEndpoint: `${address}/hook` });
    await test.put();
    await until(() => requests.length === 1);
    // And a change from there that leaves the endpoint alone changes nothing of that.
    await test.call('UpdateApiDestination', { Name: 'd', Description: 'x' }, far);
    await test.put();
    await until(() => requests.length === 2);
  });

  it('are asked about in the name of the role', async () => {
    const arn = await destination();
    const questions: unknown[] = [];
    test.allows = async ({ action, caller, resource }) => {
      questions.push({ action, resource, role: caller.roleArn, rule: caller.sourceArn });
      return false;
    };
    await test.put();
    await until(() => test.arrivals.length === 1);
    assert.deepEqual(questions, [
      { action: 'events:InvokeApiDestination', resource: arn, role: ROLE, rule: eventsArn('rule/r') },
    ]);
    assert.deepEqual(requests, []);
  });
});

describe('EventBridge connections', () => {
  it('with OAuth are authorized by a token, which is used until it ends', async () => {
    let tokens = 0;
    answer = (path) => {
      if (path !== '/token') return { status: 200 };
      tokens += 1;
      return { status: 200, body: JSON.stringify({ access_token: `t${tokens}`, expires_in: 600 }) };
    };
    const arn = await destination(oauth());
    assert.equal(await state(), 'AUTHORIZING');
    await until(async () => (await state()) === 'AUTHORIZED');
    const invoke = async (expected: string) => {
      requests = [];
      await test.put();
      await until(async () => (await pending()) === 0);
      assert.equal(requests.at(-1)!.headers.authorization, `Bearer ${expected}`, arn);
    };
    await invoke('t1');
    await test.advance(580_000);
    await invoke('t1');
    await test.advance(20_000);
    await invoke('t2');
    // 407 is as good as 401.
    let refused = true;
    const before = answer;
    answer = (path) => {
      if (path === '/token' || !refused) return before(path);
      refused = false;
      return { status: 407 };
    };
    await test.put();
    await until(async () => (await waits()).length === 1);
    test.clock.advance(1000);
    await until(async () => (await pending()) === 0);
    assert.equal(requests.at(-1)!.headers.authorization, 'Bearer t3');
  });

  it('whose token is refused are DEAUTHORIZED, and say why', async () => {
    answer = () => ({ status: 400, body: '{"error":"invalid_client"}' });
    await connect(oauth());
    await until(async () => (await state()) === 'DEAUTHORIZED');
    const { StateReason } = await test.call('DescribeConnection', { Name: 'c' });
    assert.equal(StateReason, 'The authorization endpoint: the endpoint answered 400.');
    answer = () => ({ status: 200, body: 'no json' });
    await test.call('UpdateConnection', { Name: 'c', ...oauth() });
    await until(async () => (await state()) === 'DEAUTHORIZED');
    const described = await test.call('DescribeConnection', { Name: 'c' });
    assert.equal(described.StateReason, 'The authorization endpoint gave no access token.');
  });

  it('that were being authorized when the process ended are authorized at the next start', async () => {
    answer = () => ({ status: 503 });
    const place = ['000000000000', 'us-east-1', 'c'];
    await connect(oauth());
    await until(async () => (await state()) === 'DEAUTHORIZED');
    await test.stop();
    // As it is when the process dies before the answer.
    const entry = await test.store.get<object>(['events', 'connection', ...place]);
    await test.store.put(['events', 'connection', ...place], { ...entry!.value, state: 'AUTHORIZING' });
    await test.store.put(['events', 'authorizing', ...place], true);
    answer = () => ({ status: 200, body: '{"access_token":"t"}' });
    await test.start();
    await until(async () => (await state()) === 'AUTHORIZED');
    assert.equal(await test.store.get(['events', 'authorizing', ...place]), undefined);
  });

  it('keep secret values encrypted, and tell them to nobody', async () => {
    const { ConnectionArn, ConnectionState } = await connect({
      ...BASIC,
      AuthParameters: {
        ...BASIC.AuthParameters,
        InvocationHttpParameters: {
          HeaderParameters: [{ Key: 'h', Value: 'very-secret', IsValueSecret: true }],
          QueryStringParameters: [{ Key: 'q', Value: 'open' }],
        },
      },
    });
    assert.equal(ConnectionState, 'AUTHORIZED');
    const described = await test.call('DescribeConnection', { Name: 'c' });
    assert.equal(described.ConnectionArn, ConnectionArn);
    assert.deepEqual(described.AuthParameters, {
      BasicAuthParameters: { Username: 'u' },
      InvocationHttpParameters: {
        HeaderParameters: [{ Key: 'h', IsValueSecret: true }],
        QueryStringParameters: [{ Key: 'q', Value: 'open' }],
      },
    });
    for (const { value } of await test.store.range({ prefix: ['events'] })) {
      const text = JSON.stringify(value, (_, part) =>
        part?.type === 'Buffer' ? Buffer.from(part).toString('latin1') : part,
      );
      assert.ok(!text.includes('very-secret'), text);
    }
  });

  it('refuse parameters that do not fit', async () => {
    const invalid = { code: 'ValidationException' };
    await assert.rejects(connect({ ...BASIC, AuthorizationType: 'API_KEY' }), invalid);
    await assert.rejects(connect({ AuthorizationType: 'BASIC', AuthParameters: {} }), invalid);
    await assert.rejects(connect({ ...BASIC, AuthorizationType: 'MAGIC' }), {
      ...invalid,
      message:
        "1 validation error detected: Value 'MAGIC' at 'authorizationType' failed to satisfy constraint: " +
        'Member must satisfy enum value set: [BASIC, OAUTH_CLIENT_CREDENTIALS, API_KEY]',
    });
    await assert.rejects(connect(oauth({ HttpMethod: 'DELETE' })), invalid);
    await assert.rejects(connect(oauth({ AuthorizationEndpoint: 'http://example.com/' })), invalid);
    const apiKey = (ApiKeyName: string, ApiKeyValue: string) =>
      connect({ AuthorizationType: 'API_KEY', AuthParameters: { ApiKeyAuthParameters: { ApiKeyName, ApiKeyValue } } });
    await assert.rejects(apiKey('two words', 'x'), invalid);
    await assert.rejects(
      apiKey('x', `very-secret\r\nheader: 1${'y'.repeat(600)}`),
      (error: Error & { code: string }) => {
        assert.ok(!error.message.includes('very-secret'));
        return error.code === 'ValidationException';
      },
    );
    await assert.rejects(connect({ ...BASIC, InvocationConnectivityParameters: {} }), { code: 'NotImplemented' });
    await connect();
    await assert.rejects(connect(), { code: 'ResourceAlreadyExistsException' });
    await assert.rejects(test.call('DescribeConnection', { Name: 'x' }), {
      code: 'ResourceNotFoundException',
      message: "Failed to describe the connection(s). Connection 'x' does not exist.",
    });
    await assert.rejects(test.call('DescribeApiDestination', { Name: 'x' }), {
      code: 'ResourceNotFoundException',
      message: "Failed to describe the api-destination(s). An api-destination 'x' does not exist.",
    });
  });
});
