/** Arithmetic of IP addresses and subnets. An address is a number; 32 bits of IPv4 or 128 of IPv6. */

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export interface Subnet {
  readonly family: Family;
  /** The first address: all bits of the host part are 0. */
  readonly base: bigint;
  readonly prefixLength: number;
}

const bits = (family: Family) => (family === 4 ? 32 : 128);

/** `undefined` for what is not exactly an address: no zone, no short forms of IPv4, no leading zeros. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const value = parseIPv4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseIPv6(text);
  return value === undefined ? undefined : { family: 6, value };
}

function parseIPv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIPv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1)!;
  // The last two groups may be written as an IPv4 address.
  if (last.at(-1)?.includes('.')) {
    const dotted = parseIPv4(last.pop()!);
    if (dotted === undefined) return undefined;
    last.push((dotted >> 16n).toString(16), (dotted & 0xffffn).toString(16));
  }
  const count = groups.reduce((sum, group) => sum + group.length, 0);
  if (halves.length === 2 ? count > 7 : count !== 8) return undefined;
  const all = halves.length === 2 ? [...groups[0]!, ...Array<string>(8 - count).fill('0'), ...groups[1]!] : groups[0]!;
  let value = 0n;
  for (const group of all) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return value;
}

/** The text of an address; IPv6 in the form of RFC 5952 (without its dotted exceptions). */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  const text = groups.join(':');
  // The longest run of two or more zero groups becomes `::`, the first one of equals.
  let longest = '';
  for (const [run] of text.matchAll(/(?<=^|:)0(?::0)+(?=:|$)/g)) if (run.length > longest.length) longest = run;
  if (longest === '') return text;
  const at = text.search(new RegExp(`(?:^|:)${longest}(?::|$)`));
  const start = text[at] === ':' ? at + 1 : at;
  return `${text.slice(0, Math.max(0, start - 1))}::${text.slice(start + longest.length + 1)}`;
}

/** The 4 or 16 bytes of an address. Throws on what is none. */
export function addressBytes(text: string): Buffer {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return Buffer.from(address.value.toString(16).padStart(bits(address.family) / 4, '0'), 'hex');
}

/** The subnet that an address with a prefix length lies in: of `172.20.0.9/24` it is 172.20.0.0/24. */
export function parseSubnet(text: string): Subnet | undefined {
  const [host, length, ...rest] = text.split('/');
  const address = parseAddress(host!);
  if (!address || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length ?? '')) return undefined;
  const prefixLength = Number(length);
  const { family, value } = address;
  if (prefixLength > bits(family)) return undefined;
  return { family, base: value & maskOf(family, prefixLength), prefixLength };
}

function maskOf(family: Family, prefixLength: number): bigint {
  const host = BigInt(bits(family) - prefixLength);
  return ((1n << BigInt(bits(family))) - 1n) ^ ((1n << host) - 1n);
}

export function formatSubnet({ family, base, prefixLength }: Subnet): string {
  return `${formatAddress({ family, value: base })}/${prefixLength}`;
}

/** How many addresses it has. */
export function sizeOf({ family, prefixLength }: Subnet): bigint {
  return 1n << BigInt(bits(family) - prefixLength);
}

export function contains(subnet: Subnet, { family, value }: Address): boolean {
  return family === subnet.family && value >= subnet.base && value < subnet.base + sizeOf(subnet);
}

export function overlap(one: Subnet, other: Subnet): boolean {
  if (one.family !== other.family) return false;
  return one.base < other.base + sizeOf(other) && other.base < one.base + sizeOf(one);
}

/** The name of an address in the reverse tree: `2.0.17.172.in-addr.arpa`. Source: RFC 1035 3.5, RFC 3596 2.5. */
export function reverseName(text: string): string {
  const bytes = addressBytes(text);
  if (bytes.length === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`;
  return `${[...bytes.toString('hex')].reverse().join('.')}.ip6.arpa`;
}

/** The address that a name of the reverse tree stands for; `undefined` for other names, and for those of subnets. */
export function parseReverseName(name: string): string | undefined {
  const [, dotted] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name) ?? [];
  if (dotted !== undefined) {
    const address = parseAddress(dotted.split('.').slice(0, 4).reverse().join('.'));
    return address && formatAddress(address);
  }
  const [, nibbles] = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name) ?? [];
  if (nibbles === undefined) return undefined;
  return formatAddress({ family: 6, value: BigInt(`0x${nibbles.replaceAll('.', '').split('').reverse().join('')}`) });
}
