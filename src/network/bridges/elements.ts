import { addressBytes, formatAddress, parseSubnet, sizeOf } from '../cidr.ts';

/** What one part of a key is, in nftables' terms. */
type PartType = 'ifname' | 'ipv4_addr' | 'ipv6_addr' | 'inet_service' | 'inet_proto';

export interface SetType {
  readonly key: readonly PartType[];
  /** Of a map: what a key leads to. */
  readonly value?: readonly PartType[];
  /** A key is a range of each part: here, a subnet. */
  readonly interval?: true;
}

/**
 * The sets and maps of the rules: what changes while Kobune runs. A bridge is named by its interface; a protocol by its
 * number; a port is as text, as all parts are.
 */
export const SETS = {
  /** All bridges. */
  bridges: { key: ['ifname'] },
  /** Bridges without a way out. */
  internal: { key: ['ifname'] },
  /** Bridges whose packets leave in the name of this machine. */
  masqueraded: { key: ['ifname'] },
  /** A bridge twice: its containers may talk to each other. */
  neighbours: { key: ['ifname', 'ifname'] },
  /** A subnet twice: its containers are sent to each other by a published port. */
  subnets4: { key: ['ipv4_addr', 'ipv4_addr'], interval: true },
  subnets6: { key: ['ipv6_addr', 'ipv6_addr'], interval: true },
  /** The port of the gateway, by bridge. */
  gateways: { key: ['ifname'], value: ['inet_service'] },
  /** The port of the name server, by bridge. */
  resolvers: { key: ['ifname'], value: ['inet_service'] },
  /** Published at one address. */
  ports4: { key: ['inet_proto', 'ipv4_addr', 'inet_service'], value: ['ipv4_addr', 'inet_service'] },
  ports6: { key: ['inet_proto', 'ipv6_addr', 'inet_service'], value: ['ipv6_addr', 'inet_service'] },
  /** Published at all addresses of this machine. */
  ports4_any: { key: ['inet_proto', 'inet_service'], value: ['ipv4_addr', 'inet_service'] },
  ports6_any: { key: ['inet_proto', 'inet_service'], value: ['ipv6_addr', 'inet_service'] },
} as const satisfies Readonly<Record<string, SetType>>;

export type SetName = keyof typeof SETS;

export const PROTOCOL_NUMBERS = { tcp: '6', udp: '17' } as const;

/** An element of a set: one key, and in a map what it leads to. */
export interface Element {
  readonly set: SetName;
  readonly key: readonly string[];
  readonly value?: readonly string[];
}

/** As `nft` reads it. */
export function elementText({ set, key, value }: Element): string {
  const type: SetType = SETS[set];
  // A name may be a word of nft's language.
  const text = (types: readonly PartType[], parts: readonly string[]) =>
    parts.map((part, index) => (types[index] === 'ifname' ? `"${part}"` : part)).join(' . ');
  return value === undefined ? text(type.key, key) : `${text(type.key, key)} : ${text(type.value!, value)}`;
}

/** The same as the kernel keeps it. `end` is the last key of a range. */
export function elementBytes({ set, key, value }: Element): ElementBytes {
  const type: SetType = SETS[set];
  const joined = (types: readonly PartType[], parts: readonly string[]) =>
    Buffer.concat(parts.map((part, index) => partBytes(types[index]!, part, parts.length > 1)));
  return {
    key: joined(type.key, type.interval ? key.map((subnet) => edgeOf(subnet, 'first')) : key),
    ...(type.interval
      ? {
          end: joined(
            type.key,
            key.map((subnet) => edgeOf(subnet, 'last')),
          ),
        }
      : {}),
    ...(value === undefined ? {} : { value: joined(type.value!, value) }),
  };
}

interface ElementBytes {
  readonly key: Buffer;
  readonly end?: Buffer;
  readonly value?: Buffer;
}

function edgeOf(text: string, edge: 'first' | 'last'): string {
  const subnet = parseSubnet(text)!;
  const value = edge === 'first' ? subnet.base : subnet.base + sizeOf(subnet) - 1n;
  return formatAddress({ family: subnet.family, value });
}

/** `joined`: beside others a part takes up a multiple of four bytes. */
function partBytes(type: PartType, text: string, joined: boolean): Buffer {
  const bytes = partValue(type, text);
  const missing = joined ? (4 - (bytes.length % 4)) % 4 : 0;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}

const IFNAMSIZ = 16;

function partValue(type: PartType, text: string): Buffer {
  if (type === 'ipv4_addr' || type === 'ipv6_addr') return addressBytes(text);
  if (type === 'inet_proto') return Buffer.from([Number(text)]);
  if (type === 'inet_service') {
    const port = Buffer.alloc(2);
    port.writeUInt16BE(Number(text));
    return port;
  }
  const device = Buffer.alloc(IFNAMSIZ);
  device.write(text);
  return device;
}
