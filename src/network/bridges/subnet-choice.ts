import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Random } from '../../base/random.ts';
import { formatSubnet, overlap, parseSubnet, type Subnet } from '../cidr.ts';
import { networksUnavailable } from './network-errors.ts';

/** Docker's pools ("Default address pools" of dockerd's documentation), then some of our own when those are used up. */
const POOLS: readonly { readonly base: string; readonly prefixLength: number }[] = [
  { base: '172.17.0.0/16', prefixLength: 16 },
  { base: '172.18.0.0/16', prefixLength: 16 },
  { base: '172.19.0.0/16', prefixLength: 16 },
  { base: '172.20.0.0/14', prefixLength: 16 },
  { base: '172.24.0.0/14', prefixLength: 16 },
  { base: '172.28.0.0/14', prefixLength: 16 },
  { base: '192.168.0.0/16', prefixLength: 20 },
  { base: '10.128.0.0/9', prefixLength: 20 },
];

/** The first subnet of the default pools that touches none of `taken`. */
export function chooseSubnet(taken: readonly Subnet[]): string {
  for (const { base, prefixLength } of POOLS) {
    const pool = parseSubnet(base)!;
    const size = 1n << BigInt(32 - prefixLength);
    for (let index = 0n; index < 1n << BigInt(prefixLength - pool.prefixLength); index++) {
      const subnet: Subnet = { family: 4, base: pool.base + index * size, prefixLength };
      if (!taken.some((other) => overlap(subnet, other))) return formatSubnet(subnet);
    }
  }
  throw networksUnavailable('all predefined address pools have been fully subnetted');
}

/** A subnet of unique local addresses: 40 random bits make it one's own (RFC 4193, 3.2). */
export function chooseSubnetV6(random: Random, taken: readonly Subnet[]): string {
  for (;;) {
    const subnet: Subnet = { family: 6, base: BigInt(`0xfd${random.hex(10)}${'0'.repeat(20)}`), prefixLength: 64 };
    if (!taken.some((other) => overlap(subnet, other))) return formatSubnet(subnet);
  }
}

const WAIT_MS = 2;
/** Whoever keeps the lock for longer is not choosing; the subnet is looked at once more after it was taken, anyway. */
const LONGEST_WAIT_MS = 5_000;

/**
 * Runs `work` while no other Kobune of this network namespace is between looking for a free subnet and having taken it.
 * The lock is an abstract socket, so it ends with its owner, however that ends.
 */
export async function withSubnetLock<T>(work: () => Promise<T>): Promise<T> {
  // Whoever connects to it would keep it from closing.
  const lock = createServer((stranger) => stranger.destroy());
  const deadline = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    const taken = await new Promise<boolean>((resolve, reject) => {
      lock.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(false);
        else reject(error);
      });
      lock.once('listening', () => resolve(true));
      lock.listen('\0kobune-subnets');
    });
    for (const event of ['error', 'listening']) lock.removeAllListeners(event);
    if (taken) break;
    if (performance.now() > deadline) return work();
    await setTimeout(WAIT_MS);
  }
  try {
    return await work();
  } finally {
    await new Promise((resolve) => lock.close(resolve));
  }
}
