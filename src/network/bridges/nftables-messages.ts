import { attribute, name } from '../netlink.ts';

// Numbers of `linux/netlink.h`, `linux/netfilter/nfnetlink.h` and `linux/netfilter/nf_tables.h`.
const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;
export const NLM_F_CREATE = 0x400;
const HEADER = 16;
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NF_TABLES = 10;
export const NESTED = 0x8000;

/** What a message of a transaction does. */
export const OPERATION = {
  newTable: 0,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  newElements: 12,
  deleteElements: 14,
} as const;
export const FAMILY = { inet: 1, ip: 2 } as const;

export interface TransactionMessage {
  readonly operation: (typeof OPERATION)[keyof typeof OPERATION];
  readonly family: (typeof FAMILY)[keyof typeof FAMILY];
  readonly flags: number;
  readonly attributes: readonly Buffer[];
}

/** Messages that the kernel carries out together or not at all. It answers the last one, and all that fail. */
export function transaction(messages: readonly TransactionMessage[]): Buffer {
  return Buffer.concat([
    message(BATCH_BEGIN, 0, 0, familyHeader(0, NF_TABLES)),
    ...messages.map(({ operation, family, flags, attributes }, index) =>
      message(
        (NF_TABLES << 8) | operation,
        flags | (index === messages.length - 1 ? NLM_F_ACK : 0),
        index + 1,
        Buffer.concat([familyHeader(family, 0), ...attributes]),
      ),
    ),
    message(BATCH_END, 0, messages.length + 1, familyHeader(0, NF_TABLES)),
  ]);
}

export const textAttribute = (type: number, text: string) => attribute(type, name(text));
export const nested = (type: number, ...contents: readonly Buffer[]) =>
  attribute(type | NESTED, Buffer.concat(contents));

/** Numbers go over the wire in network order here. */
export function numberAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return attribute(type, bytes);
}

/** `struct nfgenmsg`. */
function familyHeader(family: number, resource: number): Buffer {
  const header = Buffer.alloc(4);
  header[0] = family;
  header.writeUInt16BE(resource, 2);
  return header;
}

function message(type: number, flags: number, sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NLM_F_REQUEST | flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}
