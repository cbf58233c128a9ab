import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { parseAddress } from '../cidr.ts';
import type { NetworkEvent, NetworkSpec } from '../container-networks.ts';
import { runProgram } from './program.ts';
import { withSubnetLock } from './subnet-choice.ts';
import { dial, Guest, random, startNetworks, type TestNetworks, whyNot } from './test-support.ts';

const skip = await whyNot();

/** A subnet that no other test has: of a range that Kobune itself does not choose from. */
const ownSubnet = () => {
  const [second, third] = random.bytes(2) as unknown as [number, number];
  return `10.${second % 64}.${third}`;
};

describe('container networks', { skip }, () => {
  let test: TestNetworks;
  before(async () => {
    test = await startNetworks();
  });
  after(async () => {
    assert.deepEqual(test.warnings, []);
    await test[Symbol.asyncDispose]();
  });

  it('are bridge, host and none from the start', async () => {
    const found = (await test.networks.list()).map(({ name, driver }) => `${name} ${driver}`).sort();
    assert.deepEqual(found, ['bridge bridge', 'host host', 'none null']);
  });

  it('have a bridge of this machine, an ID and a subnet that is free', async () => {
    const { network } = await test.networks.create({ name: 'web', labels: { a: 'b' }, attachable: true });
    assert.match(network.id, /^[0-9a-f]{64}$/);
    assert.match(
      network.ranges[0]!.subnet,
      /^(172\.(1[7-9]|2\d|3[01])\.0\.0\/16|192\.168\.\d+\.0\/20|10\.\d+\.\d+\.0\/20)$/,
    );
    assert.match(network.ranges[0]!.gateway, /\.1$/);
    assert.deepEqual(network.labels, { a: 'b' });
    const known = readFileSync(`/sys/class/net/${network.bridge}/ifalias`, 'utf8').trim();
    assert.equal(known, `kobune-${test.options.instance} web`);
    assert.ok(network.bridge!.length <= 15);
    for (const key of ['web', network.id, network.id.slice(0, 12)]) {
      assert.deepEqual(await test.networks.find(key), network);
    }
    await test.networks.remove('web');
    assert.equal(await test.networks.find('web'), undefined);
    const host = (await test.networks.find('host'))!;
    assert.deepEqual(await test.networks.find(host.id.slice(0, 12)), host);
    assert.ok(!existsSync(`/sys/class/net/${network.bridge}`));
  });

  it('have the longest name that there is', async () => {
    const name = 'n'.repeat(255);
    const { network } = await test.networks.create({ name });
    assert.match(readFileSync(`/sys/class/net/${network.bridge}/ifalias`, 'utf8'), /^kobune-[0-9a-f]+ n{200,}/);
    await test.networks.remove(name);
    assert.ok(!existsSync(`/sys/class/net/${network.bridge}`));
  });

  it('have the subnet, range, gateway, reserved addresses, MTU and interface that are asked for', async () => {
    const net = ownSubnet();
    const bridge = `kt${random.hex(6)}`;
    await test.networks.create({
      name: 'asked',
      ranges: [
        {
          subnet: `${net}.0/24`,
          ipRange: `${net}.128/29`,
          gateway: `${net}.129`,
          auxiliaryAddresses: { router: `${net}.130` },
        },
      ],
      options: { 'com.docker.network.bridge.name': bridge, 'com.docker.network.driver.mtu': '1400' },
    });
    await using one = await Guest.join(test, 'one', ['asked']);
    assert.equal(one.address(), `${net}.128`);
    await using two = await Guest.join(test, 'two', ['asked']);
    assert.equal(two.address(), `${net}.131`);
    assert.equal(one.connected.endpoints[0]!.ipv4Gateway, `${net}.129`);
    assert.equal(one.connected.endpoints[0]!.ipv4PrefixLength, 24);
    assert.match(await one.run('ip', 'link', 'show', 'eth0'), / mtu 1400 /);
    assert.equal(readFileSync(`/sys/class/net/${bridge}/mtu`, 'utf8').trim(), '1400');
    await one.release();
    await two.release();
    await test.networks.remove('asked');
  });

  it('give addresses one after the other, and one that was given back last of all', async () => {
    const net = ownSubnet();
    await test.networks.create({ name: 'small', ranges: [{ subnet: `${net}.0/29` }] });
    const guests: Guest[] = [];
    for (let index = 0; index < 5; index++) guests.push(await Guest.join(test, `g${index}`, ['small']));
    assert.deepEqual(
      guests.map((guest) => guest.address()),
      [2, 3, 4, 5, 6].map((host) => `${net}.${host}`),
    );
    await assert.rejects(Guest.join(test, 'late', ['small']), {
      code: 'AddressInUse',
      message: /^no available IPv4 addresses on this network's address pools: small/,
    });
    await guests[1]!.release();
    await guests[3]!.release();
    // The one that the container had, though another one is free too.
    guests[3] = await Guest.join(test, 'g3', ['small'], [], guests[3]!.id);
    assert.equal(guests[3]!.address(), `${net}.5`);
    // That of a container that has ended, when there is no other.
    guests[1] = await Guest.join(test, 'other', ['small']);
    assert.equal(guests[1]!.address(), `${net}.3`);
    for (const guest of guests) await guest.release();
    await test.networks.remove('small');
  });

  it('give the address and MAC that a container asks for', async () => {
    const net = ownSubnet();
    await test.networks.create({
      name: 'fixed',
      ipv6: true,
      ranges: [{ subnet: `${net}.0/24` }, { subnet: 'fd4b:6f62:756e:1::/64' }],
    });
    const spec = { network: 'fixed', ipv4: `${net}.77`, ipv6: 'fd4b:6f62:756e:1::77', mac: '02:42:AA:00:00:01' };
    await using one = await Guest.join(test, 'one', [spec]);
    const [endpoint] = one.connected.endpoints;
    assert.equal(endpoint!.ipv4, spec.ipv4);
    assert.equal(endpoint!.ipv6, spec.ipv6);
    assert.equal(endpoint!.mac, '02:42:aa:00:00:01');
    const shown = await one.run('ip', 'address', 'show', 'eth0');
    for (const text of [`inet ${spec.ipv4}/24`, `inet6 ${spec.ipv6}/64`, 'link/ether 02:42:aa:00:00:01']) {
      assert.ok(shown.includes(text), shown);
    }
    await using two = await Guest.join(test, 'two', ['fixed']);
    await two.serveTcp(80, '::');
    assert.match(await one.dial(two.connected.endpoints[0]!.ipv6!, 80), /^two fd4b:/);
    await assert.rejects(Guest.join(test, 'three', [spec]), {
      code: 'AddressInUse',
      message: 'Address already in use',
    });
    for (const [change, message] of [
      [{ ipv4: '192.0.2.1' }, 'no configured subnet or ip-range contain the IP address 192.0.2.1'],
      [{ ipv4: `${net}.300` }, `invalid IPv4 address: ${net}.300`],
      [{ mac: '03:42:aa:00:00:01' }, 'invalid MAC address 03:42:aa:00:00:01'],
      [{ aliases: ['a b'] }, 'invalid network alias "a b"'],
      [{ links: ['a:b:c'] }, 'invalid link "a:b:c": it is CONTAINER or CONTAINER:ALIAS'],
    ] as const) {
      await assert.rejects(Guest.join(test, 'three', [{ network: 'fixed', ...change }]), {
        code: 'InvalidNetwork',
        message,
      });
    }
    await assert.rejects(Guest.join(test, 'three', [{ network: 'bridge', ipv4: '172.17.0.9' }]), {
      code: 'InvalidNetwork',
      message: /only when connecting to networks with user configured subnets/,
    });
    assert.equal((await test.networks.find('fixed'))!.endpoints.size, 2);
    await one.release();
    await two.release();
    await test.networks.remove('fixed');
  });

  it('have unique local addresses of IPv6 unless told', async () => {
    const { network } = await test.networks.create({ name: 'six', ipv6: true });
    assert.match(network.ranges[1]!.subnet, /^fd[0-9a-f]{2}:[0-9a-f:]+\/64$/);
    await using one = await Guest.join(test, 'one', ['six']);
    assert.equal(parseAddress(one.connected.endpoints[0]!.ipv6!)!.value & 0xffn, 2n);
    assert.match(await one.run('ip', '-6', 'route', 'show', 'default'), /^default via fd/);
    await one.release();
    await test.networks.remove('six');
  });

  const base: NetworkSpec = { name: 'wrong' };
  const WRONG: readonly (readonly [what: string, spec: object, code: string, message: string | RegExp])[] = [
    ['a name that is none', { name: '-a' }, 'InvalidNetwork', /^invalid network name "-a"/],
    [
      'the name of a predefined one',
      { name: 'host' },
      'NameInUse',
      'operation is not permitted on predefined host network',
    ],
    [
      'another driver',
      { driver: 'overlay' },
      'InvalidNetwork',
      'the network driver overlay is not supported (supported: bridge)',
    ],
    [
      'an option that there is not',
      { options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' } },
      'InvalidNetwork',
      /^the option com.docker.network.bridge.inhibit_ipv4 is not supported/,
    ],
    [
      'an option that is not true or false',
      { options: { 'com.docker.network.bridge.enable_icc': 'maybe' } },
      'InvalidNetwork',
      /enable_icc: maybe$/,
    ],
    ['an MTU that is none', { options: { 'com.docker.network.driver.mtu': '12' } }, 'InvalidNetwork', /mtu: 12$/],
    [
      'an interface name that is too long',
      { options: { 'com.docker.network.bridge.name': 'a'.repeat(16) } },
      'InvalidNetwork',
      /bridge.name/,
    ],
    [
      'an interface name that a program could take for more',
      { options: { 'com.docker.network.bridge.name': 'a"; drop' } },
      'InvalidNetwork',
      /bridge.name/,
    ],
    [
      'an interface name with a slash',
      { options: { 'com.docker.network.bridge.name': '../x' } },
      'InvalidNetwork',
      /bridge.name/,
    ],
    [
      "another program's interface",
      { options: { 'com.docker.network.bridge.name': 'lo' } },
      'InvalidNetwork',
      'the interface lo is there already, and is not of this network',
    ],
    ['a subnet that is none', { ranges: [{ subnet: '10.0.0.0/33' }] }, 'InvalidNetwork', 'invalid subnet 10.0.0.0/33'],
    [
      'a subnet with an address',
      { ranges: [{ subnet: '10.0.0.5/24' }] },
      'InvalidNetwork',
      'invalid network config: invalid subnet 10.0.0.5/24: it should be 10.0.0.0/24',
    ],
    ['a subnet without room', { ranges: [{ subnet: '10.0.0.0/31' }] }, 'InvalidNetwork', /size is not supported/],
    ['loopback addresses', { ranges: [{ subnet: '127.1.0.0/16' }] }, 'InvalidNetwork', /meaning of their own/],
    ["the cloud's addresses", { ranges: [{ subnet: '169.254.100.0/24' }] }, 'InvalidNetwork', /meaning of their own/],
    [
      'a gateway elsewhere',
      { ranges: [{ subnet: '10.0.0.0/24', gateway: '10.0.1.1' }] },
      'InvalidNetwork',
      /^invalid gateway address 10.0.1.1/,
    ],
    [
      'a range elsewhere',
      { ranges: [{ subnet: '10.0.0.0/24', ipRange: '10.0.1.0/25' }] },
      'InvalidNetwork',
      /^invalid ip-range 10.0.1.0\/25/,
    ],
    [
      'a reserved address elsewhere',
      { ranges: [{ subnet: '10.0.0.0/24', auxiliaryAddresses: { x: '10.0.1.1' } }] },
      'InvalidNetwork',
      /^invalid x address/,
    ],
    [
      'two subnets of IPv4',
      { ranges: [{ subnet: '10.0.0.0/24' }, { subnet: '10.0.1.0/24' }] },
      'InvalidNetwork',
      'a bridge network has at most one IPv4 subnet',
    ],
    [
      'a subnet of IPv6 without IPv6',
      { ranges: [{ subnet: 'fd00:1::/64' }] },
      'InvalidNetwork',
      'an IPv6 subnet needs IPv6 to be enabled on the network',
    ],
  ];
  for (const [what, spec, code, message] of WRONG) {
    it(`refuse ${what}`, async () => {
      await assert.rejects(test.networks.create({ ...base, ...spec } as NetworkSpec), { code, message });
      assert.equal(await test.networks.find('wrong'), undefined);
    });
  }

  it('refuse a subnet that overlaps with another one, and a name that is taken', async () => {
    const net = ownSubnet();
    await test.networks.create({ name: 'first', ranges: [{ subnet: `${net}.0/24` }] });
    const overlap = {
      code: 'SubnetOverlap',
      status: 403,
      message: 'invalid pool request: Pool overlaps with other one on this address space',
    };
    for (const subnet of [`${net}.0/24`, `${net}.128/25`, `${net.replace(/\.\d+$/, '')}.0.0/16`]) {
      await assert.rejects(test.networks.create({ name: 'second', ranges: [{ subnet }] }), overlap);
    }
    await assert.rejects(test.networks.create({ name: 'first' }), {
      code: 'NameInUse',
      status: 409,
      message: 'network with name first already exists',
    });
    await test.networks.remove('first');
  });

  it('refuse to be removed while containers are on them, and those that are always there', async () => {
    await test.networks.create({ name: 'busy' });
    await using one = await Guest.join(test, 'one', ['busy']);
    await assert.rejects(test.networks.remove('busy'), {
      code: 'NetworkInUse',
      status: 403,
      message: `error while removing network: network busy has active endpoints (name:"one" id:"${one.id.slice(0, 12)}")`,
    });
    for (const name of ['bridge', 'host', 'none']) {
      await assert.rejects(test.networks.remove(name), {
        code: 'NetworkInUse',
        message: `${name} is a pre-defined network and cannot be removed`,
      });
    }
    await assert.rejects(test.networks.remove('nothing'), {
      code: 'NetworkNotFound',
      status: 404,
      message: 'network nothing not found',
    });
    await one.release();
    await test.networks.remove('busy');
  });

  it('are pruned when nobody is on them', async () => {
    await test.networks.create({ name: 'kept', labels: { keep: 'yes' } });
    await test.networks.create({ name: 'unused' });
    await test.networks.create({ name: 'used' });
    await using one = await Guest.join(test, 'one', ['used']);
    assert.deepEqual(await test.networks.prune(({ labels }) => labels.keep === undefined), ['unused']);
    await one.release();
    assert.deepEqual((await test.networks.prune()).toSorted(), ['kept', 'used']);
  });

  it('tell what happens', async () => {
    const events: NetworkEvent[] = [];
    const stop = test.networks.onEvent((event) => events.push(event));
    const { network } = await test.networks.create({ name: 'told' });
    const one = await Guest.join(test, 'one', ['told']);
    await one.release();
    await test.networks.remove('told');
    stop();
    await test.networks.create({ name: 'untold' });
    await test.networks.remove('untold');
    const attributes = { name: 'told', type: 'bridge' };
    assert.deepEqual(events, [
      { action: 'create', id: network.id, attributes },
      { action: 'connect', id: network.id, attributes: { ...attributes, container: one.id } },
      { action: 'disconnect', id: network.id, attributes: { ...attributes, container: one.id } },
      { action: 'destroy', id: network.id, attributes },
    ]);
  });

  it('connect a running container, and disconnect it, with the way out that is left', async () => {
    await test.networks.create({ name: 'second' });
    await using one = await Guest.join(test, 'one', ['bridge']);
    const endpoint = await test.networks.attach(
      one.identity,
      { path: one.path },
      { network: 'second', aliases: ['x'] },
    );
    assert.equal(endpoint.device, 'eth1');
    await assert.rejects(test.networks.attach(one.identity, { path: one.path }, { network: 'second' }), {
      code: 'EndpointExists',
      message: 'endpoint with name one already exists in network second',
    });
    const [first] = one.connected.endpoints;
    const way = () => one.run('ip', 'route', 'show', 'default');
    assert.match(await way(), new RegExp(`via ${first!.ipv4Gateway} dev eth0`));
    await test.networks.detach(one.id, 'bridge', { path: one.path });
    assert.match(await way(), new RegExp(`via ${endpoint.ipv4Gateway} dev eth1`));
    assert.doesNotMatch(await one.run('ip', 'link'), /eth0/);
    await assert.rejects(test.networks.detach(one.id, 'bridge', { path: one.path }), { code: 'NotConnected' });
    assert.deepEqual(
      (await test.networks.adopt(one.identity))!.endpoints.map(({ networkName }) => networkName),
      ['second'],
    );
    await one.release();
    await test.networks.remove('second');
  });

  it('count what passes', async () => {
    await using one = await Guest.join(test, 'one', ['bridge']);
    await one.serveTcp(80);
    await dial(one.address(), 80);
    const { eth0, ...others } = await test.networks.traffic({ path: one.path });
    assert.ok(eth0!.rxPackets > 2 && eth0!.txBytes > 100 && eth0!.rxErrors === 0, JSON.stringify(eth0));
    assert.deepEqual(others, {});
  });

  it('hand out namespaces faster than they are prepared, and connect many at once', async () => {
    const guests = await Promise.all(
      Array.from({ length: 12 }, (_, index) => Guest.join(test, `g${index}`, ['bridge'])),
    );
    assert.equal(new Set(guests.map((guest) => guest.address())).size, 12);
    const [first, last] = [guests[0]!, guests[11]!];
    await last.serveTcp(80);
    assert.match(await first.dial(last.address(), 80), /^g11 /);
    await Promise.all(guests.map((guest) => guest.release()));
  });

  it('make a namespace again for a container that was not released', async () => {
    const first = await Guest.join(test, 'one', ['bridge']);
    await using second = await Guest.join(test, 'one', ['bridge'], [], first.id);
    assert.equal(second.address(), first.address());
    assert.equal((await test.networks.find('bridge'))!.endpoints.size, 1);
  });

  it('make a namespace again for a container that could not be connected', async () => {
    const id = random.hex(64);
    const { path } = await test.networks.createNamespace(id);
    assert.equal((await test.networks.createNamespace(id)).path, path);
    await test.networks.release(id);
    assert.equal(existsSync(path), false);
  });

  it('refuse a container whose network is not there, and an ID that is a path', async () => {
    await assert.rejects(Guest.join(test, 'one', ['bridge', 'nothing']), { code: 'NetworkNotFound' });
    assert.equal((await test.networks.find('bridge'))!.endpoints.size, 0);
    for (const id of ['../x', '.', '', 'a/b'])
      await assert.rejects(test.networks.createNamespace(id), { code: 'InvalidNetwork' });
  });

  it('put their rules back when someone has flushed them', async () => {
    await using flushed = await startNetworks();
    await using one = await Guest.join(flushed, 'one', ['bridge'], [{ containerPort: 80, protocol: 'tcp' }]);
    await one.serveTcp(80);
    await runProgram('nft', ['delete', 'table', 'inet', `kobune-${flushed.options.instance}`]);
    await using two = await Guest.join(flushed, 'two', ['bridge'], [{ containerPort: 80, protocol: 'tcp' }]);
    await two.serveTcp(80);
    assert.match(await dial('127.0.0.1', one.connected.ports[0]!.hostPort), /^one /);
    assert.match(await dial('127.0.0.1', two.connected.ports[0]!.hostPort), /^two /);
    assert.deepEqual(flushed.warnings, ['the rules of container networks were changed by someone, and are put back']);
  });
});

describe('a stranger at the lock of subnets', { skip }, () => {
  it('does not keep networks from being made', async () => {
    let made = false;
    const strangers: Promise<unknown>[] = [];
    await withSubnetLock(async () => {
      const stranger = connect({ path: '\0kobune-subnets' });
      await once(stranger, 'connect');
      strangers.push(once(stranger.resume(), 'close'));
      made = true;
    });
    assert.ok(made);
    await Promise.all(strangers);
  });
});

describe('two Kobunes on one machine', { skip }, () => {
  it('have networks of the same names, and do not see each other', async () => {
    const [one, two] = await Promise.all([startNetworks(), startNetworks()]);
    try {
      const spec = { name: 'web' };
      await Promise.all([one, two].map(({ networks }) => networks.create(spec)));
      await using a = await Guest.join(one, 'a', ['web']);
      await using b = await Guest.join(two, 'b', ['web']);
      for (const guest of [a, b]) await guest.serveTcp(80);
      assert.equal(await a.dial(b.address(), 80), 'silence');
      assert.equal(await b.dial(a.address(), 80), 'silence');
      assert.equal(await a.lookUp('b'), 'code 2');
      const subnets = [...(await one.networks.list()), ...(await two.networks.list())].flatMap(({ ranges }) => ranges);
      assert.equal(new Set(subnets.map(({ subnet }) => subnet)).size, 4);
      const { subnet } = subnets[0]!;
      await assert.rejects(two.networks.create({ name: 'same', ranges: [{ subnet }] }), { code: 'SubnetOverlap' });
    } finally {
      for (const test of [one, two]) await test[Symbol.asyncDispose]();
    }
  });
});

describe('a machine with container networks', { skip }, () => {
  it("keeps other programs' rules as they are, and nothing when they are gone", async () => {
    const table = `other${random.hex(6)}`;
    const rules = `table inet ${table} { set s { type ipv4_addr; elements = { 192.0.2.1 }; }
      chain c { type filter hook forward priority 10; policy accept; ip saddr @s counter drop; }\n}`;
    await runProgram('nft', ['-f', '-'], rules);
    try {
      const list = () => runProgram('nft', ['list', 'table', 'inet', table]);
      const before = await list();
      const test = await startNetworks();
      const { instance } = test.options;
      await test.networks.create({ name: 'web', ipv6: true });
      const one = await Guest.join(test, 'one', ['web'], [{ containerPort: 80, protocol: 'tcp' }]);
      assert.equal(await list(), before);
      await one.release();
      await test[Symbol.asyncDispose]();
      assert.equal(await list(), before);
      assert.doesNotMatch(await runProgram('nft', ['list', 'tables']), new RegExp(instance));
      const ours = readdirSync('/sys/class/net').filter((name) => name.slice(2).startsWith(instance.slice(0, 6)));
      assert.deepEqual(ours, []);
      assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(instance));
    } finally {
      await runProgram('nft', ['delete', 'table', 'inet', table]);
    }
  });
});
