import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectSecure } from 'node:tls';
import { ServiceError } from '../base/errors.ts';
import { silentLogger } from '../base/json-logger.ts';
import { createSystemRandom } from '../base/system-random.ts';
import { createAdmin } from './admin/admin.ts';
import type { Control } from './admin/control.ts';
import { LocalAuthority } from './certificates/authority.ts';
import type { FrontEnd } from './front-end.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import { Metrics } from './metrics.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let directory: string;
let authority: LocalAuthority;
const open: Gateway[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kobune-gateway-'));
  authority = new LocalAuthority({ directory, random: createSystemRandom() });
});
afterEach(() => Promise.all(open.splice(0).map((gateway) => gateway.close(0))));
after(() => rm(directory, { recursive: true }));

/** Answers with what it was sent. */
const echo: FrontEnd = {
  name: 'echo',
  matches: ({ url }) => url?.startsWith('/echo') ?? false,
  handle: (request, response) => {
    response.writeHead(200, { 'x-secure': String('encrypted' in request.socket) });
    request.pipe(response);
  },
};

async function start(options: Partial<GatewayOptions> = {}, audience: 'host' | 'sandbox' = 'host'): Promise<number> {
  const stopped: string[] = [];
  const control = {
    clock: () => ({ now: '2026-01-01T00:00:00.000Z', offsetMs: 0, frozen: false }),
    shutdown: () => stopped.push('shutdown'),
    logs: async function* ({ filter }: { filter?: string }, signal: AbortSignal) {
      if (filter === 'wrong') throw new ServiceError('InvalidParameterException', 'not a pattern');
      await once(signal, 'abort');
      yield* [];
    },
  } as unknown as Control;
  const admin = createAdmin({ control, metrics: new Metrics(), logger: silentLogger });
  const gateway = new Gateway({
    frontEnds: [echo],
    admin,
    authority,
    logger: silentLogger,
    enforced: false,
    ...options,
  });
  open.push(gateway);
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 }, audience);
  return port;
}

function send(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string | number>; body?: string; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers, body, agent } = options;
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent }, (response) =>
      read(response).then(resolve, reject),
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function read(response: IncomingMessage): Promise<Answer> {
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode!, headers: response.headers, body };
}

async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end(text);
  return readAll(socket);
}

async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'close');
  return text;
}

describe('the front door', () => {
  it('hands a request to the interface that matches it', async () => {
    const port = await start();
    const { status, body } = await send(port, '/echo', { method: 'POST', body: 'hello' });
    assert.deepEqual({ status, body }, { status: 200, body: 'hello' });
  });

  it('says what is served when nothing matches', async () => {
    const port = await start();
    const { status, body } = await send(port, '/nowhere?x=1');
    assert.equal(status, 404);
    assert.match(JSON.parse(body).message, /Nothing answers to GET \/nowhere here\. Served: echo, the admin API/);
  });

  it('answers several requests on one connection', async () => {
    const port = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number>();
    agent.on('free', (socket: Socket) => ports.add(socket.localPort!));
    for (const body of ['a', 'b', 'c']) {
      assert.equal((await send(port, '/echo', { method: 'POST', body, agent })).body, body);
    }
    agent.destroy();
    assert.equal(ports.size, 1);
  });

  it('answers two requests that arrive in one packet', async () => {
    const port = await start();
    const request = 'GET /echo HTTP/1.1\r\nhost: localhost\r\n\r\n';
    const answer = await raw(port, request + request.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
    assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  });

  it('streams both ways: an answer begins before the request has ended', async () => {
    const port = await start();
    const request = httpRequest({ host: '127.0.0.1', port, path: '/echo', method: 'POST' });
    request.write('first');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const [chunk] = (await once(response, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'first');
    request.end('second');
    assert.equal((await read(response)).body, 'second');
  });

  it('sends 100 Continue to a client that waits for it', async () => {
    const port = await start();
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/echo',
      method: 'PUT',
      headers: { expect: '100-continue' },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('body');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal((await read(response)).body, 'body');
  });

  it('refuses without 100 Continue what it will not read', async () => {
    const port = await start({ limits: { bodyBytes: 10 } });
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/echo',
      method: 'PUT',
      headers: { expect: '100-continue', 'content-length': 11 },
    });
    let continued = false;
    request.on('continue', () => {
      continued = true;
    });
    request.on('error', () => {});
    request.flushHeaders();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal((await read(response)).status, 413);
    assert.equal(continued, false);
    request.destroy();
  });

  it('turns an exception of an interface into a 500 that tells nothing', async () => {
    const broken: FrontEnd = {
      name: 'broken',
      matches: () => true,
      handle: () => {
        throw new Error('a secret');
      },
    };
    const port = await start({ frontEnds: [broken] });
    const { status, body } = await send(port, '/');
    assert.equal(status, 500);
    assert.doesNotMatch(body, /secret/);
  });
});

