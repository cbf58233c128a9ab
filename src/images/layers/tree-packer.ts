import { type BigIntStats, readSync } from 'node:fs';
import type { TarEntry } from '../tar/tar-entry.ts';
import { paddingOf, tarHeader } from '../tar/tar-header.ts';
import { entryOf, entryTypeOf } from './described-entry.ts';
import { type FileSystemCalls, fileTime } from './file-system-calls.ts';
import { linkTargetOf, lstatIfThere, namesIn } from './named-files.ts';
import type { SafeFiles } from './safe-files.ts';

/** Where an archive goes, piece by piece. */
export interface ArchiveOutput {
  write(bytes: Uint8Array): void;
  zeros(count: number): void;
  /** Lets `read` fill up to `wanted` bytes; answers how many it has filled. */
  fill(wanted: number, read: (buffer: Uint8Array) => number): number;
}

export interface TreePackerOptions {
  readonly output: ArchiveOutput;
  readonly calls: FileSystemCalls;
  readonly files: SafeFiles;
}

/**
 * Writes files into an archive, in the order of names. The calling thread is confined to their root. Others may change the files
 * meanwhile: what is gone is left out, and what was shortened is filled up with zeros.
 */
export class TreePacker {
  entries = 0;
  readonly calls: FileSystemCalls;
  readonly #output: ArchiveOutput;
  readonly #files: SafeFiles;
  /** First name in the archive of each file that has several. */
  readonly #links = new Map<string, string>();

  constructor({ output, calls, files }: TreePackerOptions) {
    this.calls = calls;
    this.#output = output;
    this.#files = files;
  }

  /** Writes what is at `path` as `name`, and what is below it where it is a directory. */
  pack(path: string, name: string): void {
    const found = lstatIfThere(path);
    if (found) this.file(path, name, found);
  }

  /** Writes what is in the directory at `path`, under the names that it has there. */
  contents(path: string): void {
    if (lstatIfThere(path)?.isDirectory()) this.below(path, '');
  }

  protected file(path: string, name: string, found: BigIntStats): void {
    const type = entryTypeOf(found);
    if (type === undefined) return;
    if (type === 'directory') this.directory(path, name, found);
    else if (found.nlink > 1n && this.#again(name, found)) return;
    else if (type === 'file') this.#regular(path, name, found);
    else {
      const linkTarget = type === 'symlink' ? linkTargetOf(path) : '';
      this.header(entryOf(name, type, found, { ...this.#attributes(path, found), linkTarget }));
    }
  }

  protected directory(path: string, name: string, found: BigIntStats): void {
    const prefix = name.endsWith('/') ? name : `${name}/`;
    this.header(entryOf(prefix, 'directory', found, this.#attributes(path, found)));
    this.below(path, prefix);
  }

  protected below(path: string, prefix: string): void {
    const directory = path.endsWith('/') ? path : `${path}/`;
    for (const name of namesIn(path)) this.pack(directory + name, prefix + name);
  }

  protected timeOf(found: BigIntStats): TarEntry['mtime'] {
    return { seconds: fileTime(found.mtimeNs).seconds, nanoseconds: 0 };
  }

  protected header(entry: TarEntry): void {
    this.entries++;
    this.#output.write(tarHeader(entry));
  }

  /** Whether this is one more name of a file that is in the archive already. */
  #again(name: string, found: BigIntStats): boolean {
    const file = `${found.dev}:${found.ino}`;
    const first = this.#links.get(file);
    if (first === undefined) this.#links.set(file, name);
    else this.header(entryOf(name, 'hard-link', found, { mtime: this.timeOf(found), linkTarget: first }));
    return first !== undefined;
  }

  #regular(path: string, name: string, found: BigIntStats): void {
    const size = Number(found.size);
    const fd = size > 0 ? this.#files.open(path) : undefined;
    if (size > 0 && fd === undefined) return; // gone, or no file any more
    try {
      this.header(entryOf(name, 'file', found, { ...this.#attributes(path, found), size }));
      let left = size;
      while (left > 0) {
        const count = this.#output.fill(left, (buffer) => readSync(fd!, buffer));
        if (count === 0) break;
        left -= count;
      }
      this.#output.zeros(left + paddingOf(size));
    } finally {
      if (fd !== undefined) this.#files.closeFile(fd);
    }
  }

  /** Time, and those extended attributes that mean something on another machine. */
  #attributes(path: string, found: BigIntStats): Pick<TarEntry, 'mtime' | 'xattrs'> {
    const xattrs = new Map<string, Uint8Array>();
    for (const name of this.calls.listXattrs(path)) {
      if (name !== 'security.capability' && !name.startsWith('user.')) continue;
      const value = this.calls.getXattr(path, name);
      if (value) xattrs.set(name, value);
    }
    return { mtime: this.timeOf(found), xattrs };
  }
}
