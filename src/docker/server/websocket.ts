import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { ServiceError } from '../../base/errors.ts';
import { invalid } from '../shapes/shape.ts';
import { headerLines, writeTo } from './raw-connection.ts';
import type { AnswerHeaders, Call } from './route.ts';

/** Source: RFC 6455 section 1.3. */
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Reasons for an end. Source: RFC 6455 section 7.4.1. */
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;
/** What a terminal or a pipe sends in one message is far less. */
const LARGEST_MESSAGE = 1024 * 1024;

export function notUpgraded(): ServiceError {
  return invalid('the request must ask for an upgrade to websocket');
}

/** Throws (400) when the request is no proper handshake: before anything is done for it. Answers its key. */
export function checkHandshake({ request, upgraded }: Pick<Call, 'request' | 'upgraded'>): string {
  if (!upgraded) throw notUpgraded();
  const { 'sec-websocket-key': key, 'sec-websocket-version': version, upgrade } = request.headers;
  if (upgrade?.toLowerCase() !== 'websocket' || typeof key !== 'string' || version !== '13') {
    throw invalid('the request is not a handshake of WebSocket version 13');
  }
  return key;
}

/**
 * Answers the handshake and makes a byte stream of the connection: what is written goes out as binary messages, what comes in messages is
 * read. Source: RFC 6455. Throws (400) when the request is no proper handshake.
 */
export function acceptWebSocket(request: IncomingMessage, connection: Duplex, headers: AnswerHeaders): Duplex {
  const key = checkHandshake({ request, upgraded: true });
  const accept = createHash('sha1')
    .update(key + KEY_SUFFIX)
    .digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  connection.write([...lines, `Sec-WebSocket-Accept: ${accept}`, ...headerLines(headers), '', ''].join('\r\n'));
  return new WebSocketStream(connection);
}

class WebSocketStream extends Duplex {
  readonly #connection: Duplex;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(connection: Duplex) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    // A peer that went away is seen by whoever reads or writes; without a listener it would end the process.
    this.on('error', () => {});
    connection.on('data', (chunk: Buffer) => this.#take(chunk));
    connection.on('end', () => this.push(null));
    connection.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    void writeTo(this.#connection, message(OPCODE.binary, chunk)).then(() => done());
  }

  override _final(done: () => void): void {
    this.#close(NORMAL);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    while (!this.readableEnded) {
      const parsed = parse(this.#buffered);
      if (parsed === undefined) return;
      if (parsed === 'broken') {
        this.#close(PROTOCOL_ERROR);
        this.push(null);
        return;
      }
      this.#buffered = this.#buffered.subarray(parsed.size);
      this.#receive(parsed.opcode, parsed.payload);
    }
  }

  #close(reason: number): void {
    if (this.#connection.writableEnded || this.#connection.destroyed) return;
    this.#connection.end(message(OPCODE.close, Buffer.from([reason >> 8, reason & 0xff])));
  }

  #receive(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.close) {
      this.push(null);
    } else if (opcode === OPCODE.ping) {
      this.#connection.write(message(OPCODE.pong, payload));
    } else if (opcode !== OPCODE.pong && payload.length > 0 && !this.readableEnded && !this.push(payload)) {
      this.#connection.pause();
    }
  }
}

/** One frame at the beginning of `bytes`; `undefined` when it is not complete yet. Clients must mask what they send. */
function parse(
  bytes: Buffer,
): { readonly opcode: number; readonly payload: Buffer; readonly size: number } | 'broken' | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes[0]!, bytes[1]!];
  const short = second & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return 'broken';
  if (bytes.length < 2 + extra) return undefined;
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (length > LARGEST_MESSAGE) return 'broken';
  const start = 2 + extra + 4;
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let index = 0; index < payload.length; index += 1) payload[index]! ^= mask[index % 4]!;
  return { opcode: first & 0x0f, payload, size: start + length };
}

function message(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  if (length < 126) {
    header[1] = length;
  } else if (length < 65536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}
