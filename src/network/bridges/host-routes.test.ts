import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatSubnet } from '../cidr.ts';
import { parseRoutes, parseRoutesV6 } from './host-routes.ts';

describe("this machine's routes", () => {
  it('are read as the kernel writes them, but for the default one', () => {
    const text = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000000A\t010200C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0
`;
    assert.deepEqual(
      parseRoutes(text).map(({ subnet, device, connected }) => [formatSubnet(subnet), device, connected]),
      [
        ['192.0.2.0/24', 'eth0', true],
        ['10.0.0.0/8', 'tun0', false],
      ],
    );
  });

  it('of IPv6 too, but for those of every link', () => {
    const zero = '0'.repeat(32);
    const line = (to: string, length: string, via: string, device: string) =>
      `${to} ${length} ${zero} 00 ${via} 00000100 00000001 00000000 00000001 ${device.padStart(8)}`;
    const text = [
      line(`fd00${'0'.repeat(28)}`, '40', zero, 'eth0'),
      line(`fe80${'0'.repeat(28)}`, '40', zero, 'eth0'),
      line(zero, '00', `fd00${'0'.repeat(27)}1`, 'eth0'),
      line(`20010db8${'0'.repeat(24)}`, '20', `fd00${'0'.repeat(27)}1`, 'eth0'),
      line(`${'0'.repeat(31)}1`, '80', zero, 'lo'),
      '',
    ].join('\n');
    assert.deepEqual(
      parseRoutesV6(text).map(({ subnet, device, connected }) => [formatSubnet(subnet), device, connected]),
      [
        ['fd00::/64', 'eth0', true],
        ['2001:db8::/32', 'eth0', false],
      ],
    );
  });
});
