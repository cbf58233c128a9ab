import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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

/** Sends a packet of UDP that says it comes from port 0. */
function sendFromNowhere(port: number, message: Buffer): void {
  const script = `import socket, struct, sys
message = bytes.fromhex(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack("!HHHH", 0, int(sys.argv[1]), 8 + len(message), 0) + message, ("127.0.0.1", 0))`;
  execFileSync('/usr/bin/python3', ['-c', script, String(port), message.toString('hex')]);
}

describe('the DNS server', () => {
  const skip = process.getuid?.() !== 0 && 'packets of one’s own need root';
  it('leaves a packet alone that nobody can be answered to', { skip }, async () => {
    let asked = 0;
    const answer = (query: Buffer) => {
      asked += 1;
      return query;
    };
    const server = await DnsServer.start({ sockets: { address: '127.0.0.1' }, answer });
    const client = createSocket('udp4');
    try {
      sendFromNowhere(server.port, question);
      client.send(question, server.port, '127.0.0.1');
      await once(client, 'message');
      assert.equal(asked, 1);
    } finally {
      client.close();
      await server.close();
    }
  });

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
