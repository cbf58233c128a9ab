import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { readAll, readUntil, startTestServer } from '../testing/test-server.ts';
import type { Route } from './route.ts';

/** Answers each message with itself in capitals. */
const echo: Route = {
  method: 'GET',
  path: '/containers/{id}/attach/ws',
  operation: 'Echo',
  handle: async () => ({
    kind: 'websocket',
    run: async (connection) => {
      for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
        connection.write(String(chunk).toUpperCase());
      }
      connection.end();
    },
  }),
};

const handshake = (headers = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n') =>
  `GET /containers/1/attach/ws HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}\r\n`;

/** A frame as clients send it: masked. */
function frame(opcode: number, text: string, first = 0x80): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.from([1, 2, 3, 4]);
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([Buffer.from([first | opcode]), length, mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]);
}

async function connected(server: Awaited<ReturnType<typeof startTestServer>>): Promise<Socket> {
  const socket = await server.open(handshake());
  const answer = await readUntil(socket, '\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  // The key and its answer are the example of RFC 6455 section 1.3.
  assert.match(answer, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  return socket;
}

describe('a WebSocket', () => {
  it('carries bytes both ways, however frames are split and joined', async () => {
    await using server = await startTestServer([echo]);
    const socket = await connected(server);
    const bytes = Buffer.concat([frame(1, 'one '), frame(2, 'two ', 0), frame(0, 'three')]);
    for (const byte of bytes) socket.write(Uint8Array.of(byte));
    const read = await readUntil(socket, 'THREE');
    assert.equal(read.replace(/[^A-Z ]/g, ''), 'ONE TWO THREE');
    socket.write(frame(2, 'x'.repeat(300)));
    assert.match(await readUntil(socket, 'X'.repeat(300)), /^.~/s);
    socket.destroy();
  });

  it('answers pings, and closes when it is closed', async () => {
    await using server = await startTestServer([echo]);
    const socket = await connected(server);
    socket.write(frame(9, 'ping'));
    assert.ok((await readUntil(socket, 'ping')).endsWith('ping'));
    const closed = once(socket, 'end');
    socket.write(frame(8, ''));
    socket.resume();
    await closed;
    socket.destroy();
  });

  it('ends where a frame is none: not masked, of a kind that is not known, or endless', async () => {
    await using server = await startTestServer([echo]);
    const broken = [
      Buffer.from([0x82, 1, 65]),
      Buffer.from([0xf2, 0x81]),
      Buffer.from([0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (const bytes of broken) {
      const socket = await connected(server);
      socket.write(bytes);
      await readAll(socket);
    }
  });

  it('is refused without its handshake', async () => {
    await using server = await startTestServer([echo]);
    assert.match(await server.exchange(handshake('')), /^HTTP\/1\.1 400[\s\S]*not a handshake of WebSocket version 13/);
    assert.match(
      await server.exchange('GET /containers/1/attach/ws HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n'),
      /^HTTP\/1\.1 400/,
    );
  });
});
