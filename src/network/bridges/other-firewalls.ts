import { readFile } from 'node:fs/promises';
import { runProgram } from './program.ts';

/** A chain at a hook of the kernel's, that drops what it has no rule for. */
interface Dropping {
  readonly where: string;
  readonly hook: 'forward' | 'input';
}

/**
 * One line for each firewall of this machine that stands in the way of containers. Ours cannot let through what another
 * drops: the kernel asks all of them. Others' rules are theirs, so they are told of and not touched.
 */
export async function otherFirewalls(ownTable: string): Promise<readonly string[]> {
  const dropping = [...(await nftChains(ownTable)), ...(await legacyChains())];
  const places = (hook: Dropping['hook']) =>
    [...new Set(dropping.filter((chain) => chain.hook === hook).map(({ where }) => where))].join(', ');
  const [forward, input] = [places('forward'), places('input')];
  return [
    ...(forward === ''
      ? []
      : [
          `the way out of containers, and published ports: a firewall drops what it does not know (${forward}); ` +
            "allow it with 'iptables -I FORWARD -i kb+ -j ACCEPT' and 'iptables -I FORWARD -o kb+ -j ACCEPT'",
        ]),
    ...(input === ''
      ? []
      : [
          `names and the cloud inside containers: a firewall drops what it does not know (${input}); ` +
            "allow it with 'iptables -I INPUT -i kb+ -j ACCEPT' (Kobune's own rules still keep containers from this machine)",
        ]),
  ];
}

interface ListedChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

async function nftChains(ownTable: string): Promise<readonly Dropping[]> {
  const text = await runProgram('nft', ['--json', 'list', 'chains']).catch(() => '{"nftables":[]}');
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly { readonly chain?: ListedChain }[] };
  return nftables.flatMap(({ chain }) => {
    if (chain?.policy !== 'drop' || chain.table === ownTable || chain.family === 'ip6') return [];
    const { hook } = chain;
    if (hook !== 'forward' && hook !== 'input') return [];
    return [{ where: `${chain.family} ${chain.table} ${chain.name}`, hook }];
  });
}

/** Of the older kind, which `nft` does not show. */
async function legacyChains(): Promise<readonly Dropping[]> {
  const tables = await readFile('/proc/net/ip_tables_names', 'utf8').catch(() => '');
  if (!tables.split('\n').includes('filter')) return [];
  const text = await runProgram('iptables-legacy', ['--wait', '1', '-S']).catch(() => '');
  return [...text.matchAll(/^-P (FORWARD|INPUT) DROP$/gm)].map(([, name]) => ({
    where: `iptables ${name}`,
    hook: name === 'FORWARD' ? 'forward' : 'input',
  }));
}
