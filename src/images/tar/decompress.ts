import { createReadStream } from 'node:fs';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TarError } from './tar-entry.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Bytes that tell a compression. */
export const MAGIC_LENGTH = 6;
const OUTPUT_CHUNK = 1024 * 1024;
/** Bytes that are read from a file at once. */
const READ_CHUNK = 512 * 1024;

/**
 * How an archive is compressed, by its first bytes; media types are wrong too often. Throws {@link TarError} for one that is known
 * but not supported. Sources: RFC 1952, RFC 8878 (also skippable frames), the formats of xz and bzip2.
 */
export function compressionOf(magic: Uint8Array): Compression {
  const starts = (...bytes: readonly number[]) => bytes.every((byte, i) => magic[i] === byte);
  if (starts(0x1f, 0x8b)) return 'gzip';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  if (((magic[0] ?? 0) & 0xf0) === 0x50 && magic[1] === 0x2a && magic[2] === 0x4d && magic[3] === 0x18) return 'zstd';
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) throw unsupported('xz');
  if (starts(0x42, 0x5a, 0x68)) throw unsupported('bzip2');
  return 'none';
}

function unsupported(name: string): TarError {
  return new TarError(`the archive is compressed with ${name}, which is not supported; gzip, zstd and none are`);
}

function decompressor(compression: Exclude<Compression, 'none'>): Transform {
  const options = { chunkSize: OUTPUT_CHUNK };
  return compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
}

/** Decompresses an open file; `onRead` is told how many of its bytes were read. Takes the descriptor over. */
export function decompressFile(
  fd: number,
  compression: Exclude<Compression, 'none'>,
  onRead: (bytes: number) => void,
): Readable {
  const source = createReadStream('', { fd, start: 0, highWaterMark: READ_CHUNK });
  source.on('data', (chunk) => onRead(chunk.length));
  return pipeline(source, decompressor(compression), () => {});
}

/** The plain archive, whichever way it is compressed. */
export async function* decompressed(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < MAGIC_LENGTH) {
    const next = await iterator.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  };
  const compression = compressionOf(head);
  yield* compression === 'none' ? all() : decompressStream(compression, all());
}

function decompressStream(compression: Exclude<Compression, 'none'>, source: AsyncIterable<Uint8Array>): Readable {
  return pipeline(Readable.from(source, { objectMode: false }), decompressor(compression), () => {});
}
