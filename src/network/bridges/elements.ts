import { addressBytes } from '../cidr.ts';

/** What one part of a key is, in nftables' terms. */
type PartType = 'ifname' | 'ipv4_addr' | 'ipv6_addr' | 'inet_service' | 'inet_proto';

interface SetType {
  readonly key: readonly PartType[];
  /** Of a map: what a key leads to. */
  readonly value?: readonly PartType[];
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

/** As `nft` writes it. */
export function elementText({ key, value }: Element): string {
  return value === undefined ? key.join(' . ') : `${key.join(' . ')} : ${value.join(' . ')}`;
}

/** The same as the kernel keeps it. */
export function elementBytes({ set, key, value }: Element): { readonly key: Buffer; readonly value?: Buffer } {
  const type: SetType = SETS[set];
  const bytes = Buffer.concat(key.map((part, index) => partBytes(type.key[index]!, part, key.length > 1)));
  if (value === undefined) return { key: bytes };
  const parts = value.map((part, index) => partBytes(type.value![index]!, part, value.length > 1));
  return { key: bytes, value: Buffer.concat(parts) };
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
