import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { decode, encode } from 'dns-packet';
import { ContainerNames } from './container-names.ts';
import { makeEndpoint } from './endpoints.ts';
import { LiveNetwork } from './live-network.ts';
import { Guest, startNetworks, type TestNetworks, whyNot } from './test-support.ts';

const TRUNCATED = 1 << 9;

/** A name server outside: every name is 192.0.2.NUMBER. */
async function startOutside(number: number): Promise<{ readonly socket: Socket; readonly address: string }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { address, port }) => {
    const { id = 0, questions = [] } = decode(query);
    const answers = [{ type: 'A', name: questions[0]!.name, ttl: 1, data: `192.0.2.${number}` }] as const;
    socket.send(encode({ type: 'response', id, questions, answers: [...answers] }), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, address: `127.0.0.1:${(socket.address() as AddressInfo).port}` };
}

describe('names inside containers', { skip: await whyNot() }, () => {
  let test: TestNetworks;
  let outside: Awaited<ReturnType<typeof startOutside>>;
  let another: Awaited<ReturnType<typeof startOutside>>;
  const guests = new Map<string, Guest>();
  const guest = (name: string) => guests.get(name)!;

  before(async () => {
    [outside, another] = await Promise.all([startOutside(1), startOutside(2)]);
    test = await startNetworks({ nameServers: async () => [outside.address] });
    await test.networks.create({ name: 'front', ipv6: true });
    await test.networks.create({ name: 'back' });
    await test.networks.create({ name: 'inner', internal: true });
    const join = async (
      name: string,
      ...rest: Parameters<typeof Guest.join> extends [unknown, unknown, ...infer R] ? R : never
    ) => {
      guests.set(name, await Guest.join(test, name, ...rest));
    };
    await join('web', [{ network: 'front', aliases: ['www', 'Site'] }]);
    await join('api', [
      { network: 'front', aliases: ['service'] },
      { network: 'back', aliases: ['inside'] },
    ]);
    await join('api2', [{ network: 'front', aliases: ['service'] }]);
    await join('db', [{ network: 'back', aliases: ['s3.amazonaws.com'] }]);
    await join('client', [{ network: 'back', links: ['db:database', 'api'] }]);
    await join('vault', ['inner']);
    await join('choosy', ['back'], [], undefined, [another.address]);
  });
  after(async () => {
    for (const one of guests.values()) await one.release();
    outside.socket.close();
    another.socket.close();
    assert.deepEqual(test.warnings, []);
    await test[Symbol.asyncDispose]();
  });

  const addressOf = (name: string, network: string) => guest(name).address(network);
  const TABLE: readonly (readonly [asker: string, name: string, ...found: (() => string)[]])[] = [
    ['api', 'web', () => addressOf('web', 'front')],
    ['api', 'WEB', () => addressOf('web', 'front')],
    ['api', 'www', () => addressOf('web', 'front')],
    ['api', 'site', () => addressOf('web', 'front')],
    ['web', 'web', () => addressOf('web', 'front')],
    ['web', 'web.front', () => addressOf('web', 'front')],
    ['api', 'db.back', () => addressOf('db', 'back')],
    ['web', 'service', () => addressOf('api', 'front'), () => addressOf('api2', 'front')],
    ['api', 'inside', () => addressOf('api', 'back')],
    ['client', 'database', () => addressOf('db', 'back')],
    ['client', 'api', () => addressOf('api', 'back')],
    ['api', 's3.eu-central-1.amazonaws.com', () => '169.254.100.1'],
    ['vault', 'sqs.us-east-1.amazonaws.com', () => '169.254.100.1'],
    ['vault', 'api.cloud.test', () => '169.254.100.1'],
    ['vault', 'host.docker.internal', () => '169.254.100.1'],
    // A name that somebody gave to a container is meant.
    ['client', 's3.amazonaws.com', () => addressOf('db', 'back')],
    ['web', 's3.amazonaws.com', () => '169.254.100.1'],
    // Of containers elsewhere the outside is asked, as of any other name.
    ['web', 'db', () => '192.0.2.1'],
    ['db', 'web', () => '192.0.2.1'],
    ['web', 'db.back', () => '192.0.2.1'],
    ['web', 'database', () => '192.0.2.1'],
    ['web', 'example.com', () => '192.0.2.1'],
    ['choosy', 'example.com', () => '192.0.2.2'],
    ['choosy', 'db', () => addressOf('db', 'back')],
  ];
  for (const [asker, name, ...found] of TABLE) {
    it(`${asker} finds ${name}`, async () => {
      assert.deepEqual(await guest(asker).lookUp(name), found.map((address) => address()).sort());
    });
  }

  it('lead to a container by the beginning of its ID', async () => {
    const name = guest('web').id.slice(0, 12);
    assert.deepEqual(await guest('api').lookUp(name), [addressOf('web', 'front')]);
  });

  it('have IPv6 addresses where the network has, and exist without where it has not', async () => {
    assert.deepEqual(await guest('api').lookUp('web', 'AAAA'), [guest('web').connected.endpoints[0]!.ipv6]);
    assert.deepEqual(await guest('client').lookUp('db', 'AAAA'), []);
    assert.deepEqual(await guest('web').lookUp('sqs.amazonaws.com', 'AAAA'), []);
  });

  it('take turns when several containers have one', async () => {
    const firsts = new Set<string>();
    for (let round = 0; round < 2; round++) {
      const { answers } = await guest('web').ask('service');
      firsts.add((answers![0] as { data: string }).data);
    }
    assert.equal(firsts.size, 2);
  });

  it('are found by address too', async () => {
    const reverse = (address: string) => `${address.split('.').reverse().join('.')}.in-addr.arpa`;
    assert.deepEqual(await guest('api').lookUp(reverse(addressOf('web', 'front')), 'PTR'), ['web.front']);
    assert.deepEqual(await guest('api').lookUp(reverse(addressOf('db', 'back')), 'PTR'), ['db.back']);
    const nobody = addressOf('web', 'front').replace(/\d+$/, '200');
    assert.equal(await guest('api').lookUp(reverse(nobody), 'PTR'), 'NXDOMAIN');
  });

  it("are also to be had at the address of Docker's own name server", async () => {
    const found = await guest('web').run('busybox', 'nslookup', 'api', '127.0.0.11');
    assert.match(found, new RegExp(`^Address: ${addressOf('api', 'front')}$`, 'm'));
    const overTcp = await guest('web').askOverTcp('api', '127.0.0.11');
    assert.equal(overTcp.answers!.length, 1);
  });

  it('of the outside are not asked for from internal networks', async () => {
    assert.equal(await guest('vault').lookUp('example.com'), 'NXDOMAIN');
    assert.equal(await guest('vault').lookUp('1.2.0.192.in-addr.arpa', 'PTR'), 'NXDOMAIN');
  });

  it('that lead to many are given whole over TCP', async () => {
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        Guest.join(test, `many${index}`, [{ network: 'back', aliases: ['many'] }]),
      ),
    );
    try {
      const cut = await guest('client').ask('many');
      assert.equal((cut.flags ?? 0) & TRUNCATED, TRUNCATED);
      assert.deepEqual(cut.answers, []);
      const extended = await guest('client').ask('many', 'A', {
        additionals: [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: 4096,
            flags: 0,
            options: [],
            extendedRcode: 0,
            ednsVersion: 0,
            flag_do: false,
          },
        ],
      });
      assert.equal(extended.answers!.length, 40);
      const whole = await guest('client').askOverTcp('many');
      assert.equal(whole.answers!.length, 40);
    } finally {
      for (const one of many) await one.release();
    }
  });

  it('follow a container that is renamed, leaves and ends', async () => {
    const late = await Guest.join(test, 'late', ['back']);
    assert.deepEqual(await guest('client').lookUp('late'), [late.address()]);
    await test.networks.rename(late.id, 'later');
    assert.deepEqual(await guest('client').lookUp('later'), [late.address()]);
    assert.deepEqual(await guest('client').lookUp('late'), ['192.0.2.1']);
    const endpoint = await test.networks.attach(
      { ...late.identity, name: 'later' },
      { path: late.path },
      { network: 'front' },
    );
    assert.deepEqual(await guest('web').lookUp('later'), [endpoint.ipv4]);
    await test.networks.detach(late.id, 'front', { path: late.path });
    assert.deepEqual(await guest('web').lookUp('later'), ['192.0.2.1']);
    await late.release();
    assert.deepEqual(await guest('client').lookUp('later'), ['192.0.2.1']);
  });

  it('survive questions that are none', async () => {
    const socket = await guest('web').udp('0.0.0.0', 0);
    for (const rubbish of ['', 'rubbish', '\0'.repeat(12), '\xff'.repeat(600)])
      socket.send(rubbish, 53, '169.254.100.1');
    assert.deepEqual(await guest('web').lookUp('web'), [addressOf('web', 'front')]);
  });
});

