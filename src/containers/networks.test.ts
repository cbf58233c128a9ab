import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { ContainerSpec } from './container.ts';
import { noContainersReason, printed, TestEngine } from './testing/test-engine.ts';

describe('containers on networks', { skip: noContainersReason }, () => {
  let world: TestEngine;
  let certificates: string;
  before(async () => {
    certificates = await mkdtemp(join(tmpdir(), 'kobune-certificates-'));
    await writeFile(join(certificates, 'authority.pem'), 'authority');
    await writeFile(join(certificates, 'bundle.pem'), 'bundle');
    world = await TestEngine.open({ cloud: async () => ({ endpointUrl: 'http://169.254.1.2:4566', certificates }) });
    await world.networks.create({ name: 'first' });
    await world.networks.create({ name: 'second' });
  });
  after(async () => {
    await world[Symbol.asyncDispose]();
    await rm(certificates, { recursive: true });
  });

  const on = (networks: readonly string[], ports: readonly number[] = []): Partial<ContainerSpec> => ({
    network: {
      mode: 'bridge',
      endpoints: networks.map((network) => ({ network })),
      ports: ports.map((containerPort) => ({ containerPort, protocol: 'tcp' })),
    },
  });

  /** Serves the text at `/`, and prints `ready` when it does. */
  const serving = (words: string, address = '80') =>
    `echo ${words} > /index.html; httpd -f -p ${address} -h / & until wget -qO- http://127.0.0.1:${address.split(':').at(-1)}; do sleep 0.02; done; echo ready; wait`;

  it('have an address, find each other by name, and are in their own hosts file', async () => {
    const server = await world.start(serving('hello from $(hostname)'), {
      ...on(['first']),
      name: 'server',
      hostname: 'serving',
    });
    await printed(world.engine, server, 'ready');
    const { endpoints } = await world.engine.get(server);
    const { stdout } = await world.run('wget -qO- http://server; cat /etc/hosts; cat /etc/resolv.conf', on(['first']));
    assert.match(stdout, /^hello from serving\n/);
    assert.match(stdout, /\n172\.\d+\.\d+\.\d+\t[0-9a-f]{12}\n/);
    assert.match(stdout, new RegExp(`nameserver ${world.networks.nameServer(endpoints)}`));
    const apart = await world.run('wget -T 1 -qO- http://server || echo unreachable', on(['second']));
    assert.equal(apart.stdout, 'unreachable\n');
    await world.engine.remove(server, { force: true });
    assert.deepEqual((await world.networks.find('first'))!.endpoints.size, 0);
  });

  it('answer at their published ports', async () => {
    const id = await world.start(serving('pong'), on(['first'], [80]));
    await printed(world.engine, id, 'ready');
    const { ports } = await world.engine.get(id);
    const { hostIp, hostPort } = ports.find(({ hostIp }) => hostIp === '127.0.0.1')!;
    const socket = connect(hostPort, hostIp);
    socket.end('GET / HTTP/1.0\r\n\r\n');
    assert.match(await text(socket), /pong/);
    await world.engine.stop(id, { timeoutSeconds: 0 });
    assert.deepEqual((await world.engine.get(id)).ports, []);
  });

  it('are connected and disconnected while they run', async () => {
    const id = await world.start('sleep 100', on(['first']));
    const endpoint = await world.engine.connectNetwork(id, { network: 'second', aliases: ['other'] });
    assert.equal(endpoint.networkName, 'second');
    const shown = await world.exec(id, ['ip', '-o', '-4', 'addr']);
    assert.match(shown.stdout, new RegExp(`eth1 +inet ${endpoint.ipv4}/`));
    assert.match((await world.exec(id, ['cat', '/etc/hosts'])).stdout, new RegExp(`${endpoint.ipv4}\t`));
    await assert.rejects(world.engine.connectNetwork(id, { network: 'second' }), { status: 403 });
    await world.engine.disconnectNetwork(id, 'second', false);
    assert.doesNotMatch((await world.exec(id, ['ip', '-o', '-4', 'addr'])).stdout, /eth1/);
    await assert.rejects(world.engine.disconnectNetwork(id, 'second', false), /is not connected to network second/);
    await world.engine.disconnectNetwork(id, 'second', true);
    const { network } = await world.engine.stats(id);
    assert.ok(network.eth0);
    await world.engine.remove(id, { force: true });
    const idle = await world.create('ip -o -4 addr', on(['first']));
    await world.engine.connectNetwork(idle, { network: 'second' });
    await world.engine.startContainer(idle);
    await world.engine.wait(idle, 'not-running');
    assert.match(await world.logText(idle), /eth1/);
  });

  it("share another container's network", async () => {
    const id = await world.start(serving('inner', '127.0.0.1:8080'), {
      ...on(['first']),
      hostname: 'outer',
    });
    await printed(world.engine, id, 'ready');
    const network = { mode: 'container', container: id } as const;
    const { stdout } = await world.run('wget -qO- http://127.0.0.1:8080; cat /etc/hosts', { network });
    assert.match(stdout, /^inner\n/);
    assert.match(stdout, /outer/);
    await world.engine.remove(id, { force: true });
    await assert.rejects(world.start('true', { network }), { code: 'ContainerNotFound' });
  });

  it('are on none, or on that of the machine', async () => {
    const none = await world.run('ip -o link | cut -d: -f2; cat /etc/hostname', {
      network: { mode: 'none' },
      hostname: 'alone',
    });
    assert.match(none.stdout, /^ lo\nalone\n$/);
    const host = await world.run('ip -o link | wc -l; ls /sys/class/net', { network: { mode: 'host' } });
    assert.match(host.stdout, /lo/);
    await assert.rejects(world.engine.connectNetwork(none.id, { network: 'first' }), /its network mode is none/);
  });

  it('cannot start on a network that there is not, and leave nothing then', async () => {
    const id = await world.create('true', on(['first', 'nowhere']));
    await assert.rejects(world.engine.startContainer(id), { code: 'NetworkNotFound' });
    assert.equal((await world.networks.find('first'))!.endpoints.size, 0);
    assert.equal((await world.engine.get(id)).state.status, 'created');
    const taken = await world.start('sleep 100', on(['first'], [80]));
    const { hostPort } = (await world.engine.get(taken)).ports[0]!;
    const second = await world.create('true', {
      network: {
        mode: 'bridge',
        endpoints: [{ network: 'first' }],
        ports: [{ containerPort: 80, protocol: 'tcp', hostPort }],
      },
    });
    await assert.rejects(world.engine.startContainer(second), /port is already allocated/);
    await world.engine.remove(taken, { force: true });
    await world.engine.startContainer(second);
    await world.engine.wait(second, 'not-running');
  });

  it('find the cloud and trust it, unless they were told otherwise', async () => {
    const script = 'echo $AWS_ENDPOINT_URL $SSL_CERT_FILE; cat /etc/kobune/authority.pem; touch /etc/kobune/x';
    const { stdout, stderr } = await world.run(script, on(['first']));
    assert.equal(stdout, 'http://169.254.1.2:4566 /etc/kobune/bundle.pem\nauthority');
    assert.match(stderr, /Read-only file system/);
    const own = await world.run('echo $AWS_ENDPOINT_URL', { ...on(['first']), environment: ['AWS_ENDPOINT_URL=mine'] });
    assert.equal(own.stdout, 'mine\n');
    const none = await world.run('echo $AWS_ENDPOINT_URL', { network: { mode: 'none' } });
    assert.equal(none.stdout, '\n');
    assert.deepEqual(
      (await world.engine.changes(none.id)).map(({ path }) => path),
      [],
    );
  });

  it('are told of names and servers as asked for', async () => {
    const { stdout } = await world.run('cat /etc/hosts /etc/resolv.conf', {
      ...on(['first']),
      extraHosts: ['db:10.1.2.3', 'six:[::5]', 'gw:host-gateway'],
      dnsSearch: ['example.test'],
      dnsOptions: ['ndots:3'],
      domainname: 'example.test',
      hostname: 'box',
    });
    assert.match(stdout, /10\.1\.2\.3\tdb\n::5\tsix\n169\.254\.100\.1\tgw\n/);
    assert.match(stdout, /^127\.0\.0\.1\tlocalhost\n10\./);
    assert.match((await world.run('cat /etc/hosts')).stdout, /\n::1\tlocalhost/);
    assert.match(stdout, /\tbox\.example\.test box\n/);
    assert.match(stdout, /search example\.test\noptions ndots:3\n$/);
    for (const changes of [
      { extraHosts: ['x\ny:1.2.3.4'] },
      { extraHosts: ['x:nowhere'] },
      { hostname: 'a b' },
      { dns: ['x'] },
      { dnsSearch: ['a\nnameserver 1.2.3.4'] },
      { dnsOptions: ['a\nb'] },
    ]) {
      await assert.rejects(world.create('true', changes), { code: 'InvalidContainer' });
    }
  });
});
