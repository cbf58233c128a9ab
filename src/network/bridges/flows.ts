import { closeSync } from 'node:fs';
import { addressBytes } from '../cidr.ts';
import { type Kernel, KernelError } from '../kernel.ts';
import { attribute } from '../netlink.ts';

// Numbers of `linux/netlink.h`, `linux/netfilter/nfnetlink.h` and `linux/netfilter/nfnetlink_conntrack.h`.
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER = 16;
const FAMILY_HEADER = 4;
const CONNTRACK = 1;
const GET = (CONNTRACK << 8) | 1;
const DELETE = (CONNTRACK << 8) | 2;
const AF_INET = 2;
const AF_INET6 = 10;
const TUPLE_ORIGINAL = 1;
const TUPLE_REPLY = 2;
const TUPLE_IP = 1;
const TUPLE_PROTOCOL = 2;
const PROTOCOL_NUMBER = 1;
const IP_SOURCES = [1, 3];
const UDP = 17;
const TYPE_MASK = 0x3fff;

/**
 * Makes the kernel forget flows of UDP that it sends to one of these addresses. It remembers where a client's packets go
 * for as long as they come; once the container has ended, they would go nowhere, though another one has the port.
 */
export function forgetFlows(kernel: Kernel, addresses: readonly string[]): void {
  for (const family of [AF_INET, AF_INET6]) {
    const targets = addresses.map(addressBytes).filter(({ length }) => length === (family === AF_INET ? 4 : 16));
    if (targets.length === 0) continue;
    const socket = kernel.call('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER);
    try {
      for (const original of flowsTo(kernel, socket, family, targets)) {
        send(kernel, socket, DELETE, NLM_F_ACK, family, attribute(TUPLE_ORIGINAL | NESTED, original));
        // Gone meanwhile is as good.
        kernel.call('recv', socket, Buffer.alloc(1024), 1024n, 0);
      }
    } finally {
      closeSync(socket);
    }
  }
}

const NESTED = 0x8000;
const BUFFER_BYTES = 64 * 1024;

/** What identifies each flow of UDP whose answers come from one of `targets`. */
function flowsTo(kernel: Kernel, socket: number, family: number, targets: readonly Buffer[]): Buffer[] {
  send(kernel, socket, GET, NLM_F_DUMP, family, Buffer.alloc(0));
  const found: Buffer[] = [];
  const answer = Buffer.alloc(BUFFER_BYTES);
  for (;;) {
    const length = kernel.call('recv', socket, answer, BigInt(answer.length), 0);
    for (let offset = 0; offset + HEADER <= length; ) {
      const size = answer.readUInt32LE(offset);
      const type = answer.readUInt16LE(offset + 4);
      if (type === NLMSG_DONE) return found;
      if (type === NLMSG_ERROR) throw new KernelError('list flows', -answer.readInt32LE(offset + HEADER));
      const flow = attributesOf(answer.subarray(offset + HEADER + FAMILY_HEADER, offset + size));
      const [original, reply] = [flow.get(TUPLE_ORIGINAL), flow.get(TUPLE_REPLY)];
      if (original && reply && isUdpFrom(reply, targets)) found.push(Buffer.from(original));
      offset += (size + 3) & ~3;
    }
  }
}

function isUdpFrom(tuple: Buffer, sources: readonly Buffer[]): boolean {
  const parts = attributesOf(tuple);
  const [ip, protocol] = [parts.get(TUPLE_IP), parts.get(TUPLE_PROTOCOL)];
  if (!ip || !protocol || attributesOf(protocol).get(PROTOCOL_NUMBER)?.[0] !== UDP) return false;
  const addresses = attributesOf(ip);
  return IP_SOURCES.some((type) => sources.some((source) => addresses.get(type)?.equals(source)));
}

function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const size = bytes.readUInt16LE(offset);
    if (size < 4) break;
    attributes.set(bytes.readUInt16LE(offset + 2) & TYPE_MASK, bytes.subarray(offset + 4, offset + size));
    offset += (size + 3) & ~3;
  }
  return attributes;
}

function send(kernel: Kernel, socket: number, type: number, flags: number, family: number, body: Buffer): void {
  const header = Buffer.alloc(HEADER + FAMILY_HEADER);
  header.writeUInt32LE(header.length + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NLM_F_REQUEST | flags, 6);
  header[HEADER] = family;
  kernel.call('send', socket, Buffer.concat([header, body]), BigInt(header.length + body.length), 0);
}
