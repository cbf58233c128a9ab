import { GATEWAY_ADDRESS } from '../addresses.ts';
import { GATEWAY_PORTS } from '../sandbox-network.ts';
import { type Element, elementText, SETS, type SetName, type SetType } from './elements.ts';

/** Of EC2 over IPv6 (EC2 User Guide, "Access instance metadata for an EC2 instance"); over IPv4 it is link-local. */
const METADATA_V6 = 'fd00:ec2::254';

/**
 * The whole table as `nft -f` takes it: puts it in place of the one there was, in one transaction. It judges only what
 * comes from our bridges or goes to them, and what arrives at a published port.
 */
export function ruleset(table: string, elements: Iterable<Element>): string {
  const bySet = new Map<SetName, string[]>();
  for (const element of elements) {
    const texts = bySet.get(element.set);
    if (texts) texts.push(elementText(element));
    else bySet.set(element.set, [elementText(element)]);
  }
  const sets = (Object.keys(SETS) as SetName[]).map((name) => declaration(name, bySet.get(name) ?? []));
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
${sets.join('\n')}
${CHAINS}
}
`;
}

function declaration(name: SetName, elements: readonly string[]): string {
  const type: SetType = SETS[name];
  const contents = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} }`;
  const flags = type.interval ? ' flags interval;' : '';
  return type.value === undefined
    ? ` set ${name} { type ${type.key.join(' . ')};${flags}${contents} }`
    : ` map ${name} { type ${type.key.join(' . ')} : ${type.value.join(' . ')};${contents} }`;
}

const CHAINS = `
 chain guard {
  type filter hook prerouting priority raw; policy accept;
  iifname @bridges ip daddr 127.0.0.0/8 drop
 }
 chain arrive {
  type nat hook prerouting priority dstnat; policy accept;
  iifname @bridges ip daddr ${GATEWAY_ADDRESS} goto cloud
  fib daddr type local goto published
 }
 chain own {
  type nat hook output priority -100; policy accept;
  fib daddr type local goto published
 }
 chain cloud {
  udp dport 53 redirect to :iifname map @resolvers
  tcp dport 53 redirect to :iifname map @resolvers
  tcp dport { ${GATEWAY_PORTS.join(', ')} } redirect to :iifname map @gateways
  goto published
 }
 chain published {
  iifname @internal return
  dnat ip to meta l4proto . ip daddr . th dport map @ports4
  dnat ip to meta l4proto . th dport map @ports4_any
  ip6 daddr ::1 return
  dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6
  dnat ip6 to meta l4proto . th dport map @ports6_any
 }
 chain leave {
  type nat hook postrouting priority srcnat; policy accept;
  oifname @bridges ip saddr 127.0.0.0/8 masquerade
  ct status dnat ip saddr . ip daddr @subnets4 masquerade
  ct status dnat ip6 saddr . ip6 daddr @subnets6 masquerade
  iifname @masqueraded oifname != @bridges masquerade
 }
 chain forward {
  type filter hook forward priority filter; policy accept;
  iifname @bridges goto from_container
  oifname @bridges goto to_container
 }
 chain from_container {
  ct state established,related accept
  iifname . oifname @neighbours accept
  iifname @internal goto refuse
  oifname @bridges ct status dnat accept
  oifname @bridges goto refuse
  ip daddr 169.254.0.0/16 goto refuse
  ip6 daddr ${METADATA_V6} goto refuse
 }
 chain to_container {
  ct state established,related accept
  ct status dnat accept
  drop
 }
 chain input {
  type filter hook input priority filter; policy accept;
  iifname @bridges goto to_host
 }
 chain to_host {
  ct state established,related accept
  icmp type echo-request accept
  icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept
  ct status dnat ct original ip daddr ${GATEWAY_ADDRESS} accept
  goto refuse
 }
 chain refuse {
  meta l4proto tcp reject with tcp reset
  reject
 }`;