describe('a name of so many containers that no answer can hold them', () => {
  it('leads to as many as fit', () => {
    const network = new LiveNetwork({
      id: 'front',
      name: 'front',
      ranges: [{ subnet: '10.99.0.0/16', gateway: '10.99.0.1' }],
      chosen: false,
      internal: false,
      ipv6: false,
      attachable: false,
      labels: {},
      options: {},
      bridge: 'none',
      created: 0,
    });
    const name = Array.from({ length: 4 }, () => 'x'.repeat(60)).join('.');
    for (let i = 0; i < 1000; i++) {
      makeEndpoint(
        network,
        { id: `id${i}`, name: `c${i}`, hostname: '' },
        { network: 'front', aliases: [name] },
        'eth0',
        '',
      );
    }
    const names = new ContainerNames({ cloudNames: [], networkOf: () => network, containerOf: () => undefined });
    const question = encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] });
    const overTcp = names.answer(network, question, '10.99.0.2', true)!;
    assert.ok(overTcp.length <= 65_535, `${overTcp.length} bytes`);
    assert.ok(decode(overTcp).answers!.length > 200);
    const overUdp = decode(names.answer(network, question, '10.99.0.2', false)!);
    assert.deepEqual([overUdp.answers, (overUdp.flags ?? 0) & TRUNCATED], [[], TRUNCATED]);
  });
});
