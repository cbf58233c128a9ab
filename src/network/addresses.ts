import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Where every sandbox finds the gateway and the DNS. Link-local: no network of the user's can have it too. */
export const GATEWAY_ADDRESS = '169.254.100.1';

const FIRST = (169 << 24) | (254 << 16) | (128 << 8);
const COUNT = 32 * 1024;

/** The address of the sandbox number `slot`: 169.254.128.0 to 169.254.255.255, over and over. */
export function sandboxAddress(slot: number): string {
  const address = FIRST + (slot % COUNT);
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** Addresses that mean this machine or its link, whatever machine it is (IANA's special-purpose address registry). */
const NEVER = new BlockList();
NEVER.addSubnet('0.0.0.0', 8);
NEVER.addSubnet('127.0.0.0', 8);
NEVER.addSubnet('169.254.0.0', 16);
NEVER.addSubnet('224.0.0.0', 3);

/**
 * Whether a sandbox may connect to `address`: not to the machine's own services, its link (instance metadata) or to
 * groups. The interfaces are looked at anew each time: addresses come and go.
 */
export function isOutside(address: string): boolean {
  if (!isIPv4(address) || NEVER.check(address)) return false;
  for (const addresses of Object.values(networkInterfaces())) {
    for (const own of addresses ?? []) if (own.address === address) return false;
  }
  return true;
}

const NEVER_V6 = new BlockList();
NEVER_V6.addSubnet('::', 127, 'ipv6');
NEVER_V6.addSubnet('fe80::', 10, 'ipv6');
NEVER_V6.addSubnet('ff00::', 8, 'ipv6');
/** Instance metadata over IPv6. Source: EC2 User Guide, "Access instance metadata for an EC2 instance". */
NEVER_V6.addAddress('fd00:ec2::254', 'ipv6');

/** The same for connections of the program itself, which may use IPv6 too: whether the address is another machine's. */
export function isOffMachine(address: string): boolean {
  const v4 = isIPv4(address) ? address : mappedIPv4(address);
  if (v4 !== undefined) return isOutside(v4);
  if (!isIPv6(address) || NEVER_V6.check(address, 'ipv6')) return false;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return !own.some((known) => known.address === address);
}

/** The IPv4 address that `::ffff:1.2.3.4` stands for, which URLs write as `::ffff:102:304`. Source: RFC 4291, 2.5.5.2. */
function mappedIPv4(address: string): string | undefined {
  const [, dotted, high, low] = /^::ffff:(?:(\d+(?:\.\d+){3})|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address) ?? [];
  if (dotted !== undefined || high === undefined || low === undefined) return dotted;
  const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}
