import { spawn } from 'node:child_process';
import { constants, createReadStream } from 'node:fs';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const HEADER = 512;
/** How compressed files begin. Sources: RFC 1952, RFC 8878, the bzip2 and xz file formats. */
const MAGIC: readonly (readonly [Compression, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
];
const READ = constants.O_RDONLY | constants.O_NOFOLLOW;

/**
 * Opens a file that is a tar archive, compressed or not, as the plain archive; undefined when it is none. Throws when the program
 * that its compression needs is not there. Source: "ADD", local tar archives: contents tell, not names.
 */
export async function openArchive(path: string): Promise<AsyncIterable<Uint8Array> | undefined> {
  const file = createReadStream(path, { flags: READ as unknown as string });
  const stream = new Beginning(file);
  const compression = compressionOf(await stream.peek(HEADER));
  if (compression === undefined) {
    file.destroy();
    return undefined;
  }
  const archive = new Beginning(decompress(stream, compression));
  try {
    if (isTarHeader(await archive.peek(HEADER))) return archive;
  } catch (error) {
    await archive.close();
    // What only begins like a compressed file is a file like any other.
    if (error instanceof MissingProgramError) throw new Error(error.message);
    return undefined;
  }
  await archive.close();
  return undefined;
}

/** A stream whose first bytes can be looked at. */
class Beginning implements AsyncIterable<Uint8Array> {
  readonly #stream: AsyncIterator<Uint8Array>;
  readonly #held: Uint8Array[] = [];

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#stream = source[Symbol.asyncIterator]();
  }

  /** The first bytes, fewer if there are no more. */
  async peek(length: number): Promise<Buffer> {
    let held = this.#held.reduce((sum, chunk) => sum + chunk.length, 0);
    while (held < length) {
      const next = await this.#stream.next();
      if (next.done) break;
      this.#held.push(next.value);
      held += next.value.length;
    }
    return Buffer.concat(this.#held).subarray(0, length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (this.#held.length > 0) yield this.#held.shift()!;
      for (;;) {
        const next = await this.#stream.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#stream.return?.();
  }
}

class MissingProgramError extends Error {
  constructor(program: string) {
    super(
      `ADD of a .tar.${program === 'xz' ? 'xz' : 'bz2'} archive needs the program ${program}, which is not installed`,
    );
    this.name = 'MissingProgramError';
  }
}

function compressionOf(start: Buffer): Compression | undefined {
  const compressed = MAGIC.find(([, magic]) => start.subarray(0, magic.length).equals(magic));
  if (compressed !== undefined) return compressed[0];
  return isTarHeader(start) ? 'none' : undefined;
}

function decompress(source: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'none':
      return source;
    case 'gzip':
      return through(source, createGunzip());
    case 'zstd':
      return through(source, createZstdDecompress());
    case 'bzip2':
    case 'xz':
      return program(source, compression);
  }
}

async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  // An error of the source comes out of the transform.
  pipeline(source, transform).catch(() => undefined);
  try {
    for await (const chunk of transform) yield chunk as Buffer;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw /^Z(_|STD)/.test(code) ? new Error(`the archive is damaged: ${message}`) : error;
  }
}

async function* program(source: AsyncIterable<Uint8Array>, name: 'bzip2' | 'xz'): AsyncGenerator<Buffer> {
  const child = spawn(name, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2048);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new MissingProgramError(name) : error),
    );
    child.on('close', resolve);
  });
  ended.catch(() => undefined);
  // A program that stops reading early says why by how it ends; a source that fails is why it does.
  let failure: unknown;
  pipeline(source, child.stdin).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') failure = error;
  });
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const code = await ended;
    if (failure !== undefined) throw failure;
    if (code !== 0) throw new Error(`${name}: ${errors.trim() || `ended with ${code}`}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Whether a block is the header of a tar archive's entry: its sum is right. Source: POSIX, `pax`, "ustar Interchange Format". */
function isTarHeader(block: Buffer): boolean {
  if (block.length < HEADER || block[0] === 0) return false;
  const written = block
    .toString('latin1', 148, 156)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]+$/.test(written)) return false;
  let sum = 8 * 0x20;
  for (const [index, byte] of block.entries()) if (index < 148 || index >= 156) sum += byte;
  return sum === Number.parseInt(written, 8);
}
