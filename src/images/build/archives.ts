import { spawn } from 'node:child_process';
import { constants, createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
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
  const compression = await compressionOf(path);
  if (compression === undefined) return undefined;
  const stream = decompress(path, compression)[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < HEADER) {
      const next = await stream.next();
      if (next.done) break;
      first.push(next.value);
      length += next.value.length;
    }
  } catch (error) {
    await stream.return?.();
    // What only begins like an archive is a file like any other.
    if (compression !== 'none' && !(error instanceof MissingProgramError)) return undefined;
    throw error;
  }
  if (!isTarHeader(Buffer.concat(first).subarray(0, HEADER))) {
    await stream.return?.();
    return undefined;
  }
  return (async function* () {
    try {
      yield* first;
      for (;;) {
        const next = await stream.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await stream.return?.();
    }
  })();
}

class MissingProgramError extends Error {
  constructor(program: string) {
    super(
      `ADD of a .tar.${program === 'xz' ? 'xz' : 'bz2'} archive needs the program ${program}, which is not installed`,
    );
    this.name = 'MissingProgramError';
  }
}

async function compressionOf(path: string): Promise<Compression | undefined> {
  await using file = await open(path, READ);
  const head = Buffer.alloc(HEADER);
  const { bytesRead } = await file.read(head, 0, HEADER, 0);
  const start = head.subarray(0, bytesRead);
  const compressed = MAGIC.find(([, magic]) => start.subarray(0, magic.length).equals(magic));
  if (compressed !== undefined) return compressed[0];
  return isTarHeader(start) ? 'none' : undefined;
}

function decompress(path: string, compression: Compression): AsyncIterable<Buffer> {
  const file = createReadStream(path, { flags: READ as unknown as string });
  switch (compression) {
    case 'none':
      return file;
    case 'gzip':
      return through(file, createGunzip());
    case 'zstd':
      return through(file, createZstdDecompress());
    case 'bzip2':
    case 'xz':
      return program(file, compression);
  }
}

function through(file: Readable, transform: NodeJS.ReadWriteStream & AsyncIterable<unknown>): AsyncIterable<Buffer> {
  file.on('error', (error) => (transform as unknown as Readable).destroy(error));
  file.pipe(transform);
  return transform as AsyncIterable<Buffer>;
}

async function* program(file: Readable, name: 'bzip2' | 'xz'): AsyncGenerator<Buffer> {
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
  // A program that stops reading early says why by how it ends.
  pipeline(file, child.stdin).catch(() => undefined);
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const code = await ended;
    if (code !== 0) throw new Error(`${name}: ${errors.trim() || `ended with ${code}`}`);
  } finally {
    child.kill('SIGKILL');
    file.destroy();
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
