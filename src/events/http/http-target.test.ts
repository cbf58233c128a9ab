import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { DeliveryOutcome, PendingDelivery, TargetParameters } from '../index.ts';
import { httpTarget } from './http-target.ts';

const target = httpTarget();

function deliver(
  targetArn: string,
  http: TargetParameters['http'] = {},
  signal = new AbortController().signal,
): Promise<DeliveryOutcome> {
  const delivery: PendingDelivery = {
    id: '1',
    enqueuedAt: 0,
    attempts: 0,
    source: 'test',
    targetArn,
    payload: Buffer.from('the payload'),
    account: '000000000000',
    region: 'us-east-1',
    parameters: { http: { local: true, ...http } },
  };
  return target.deliver!(delivery, signal);
}

/** What the server was asked. */
interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('an HTTP endpoint as a target', () => {
  let server: Server;
  let origin: string;
  let asked: Asked[] = [];
  let respond: (response: ServerResponse) => void = (response) => response.end();

  before(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      asked.push({ method: request.method, url: request.url, headers: request.headers, body });
      respond(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const answering = (status: number, headers: Record<string, string> = {}, body = 'answer') => {
    asked = [];
    respond = (response) => {
      response.writeHead(status, headers);
      response.end(body);
    };
  };

  it('is sent the payload in one request, with its headers', async () => {
    answering(200);
    const outcome = await deliver(`${origin}/hook?a=1`, { headers: { 'content-type': 'text/plain', 'x-a': 'b' } });
    assert.equal(outcome.type, 'delivered');
    assert.deepEqual(outcome.details, { statusCode: 200 });
    assert.equal(Buffer.from(outcome.response!).toString(), 'answer');
    assert.equal(asked.length, 1);
    const [{ body, headers, method, url }] = asked as [Asked];
    assert.deepEqual([method, url, body], ['POST', '/hook?a=1', 'the payload']);
    assert.equal(headers['content-type'], 'text/plain');
    assert.equal(headers['x-a'], 'b');
    assert.equal(headers['content-length'], '11');
  });

  it('is asked with another method, without a body where there is none', async () => {
    answering(200);
    await deliver(origin, { method: 'PUT' });
    await deliver(origin, { method: 'GET' });
    assert.deepEqual(
      asked.map(({ body, headers, method }) => [method, body, headers['content-length']]),
      [
        ['PUT', 'the payload', '11'],
        ['GET', '', undefined],
      ],
    );
  });

  it('is given the user and password of its URL', async () => {
    answering(200);
    await deliver(origin.replace('http://', 'http://user:pa%20ss@'));
    assert.equal(asked[0]!.headers.authorization, `Basic ${Buffer.from('user:pa ss').toString('base64')}`);
  });

  for (const [status, type] of [
    [200, 'delivered'],
    [202, 'delivered'],
    [204, 'delivered'],
    [400, 'rejected'],
    [403, 'rejected'],
    [404, 'rejected'],
    [410, 'rejected'],
    [429, 'failed'],
    [500, 'failed'],
    [503, 'failed'],
    [599, 'failed'],
  ] as const) {
    it(`${status} is ${type}`, async () => {
      answering(status, {}, '');
      const outcome = await deliver(origin);
      assert.equal(outcome.type, type);
      assert.deepEqual(outcome.details, { statusCode: status });
      if (outcome.type !== 'delivered') assert.equal(outcome.code, `HTTP_${status}`);
    });
  }

  it('is worth another try for statuses that the delivery names', async () => {
    answering(409);
    assert.equal((await deliver(origin)).type, 'rejected');
    assert.equal((await deliver(origin, { retried: [409] })).type, 'failed');
  });

  it('is not followed to where it points', async () => {
    answering(302, { location: `${origin}/elsewhere` });
    const outcome = await deliver(origin);
    assert.equal(outcome.type, 'rejected');
    assert.equal(asked.length, 1);
  });

  for (const [header, check] of [
    ['7', (ms: number | undefined) => ms === 7000],
    ['0', (ms: number | undefined) => ms === 0],
    [new Date(Date.now() + 60_000).toUTCString(), (ms: number | undefined) => ms! > 50_000 && ms! <= 60_000],
    [new Date(0).toUTCString(), (ms: number | undefined) => ms === 0],
    ['soon', (ms: number | undefined) => ms === undefined],
    ['-1', (ms: number | undefined) => ms === undefined || ms >= 0],
  ] as const) {
    it(`asks to be left alone: ${header}`, async () => {
      answering(503, { 'retry-after': header });
      const outcome = await deliver(origin);
      assert.ok(outcome.type === 'failed');
      assert.ok(check(outcome.retryAfterMs), String(outcome.retryAfterMs));
    });
  }

  it('fails when it does not answer in time', async () => {
    respond = () => {};
    const outcome = await deliver(origin, { timeoutMs: 50 });
    assert.ok(outcome.type === 'failed');
    assert.equal(outcome.reason, 'the endpoint did not answer within 50 ms');
    assert.equal(outcome.code, 'TIMEOUT');
  });

  it('fails when its answer does not end in time', async () => {
    respond = (response) => {
      response.writeHead(200);
      response.write('begun');
    };
    const outcome = await deliver(origin, { timeoutMs: 100 });
    assert.ok(outcome.type === 'failed');
    assert.equal(outcome.reason, 'the endpoint did not answer within 100 ms');
  });

  it('is heard to 64 KB, however much it says', async () => {
    respond = (response) => {
      response.writeHead(200);
      const more = (): void => {
        while (response.write(Buffer.alloc(64 * 1024, 'x')));
      };
      response.on('drain', more);
      response.on('error', () => {});
      more();
    };
    const outcome = await deliver(origin, { timeoutMs: 5000 });
    assert.equal(outcome.type, 'delivered');
    assert.equal(outcome.response!.length, 64 * 1024);
  });

  it('fails when it breaks off', async () => {
    respond = (response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('begun');
      setImmediate(() => response.destroy());
    };
    const outcome = await deliver(origin);
    assert.ok(outcome.type === 'failed');
    assert.equal(outcome.code, 'ECONNRESET');
  });

  it('fails when the program ends meanwhile', async () => {
    const closing = new AbortController();
    respond = () => closing.abort();
    assert.equal((await deliver(origin, {}, closing.signal)).type, 'failed');
  });

  it('fails when nobody is there', async () => {
    const outcome = await deliver('http://127.0.0.1:1/');
    assert.ok(outcome.type === 'failed');
    assert.equal(outcome.code, 'ECONNREFUSED');
  });

  it('fails when it speaks something else', async () => {
    const other = createTcpServer((socket) => socket.end('SSH-2.0-x\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const outcome = await deliver(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    other.close();
    assert.ok(outcome.type === 'failed');
    assert.match(outcome.code!, /^HPE_/);
  });

  it('is refused on this machine for those who are not', async () => {
    answering(200);
    for (const host of ['127.0.0.1', '2130706433', '0177.1', '[::ffff:7f00:1]', '169.254.169.254', '[::1]']) {
      const outcome = await deliver(`http://${host}/`, { local: false });
      assert.ok(outcome.type === 'rejected', host);
      assert.equal(outcome.code, 'ENDPOINT_NOT_ALLOWED');
    }
    const named = await deliver(origin.replace('127.0.0.1', 'localhost'), { local: false });
    assert.ok(named.type === 'failed');
    assert.equal(named.code, 'EACCES');
    assert.deepEqual(asked, []);
  });

  it('is refused when it is no URL, and when its headers are none', async () => {
    const outcome = await deliver('http://');
    assert.ok(outcome.type === 'rejected');
    assert.equal(outcome.code, 'INVALID_ENDPOINT');
    const headers = await deliver(origin, { headers: { 'x-a': 'b\r\nx-c: d' } });
    assert.ok(headers.type === 'rejected');
    assert.equal(headers.code, 'INVALID_REQUEST');
  });
});