describe('limits of the front door', () => {
  it('accepts 16 KB of headers and refuses more than the limit with 431', async () => {
    const port = await start();
    assert.equal((await send(port, '/echo', { headers: { 'x-long': 'a'.repeat(16 * 1024) } })).status, 200);
    const answer = await raw(port, `GET /echo HTTP/1.1\r\nhost: localhost\r\nx-long: ${'a'.repeat(40_000)}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 431 /);
    assert.match(answer, /RequestHeaderSectionTooLarge/);
  });

  it('answers what is not HTTP with 400', async () => {
    const port = await start();
    assert.match(await raw(port, 'NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 Bad Request/);
  });

  it('closes a connection that sends nothing', async () => {
    const port = await start({ limits: { headersMs: 30 } });
    assert.equal(await readAll(connect(port, '127.0.0.1')), '');
  });

  it('closes a connection whose body stands still', async () => {
    const port = await start({ limits: { stallMs: 40 } });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab');
    assert.match(await readAll(socket), /\r\n\r\n(?:2\r\n)?ab|^$/);
  });

  it('keeps waiting for an answer that takes long to make', async () => {
    let answer = () => {};
    const slow: FrontEnd = {
      name: 'slow',
      matches: () => true,
      handle: (_request, response) => {
        let timeouts = 0;
        response.on('timeout', () => {
          timeouts += 1;
          if (timeouts === 2) answer();
        });
        answer = () => response.end('at last');
      },
    };
    const port = await start({ frontEnds: [slow], limits: { stallMs: 20 } });
    assert.equal((await send(port, '/')).body, 'at last');
  });

  it('cuts a client that does not take its answer', async () => {
    const closed = Promise.withResolvers<void>();
    const large: FrontEnd = {
      name: 'large',
      matches: () => true,
      handle: (_request, response) => {
        response.once('close', () => closed.resolve());
        response.end(Buffer.alloc(64 * 1024 * 1024));
      },
    };
    const port = await start({ frontEnds: [large], limits: { stallMs: 40 } });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await closed.promise;
    socket.destroy();
  });
});

describe('web pages and the front door', () => {
  it('refuses a host name that a page could have rebound to this machine', async () => {
    const port = await start();
    const { status, body } = await send(port, '/echo', { headers: { host: `evil.example:${port}` } });
    assert.equal(status, 403);
    assert.match(body, /ForbiddenHost/);
  });

  it('answers to localhost, IP addresses, the names of AWS, and those in the configuration', async () => {
    const port = await start({ hosts: ['kobune.test'] });
    const names = [
      'localhost',
      '127.0.0.1:1',
      '[::1]:4566',
      'b.s3.us-east-1.amazonaws.com',
      'kobune.test',
      'b.kobune.test',
    ];
    for (const host of names) assert.equal((await send(port, '/echo', { headers: { host } })).status, 200, host);
  });

  it('refuses pages of other sites, and a form that another site sends with GET', async () => {
    const port = await start();
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example']) {
      assert.equal((await send(port, '/echo', { headers: { origin } })).status, 403, origin);
    }
    const image = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    assert.equal((await send(port, '/echo?Action=CreateUser', { headers: image })).status, 403);
    assert.equal((await send(port, '/echo/picture.png', { headers: image })).status, 200);
  });

  it('answers pages of this machine and of configured origins', async () => {
    const port = await start({ origins: ['https://app.example'] });
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:80', 'https://app.example']) {
      assert.equal((await send(port, '/echo', { headers: { origin } })).status, 200, origin);
    }
  });

  it('checks neither when every request is verified', async () => {
    const port = await start({ enforced: true });
    const headers = { host: 'any.example', origin: 'https://app.example' };
    assert.equal((await send(port, '/echo', { headers })).status, 200);
  });
});

describe('the admin API', () => {
  it('tells its health', async () => {
    const port = await start();
    const { status, body } = await send(port, '/_kobune/health');
    assert.deepEqual({ status, body: JSON.parse(body) }, { status: 200, body: { status: 'ok' } });
  });

  it('changes nothing without its header', async () => {
    const port = await start();
    assert.equal((await send(port, '/_kobune/shutdown', { method: 'POST' })).status, 403);
    const headers = { 'x-kobune-admin': '1' };
    assert.equal((await send(port, '/_kobune/shutdown', { method: 'POST', headers })).status, 200);
  });

  it('does not answer web pages, not even of this machine or an allowed origin', async () => {
    const port = await start({ origins: ['https://app.example'], enforced: true });
    for (const origin of ['http://localhost:3000', 'https://app.example']) {
      assert.equal((await send(port, '/_kobune/clock', { headers: { origin } })).status, 403);
    }
  });

  it('is not there for sandboxes, nor under a foreign host name', async () => {
    const sandbox = await start({}, 'sandbox');
    assert.equal((await send(sandbox, '/_kobune/health')).status, 403);
    assert.equal((await send(sandbox, '/echo')).status, 200);
    const enforced = await start({ enforced: true });
    assert.equal((await send(enforced, '/_kobune/health', { headers: { host: 'evil.example' } })).status, 403);
  });

  it('begins to answer a follower of a log in which nothing happens, and refuses a wrong pattern', async () => {
    const port = await start();
    const wrong = await send(port, '/_kobune/logs?group=/g&filter=wrong&follow=true');
    assert.deepEqual([wrong.status, JSON.parse(wrong.body).code], [400, 'InvalidParameterException']);
    const request = httpRequest({ host: '127.0.0.1', port, path: '/_kobune/logs?group=/g&follow=true' });
    request.on('error', () => {});
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    request.destroy();
  });

  it('names its routes to a caller that asks for another', async () => {
    const port = await start();
    const { status, body } = await send(port, '/_kobune/nothing');
    assert.equal(status, 404);
    assert.match(body, /GET \/_kobune\/status/);
  });

  it('refuses a change of the clock that it does not understand, naming what', async () => {
    const port = await start();
    const post = (body: string) =>
      send(port, '/_kobune/clock', { method: 'POST', headers: { 'x-kobune-admin': '1' }, body });
    assert.match((await post('{"advanceMs":-1}')).body, /advanceMs/);
    assert.match((await post('{"rewind":1}')).body, /rewind/);
    assert.match((await post('[]')).body, /not a JSON object/);
    assert.match((await post('x'.repeat(20_000))).body, /at most/);
  });
});

describe('TLS on the same port', () => {
  function sendSecure(port: number, servername: string | undefined, ca: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port,
          path: '/echo',
          method: 'POST',
          ca,
          agent: false,
          ...(servername ? { servername } : {}),
        },
        (response) => read(response).then(resolve, reject),
      );
      request.on('error', reject);
      request.end('over TLS');
    });
  }

  it('serves clients that connect by address, localhost or a name of AWS, with a certificate they can verify', async () => {
    const port = await start();
    const ca = await readFile((await authority.files()).certificate);
    const names = [
      undefined,
      'localhost',
      'sts.amazonaws.com',
      'bucket.s3.ap-northeast-1.amazonaws.com',
      'my.dotted.bucket.s3.amazonaws.com',
      'abc.lambda-url.us-east-1.on.aws',
    ];
    for (const name of names) {
      const { body, headers } = await sendSecure(port, name, ca);
      assert.deepEqual([body, headers['x-secure']], ['over TLS', 'true'], name ?? 'by address');
    }
  });

  it('gives no certificate for names that are not of AWS or this machine', async () => {
    const port = await start();
    const ca = await readFile((await authority.files()).certificate);
    await assert.rejects(sendSecure(port, 'bank.example', ca), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('keeps its key to its owner, and makes the same authority again after a restart', async () => {
    const { certificate } = await authority.files();
    assert.equal((await stat(join(directory, 'authority.key'))).mode & 0o777, 0o600);
    const first = await readFile(certificate, 'utf8');
    await new LocalAuthority({ directory, random: createSystemRandom() }).files();
    assert.equal(await readFile(certificate, 'utf8'), first);
  });

  it('survives a client that begins TLS and sends nonsense', async () => {
    const port = await start();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(Buffer.from([0x16, 1, 2, 3, 4, 5, 6, 7, 8]));
    await readAll(socket);
    assert.equal((await send(port, '/echo')).status, 200);
  });

  it('speaks HTTP/1.1 when a client offers HTTP/2 first', async () => {
    const port = await start();
    const socket = connectSecure({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    await once(socket, 'secureConnect');
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  });
});

describe('a graceful stop', () => {
  it('lets a request under way end, and ends idle and silent connections at once', async () => {
    const begun = Promise.withResolvers<ServerResponse>();
    const slow: FrontEnd = {
      name: 'slow',
      matches: () => true,
      handle: (_request, response) => begun.resolve(response),
    };
    const port = await start({ frontEnds: [slow] });
    const silent = connect(port, '127.0.0.1');
    await once(silent, 'connect');
    const answer = send(port, '/', { agent: new Agent({ keepAlive: true }) });
    const response = await begun.promise;
    const closing = open.pop()!.close(10_000);
    await once(silent, 'close');
    await assert.rejects(send(port, '/'), { code: 'ECONNREFUSED' });
    response.end('done');
    assert.equal((await answer).body, 'done');
    await closing;
  });

  it('cuts a request that outlasts the grace time', async () => {
    const begun = Promise.withResolvers<void>();
    const endless: FrontEnd = { name: 'endless', matches: () => true, handle: () => begun.resolve() };
    const port = await start({ frontEnds: [endless] });
    const failure = assert.rejects(send(port, '/'), { code: 'ECONNRESET' });
    await begun.promise;
    await open.pop()!.close(20);
    await failure;
  });
});
