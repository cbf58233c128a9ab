import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { finish } from './raw-connection.ts';

describe('a raw connection that is finished', () => {
  it('gives its client all that it was told, however much that still sends', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kobune-raw-'));
    const server = createServer({ allowHalfOpen: true }, (connection) => {
      connection.on('error', () => {});
      connection.once('data', () => {
        connection.pause();
        connection.write('all');
        finish(connection);
      });
    });
    server.listen(join(directory, 's'));
    await once(server, 'listening');
    const [served, client] = await Promise.all([
      once(server, 'connection') as Promise<[Socket]>,
      connect({ path: join(directory, 's'), allowHalfOpen: true }),
    ]);
    const closed = once(served[0], 'close');
    client.end(Buffer.alloc(8 << 20));
    assert.equal(await text(client), 'all');
    await closed;
    server.close();
    rmSync(directory, { recursive: true });
  });

  it('is closed when its client has ended already', async () => {
    const server = createServer({ allowHalfOpen: true }, (connection) => {
      connection.resume().once('end', () => finish(connection));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [served] = (await once(server, 'connection')) as [Socket];
    client.end();
    await once(served, 'close');
    server.close();
  });
});
