import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, deflateRawSync } from 'node:zlib';

const deflate = promisify(deflateRaw);

/** Content of one piece; each is compressed on its own, with what is before it as the dictionary. */
const PIECE = 512 * 1024;
/** As far back as the format can refer. Source: RFC 1951, 2. */
const WINDOW = 32 * 1024;
/** Higher levels take twice as long for less than a tenth of the size. */
const LEVEL = 3;
/** Pieces that are compressed at once. */
const AT_ONCE = Math.max(2, availableParallelism());
/** What is given back at once. A piece that does not get smaller takes a few bytes more than it has. */
const OUTPUT_CHUNK = PIECE + 1024;
/** Content of a block that is not compressed, and its header. Source: RFC 1951, 3.2.4. */
const STORED_BLOCK = 65_535;
const STORED_HEADER = 5;

/** Places of a piece that are looked at to find out whether it is worth the work, and how much of each: much of what images have is compressed already. */
const SPOTS = 8;
const SPOT = 2048;
/** A sample that gets no smaller than this part of itself is not worth it. */
const WORTH = 0.98;

/** Without name and time, so that the same content always gives the same bytes. Source: RFC 1952, 2.3. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** A piece on its way. Its memory is used again afterwards. */
interface Running {
  readonly buffer: Buffer;
  readonly piece: Buffer;
  /** None: the piece is stored as it is. */
  readonly compressed: Promise<Buffer> | undefined;
}

/**
 * Compresses to gzip on several processors; the same content gives the same bytes, however it comes. `read` puts the next bytes
 * into a buffer and answers how many; at the end none. What is given is good until the next is asked for.
 */
export async function* gzip(read: (buffer: Buffer) => number): AsyncGenerator<Uint8Array> {
  yield HEADER;
  const running: Running[] = [];
  const free: Buffer[] = [];
  const blocks = new StoredBlocks();
  let dictionary: Buffer | undefined;
  let checksum = 0;
  let size = 0;
  const next = async () => {
    const { buffer, piece, compressed } = running.shift()!;
    const output = compressed ? await compressed : blocks.of(piece);
    free.push(buffer);
    return output;
  };
  try {
    for (;;) {
      const buffer = free.pop() ?? Buffer.allocUnsafeSlow(PIECE);
      const piece = buffer.subarray(0, fill(buffer, read));
      if (piece.length === 0) break;
      checksum = crc32(piece, checksum);
      size += piece.length;
      running.push({ buffer, piece, compressed: isCompressible(piece) ? compress(piece, dictionary) : undefined });
      dictionary = Buffer.from(piece.subarray(-WINDOW));
      if (running.length >= AT_ONCE) yield await next();
    }
    while (running.length > 0) yield await next();
  } finally {
    // Nobody waits any more for those that are left after a failure.
    await Promise.allSettled(running.map(({ compressed }) => compressed));
  }
  const trailer = Buffer.alloc(10);
  // The last block: empty, with the codes that the format fixes.
  trailer.writeUInt16LE(0x0003, 0);
  trailer.writeUInt32LE(checksum, 2);
  trailer.writeUInt32LE(size % 2 ** 32, 6);
  yield trailer;
}

/** As much as there is room for; less only at the end. */
function fill(buffer: Buffer, read: (buffer: Buffer) => number): number {
  let used = 0;
  while (used < buffer.length) {
    const count = read(buffer.subarray(used));
    if (count === 0) break;
    used += count;
  }
  return used;
}

function compress(piece: Buffer, dictionary: Buffer | undefined): Promise<Buffer> {
  // A flush ends a piece at a whole byte, so that the next can be put after it.
  const options = { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH, chunkSize: OUTPUT_CHUNK };
  return deflate(piece, { ...options, ...(dictionary && { dictionary }) });
}

/** Makes pieces into blocks that are not compressed, always in the same memory. */
class StoredBlocks {
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE + Math.ceil(PIECE / STORED_BLOCK) * STORED_HEADER);

  of(piece: Buffer): Buffer {
    let used = 0;
    for (let at = 0; at < piece.length; at += STORED_BLOCK) {
      const content = piece.subarray(at, at + STORED_BLOCK);
      this.#buffer[used] = 0;
      this.#buffer.writeUInt16LE(content.length, used + 1);
      this.#buffer.writeUInt16LE(~content.length & 0xffff, used + 3);
      this.#buffer.set(content, used + STORED_HEADER);
      used += STORED_HEADER + content.length;
    }
    return this.#buffer.subarray(0, used);
  }
}

/** By a few places in it. */
function isCompressible(piece: Buffer): boolean {
  if (piece.length < 2 * SPOTS * SPOT) return true;
  const stride = Math.floor((piece.length - SPOT) / (SPOTS - 1));
  const spots = Array.from({ length: SPOTS }, (_, i) => piece.subarray(i * stride, i * stride + SPOT));
  const sample = Buffer.concat(spots);
  if (!isFlat(sample)) return true;
  return deflateRawSync(sample, { level: 1, chunkSize: sample.length + 1024 }).length < sample.length * WORTH;
}

/** Whether all bytes are about as frequent, as they are in random and in compressed content. */
function isFlat(sample: Buffer): boolean {
  const counts = new Uint32Array(256);
  for (const byte of sample) counts[byte]!++;
  const mean = sample.length / 256;
  let deviation = 0;
  for (const count of counts) deviation += Math.abs(count - mean);
  return deviation < sample.length / 4;
}
