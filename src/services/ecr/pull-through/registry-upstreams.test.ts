import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { createManualClock } from '../../../base/system-clock.ts';
import { createSeededRandom } from '../../../base/system-random.ts';
import { createUpstreams } from './registry-upstreams.ts';

describe('ECR upstreams over the network', { timeout: 20_000 }, () => {
  it('say whose connection broke in the middle of a blob', async () => {
    const server = createServer((request, response) => {
      if (!request.url!.includes('/blobs/')) {
        response.end('{}');
        return;
      }
      response.writeHead(200, { 'content-length': '10' });
      response.write('half', () => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const upstreams = createUpstreams({ clock: createManualClock(), random: createSeededRandom() });
    try {
      const from = { url: `http://127.0.0.1:${port}`, repository: 'app', local: true };
      const read = async () => {
        for await (const chunk of await upstreams.blob(from, `sha256:${'a'.repeat(64)}`)) assert.ok(chunk.length > 0);
      };
      await assert.rejects(read(), { code: 'UpstreamUnavailable', status: 502, message: new RegExp(`:${port}: `) });
    } finally {
      upstreams.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
