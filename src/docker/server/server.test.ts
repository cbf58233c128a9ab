import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ServiceError } from '../../base/errors.ts';
import { object, text } from '../shapes/shape.ts';
import { systemRoutes } from '../system/routes.ts';
import { readAll, readUntil, roomlessHost, startTestServer } from '../testing/test-server.ts';
import { Dispatcher } from './dispatcher.ts';
import { listenOnSocket } from './listener.ts';
import { empty, json, type Route } from './route.ts';

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nConnection: close\r\n${headers}\r\n`;

/** A raw connection that answers each line with itself in capitals, and `bye` when the client has ended its half. */
const echo: Route = {
  method: 'POST',
  path: '/containers/{id}/attach',
  operation: 'Echo',
  handle: async () => ({
    kind: 'raw',
    contentType: 'application/vnd.docker.raw-stream',
    run: async (connection) => {
      for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
        connection.write(String(chunk).toUpperCase());
      }
      connection.write('bye');
    },
  }),
};

const routes: readonly Route[] = [
  ...systemRoutes,
  echo,
  {
    method: 'POST',
    path: '/exec/{id}/start',
    operation: 'Start',
    handle: async (call) => {
      const body = await call.json(object({ Word: text }));
      return {
        kind: 'raw',
        contentType: 'application/vnd.docker.raw-stream',
        run: async (connection) => {
          connection.write(`${body.Word}:`);
          for await (const chunk of connection.iterator({ destroyOnReturn: false })) connection.write(chunk);
        },
      };
    },
  },
  { method: 'GET', path: '/version-of-client', operation: 'Version', handle: async ({ api }) => json({ api }) },
  { method: 'GET', path: '/new', operation: 'New', since: 40, handle: async () => empty() },
  {
    method: 'GET',
    path: '/images/{name...}/json',
    operation: 'Named',
    handle: async ({ parameters }) => json(parameters),
  },
  {
    method: 'GET',
    path: '/broken',
    operation: 'Broken',
    handle: async () => {
      throw new Error('the secret is 42');
    },
  },
  {
    method: 'GET',
    path: '/modified',
    operation: 'Modified',
    handle: async () => {
      throw new ServiceError('AlreadyRunning', 'runs already', { status: 304 });
    },
  },
  {
    method: 'GET',
    path: '/endless',
    operation: 'Endless',
    handle: async ({ ending }) => ({
      kind: 'stream',
      status: 200,
      headers: {},
      source: (async function* () {
        yield 'begun';
        if (!ending.aborted) await once(ending, 'abort');
        yield 'ended';
      })(),
    }),
  },
];

describe('the socket of the Docker API', () => {
  it('is for its owner alone', async () => {
    await using server = await startTestServer(routes);
    assert.equal((await stat(server.path)).mode & 0o777, 0o600);
  });

  it('replaces one that a killed run has left', async () => {
    await using server = await startTestServer(routes);
    const stale = join(server.directory, 'stale.sock');
    const killed = createServer().listen(stale);
    await once(killed, 'listening');
    // As a killed process leaves it: the file stays, nobody listens.
    const left = join(server.directory, 'left.sock');
    await symlink(stale, left);
    await new Promise<void>((resolve) => killed.close(() => resolve()));
    await writeFile(stale, '');
    const listener = await listenOnSocket(new Dispatcher(roomlessHost(server.directory), routes), left);
    assert.ok((await stat(left)).isSocket());
    await listener.close(0);
    await assert.rejects(stat(left), { code: 'ENOENT' });
  });

  it('does not take the place of one that is served', async () => {
    await using server = await startTestServer(routes);
    const dispatcher = new Dispatcher(roomlessHost(server.directory), routes);
    await assert.rejects(listenOnSocket(dispatcher, server.path), /Something else listens/);
    assert.match(await server.exchange(get('/_ping')), /^HTTP\/1.1 200 OK/);
  });

  it('says when its path is too long for the system', async () => {
    await using server = await startTestServer(routes);
    const dispatcher = new Dispatcher(roomlessHost(server.directory), routes);
    await assert.rejects(listenOnSocket(dispatcher, join(server.directory, 'x'.repeat(108))), /longer than 107 bytes/);
  });
});

describe('versions of the Docker API', () => {
  it('tells in its ping which it speaks, and which builder it has', async () => {
    await using server = await startTestServer(routes);
    const answer = await server.exchange(get('/_ping'));
    assert.match(answer, /\r\nApi-Version: 1\.48\r\n/);
    assert.match(answer, /\r\nBuilder-Version: 1\r\n/);
    assert.match(answer, /\r\nOstype: linux\r\n/);
    assert.match(answer, /\r\n\r\nOK$/);
    assert.match(
      await server.exchange('HEAD /_ping HTTP/1.1\r\nConnection: close\r\n\r\n'),
      /Api-Version: 1\.48[\s\S]*\r\n\r\n$/,
    );
  });

  it('takes the one in the path, and the newest without', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange(get('/v1.24/version-of-client')), /\{"api":24\}/);
    assert.match(await server.exchange(get('/v1.48/version-of-client')), /\{"api":48\}/);
    assert.match(await server.exchange(get('/version-of-client')), /\{"api":48\}/);
  });

  it('refuses those that are too new or too old, in the words of dockerd', async () => {
    await using server = await startTestServer(routes);
    assert.match(
      await server.exchange(get('/v1.49/version-of-client')),
      /^HTTP\/1.1 400[\s\S]*"client version 1.49 is too new. Maximum supported API version is 1.48"/,
    );
    assert.match(
      await server.exchange(get('/v1.23/version-of-client')),
      /^HTTP\/1.1 400[\s\S]*"client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade/,
    );
    assert.match(await server.exchange(get('/v2.0/version-of-client')), /too new/);
  });

  it('does not have an operation before the version that brought it', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange(get('/v1.39/new')), /^HTTP\/1.1 404[\s\S]*\{"message":"page not found"\}/);
    assert.match(await server.exchange(get('/v1.40/new')), /^HTTP\/1.1 204/);
  });
});

describe('requests to the Docker API', () => {
  it('find names with slashes, written as they are or in percent signs', async () => {
    await using server = await startTestServer(routes);
    const name = /\{"name":"localhost:5000\/a\/b:1"\}/;
    assert.match(await server.exchange(get('/images/localhost:5000/a/b:1/json')), name);
    assert.match(await server.exchange(get('/v1.40/images/localhost:5000%2Fa%2Fb:1/json')), name);
  });

  it('are answered with what dockerd says where there is nothing', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange(get('/nothing')), /^HTTP\/1.1 404[\s\S]*\{"message":"page not found"\}/);
    assert.match(await server.exchange('DELETE /version HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 404/);
    assert.match(await server.exchange(get('/%zz')), /^HTTP\/1.1 400/);
  });

  it('learn nothing of an unexpected error but where to look', async () => {
    await using server = await startTestServer(routes);
    const answer = await server.exchange(get('/broken'));
    assert.match(answer, /^HTTP\/1.1 500[\s\S]*\{"message":"internal error [0-9a-f]{12}: Kobune's log tells more"\}/);
    assert.doesNotMatch(answer, /secret/);
  });

  it('get no body with 304', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange(get('/modified')), /^HTTP\/1.1 304 Not Modified\r\n[\s\S]*\r\n\r\n$/);
  });

  it('that are no HTTP are told so', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange('hello\r\n\r\n'), /^HTTP\/1.1 400[\s\S]*not well-formed HTTP/);
  });

  it('may have headers of up to a mebibyte', async () => {
    await using server = await startTestServer(routes);
    assert.match(
      await server.exchange(get('/_ping', `X-Registry-Config: ${'a'.repeat(900_000)}\r\n`)),
      /^HTTP\/1.1 200/,
    );
    const socket = await server.open(get('/_ping', `X-Registry-Config: ${'a'.repeat(1_100_000)}\r\n`));
    // The rest of what was sent finds nobody.
    socket.on('error', () => {});
    assert.match(await readUntil(socket, 'too large'), /^HTTP\/1.1 431/);
    socket.destroy();
  });
});

describe('a JSON body', () => {
  const start = (body: string, type = 'application/json', length = Buffer.byteLength(body)) =>
    `POST /exec/1/start HTTP/1.1\r\nConnection: close\r\n${type === '' ? '' : `Content-Type: ${type}\r\n`}Content-Length: ${length}\r\n\r\n${body}`;

  it('must be there, be JSON, and be called so', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange(start('')), /^HTTP\/1.1 400[\s\S]*got EOF while reading request body/);
    assert.match(await server.exchange(start('{"Word":')), /^HTTP\/1.1 400[\s\S]*invalid JSON/);
    assert.match(
      await server.exchange(start('{}', 'text/plain')),
      /^HTTP\/1.1 400[\s\S]*unsupported Content-Type header \(text\/plain\): must be 'application\/json'/,
    );
    assert.match(await server.exchange(start('{}', '')), /^HTTP\/1.1 400[\s\S]*malformed Content-Type header/);
    assert.match(await server.exchange(start('[1]')), /^HTTP\/1.1 400[\s\S]*the body must be an object/);
  });

  it('is not read past its bound', async () => {
    await using server = await startTestServer(routes);
    assert.match(await server.exchange(start('{}', 'application/json', 5_000_000)), /^HTTP\/1.1 413/);
  });
});

describe('a raw connection', () => {
  const upgrade =
    'POST /containers/1/attach HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n';
  const plain = 'POST /containers/1/attach HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n';

  for (const [kind, request, opening] of [
    [
      'after an upgrade',
      upgrade,
      /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/,
    ],
    [
      'without one, as older clients open it',
      plain,
      /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/,
    ],
  ] as const) {
    it(`goes both ways ${kind}`, async () => {
      await using server = await startTestServer(routes);
      const socket = await server.open(request);
      assert.match(await readUntil(socket, '\r\n\r\n'), opening);
      socket.write('one ');
      assert.equal(await readUntil(socket, 'ONE '), 'ONE ');
      socket.write('GET / HTTP/1.1\r\n\r\n');
      assert.equal(await readUntil(socket, '\r\n\r\n'), 'GET / HTTP/1.1\r\n\r\n');
      socket.end('two');
      assert.equal(await readAll(socket), 'TWObye');
    });
  }

  for (const headers of ['Connection: Upgrade\r\nUpgrade: tcp\r\n', '']) {
    it(`follows a body in JSON ${headers === '' ? 'without' : 'with'} an upgrade, however it is split`, async () => {
      await using server = await startTestServer(routes);
      const body = '{"Word":"hi"}';
      const socket = await server.open(
        `POST /exec/1/start HTTP/1.1\r\nHost: docker\r\n${headers}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 4)}`,
      );
      socket.write(body.slice(4));
      await readUntil(socket, '\r\n\r\nhi:');
      socket.end('there');
      assert.equal(await readAll(socket), 'there');
    });
  }

  it('that is closed tells its operation that the client has gone, also without an upgrade', async () => {
    const { promise: told, resolve: tell } = Promise.withResolvers<void>();
    const attach: Route = {
      ...echo,
      handle: async ({ gone }) => ({
        kind: 'raw',
        contentType: 'application/vnd.docker.raw-stream',
        run: async (connection) => {
          gone.addEventListener('abort', () => tell());
          // Reading tells that the other half has ended; that it is closed, the next write would.
          for await (const _ of connection.iterator({ destroyOnReturn: false }));
          connection.destroy();
        },
      }),
    };
    await using server = await startTestServer([attach]);
    const socket = await server.open(plain);
    await readUntil(socket, '\r\n\r\n');
    socket.destroy();
    await told;
  });

  it('is run, to let go of what it has, when the client goes before it could be had', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const attach: Route = {
      ...echo,
      handle: async ({ gone }) => {
        ask();
        await once(gone, 'abort');
        return {
          kind: 'raw',
          contentType: 'application/vnd.docker.raw-stream',
          run: async (connection) => {
            assert.ok(connection.destroyed);
            leave();
          },
        };
      },
    };
    await using server = await startTestServer([attach]);
    const socket = await server.open(plain.replace('Content-Length: 0', 'Content-Length: 5'));
    await asked;
    socket.destroy();
    await left;
  });

  it('that cannot be had is refused in HTTP', async () => {
    await using server = await startTestServer(routes);
    const answer = await server.exchange(upgrade.replace('/containers', '/v1.99/containers'));
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*too new/);
    const missing = await server.exchange(upgrade.replace('POST', 'GET'));
    assert.match(missing, /^HTTP\/1\.1 404 Not Found\r\n[\s\S]*\r\n\r\n\{"message":"page not found"\}\n$/);
  });
});

describe('closing the Docker API', () => {
  it('ends what would never end by itself, and lets it say its last', async () => {
    await using server = await startTestServer(routes);
    const socket = await server.open('GET /endless HTTP/1.1\r\nHost: docker\r\n\r\n');
    await readUntil(socket, 'begun');
    const closed = server.listener.close(10_000);
    assert.match(await readAll(socket), /ended/);
    await closed;
  });

  it('waits for what was begun for a client that has gone', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    let done = false;
    const work: Route = {
      method: 'POST',
      path: '/work',
      operation: 'Work',
      handle: async ({ gone }) => {
        begin();
        await once(gone, 'abort');
        // Far longer than connections need to close.
        await setTimeout(300);
        done = true;
        return empty();
      },
    };
    await using server = await startTestServer([work]);
    const socket = await server.open('POST /work HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
    await begun;
    socket.destroy();
    await server.listener.close(10_000);
    assert.equal(done, true);
  });

  it('cuts what goes on after the grace', async () => {
    await using server = await startTestServer(routes);
    const socket = await server.open(
      'POST /containers/1/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    );
    await readUntil(socket, '\r\n\r\n');
    const gone = once(socket, 'close');
    socket.resume();
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    await server.listener.close(1);
    await gone;
    await assert.rejects(stat(server.path), { code: 'ENOENT' });
  });
});
