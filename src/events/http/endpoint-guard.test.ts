import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { guardedLookup, isAllowedHost, isLoopback } from './endpoint-guard.ts';

/** As a URL gives the host: in normal form. */
const hostOf = (host: string): string => new URL(`http://${host}/`).hostname;

describe('the host of an endpoint', () => {
  // Bridges of containers (`kb…`) come and go.
  const own = Object.entries(networkInterfaces())
    .flatMap(([name, addresses]) => (name.startsWith('kb') ? [] : (addresses ?? [])))
    .map(({ address, family }) => (family === 'IPv6' ? `[${address.replace(/%.*/, '')}]` : address));
  for (const host of [
    '127.0.0.1',
    '127.9.9.9',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '0',
    '0.0.0.0',
    '169.254.169.254',
    '169.254.100.1',
    '0xa9fea9fe',
    '224.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:169.254.169.254]',
    '[fe80::1]',
    '[ff02::1]',
    ...own,
  ]) {
    it(`may not be ${host} (unless it was configured from there)`, () => {
      assert.equal(isAllowedHost(hostOf(host), false), false);
      assert.equal(isAllowedHost(hostOf(host), true), true);
    });
  }

  for (const host of ['93.184.216.34', '10.255.254.253', '[2001:db8::1]', '[::ffff:93.184.216.34]', 'example.com']) {
    it(`may be ${host}`, () => assert.equal(isAllowedHost(hostOf(host), false), true));
  }
});

describe('a loopback address', () => {
  for (const [address, expected] of [
    ['127.0.0.1', true],
    ['127.200.0.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['10.127.0.1', false],
  ] as const) {
    it(`${expected ? 'is' : 'is not'} ${address}`, () => assert.equal(isLoopback(address), expected));
  }
});

describe('the lookup of an endpoint', () => {
  const find = (lookup: LookupFunction, name: string, all = true) =>
    new Promise<{ readonly error: NodeJS.ErrnoException | null; readonly found: unknown }>((resolve) => {
      lookup(name, { all }, (error, found) => resolve({ error, found }));
    });

  it('finds no address of this machine', async () => {
    for (const name of ['localhost', '127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      const { error } = await find(guardedLookup(false), name);
      assert.equal(error?.code, 'EACCES', name);
      assert.match(error!.message, /is on the machine that Kobune runs on/);
    }
  });

  it('finds them for whoever configured the endpoint from there', async () => {
    const { error, found } = await find(guardedLookup(true), 'localhost');
    assert.equal(error, null);
    assert.ok((found as { address: string }[]).some(({ address }) => isLoopback(address)));
    const subdomain = await find(guardedLookup(true), 'app.localhost', false);
    assert.ok(isLoopback(subdomain.found as string));
  });

  it('keeps, of addresses here and elsewhere, those elsewhere', async () => {
    const both: LookupFunction = (_, options, callback) => {
      const addresses = [
        { address: '127.0.0.1', family: 4 },
        { address: '93.184.216.34', family: 4 },
        { address: '::ffff:127.0.0.1', family: 6 },
        { address: 'fe80::1%lo', family: 6 },
      ];
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0]!.address, 4);
    };
    const { found } = await find(guardedLookup(false, both), 'both.example');
    assert.deepEqual(found, [{ address: '93.184.216.34', family: 4 }]);
    const { found: one } = await find(guardedLookup(false, both), 'both.example', false);
    assert.equal(one, '93.184.216.34');
  });

  it('tells that there is no such name', async () => {
    const none: LookupFunction = (_, __, callback) =>
      callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);
    assert.equal((await find(guardedLookup(false, none), 'no.example')).error?.code, 'ENOTFOUND');
  });
});
