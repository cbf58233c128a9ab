/** For tests of the server: routes of the test's own behind the real listener. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../base/json-logger.ts';
import { createManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { EventHistory } from '../events/event-history.ts';
import { Dispatcher } from '../server/dispatcher.ts';
import { listenOnSocket, type OpenListener } from '../server/listener.ts';
import type { DockerHost } from '../server/rooms.ts';
import type { Route } from '../server/route.ts';

export interface TestServer extends AsyncDisposable {
  readonly path: string;
  readonly directory: string;
  readonly listener: OpenListener;
  /** Sends a request as it is written, and answers the connection, open in both directions. */
  open(request: string): Promise<Socket>;
  /** Sends a request on a connection of its own and answers everything that came back. */
  exchange(request: string): Promise<string>;
}

const unasked = async (): Promise<never> => {
  throw new Error('this test has no rooms');
};

/** A host whose rooms cannot be made: for what does not need them. */
export function roomlessHost(directory: string): DockerHost {
  return {
    engine: unasked,
    images: unasked,
    networks: unasked,
    builder: unasked,
    events: new EventHistory(),
    version: '0.0.0',
    hostname: 'test',
    instance: 'abcdef',
    directory,
    clock: createManualClock(),
    random: createSeededRandom(),
    logger: silentLogger,
  };
}

export async function startTestServer(routes: readonly Route[]): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-docker-'));
  const path = join(directory, 'docker.sock');
  const listener = await listenOnSocket(new Dispatcher(roomlessHost(directory), routes), path);
  const open = async (request: string): Promise<Socket> => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.write(request);
    return socket;
  };
  return {
    path,
    directory,
    listener,
    open,
    exchange: async (request) => {
      const socket = await open(request);
      return readAll(socket);
    },
    async [Symbol.asyncDispose]() {
      await listener.close(0);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Everything until the other side ends. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) chunks.push(chunk);
  socket.destroy();
  return Buffer.concat(chunks).toString('utf8');
}

/** Reads until `text` has come; answers everything so far. */
export async function readUntil(socket: Socket, text: string): Promise<string> {
  let read = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    read += chunk.toString('utf8');
    if (read.includes(text)) return read;
  }
  throw new Error(`ended before ${JSON.stringify(text)} came: ${JSON.stringify(read)}`);
}
