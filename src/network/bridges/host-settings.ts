import { readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';

const SETTINGS = '/proc/sys/net';

/** Lets this machine pass packets on, as Docker does. It stays so: others may have come to rely on it. */
export async function forwardPackets(family: 4 | 6): Promise<void> {
  if (family === 4) {
    if ((await read('ipv4/ip_forward')) !== '1') await write('ipv4/ip_forward', '1');
    return;
  }
  if ((await read('ipv6/conf/all/forwarding')) === '1') return;
  // A machine that forwards no longer listens to routers, unless told to: it would lose its own way out.
  for (const device of await readdir(`${SETTINGS}/ipv6/conf`).catch(() => [])) {
    if ((await read(`ipv6/conf/${device}/accept_ra`)) === '1') await write(`ipv6/conf/${device}/accept_ra`, '2');
  }
  await write('ipv6/conf/all/forwarding', '1');
}

/**
 * What a bridge needs: packets of 127.0.0.1 may be sent on it (to published ports; those that arrive are refused by the
 * rules), routers on it are not listened to, and it has IPv6 only where its network does.
 */
export async function settleBridge(bridge: string, ipv6: boolean): Promise<void> {
  await write(`ipv4/conf/${bridge}/route_localnet`, '1');
  await write(`ipv6/conf/${bridge}/accept_ra`, '0').catch(ignoreAbsence);
  await write(`ipv6/conf/${bridge}/disable_ipv6`, ipv6 ? '0' : '1').catch(ignoreAbsence);
}

/**
 * Whether rules are asked about packets between containers of one bridge too (`br_netfilter`). A packet to a published
 * port of the sender's own is then sent back on the bridge itself, which must be allowed to.
 */
export function rulesSeeBridgedPackets(): boolean {
  try {
    return readFileSync(`${SETTINGS}/bridge/bridge-nf-call-iptables`, 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

async function read(name: string): Promise<string | undefined> {
  return (await readFile(`${SETTINGS}/${name}`, 'utf8').catch(() => undefined))?.trim();
}

async function write(name: string, value: string): Promise<void> {
  await writeFile(`${SETTINGS}/${name}`, value);
}

/** A kernel without IPv6 has no settings of it. */
function ignoreAbsence(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
