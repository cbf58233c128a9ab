import { readFile } from 'node:fs/promises';
import type { Subnet } from '../cidr.ts';

/** Where this machine's packets to a subnet go. */
export interface HostRoute {
  readonly subnet: Subnet;
  readonly device: string;
  /** The subnet is at that interface itself, not behind a router. */
  readonly connected: boolean;
}

/** This machine's routes, but for the default ones. Interfaces without a carrier have theirs too. */
export async function hostRoutes(): Promise<readonly HostRoute[]> {
  const [v4, v6] = await Promise.all([
    readFile('/proc/net/route', 'utf8').catch(() => ''),
    readFile('/proc/net/ipv6_route', 'utf8').catch(() => ''),
  ]);
  return [...parseRoutes(v4), ...parseRoutesV6(v6)];
}

/** Source of the columns: `net/ipv4/fib_trie.c`, `fib_route_seq_show`; addresses are in the machine's byte order. */
export function parseRoutes(text: string): HostRoute[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device, destination, gateway, , , , , mask] = line.trim().split(/\s+/);
      if (device === undefined || destination === undefined || mask === undefined || /^0+$/.test(mask)) return [];
      const prefixLength = [...BigInt(`0x${mask}`).toString(2)].filter((bit) => bit === '1').length;
      const base = BigInt(`0x${swapped(destination)}`);
      return [{ subnet: { family: 4, base, prefixLength } as const, device, connected: /^0+$/.test(gateway ?? '') }];
    });
}

const swapped = (hex: string) => Buffer.from(hex, 'hex').reverse().toString('hex');

/** Source of the columns: `net/ipv6/route.c`, `rt6_info_route`. Link-local and multicast subnets are nobody's. */
export function parseRoutesV6(text: string): HostRoute[] {
  return text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const [destination, length, , , gateway] = columns;
    const device = columns.at(-1);
    if (columns.length < 10 || destination === undefined || device === undefined || device === 'lo') return [];
    const prefixLength = Number.parseInt(length!, 16);
    if (prefixLength === 0 || /^(fe[89ab]|ff)/.test(destination)) return [];
    const base = BigInt(`0x${destination}`);
    return [{ subnet: { family: 6, base, prefixLength } as const, device, connected: /^0+$/.test(gateway ?? '') }];
  });
}
