import {
  chmodSync,
  closeSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { chmod, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { decompressed, type TarEntry, TarError, type TarHandler, TarReader } from '../../images/index.ts';
import { invalid } from '../shapes/shape.ts';
import { SMALL_CONTEXT_BYTES } from './context-places.ts';

/** Others have their turn after so long, however many files it was. */
const TURN_MS = 10;

/** An empty directory that is nobody else's; `small`: the context has no more than {@link SMALL_CONTEXT_BYTES}. */
export type MakeDirectory = (small: boolean) => Promise<string>;

/**
 * Unpacks an uploaded build context (plain, gzip or zstd) into a directory, which is answered. Nothing is made outside of it: a name that
 * climbs out, goes through a link, or is a device is refused. Owners are left out, as builds give files to root anyhow.
 */
export async function unpackContext(archive: AsyncIterable<Uint8Array>, make: MakeDirectory): Promise<string> {
  const pieces = decompressed(archive);
  let writer: ContextWriter | undefined;
  try {
    const { head, whole } = await beginningOf(pieces);
    const directory = await make(whole);
    writer = new ContextWriter(directory);
    await unpack(head, pieces, new TarReader(writer));
    await writer.finish();
    return directory;
  } catch (error) {
    writer?.close();
    await pieces.return(undefined);
    throw toContextError(error);
  }
}

/** What comes first, and whether that is all. */
async function beginningOf(
  pieces: AsyncGenerator<Uint8Array>,
): Promise<{ readonly head: readonly Uint8Array[]; readonly whole: boolean }> {
  const head: Uint8Array[] = [];
  for (let size = 0; size <= SMALL_CONTEXT_BYTES; size += head.at(-1)!.length) {
    const { value, done } = await pieces.next();
    if (done) return { head, whole: true };
    head.push(value);
  }
  return { head, whole: false };
}

async function unpack(head: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>, reader: TarReader): Promise<void> {
  let turn = performance.now();
  const take = async (piece: Uint8Array) => {
    reader.write(piece);
    if (performance.now() - turn < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    turn = performance.now();
  };
  for (const piece of head) await take(piece);
  for await (const piece of rest) await take(piece);
  reader.finish();
}

/** What is wrong with the archive is the client's fault; all else is not. */
function toContextError(error: unknown): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const isArchive = error instanceof TarError || code.startsWith('Z_') || code.startsWith('ZSTD');
  if (isArchive) return invalid(`Error processing tar file: ${message}`);
  return code === 'ENAMETOOLONG'
    ? invalid('Error processing tar file: a name in the build context is too long')
    : error;
}

type Kind = 'directory' | 'file' | 'link';

class ContextWriter implements TarHandler {
  readonly #root: string;
  /** What has been made so far, by its path: nothing else is there, so no link needs to be looked for on disk. */
  readonly #made = new Map<string, Kind>([['', 'directory']]);
  readonly #directories: TarEntry[] = [];
  #fd: number | undefined;
  #entry: TarEntry | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  begin(entry: TarEntry): void {
    this.#entry = entry;
    const path = cleanPath(entry.path);
    if (path === '') {
      if (entry.type !== 'directory') throw new TarError('a file of the build context has no name');
      return;
    }
    this.#makeParents(path);
    const present = this.#made.get(path);
    if (present === 'directory' && entry.type !== 'directory')
      throw new TarError(`${path} is a directory and something else`);
    if (present !== undefined && present !== 'directory') rmSync(this.#host(path));
    this.#make(path, entry);
  }

  write(bytes: Uint8Array, position: number): void {
    if (this.#fd === undefined) return;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
    }
  }

  end(): void {
    if (this.#fd === undefined || this.#entry === undefined) return;
    const { size, mode, mtime } = this.#entry;
    // A file may end in a hole.
    ftruncateSync(this.#fd, size);
    // Opening it has taken off what this process's umask has, and so does writing with set-user-id.
    fchmodSync(this.#fd, mode & 0o7777);
    futimesSync(this.#fd, mtime.seconds, mtime.seconds);
    this.close();
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Directories get their modes and times last, deepest first: until then they must take files. */
  async finish(): Promise<void> {
    for (const { path, mode, mtime } of this.#directories.toReversed()) {
      const host = this.#host(cleanPath(path));
      await chmod(host, mode & 0o7777);
      await utimes(host, mtime.seconds, mtime.seconds);
    }
  }

  #make(path: string, entry: TarEntry): void {
    const host = this.#host(path);
    switch (entry.type) {
      case 'directory':
        if (!this.#made.has(path) || this.#made.get(path) !== 'directory') mkdirSync(host, 0o755);
        this.#made.set(path, 'directory');
        this.#directories.push(entry);
        return;
      case 'file':
        this.#fd = openSync(host, 'wx', 0o600);
        this.#made.set(path, 'file');
        return;
      case 'symlink':
        symlinkSync(entry.linkTarget, host);
        lutimesSync(host, entry.mtime.seconds, entry.mtime.seconds);
        this.#made.set(path, 'link');
        return;
      case 'hard-link': {
        const target = cleanPath(entry.linkTarget);
        if (this.#made.get(target) !== 'file')
          throw new TarError(`${path} is a link to ${target}, which is no file before it`);
        linkSync(this.#host(target), host);
        this.#made.set(path, 'file');
        return;
      }
      default:
        throw new TarError(`${path} is a device or a pipe, which a build context cannot hold`);
    }
  }

  #makeParents(path: string): void {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const parent = path.slice(0, at);
      const kind = this.#made.get(parent);
      if (kind === 'directory') continue;
      if (kind !== undefined) throw new TarError(`${path} goes through ${parent}, which is no directory`);
      mkdirSync(this.#host(parent));
      chmodSync(this.#host(parent), 0o755);
      this.#made.set(parent, 'directory');
    }
  }

  #host(path: string): string {
    return join(this.#root, path);
  }
}

/** Without `.`, double slashes and those at the ends. A name that climbs is refused, even if it comes back. */
function cleanPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new TarError(`the name ${name.slice(0, 200)} leads out of the build context`);
  return parts.join('/');
}
