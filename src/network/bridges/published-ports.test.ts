import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { dial, Guest, sayTo, startNetworks, type TestNetworks, whyNot } from './test-support.ts';

const tcp = { containerPort: 80, protocol: 'tcp' } as const;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('published ports', { skip: await whyNot() }, () => {
  let test: TestNetworks;
  before(async () => {
    test = await startNetworks();
    await test.networks.create({ name: 'other' });
    await test.networks.create({ name: 'inner', internal: true });
    await test.networks.create({ name: 'six', ipv6: true });
  });
  after(async () => {
    assert.deepEqual(
      test.warnings,
      Array(2).fill('ports are not published: the container is on internal networks only'),
    );
    await test[Symbol.asyncDispose]();
  });

  it('are at the loopback of this machine unless told, in both families, at a port that the system chooses', async () => {
    await using web = await Guest.join(test, 'web', ['bridge'], [tcp]);
    await web.serveTcp(80);
    const { ports } = web.connected;
    assert.deepEqual(
      ports.map(({ hostIp }) => hostIp),
      ['127.0.0.1', '::1'],
    );
    const [{ hostPort }, second] = ports as [(typeof ports)[0], (typeof ports)[0]];
    assert.equal(second.hostPort, hostPort);
    assert.match(await dial('127.0.0.1', hostPort), /^web /);
    assert.match(await dial('::1', hostPort), /^web /);
    const { ipv4Gateway } = web.connected.endpoints[0]!;
    assert.equal(await dial(ipv4Gateway!, hostPort), 'refused');
  });

  it('are all given back when one of them cannot be had, of UDP and TCP', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const free = await freePort();
    const ports = [
      { containerPort: 53, protocol: 'udp', hostPort: free, hostIp: '127.0.0.1' } as const,
      { ...tcp, hostPort: port, hostIp: '127.0.0.1' },
    ];
    await assert.rejects(Guest.join(test, 'web', ['bridge'], ports), { code: 'PortInUse' });
    assert.equal((await test.networks.find('bridge'))!.endpoints.size, 0);
    taken.close();
    await once(taken, 'close');
    await using web = await Guest.join(test, 'web', ['bridge'], ports);
    assert.equal(web.connected.ports.length, 2);
  });

  it('are at all addresses of this machine when told so, also for containers of other networks', async () => {
    const everywhere = [{ ...tcp, hostIp: '0.0.0.0' }];
    await using web = await Guest.join(test, 'web', ['bridge'], everywhere);
    await web.serveTcp(80);
    const { hostPort } = web.connected.ports[0]!;
    await using other = await Guest.join(test, 'other', ['other']);
    await using inner = await Guest.join(test, 'inner', ['inner']);
    const gateway = other.connected.endpoints[0]!.ipv4Gateway!;
    for (const address of ['127.0.0.1', gateway]) assert.match(await dial(address, hostPort), /^web /);
    assert.match(await other.dial(gateway, hostPort), /^web /);
    await using neighbour = await Guest.join(test, 'neighbour', ['bridge']);
    const own = web.connected.endpoints[0]!.ipv4Gateway!;
    for (const guest of [web, neighbour]) assert.match(await guest.dial(own, hostPort), /^web /);
    assert.equal(await inner.dial(inner.connected.endpoints[0]!.ipv4Gateway!, hostPort), 'refused');
  });

  it("are found by containers at the machine's name, unless they are for one address of it", async () => {
    const other = { ...tcp, containerPort: 81, hostIp: '127.0.0.1' };
    await using web = await Guest.join(test, 'web', ['bridge'], [tcp, other]);
    await web.serveTcp(80);
    await web.serveTcp(81);
    await using client = await Guest.join(test, 'client', ['other']);
    assert.deepEqual(await client.lookUp('host.docker.internal'), ['169.254.100.1']);
    const [byDefault, , atLoopback] = web.connected.ports;
    assert.match(await client.dial('169.254.100.1', byDefault!.hostPort), /^web /);
    assert.doesNotMatch(await client.dial('169.254.100.1', atLoopback!.hostPort), /^web /);
  });

  it('lead to IPv6 where the container has it', async () => {
    await using web = await Guest.join(test, 'web', ['six'], [{ ...tcp, hostIp: '::' }]);
    await web.serveTcp(80, '::');
    const { hostPort } = web.connected.ports[0]!;
    const { ipv6, ipv6Gateway } = web.connected.endpoints[0]!;
    assert.match(await dial(ipv6!, 80), /^web /);
    for (const address of ['::1', ipv6Gateway!]) assert.match(await dial(address, hostPort), /^web /);
  });

  it('carry UDP', async () => {
    const udp = { containerPort: 53, protocol: 'udp' } as const;
    await using names = await Guest.join(test, 'names', ['bridge'], [udp]);
    await names.serveUdp(53);
    const { hostPort } = names.connected.ports[0]!;
    assert.equal(await sayTo('127.0.0.1', hostPort, 'hello'), 'names hello');
    assert.equal(await sayTo('::1', hostPort, 'hello'), 'names hello');
  });

  it('carry UDP of a client that goes on to the next container that has the port', async () => {
    const udp = { containerPort: 53, protocol: 'udp', hostIp: '127.0.0.1' } as const;
    await using client = createSocket('udp4');
    const ask = async (port: number) => {
      client.send('hello', port, '127.0.0.1');
      const [answer] = await once(client, 'message', { signal: AbortSignal.timeout(3_000) });
      return String(answer);
    };
    const first = await Guest.join(test, 'first', ['bridge'], [udp]);
    await first.serveUdp(53);
    const { hostPort } = first.connected.ports[0]!;
    assert.equal(await ask(hostPort), 'first hello');
    await first.release();
    await using next = await Guest.join(test, 'next', ['bridge'], [{ ...udp, hostPort }]);
    await next.serveUdp(53);
    assert.notEqual(next.address(), first.address());
    assert.equal(await ask(hostPort), 'next hello');
    await test.networks.attach(next.identity, { path: next.path }, { network: 'other' });
    await test.networks.detach(next.id, 'bridge', { path: next.path });
    assert.equal(await ask(hostPort), 'next hello');
  });

  it('take the first free one of a range', async () => {
    const first = await freePort();
    const request = { ...tcp, hostIp: '127.0.0.1', hostPort: { first, last: first + 20 } };
    await using one = await Guest.join(test, 'one', ['bridge'], [request]);
    await using two = await Guest.join(test, 'two', ['bridge'], [request]);
    const [a, b] = [one, two].map(({ connected }) => connected.ports[0]!.hostPort);
    assert.ok(a! >= first && b! > a! && b! <= first + 20, `${a}, ${b}`);
  });

  it('are refused while somebody has the port, and nothing of the container is left', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const wanted = { ...tcp, hostIp: '0.0.0.0', hostPort: port };
    const failure = {
      code: 'PortInUse',
      status: 500,
      message: new RegExp(
        `^driver failed programming external connectivity on endpoint web \\([0-9a-f]{64}\\): Bind for 0.0.0.0:${port} failed: port is already allocated$`,
      ),
    };
    await assert.rejects(Guest.join(test, 'web', ['bridge'], [tcp, wanted]), failure);
    assert.equal((await test.networks.find('bridge'))!.endpoints.size, 0);
    server.close();
    await once(server, 'close');
    await using web = await Guest.join(test, 'web', ['bridge'], [wanted]);
    await assert.rejects(Guest.join(test, 'web', ['bridge'], [wanted]), failure);
    assert.equal(web.connected.ports[0]!.hostPort, port);
  });

  it('cannot be taken by other programs, and are free again with the container', async () => {
    const udp = createSocket('udp4');
    const web = await Guest.join(test, 'web', ['bridge'], [tcp, { ...tcp, protocol: 'udp' }]);
    const [, , { hostPort } = { hostPort: 0 }] = web.connected.ports;
    const bind = () =>
      new Promise((resolve) => udp.once('error', resolve).bind(hostPort, '127.0.0.1', () => resolve('bound')));
    assert.equal(((await bind()) as NodeJS.ErrnoException).code, 'EADDRINUSE');
    await web.release();
    assert.equal(await bind(), 'bound');
    udp.close();
  });

  it('of a container that is on internal networks alone lead nowhere, until it is on another one', async () => {
    await using web = await Guest.join(test, 'web', ['inner'], [tcp]);
    await web.serveTcp(80);
    assert.deepEqual(web.connected.ports, []);
    await test.networks.attach(web.identity, { path: web.path }, { network: 'other' });
    const { ports } = (await test.networks.adopt(web.identity))!;
    assert.match(await dial('127.0.0.1', ports[0]!.hostPort), /^web /);
  });

  it('that are taken keep such a container from another network, and leave it as it was', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using web = await Guest.join(test, 'web', ['inner'], [{ ...tcp, hostIp: '127.0.0.1', hostPort: port }]);
    const routes = await web.run('ip', 'route');
    const attached = test.networks.attach(web.identity, { path: web.path }, { network: 'other' });
    await assert.rejects(attached, { code: 'PortInUse' });
    assert.equal(await web.run('ip', 'route'), routes);
    assert.equal((await test.networks.find('other'))!.endpoints.size, 0);
    server.close();
    await once(server, 'close');
    await test.networks.attach(web.identity, { path: web.path }, { network: 'other' });
    await web.serveTcp(80);
    assert.match(await dial('127.0.0.1', port), /^web /);
  });

  it('follow the container to another network', async () => {
    await using web = await Guest.join(test, 'web', ['bridge', 'other'], [tcp]);
    await web.serveTcp(80);
    const { hostPort } = web.connected.ports[0]!;
    assert.match(await dial('127.0.0.1', hostPort), /^web /);
    await test.networks.detach(web.id, 'bridge', { path: web.path });
    for (const address of ['127.0.0.1', '::1']) assert.match(await dial(address, hostPort), /^web /);
  });

  const WRONG: readonly (readonly [string, object, string])[] = [
    ['SCTP', { protocol: 'sctp' }, 'publishing sctp ports is not supported (supported: tcp, udp)'],
    ['port 0 of the container', { containerPort: 0 }, 'invalid port 0'],
    ['a port that there is not', { hostPort: 65_536 }, 'invalid host port 65536'],
    ['a range that ends before it begins', { hostPort: { first: 9, last: 8 } }, 'invalid host port 9-8'],
    ['a host address that is none', { hostIp: '127.1' }, 'invalid host IP address 127.1'],
    ['a host address of two families', { hostIp: '::ffff:127.0.0.1' }, 'invalid host IP address ::ffff:127.0.0.1'],
  ];
  for (const [what, change, message] of WRONG) {
    it(`refuse ${what}`, async () => {
      await assert.rejects(Guest.join(test, 'web', ['bridge'], [{ ...tcp, ...change }]), {
        code: 'InvalidNetwork',
        message,
      });
    });
  }

  it("refuse an address that is not this machine's", async () => {
    await assert.rejects(Guest.join(test, 'web', ['bridge'], [{ ...tcp, hostIp: '203.0.113.9', hostPort: 80 }]), {
      code: 'PortInUse',
      message: /Bind for 203.0.113.9:80 failed: .*EADDRNOTAVAIL/,
    });
  });
});
