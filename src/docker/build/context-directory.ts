import {
  closeSync,
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

/** Chunks of an archive between which others have their turn. */
const TURN_BYTES = 8 * 1024 * 1024;

/**
 * Unpacks an uploaded build context (plain, gzip or zstd) below `directory`, which must be empty and nobody else's. Nothing is made outside of it: a name that
 * climbs out, goes through a link, or is a device is refused. Owners are left out, as builds give files to root anyhow.
 */
export async function unpackContext(archive: AsyncIterable<Uint8Array>, directory: string): Promise<void> {
  const writer = new ContextWriter(directory);
  const reader = new TarReader(writer);
  let inTurn = 0;
  try {
    for await (const chunk of decompressed(archive)) {
      reader.write(chunk);
      inTurn += chunk.length;
      if (inTurn < TURN_BYTES) continue;
      inTurn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    reader.finish();
  } catch (error) {
    writer.close();
    throw toContextError(error);
  }
  await writer.finish();
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
    const { size, mtime } = this.#entry;
    // A file may end in a hole.
    ftruncateSync(this.#fd, size);
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
      await chmod(host, mode);
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
        this.#fd = openSync(host, 'wx', entry.mode & 0o777);
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
      mkdirSync(this.#host(parent), 0o755);
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
