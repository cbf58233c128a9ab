import { closeSync } from 'node:fs';
import { addressBytes } from './cidr.ts';
import { type Kernel, KernelError } from './kernel.ts';

// Numbers of `linux/netlink.h` and `linux/rtnetlink.h`.
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const AF_INET = 2;
const AF_INET6 = 10;
export const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLM_F_REQUEST = 1;
const NLM_F_REQUEST_ACK = 1 | 4;
const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const NLMSG_ERROR = 2;
const HEADER = 16;
export const IFLA_IFNAME = 3;
export const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
export const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const MAIN_TABLE = 254;
const PROTOCOL_STATIC = 4;
const SCOPE_UNIVERSE = 0;
const SCOPE_LINK = 253;
const SCOPE_HOST = 254;
const ONLINK = 4;

/** One request of a batch. */
export interface NetlinkRequest {
  readonly what: string;
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** A route of the main table, to one address. */
export interface Route {
  /** `undefined`: the default route, of IPv4 unless `via` is IPv6. */
  readonly to: string | undefined;
  readonly device: number;
  readonly via?: string;
  /** Deliver to this machine itself. */
  readonly local?: boolean;
}

/** A pair of connected interfaces: one here, the other in the network namespace `peerNamespace`. */
export function createVeth(options: {
  readonly index: number;
  readonly name: string;
  readonly peerIndex: number;
  readonly peerName: string;
  readonly peerNamespace: number;
}): NetlinkRequest {
  const namespace = Buffer.alloc(4);
  namespace.writeInt32LE(options.peerNamespace);
  const peer = Buffer.concat([
    interfaceHeader(options.peerIndex, false),
    attribute(IFLA_IFNAME, name(options.peerName)),
    attribute(IFLA_NET_NS_FD, namespace),
  ]);
  const info = Buffer.concat([
    attribute(IFLA_INFO_KIND, name('veth')),
    attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer)),
  ]);
  return {
    what: `make interface ${options.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      interfaceHeader(options.index, true),
      attribute(IFLA_IFNAME, name(options.name)),
      attribute(IFLA_LINKINFO, info),
    ]),
  };
}

export function setUp(index: number): NetlinkRequest {
  return { what: `bring interface ${index} up`, type: RTM_NEWLINK, flags: 0, body: interfaceHeader(index, true) };
}

/** Gives an interface an address: a single one, with no network around it, unless a prefix length is told. */
export function addAddress(index: number, address: string, prefixLength?: number): NetlinkRequest {
  const bytes = addressBytes(address);
  const header = Buffer.alloc(8);
  header[0] = bytes.length === 4 ? AF_INET : AF_INET6;
  header[1] = prefixLength ?? bytes.length * 8;
  header.writeInt32LE(index, 4);
  // Nobody else can have it: the kernel need not ask around for a second first.
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(IFA_F_NODAD);
  return {
    what: `add address ${address}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      header,
      attribute(IFA_LOCAL, bytes),
      attribute(IFA_ADDRESS, bytes),
      ...(bytes.length === 4 ? [] : [attribute(IFA_FLAGS, flags)]),
    ]),
  };
}

export function addRoute({ to, device, via, local }: Route): NetlinkRequest {
  const target = to === undefined ? undefined : addressBytes(to);
  const gateway = via === undefined ? undefined : addressBytes(via);
  const header = Buffer.alloc(12);
  header[0] = (target ?? gateway)?.length === 16 ? AF_INET6 : AF_INET;
  header[1] = (target?.length ?? 0) * 8;
  header[4] = MAIN_TABLE;
  header[5] = PROTOCOL_STATIC;
  header[6] = local ? SCOPE_HOST : via === undefined ? SCOPE_LINK : SCOPE_UNIVERSE;
  header[7] = local ? 2 : 1;
  header.writeUInt32LE(via === undefined ? 0 : ONLINK, 8);
  const out = Buffer.alloc(4);
  out.writeInt32LE(device);
  return {
    what: `add route to ${to ?? 'everywhere'}`,
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([
      header,
      ...(target === undefined ? [] : [attribute(RTA_DST, target)]),
      ...(gateway === undefined ? [] : [attribute(RTA_GATEWAY, gateway)]),
      attribute(RTA_OIF, out),
    ]),
  };
}

/** A conversation with the kernel about the network namespace that the thread was in when it was opened. */
export class Netlink {
  readonly #kernel: Kernel;
  readonly #socket: number;
  readonly #answer = Buffer.alloc(16 * 1024);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#socket = kernel.call('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
  }

  /** Carries out the requests in order, in one system call. Throws the first failure. */
  run(...requests: readonly NetlinkRequest[]): void {
    if (requests.length === 0) return;
    const messages = requests.map(({ type, flags, body }, index) => {
      const header = Buffer.alloc(HEADER);
      header.writeUInt32LE(HEADER + body.length, 0);
      header.writeUInt16LE(type, 4);
      header.writeUInt16LE(NLM_F_REQUEST_ACK | flags, 6);
      header.writeUInt32LE(index, 8);
      return Buffer.concat([header, body]);
    });
    const batch = Buffer.concat(messages);
    this.#kernel.call('send', this.#socket, batch, BigInt(batch.length), 0);
    let failure: Error | undefined;
    for (let answered = 0; answered < requests.length; ) {
      const length = this.#kernel.call('recv', this.#socket, this.#answer, BigInt(this.#answer.length), 0);
      for (let offset = 0; offset + HEADER + 4 <= length; ) {
        const errno = -this.#answer.readInt32LE(offset + HEADER);
        const index = this.#answer.readUInt32LE(offset + 8);
        if (this.#answer.readUInt16LE(offset + 4) === NLMSG_ERROR) {
          answered++;
          if (errno !== 0) failure ??= new KernelError(requests[index]!.what, errno);
        }
        offset += align(this.#answer.readUInt32LE(offset));
      }
    }
    if (failure) throw failure;
  }

  /** Whether packets pass an interface. After both its ends were brought up, the kernel still takes a moment. */
  passes(index: number): boolean {
    this.#ask(RTM_GETLINK, interfaceHeader(index, false));
    const type = this.#answer.readUInt16LE(4);
    return type === RTM_NEWLINK && (this.#answer.readUInt32LE(HEADER + 8) & IFF_RUNNING) !== 0;
  }

  /** The number of the interface of that name; `undefined` when there is none. */
  indexOf(device: string): number | undefined {
    this.#ask(RTM_GETLINK, Buffer.concat([interfaceHeader(0, false), attribute(IFLA_IFNAME, name(device))]));
    return this.#answer.readUInt16LE(4) === RTM_NEWLINK ? this.#answer.readInt32LE(HEADER + 4) : undefined;
  }

  #ask(type: number, body: Buffer): void {
    const header = Buffer.alloc(HEADER);
    header.writeUInt32LE(HEADER + body.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(NLM_F_REQUEST, 6);
    this.#kernel.call('send', this.#socket, Buffer.concat([header, body]), BigInt(HEADER + body.length), 0);
    this.#kernel.call('recv', this.#socket, this.#answer, BigInt(this.#answer.length), 0);
  }

  close(): void {
    closeSync(this.#socket);
  }
}

const align = (length: number) => (length + 3) & ~3;
/** Text as the kernel takes it. */
export const name = (text: string) => Buffer.from(`${text}\0`);

/** An attribute as netlink writes it: length, type, value, filled up to a multiple of four bytes. */
export function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(align(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}

/** `struct ifinfomsg`; 0 is an interface that is named by an attribute, or a new one. */
export function interfaceHeader(index: number, up: boolean): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up) {
    header.writeUInt32LE(IFF_UP, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}
