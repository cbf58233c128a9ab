import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { importBusybox, withoutBusybox } from '../support/busybox-image.ts';
import { runKobune } from '../support/running-kobune.ts';
import { root } from '../support/source-files.ts';

const COMMAND = join(root, 'src/cli/kobune.ts');
const FILE = join(root, 'examples/compose-shop/compose.yaml');

interface Listed {
  readonly name: string;
  readonly service: string;
  readonly state: string;
  readonly health: string;
  readonly publishers: readonly { readonly hostIp: string; readonly hostPort: number }[];
}

describe('compose-shop example', { skip: withoutBusybox || noDockerReason(DOCKER_28), timeout: 120_000 }, () => {
  it('takes orders through every replica, keeps them, and shows them to nobody else', async () => {
    await using server = await runKobune();
    const data = join(server.scratch, 'data');
    await importBusybox(join(data, 'docker.sock'), 'busybox:1.36');
    const compose = async (...words: string[]) => {
      // Without a port of its own each container gets a free one.
      const env = { PATH: process.env.PATH, HOME: server.scratch, SHOP_PORTS: '' };
      const all = [COMMAND, 'compose', '-f', FILE, '--data', data, ...words];
      return (await promisify(execFile)(process.execPath, all, { env, cwd: server.scratch })).stdout;
    };
    const list = async () => JSON.parse(await compose('ps', '--all', '--json')) as Listed[];
    const buy = async (shop: Listed, item: string) => {
      const { hostPort } = shop.publishers.find(({ hostIp }) => hostIp === '127.0.0.1')!;
      return (await fetch(`http://127.0.0.1:${hostPort}/cgi-bin/buy?${item}`)).text();
    };

    await compose('up', '--detach', '--wait');
    const before = await list();
    assert.deepEqual(
      before.map(({ name, state, health }) => [name, state, health]),
      [
        ['compose-shop-catalogue-1', 'exited', ''],
        ['compose-shop-orders-1', 'running', 'healthy'],
        ['compose-shop-shop-1', 'running', ''],
        ['compose-shop-shop-2', 'running', ''],
      ],
    );
    const [first, second] = before.filter(({ service }) => service === 'shop');
    assert.match(await buy(first!, 'boat'), /^order 1: boat \(by [0-9a-f]{12}\)$/m);
    assert.match(await buy(second!, 'lantern'), /^order 2: lantern/);
    assert.match(await buy(second!, 'moon'), /^refused: no such item moon/);

    assert.equal(await compose('exec', '-T', 'orders', 'cat', '/orders/orders.txt'), 'boat\nlantern\n');
    const inside = (service: string, line: string) => compose('exec', '-T', service, 'sh', '-c', line);
    assert.equal(await inside('orders', 'ip route | grep -c default || true'), '0\n');
    assert.equal(await inside('orders', 'touch /x 2>/dev/null || echo read-only'), 'read-only\n');
    assert.match(
      await inside('shop', 'wget -q -O - --post-data "guessed boat" http://orders/cgi-bin/order'),
      /wrong token/,
    );

    await compose('up', '--detach', '--scale', 'shop=3');
    const after = await list();
    assert.equal(after.filter(({ service }) => service === 'shop').length, 3);
    assert.deepEqual(after.find(({ name }) => name === first!.name)?.publishers, first!.publishers);
    await compose('up', '--detach', '--force-recreate', '--no-deps', 'orders');
    await compose('up', '--detach', '--wait');
    const [shop] = (await list()).filter(({ service }) => service === 'shop');
    assert.match(await buy(shop!, 'oar'), /^order 3: oar/);

    await compose('down', '--volumes');
    assert.deepEqual(await list(), []);
  });
});
