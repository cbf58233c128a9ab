import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { dial, Guest, startNetworks, type TestNetworks, whyNot } from './test-support.ts';

const PORT = 8000;

describe('who reaches whom', { skip: await whyNot() }, () => {
  let test: TestNetworks;
  const guests = new Map<string, Guest>();
  const hostServer = createServer((socket) => socket.end('host'));

  before(async () => {
    test = await startNetworks();
    await test.networks.create({ name: 'front' });
    await test.networks.create({ name: 'back' });
    await test.networks.create({ name: 'inner', internal: true });
    await test.networks.create({
      name: 'strangers',
      options: { 'com.docker.network.bridge.enable_icc': 'false' },
    });
    const places: Record<string, string[]> = {
      web: ['front'],
      web2: ['front'],
      api: ['front', 'back'],
      db: ['back'],
      vault: ['inner'],
      vault2: ['inner'],
      keeper: ['inner', 'back'],
      one: ['strangers'],
      two: ['strangers'],
      plain: ['bridge'],
    };
    for (const [name, networks] of Object.entries(places)) {
      const guest = await Guest.join(test, name, networks);
      guests.set(name, guest);
      await guest.serveTcp(PORT);
    }
    hostServer.listen(0, '0.0.0.0');
    await once(hostServer, 'listening');
  });
  after(async () => {
    for (const guest of guests.values()) await guest.release();
    hostServer.close();
    assert.deepEqual(test.warnings, []);
    await test[Symbol.asyncDispose]();
  });

  const guest = (name: string) => guests.get(name)!;

  const TABLE: readonly (readonly [from: string, to: string, network: string | undefined, outcome: string])[] = [
    ['web', 'web2', 'front', 'reached'],
    ['web', 'api', 'front', 'reached'],
    ['web', 'api', 'back', 'refused'],
    ['web', 'db', 'back', 'refused'],
    ['web', 'plain', 'bridge', 'refused'],
    ['web', 'vault', 'inner', 'refused'],
    ['api', 'web', 'front', 'reached'],
    ['api', 'db', 'back', 'reached'],
    ['api', 'vault', 'inner', 'refused'],
    ['db', 'api', 'back', 'reached'],
    ['db', 'api', 'front', 'refused'],
    ['db', 'web', 'front', 'refused'],
    ['vault', 'vault2', 'inner', 'reached'],
    ['vault', 'keeper', 'inner', 'reached'],
    ['vault', 'keeper', 'back', 'unreachable'],
    ['vault', 'web', 'front', 'unreachable'],
    ['keeper', 'vault', 'inner', 'reached'],
    ['keeper', 'db', 'back', 'reached'],
    ['keeper', 'web', 'front', 'refused'],
    ['one', 'two', 'strangers', 'silence'],
    ['one', 'web', 'front', 'refused'],
    ['plain', 'web', 'front', 'refused'],
  ];
  for (const [from, to, network, outcome] of TABLE) {
    it(`${from} to ${to} at its address on ${network}: ${outcome}`, async () => {
      const answer = await guest(from).dial(guest(to).address(network), PORT);
      assert.equal(answer.startsWith(`${to} `) ? 'reached' : answer, outcome);
    });
  }

  it('this machine reaches every container', async () => {
    for (const name of ['web', 'db', 'vault', 'one']) {
      assert.match(await dial(guest(name).address(), PORT), new RegExp(`^${name} `));
    }
  });

  it('no container reaches what listens on this machine', async () => {
    const { port } = hostServer.address() as AddressInfo;
    const { ipv4Gateway: gateway } = guest('web').connected.endpoints[0]!;
    assert.equal(await dial(gateway!, port), 'host');
    assert.equal(await guest('web').dial(gateway!, port), 'refused');
    assert.notEqual(await guest('web').dial(test.networks.nameServer([]), port), 'host');
    assert.equal(await guest('vault').dial(guest('vault').connected.endpoints[0]!.ipv4Gateway!, port), 'refused');
  });

  it("no container reaches another one's loopback, even if it writes its addresses on the wire", async () => {
    for (const network of ['front', 'bridge']) {
      await using victim = await Guest.join(test, 'victim', [network]);
      await victim.serveTcp(PORT, '127.0.0.1');
      await using attacker = await Guest.join(test, 'attacker', [network]);
      const steps = [
        'ip address flush dev lo',
        'ip route flush table local 127.0.0.0/8',
        `ip route add 127.0.0.1 via ${victim.address()}`,
        'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet',
        'nft flush ruleset',
      ];
      await attacker.run('sh', '-ec', steps.join('\n'));
      assert.equal(await attacker.dial('127.0.0.1', PORT), 'silence');
      assert.match(await victim.dial('127.0.0.1', PORT), /^victim /);
    }
  });
});
