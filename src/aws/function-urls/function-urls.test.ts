import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { createLogger } from '../../base/json-logger.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { arnOf, fail, LambdaFixture, succeed } from '../../services/lambda/fixture.ts';
import { createCodeDownloadFrontEnd, createFunctionUrlFrontEnd } from './index.ts';

let world: LambdaFixture;
let server: Server;

const logger = createLogger({ level: 'error', format: 'json', write: (line) => process.stderr.write(line) });

async function serve(mode: 'open' | 'enforce' = 'open', allowed: readonly string[] = []): Promise<void> {
  const frontEnds = [
    createFunctionUrlFrontEnd({
      urls: async () => world.lambda.urls,
      mode,
      clock: world.clock,
      random: createSeededRandom(9),
      logger,
      credentials: { find: async () => undefined },
      authorizer: {
        authorize: async (principal, requests) => {
          for (const { action, resource, resourcePolicy } of requests) {
            if (!allowed.includes(`${principal.type} ${action} ${resource}`) && !resourcePolicy?.includes('"public"')) {
              throw new ServiceError('AccessDenied', 'no', { status: 403 });
            }
          }
        },
      },
    }),
    createCodeDownloadFrontEnd(async () => world.lambda.downloads),
  ];
  server = createServer((incoming, response) => {
    const frontEnd = frontEnds.find((candidate) => candidate.matches(incoming));
    if (frontEnd) frontEnd.handle(incoming, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function fetchUrl(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  const { hostname, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        method: options.method ?? 'GET',
        path: `${pathname}${search}`,
        headers: { host: hostname, ...options.headers },
        agent: false,
      },
      (response) => {
        buffer(response).then(
          (body) => resolve({ status: response.statusCode!, headers: response.headers, body: body.toString() }),
          reject,
        );
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

const createUrl = async (input: object = {}): Promise<string> =>
  String((await world.call('CreateFunctionUrlConfig', { FunctionName: 'f', AuthType: 'NONE', ...input })).FunctionUrl);
const lastEvent = (): Record<string, unknown> & {
  headers: Record<string, string>;
  requestContext: Record<string, unknown>;
} => JSON.parse(Buffer.from(world.engine.invocations.at(-1)!.invocation.payload).toString());

beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await world.close();
});

describe('a function URL', () => {
  it('hands the request to the function in payload format 2.0', async () => {
    await serve();
    world.engine.handler = () => succeed('{"hello":"world"}');
    const url = await createUrl();
    assert.match(url, /^http:\/\/[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:4566\/$/);
    const answer = await fetchUrl(`${url}a%20b/c?x=1&x=2&y=`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: 'a=1; b=2', 'user-agent': 'tests' },
      body: '{"n":1}',
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.body, '{"hello":"world"}');
    const event = lastEvent();
    assert.equal(event.version, '2.0');
    assert.equal(event.rawPath, '/a b/c');
    assert.equal(event.rawQueryString, 'x=1&x=2&y=');
    assert.deepEqual(event.queryStringParameters, { x: '1,2', y: '' });
    assert.deepEqual(event.cookies, ['a=1', 'b=2']);
    assert.equal(event.body, '{"n":1}');
    assert.equal(event.isBase64Encoded, false);
    assert.equal(event.headers['content-type'], 'application/json');
    const { http, accountId, time, domainPrefix } = event.requestContext as Record<string, Record<string, unknown>>;
    assert.equal(http!.method, 'POST');
    assert.equal(http!.sourceIp, '127.0.0.1');
    assert.equal(http!.userAgent, 'tests');
    assert.equal(accountId, 'anonymous');
    assert.equal(time, '02/Jan/2026:03:04:05 +0000');
    assert.equal(domainPrefix, new URL(url).hostname.split('.')[0]);
  });

  it('is served under on.aws too, and passes binary bodies in base64', async () => {
    await serve();
    const url = (await createUrl()).replace('localhost:4566', 'on.aws');
    await fetchUrl(url, { method: 'PUT', headers: { 'content-type': 'image/png' }, body: Buffer.from([0xff, 0x00]) });
    assert.equal(lastEvent().isBase64Encoded, true);
    assert.equal(lastEvent().body, '/wA=');
  });

  it('maps status, headers, cookies and body of a structured answer', async () => {
    await serve();
    world.engine.handler = () =>
      succeed(
        JSON.stringify({
          statusCode: 201,
          headers: { 'X-Custom': 'yes', 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' },
          cookies: ['a=1', 'b=2; Secure'],
          body: Buffer.from('binary').toString('base64'),
          isBase64Encoded: true,
        }),
      );
    const answer = await fetchUrl(await createUrl());
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['x-custom'], 'yes');
    assert.equal(answer.headers['content-type'], 'text/plain');
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2; Secure']);
    assert.equal(answer.body, 'binary');
  });

  it('answers 502 for a function error and for an answer that is no response', async () => {
    await serve();
    const url = await createUrl();
    world.engine.handler = () => fail('{"errorMessage":"secret detail"}');
    const failed = await fetchUrl(url);
    assert.equal(failed.status, 502);
    assert.doesNotMatch(failed.body, /secret/);
    for (const bad of [{ statusCode: 99 }, { statusCode: 'x' }, { statusCode: 200, headers: { 'a b': 'x' } }]) {
      world.engine.handler = () => succeed(JSON.stringify(bad));
      assert.equal((await fetchUrl(url)).status, 502);
    }
    world.engine.handler = () =>
      succeed(JSON.stringify({ statusCode: 200, headers: { a: 'x\r\nset-cookie: evil=1' } }));
    const split = await fetchUrl(url);
    assert.equal(split.status, 502);
    assert.equal(split.headers['set-cookie'], undefined);
  });

  it('answers 429 when throttled, 413 for too large a body, 403 for an unknown URL', async () => {
    await serve();
    const url = await createUrl();
    assert.equal((await fetchUrl(url, { method: 'POST', body: Buffer.alloc(6_291_457) })).status, 413);
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 0 });
    assert.equal((await fetchUrl(url)).status, 429);
    await world.call('DeleteFunctionUrlConfig', { FunctionName: 'f' });
    assert.equal((await fetchUrl(url)).status, 403);
    assert.equal((await fetchUrl('http://short.lambda-url.us-east-1.localhost/')).status, 403);
  });

  it('streams in RESPONSE_STREAM mode, with the prelude as status and headers', async () => {
    await serve();
    world.engine.stream = async (sink) => {
      sink.start({
        contentType: 'application/octet-stream',
        prelude: { statusCode: 418, headers: { 'Content-Type': 'text/event-stream' }, cookies: ['c=1'] },
      });
      await sink.write(Buffer.from('one '));
      await sink.write(Buffer.from('two'));
      return succeed('');
    };
    const answer = await fetchUrl(await createUrl({ InvokeMode: 'RESPONSE_STREAM' }));
    assert.equal(answer.status, 418);
    assert.equal(answer.headers['content-type'], 'text/event-stream');
    assert.deepEqual(answer.headers['set-cookie'], ['c=1']);
    assert.equal(answer.body, 'one two');
  });

  it('answers preflights itself and adds CORS headers for the origins allowed', async () => {
    await serve();
    const url = await createUrl({
      Cors: { AllowOrigins: ['https://app.example'], AllowMethods: ['GET', 'POST'], AllowHeaders: ['x-a'], MaxAge: 60 },
    });
    const preflight = (origin: string, method = 'POST') =>
      fetchUrl(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': method } });
    const allowed = await preflight('https://app.example');
    assert.equal(allowed.status, 200);
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example');
    assert.equal(allowed.headers['access-control-allow-methods'], 'GET,POST');
    assert.equal(allowed.headers['access-control-allow-headers'], 'x-a');
    assert.equal(allowed.headers['access-control-max-age'], '60');
    assert.equal((await preflight('https://evil.example')).headers['access-control-allow-origin'], undefined);
    assert.equal((await preflight('https://app.example', 'DELETE')).headers['access-control-allow-origin'], undefined);
    assert.equal(world.engine.invocations.length, 0);
    const actual = await fetchUrl(url, { headers: { origin: 'https://app.example' } });
    assert.equal(actual.headers['access-control-allow-origin'], 'https://app.example');
  });

  it('of type AWS_IAM wants a signature', async () => {
    await serve();
    const url = await createUrl({ AuthType: 'AWS_IAM' });
    const refused = await fetchUrl(url);
    assert.equal(refused.status, 403);
    assert.equal(refused.headers['x-amzn-errortype'], 'AccessDeniedException');
    const signed = await fetchUrl(url, {
      headers: {
        'x-amz-date': '20260102T030405Z',
        authorization:
          'AWS4-HMAC-SHA256 Credential=123456789012/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00',
      },
    });
    assert.equal(signed.status, 200);
    assert.equal(lastEvent().requestContext.accountId, '123456789012');
  });

  it('of type NONE is open in enforce mode only to whom the policy lets in', async () => {
    await serve('enforce');
    const url = await createUrl();
    assert.equal((await fetchUrl(url)).status, 403);
    await world.call('AddPermission', {
      FunctionName: 'f',
      StatementId: 'public',
      Action: 'lambda:InvokeFunctionUrl',
      Principal: '*',
      FunctionUrlAuthType: 'NONE',
    });
    assert.equal((await fetchUrl(url)).status, 200);
  });
});

describe('Lambda function URL settings', () => {
  beforeEach(() => serve());

  it('belong to the function or an alias, once each', async () => {
    await createUrl();
    await assert.rejects(createUrl(), { code: 'ResourceConflictException' });
    await world.call('PublishVersion', { FunctionName: 'f' });
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    const url = await createUrl({ Qualifier: 'live' });
    await fetchUrl(url);
    assert.equal(world.engine.invocations.at(-1)!.spec.arn, arnOf('f', '1'));
    await assert.rejects(createUrl({ Qualifier: '1' }), { code: 'ValidationException' });
    const list = await world.call<{ FunctionUrlConfigs: { FunctionArn: string }[] }>('ListFunctionUrlConfigs', {
      FunctionName: 'f',
    });
    assert.deepEqual(
      list.FunctionUrlConfigs.map((item) => item.FunctionArn),
      [arnOf('f'), arnOf('f', 'live')],
    );
    await world.call('UpdateFunctionUrlConfig', { FunctionName: 'f', InvokeMode: 'RESPONSE_STREAM' });
    assert.equal((await world.call('GetFunctionUrlConfig', { FunctionName: 'f' })).InvokeMode, 'RESPONSE_STREAM');
    await world.call('DeleteFunction', { FunctionName: 'f' });
    assert.equal((await fetchUrl(url)).status, 403);
    assert.deepEqual(await world.store.range({ prefix: ['lambda', 'urls'] }), []);
  });
});

describe('the download address of a deployment package', () => {
  it('gives the zip, and nothing when it is not valid', async () => {
    await serve();
    const got = await world.call<{ Code: { Location: string } }>('GetFunction', { FunctionName: 'f' });
    const answer = await fetchUrl(got.Code.Location);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/zip');
    assert.ok(answer.body.startsWith('PK'));
    assert.equal((await fetchUrl(`${got.Code.Location.slice(0, -1)}`)).status, 403);
    assert.equal((await fetchUrl('http://x/_lambda/code/../../etc/passwd')).status, 404);
  });
});
