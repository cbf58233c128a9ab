import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { decode, encode } from 'dns-packet';
import { DnsServer } from './dns-server.ts';

const question = encode({ type: 'query', id: 7, questions: [{ type: 'A', name: 'example.test' }] });

/** A name server on this machine that knows one address; answers where it is. */
async function upstream() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (query, { address, port }) => {
    const { id, questions } = decode(query);
    const answers = [{ type: 'A' as const, name: 'example.test', ttl: 1, data: '192.0.2.1' }];
    socket.send(encode({ type: 'response', id, questions, answers }), port, address);
  });
  return { at: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

describe('the DNS server', () => {
  // To the first two a socket cannot even be connected.
  for (const unreachable of ['255.255.255.255', 'fe80::1', '127.0.0.1:1'])
    it(`asks the next name server when there is no way to one: ${unreachable}`, async () => {
      const known = await upstream();
      const server = await DnsServer.start({
        sockets: { address: '127.0.0.1' },
        answer: () => undefined,
        servers: async () => [unreachable, known.at],
      });
      const client = createSocket('udp4');
      try {
        client.send(question, server.port, '127.0.0.1');
        const [answer] = await once(client, 'message');
        assert.deepEqual(
          decode(answer).answers?.map((record) => 'data' in record && record.data),
          ['192.0.2.1'],
        );
      } finally {
        client.close();
        await server.close();
        known.close();
      }
    });
});
