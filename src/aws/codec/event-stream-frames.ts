import { crc32 } from 'node:zlib';
import { MalformedInput } from './malformed.ts';

/**
 * Messages of `application/vnd.amazon.eventstream`: total length, length of headers, CRC of both, headers, payload,
 * CRC of everything. Source: Amazon Transcribe Developer Guide, "Event stream encoding".
 */
export interface EventMessage {
  readonly headers: Readonly<Record<string, HeaderValue>>;
  readonly body: Uint8Array;
}

export type HeaderValue = string | boolean | bigint | Uint8Array | Date | { readonly integer: number };

/** Largest message that is read. */
const maximumMessage = 16 * 1024 * 1024;

const PRELUDE = 12;
const TRAILER = 4;

export function encodeMessage(message: EventMessage): Buffer {
  const headers = Buffer.concat(
    Object.entries(message.headers).flatMap(([name, value]) => {
      const key = Buffer.from(name, 'utf8');
      return [Buffer.from([key.length]), key, encodeHeaderValue(value)];
    }),
  );
  const total = PRELUDE + headers.length + message.body.length + TRAILER;
  const out = Buffer.allocUnsafe(total);
  out.writeUInt32BE(total, 0);
  out.writeUInt32BE(headers.length, 4);
  out.writeUInt32BE(crc32(out.subarray(0, 8)), 8);
  out.set(headers, PRELUDE);
  out.set(message.body, PRELUDE + headers.length);
  out.writeUInt32BE(crc32(out.subarray(0, total - TRAILER)), total - TRAILER);
  return out;
}

function encodeHeaderValue(value: HeaderValue): Buffer {
  if (typeof value === 'boolean') return Buffer.from([value ? 0 : 1]);
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    const out = Buffer.allocUnsafe(3 + bytes.length);
    out.writeUInt8(typeof value === 'string' ? 7 : 6, 0);
    out.writeUInt16BE(bytes.length, 1);
    out.set(bytes, 3);
    return out;
  }
  if (typeof value === 'bigint' || value instanceof Date) {
    const out = Buffer.allocUnsafe(9);
    out.writeUInt8(typeof value === 'bigint' ? 5 : 8, 0);
    out.writeBigInt64BE(typeof value === 'bigint' ? value : BigInt(value.getTime()), 1);
    return out;
  }
  const out = Buffer.allocUnsafe(5);
  out.writeUInt8(4, 0);
  out.writeInt32BE(value.integer, 1);
  return out;
}

/** Cuts a stream of bytes into messages, checking both CRCs of each. */
export async function* decodeMessages(source: AsyncIterable<Uint8Array>): AsyncGenerator<EventMessage> {
  let buffered = Buffer.alloc(0);
  for await (const chunk of source) {
    buffered = buffered.length === 0 ? Buffer.from(chunk) : Buffer.concat([buffered, chunk]);
    while (buffered.length >= PRELUDE) {
      const total = buffered.readUInt32BE(0);
      if (total < PRELUDE + TRAILER || total > maximumMessage)
        throw new MalformedInput('Invalid event stream message length');
      if (buffered.readUInt32BE(8) !== crc32(buffered.subarray(0, 8)))
        throw new MalformedInput('Event stream prelude checksum mismatch');
      if (buffered.length < total) break;
      yield decodeMessage(buffered.subarray(0, total));
      buffered = buffered.subarray(total);
    }
  }
  if (buffered.length > 0) throw new MalformedInput('The event stream ends within a message');
}

/** Reads one whole message. */
export function decodeMessage(message: Buffer): EventMessage {
  const total = message.length;
  const headersEnd = PRELUDE + message.readUInt32BE(4);
  if (headersEnd > total - TRAILER) throw new MalformedInput('Invalid event stream header length');
  if (message.readUInt32BE(total - TRAILER) !== crc32(message.subarray(0, total - TRAILER))) {
    throw new MalformedInput('Event stream message checksum mismatch');
  }
  const headers: Record<string, HeaderValue> = {};
  let at = PRELUDE;
  while (at < headersEnd) {
    const nameEnd = at + 1 + message[at]!;
    const name = message.toString('utf8', at + 1, nameEnd);
    const [value, end] = decodeHeaderValue(message, nameEnd, headersEnd);
    headers[name] = value;
    at = end;
  }
  return { headers, body: message.subarray(headersEnd, total - TRAILER) };
}

function decodeHeaderValue(message: Buffer, at: number, limit: number): [HeaderValue, number] {
  const type = message[at] ?? -1;
  const start = at + 1;
  const fixed = [0, 0, 1, 2, 4, 8, undefined, undefined, 8, 16][type];
  if (type > 9 || type < 0 || start + (fixed ?? 2) > limit) throw new MalformedInput('Invalid event stream header');
  switch (type) {
    case 0:
      return [true, start];
    case 1:
      return [false, start];
    case 2:
      return [{ integer: message.readInt8(start) }, start + 1];
    case 3:
      return [{ integer: message.readInt16BE(start) }, start + 2];
    case 4:
      return [{ integer: message.readInt32BE(start) }, start + 4];
    case 5:
      return [message.readBigInt64BE(start), start + 8];
    case 8:
      return [new Date(Number(message.readBigInt64BE(start))), start + 8];
    case 9:
      return [message.subarray(start, start + 16), start + 16];
    default: {
      const end = start + 2 + message.readUInt16BE(start);
      if (end > limit) throw new MalformedInput('Invalid event stream header');
      const bytes = message.subarray(start + 2, end);
      return [type === 7 ? bytes.toString('utf8') : bytes, end];
    }
  }
}
