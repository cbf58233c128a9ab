import { closeSync } from 'node:fs';
import { type Kernel, KernelError } from './kernel.ts';

// Numbers of `linux/netlink.h` and `linux/rtnetlink.h`.
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const AF_INET = 2;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLM_F_REQUEST = 1;
const NLM_F_REQUEST_ACK = 1 | 4;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const NLMSG_ERROR = 2;
const HEADER = 16;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
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

/** An IPv4 route of the main table. */
export interface Route {
  /** `undefined`: the default route. */
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

/** Gives an interface a single address, with no network around it. */
export function addAddress(index: number, address: string): NetlinkRequest {
  const header = Buffer.alloc(8);
  header[0] = AF_INET;
  header[1] = 32;
  header.writeInt32LE(index, 4);
  const bytes = ipv4(address);
  return {
    what: `add address ${address}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)]),
  };
}

export function addRoute({ to, device, via, local }: Route): NetlinkRequest {
  const header = Buffer.alloc(12);
  header[0] = AF_INET;
  header[1] = to === undefined ? 0 : 32;
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
      ...(to === undefined ? [] : [attribute(RTA_DST, ipv4(to))]),
      ...(via === undefined ? [] : [attribute(RTA_GATEWAY, ipv4(via))]),
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
    const body = interfaceHeader(index, false);
    const header = Buffer.alloc(HEADER);
    header.writeUInt32LE(HEADER + body.length, 0);
    header.writeUInt16LE(RTM_GETLINK, 4);
    header.writeUInt16LE(NLM_F_REQUEST, 6);
    this.#kernel.call('send', this.#socket, Buffer.concat([header, body]), BigInt(HEADER + body.length), 0);
    this.#kernel.call('recv', this.#socket, this.#answer, BigInt(this.#answer.length), 0);
    const type = this.#answer.readUInt16LE(4);
    return type === RTM_NEWLINK && (this.#answer.readUInt32LE(HEADER + 8) & IFF_RUNNING) !== 0;
  }

  close(): void {
    closeSync(this.#socket);
  }
}

const align = (length: number) => (length + 3) & ~3;
const name = (text: string) => Buffer.from(`${text}\0`);

/** The four bytes of a dotted address. */
export function ipv4(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(align(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}

function interfaceHeader(index: number, up: boolean): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up) {
    header.writeUInt32LE(IFF_UP, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}
