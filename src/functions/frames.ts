/**
 * Frames between the engine and our own runtimes: a little-endian length (of type byte and body), a type byte, the body.
 * The runtime process belongs to the function's author, so whatever it sends is checked here: length by type, and
 * nothing is buffered beyond the largest frame that is allowed.
 */
/**
 * `prepare` tells a runtime what it is to become, `init` lets it load the function: in between, its sandbox gets its limits
 * and the code.
 */
export const toRuntime = { init: 1, invoke: 2, credit: 3, prepare: 4 } as const;

export const fromRuntime = {
  ready: 16,
  initDone: 17,
  initError: 18,
  response: 19,
  error: 20,
  log: 21,
  output: 22,
  streamStart: 23,
  streamChunk: 24,
  streamEnd: 25,
  streamError: 26,
  processExit: 27,
  /** Like `error`, and the process ends right after. */
  fatal: 28,
  /** The name of an external extension that is about to be started; an empty one after the last. */
  extension: 29,
} as const;

/** Lambda's limit for a buffered response, bytes. Source: Lambda Developer Guide, "Lambda quotas". */
export const maxResponseBytes = 6_291_556;
const headerBytes = 5;
const kilobyte = 1024;

const limits: Readonly<Record<number, number>> = {
  [fromRuntime.ready]: 4 * kilobyte,
  [fromRuntime.initDone]: 4 * kilobyte,
  [fromRuntime.initError]: 512 * kilobyte,
  [fromRuntime.response]: maxResponseBytes + 4,
  [fromRuntime.error]: 512 * kilobyte,
  [fromRuntime.log]: 1024 * kilobyte,
  [fromRuntime.output]: 1024 * kilobyte,
  [fromRuntime.streamStart]: 64 * kilobyte,
  [fromRuntime.streamChunk]: 1024 * kilobyte,
  [fromRuntime.streamEnd]: 4,
  [fromRuntime.streamError]: 512 * kilobyte,
  [fromRuntime.processExit]: kilobyte,
  [fromRuntime.fatal]: 512 * kilobyte,
  [fromRuntime.extension]: kilobyte,
};

/** Types whose body may exceed the limit: the body is then skipped, and the receiver told so. */
const skippable: ReadonlySet<number> = new Set([fromRuntime.response, fromRuntime.log]);

/** A whole frame around a short body. */
export function frame(type: number, body: string | Uint8Array): Buffer {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  const bytes = Buffer.allocUnsafe(headerBytes + length);
  bytes.writeUInt32LE(length + 1, 0);
  bytes[4] = type;
  if (typeof body === 'string') bytes.write(body, headerBytes);
  else bytes.set(body, headerBytes);
  return bytes;
}

/**
 * The head of an invoke frame: header, length of the metadata, metadata. The payload follows as it is, so that it is
 * neither copied nor encoded again.
 */
export function invokeHead(sequence: number, metadata: string, payloadLength: number): Buffer {
  const metadataLength = Buffer.byteLength(metadata);
  const head = Buffer.allocUnsafe(headerBytes + 8 + metadataLength);
  head.writeUInt32LE(1 + 8 + metadataLength + payloadLength, 0);
  head[4] = toRuntime.invoke;
  head.writeUInt32LE(sequence, 5);
  head.writeUInt32LE(metadataLength, 9);
  head.write(metadata, 13);
  return head;
}

export interface FrameReceiver {
  /** `oversize`: the body went over the limit and was skipped, except for its first four bytes. */
  frame(type: number, body: Buffer, oversize: boolean): void;
  /** The peer broke the protocol; nothing more will be delivered. */
  violation(reason: string): void;
}

/** Cuts a byte stream into frames. Bodies are views of the chunks they came in where a frame lies in one chunk. */
export class FrameDecoder {
  readonly #receiver: FrameReceiver;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #skip = 0;
  #broken = false;

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  push(chunk: Buffer): void {
    if (this.#broken) return;
    let data = chunk;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, data.length);
      this.#skip -= skipped;
      if (skipped === data.length) return;
      data = data.subarray(skipped);
    }
    if (this.#buffered > 0) {
      this.#chunks.push(data);
      this.#buffered += data.length;
      if (this.#buffered < this.#needed()) return;
      data = Buffer.concat(this.#chunks, this.#buffered);
      this.#chunks = [];
      this.#buffered = 0;
    }
    this.#decode(data);
  }

  /** Bytes that the frame begun in `#chunks` wants before it can be looked at. */
  #needed(): number {
    const first = this.#chunks[0]!;
    if (first.length >= 4) {
      const total = 4 + first.readUInt32LE(0);
      const type = first[4];
      if (type === undefined) return headerBytes;
      const limit = limits[type];
      // An oversize or unknown frame is judged as soon as its head is there.
      return limit === undefined || total - headerBytes > limit ? headerBytes + 4 : total;
    }
    return headerBytes;
  }

  #decode(data: Buffer): void {
    let offset = 0;
    while (data.length - offset >= headerBytes) {
      const length = data.readUInt32LE(offset);
      const type = data[offset + 4]!;
      const limit = limits[type];
      if (limit === undefined || length === 0) {
        this.#fail(`unknown frame type ${type}`);
        return;
      }
      const bodyLength = length - 1;
      const available = data.length - offset - headerBytes;
      if (bodyLength > limit) {
        if (!skippable.has(type)) {
          this.#fail(`frame of type ${type} with ${bodyLength} bytes`);
          return;
        }
        if (available < 4) break;
        const body = data.subarray(offset + headerBytes, offset + headerBytes + 4);
        const present = Math.min(available, bodyLength);
        this.#skip = bodyLength - present;
        offset += headerBytes + present;
        this.#receiver.frame(type, body, true);
        continue;
      }
      if (available < bodyLength) break;
      const start = offset + headerBytes;
      offset = start + bodyLength;
      this.#receiver.frame(type, data.subarray(start, offset), false);
      if (this.#broken) return;
    }
    if (offset < data.length) {
      const rest = data.subarray(offset);
      this.#chunks = [rest];
      this.#buffered = rest.length;
    }
  }

  #fail(reason: string): void {
    this.#broken = true;
    this.#chunks = [];
    this.#buffered = 0;
    this.#receiver.violation(reason);
  }
}
