import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addressBytes,
  contains,
  formatAddress,
  formatSubnet,
  overlap,
  parseAddress,
  parseReverseName,
  parseSubnet,
  reverseName,
} from './cidr.ts';

const normal = (text: string) => {
  const address = parseAddress(text);
  return address && formatAddress(address);
};

describe('addresses', () => {
  const TEXTS: readonly (readonly [text: string, normal: string | undefined])[] = [
    ['172.17.0.2', '172.17.0.2'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['FD00::00ab', 'fd00::ab'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:0:3:0:4:0', '1:0:2:0:3:0:4:0'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1::', '1::'],
    ['1.2.3', undefined],
    ['1.2.3.4.5', undefined],
    ['1.2.3.256', undefined],
    ['01.2.3.4', undefined],
    ['0x1.2.3.4', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1::2::3', undefined],
    ['::1%eth0', undefined],
    ['12345::', undefined],
    ['::1.2.3.4.5', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of TEXTS) {
    it(`${JSON.stringify(text)} is ${expected ?? 'none'}`, () => assert.equal(normal(text), expected));
  }

  it('are read back from their text, in the form that URLs write', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        // Node's URLs write IPv6 addresses by the same rules (RFC 5952).
        assert.equal(normal(text), new URL(`http://[${text}]/`).hostname.slice(1, -1));
        assert.equal(normal(normal(text)!), normal(text));
      }),
    );
  });

  it('are none unless Node thinks so too', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/));
    fc.assert(fc.property(text, (candidate) => parseAddress(candidate) === undefined || isIP(candidate) !== 0));
  });

  it('have names in the reverse tree', () => {
    assert.equal(reverseName('172.17.0.2'), '2.0.17.172.in-addr.arpa');
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => parseReverseName(reverseName(text)) === normal(text)),
    );
    for (const name of ['17.172.in-addr.arpa', 'x.in-addr.arpa', '300.0.17.172.in-addr.arpa', '1.ip6.arpa']) {
      assert.equal(parseReverseName(name), undefined);
    }
  });

  it('have bytes', () => {
    assert.deepEqual([...addressBytes('172.17.0.2')], [172, 17, 0, 2]);
    assert.equal(addressBytes('fd00::1').toString('hex'), `fd${'0'.repeat(29)}1`);
    assert.throws(() => addressBytes('nowhere'));
  });
});

describe('subnets', () => {
  it('are what an address with a prefix length lies in', () => {
    assert.equal(formatSubnet(parseSubnet('172.20.5.9/16')!), '172.20.0.0/16');
    assert.equal(formatSubnet(parseSubnet('fd00:1::5/64')!), 'fd00:1::/64');
    for (const wrong of ['172.20.0.0', '172.20.0.0/33', '172.20.0.0/08', '172.20.0.0/8/8', 'x/8', '::/129', '/8']) {
      assert.equal(parseSubnet(wrong), undefined, wrong);
    }
  });

  it('contain their addresses, and overlap with those that share some', () => {
    const has = (subnet: string, address: string) => contains(parseSubnet(subnet)!, parseAddress(address)!);
    assert.ok(has('10.0.0.0/8', '10.255.255.255'));
    assert.ok(!has('10.0.0.0/8', '11.0.0.0'));
    assert.ok(!has('::/0', '10.0.0.0'));
    const both = (one: string, other: string) => overlap(parseSubnet(one)!, parseSubnet(other)!);
    assert.ok(both('10.0.0.0/8', '10.1.0.0/16') && both('10.1.0.0/16', '10.0.0.0/8'));
    assert.ok(!both('10.0.0.0/16', '10.1.0.0/16'));
    assert.ok(!both('0.0.0.0/0', '::/0'));
  });
});
