import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readAll, roomlessHost } from '../testing/test-server.ts';
import { Dispatcher } from './dispatcher.ts';
import { LazyHandler } from './lazy-handler.ts';
import { listenOnSocket, type RequestHandler } from './listener.ts';
import type { Route } from './route.ts';

const PLAIN = 'GET /endless HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n';
const UPGRADE =
  'POST /containers/1/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n';

/** Goes on until Kobune stops. */
const endless: Route = {
  method: 'GET',
  path: '/endless',
  operation: 'Endless',
  handle: async ({ ending }) => ({
    kind: 'stream',
    status: 200,
    headers: {},
    source: (async function* () {
      if (!ending.aborted) await once(ending, 'abort');
      yield 'ended';
    })(),
  }),
};

describe('what answers, loaded with the first request', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-lazy-'));
    path = join(directory, 'docker.sock');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const send = (request: string) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.write(request);
    return socket;
  };
  const lazy = (make: () => Promise<RequestHandler>) => new LazyHandler(make, roomlessHost(directory));

  it('is loaded again after it could not be: those who waited are told', async () => {
    let attempts = 0;
    const handler = lazy(async () => {
      attempts += 1;
      if (attempts <= 2) throw new Error('too many open files');
      return new Dispatcher(roomlessHost(directory), []);
    });
    const listener = await listenOnSocket(handler, path);
    for (const request of [PLAIN, UPGRADE]) {
      const answer = await readAll(send(request));
      assert.match(
        answer,
        /^HTTP\/1\.1 500[\s\S]*\{"message":"internal error [0-9a-f]{12}: Kobune's log tells more"\}/,
      );
    }
    assert.match(await readAll(send(PLAIN)), /^HTTP\/1\.1 404/);
    assert.equal(attempts, 3);
    await listener.close(0);
  });

  it('ends what it is asked when it is loaded after the end has begun', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: loaded, resolve: load } = Promise.withResolvers<void>();
    const handler = lazy(async () => {
      ask();
      await loaded;
      return new Dispatcher(roomlessHost(directory), [endless]);
    });
    const listener = await listenOnSocket(handler, path);
    const answer = readAll(send(PLAIN));
    await asked;
    const closed = listener.close(60_000);
    load();
    assert.match(await answer, /ended/);
    await closed;
  });

  it('knows of a client that has gone meanwhile', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: loaded, resolve: load } = Promise.withResolvers<void>();
    const { promise: told, resolve: tell } = Promise.withResolvers<boolean>();
    const attach: Route = {
      method: 'POST',
      path: '/containers/{id}/attach',
      operation: 'Attach',
      handle: async ({ gone }) => {
        tell(gone.aborted);
        throw gone.reason;
      },
    };
    let closed: Promise<unknown> | undefined;
    const handler = lazy(async () => {
      ask();
      await loaded;
      return new Dispatcher(roomlessHost(directory), [attach]);
    });
    const seen: RequestHandler = {
      handle: (request, response) => handler.handle(request, response),
      upgrade: (request, connection) => {
        closed = once(connection, 'close');
        // What was upgraded is read by nobody yet.
        connection.resume();
        return handler.upgrade(request, connection);
      },
      end: () => handler.end(),
      abort: () => handler.abort(),
      settled: () => handler.settled(),
    };
    const listener = await listenOnSocket(seen, path);
    const socket = send(UPGRADE);
    await asked;
    socket.destroy();
    // Its other half is ended by the server when it stops.
    const stopped = listener.close(0);
    await closed;
    load();
    assert.equal(await told, true);
    await stopped;
  });
});
