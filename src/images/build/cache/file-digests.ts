import { createHash, hash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keyOf } from './cache-keys.ts';

/** What tells that a file is unchanged, and its digest. */
interface Known {
  readonly size: number;
  /** Milliseconds, with parts of microseconds. */
  readonly mtime: number;
  readonly ctime: number;
  readonly inode: number;
  readonly digest: string;
}

type Saved = readonly [path: string, size: number, mtime: number, ctime: number, inode: number, digest: string];

const FORMAT = 2;
/** Directories whose digests are kept, in memory and on disk. */
const MAX_DIRECTORIES = 32;
/** Past this many files of one directory, those that the last builds did not ask for are forgotten. */
const MAX_FILES = 200_000;
/** Larger files are read in pieces. */
const PIECE = 1 << 20;
/** A link that takes the file's place meanwhile is not followed. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW;
/**
 * A file that was changed this shortly before it was read may be changed again with the same time: the kernel's clock for files
 * has ticks of up to 10 ms.
 */
const RECENT_MS = 50;

/**
 * Digests of files by what the kernel tells of them (size, times, inode), so that a file that has not changed is never read
 * again: in memory, and for directories that are built from again and again also on disk.
 */
export class FileDigests {
  readonly #directory: string;
  readonly #opened = new Map<string, Promise<DirectoryDigests>>();

  /** `directory` is where they are kept. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The digests of files below `root`; `keep`: also for later runs of this program. */
  async open(root: string, keep: boolean): Promise<DirectoryDigests> {
    let opened = this.#opened.get(root);
    if (opened === undefined) {
      opened = DirectoryDigests.load(keep ? this.#file(root) : undefined);
      this.#opened.set(root, opened);
      if (this.#opened.size > MAX_DIRECTORIES) this.#opened.delete(this.#opened.keys().next().value!);
    } else {
      this.#opened.delete(root);
      this.#opened.set(root, opened);
    }
    return opened;
  }

  /** Deletes what is kept on disk beyond the directories that were used last. */
  async tidy(): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    if (names.length <= MAX_DIRECTORIES) return;
    const ages = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.#directory, name))).mtimeMs })),
    );
    ages.sort((a, b) => b.at - a.at);
    await Promise.all(ages.slice(MAX_DIRECTORIES).map(({ name }) => rm(join(this.#directory, name), { force: true })));
  }

  #file(root: string): string {
    return join(this.#directory, `${keyOf(root).slice(0, 32)}.json`);
  }
}

/** Digests of the files below one directory. */
export class DirectoryDigests {
  readonly #file: string | undefined;
  readonly #known: Map<string, Known>;
  readonly #seen = new Set<string>();
  #changed = false;

  private constructor(file: string | undefined, known: Map<string, Known>) {
    this.#file = file;
    this.#known = known;
  }

  static async load(file: string | undefined): Promise<DirectoryDigests> {
    return new DirectoryDigests(file, file === undefined ? new Map() : await read(file));
  }

  /** The digest of an unchanged file; undefined when it must be read. `path` is relative. */
  peek(path: string, stats: Stats): string | undefined {
    const known = this.#known.get(path);
    if (known === undefined || !matches(known, stats)) return undefined;
    this.#seen.add(path);
    return known.digest;
  }

  /** Reads the file, which must be a regular one, and remembers its digest. `stats` were taken before. */
  async digest(path: string, absolute: string, stats: Stats): Promise<string> {
    const digest = await digestOf(absolute, stats.size);
    this.remember(path, stats, digest);
    return digest;
  }

  remember(path: string, stats: Stats, digest: string): void {
    const now = Date.now();
    if (now - stats.ctimeMs < RECENT_MS || now - stats.mtimeMs < RECENT_MS) {
      if (this.#known.delete(path)) this.#changed = true;
      return;
    }
    this.#seen.add(path);
    this.#changed = true;
    this.#known.set(path, {
      size: stats.size,
      mtime: stats.mtimeMs,
      ctime: stats.ctimeMs,
      inode: stats.ino,
      digest,
    });
  }

  /** Writes what is new to disk. */
  async save(): Promise<void> {
    if (this.#file === undefined) return;
    if (!this.#changed) {
      // The time tells which directories were used last.
      await utimes(this.#file, new Date(), new Date()).catch(() => undefined);
      return;
    }
    this.#changed = false;
    if (this.#known.size > MAX_FILES) {
      for (const path of this.#known.keys()) if (!this.#seen.has(path)) this.#known.delete(path);
      this.#seen.clear();
    }
    const files: Saved[] = [];
    for (const [path, { size, mtime, ctime, inode, digest }] of this.#known) {
      files.push([path, size, mtime, ctime, inode, digest]);
    }
    await mkdir(join(this.#file, '..'), { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.${process.pid}.new`;
    await writeFile(temporary, JSON.stringify({ format: FORMAT, files }), { mode: 0o600 });
    await rename(temporary, this.#file);
  }
}

async function read(file: string): Promise<Map<string, Known>> {
  try {
    const { format, files } = JSON.parse(await readFile(file, 'utf8')) as { format: unknown; files: readonly Saved[] };
    if (format !== FORMAT) return new Map();
    return new Map(
      files.map(([path, size, mtime, ctime, inode, digest]) => [path, { size, mtime, ctime, inode, digest }]),
    );
  } catch {
    // It only saves work: without it the files are read.
    return new Map();
  }
}

function matches(known: Known, stats: Stats): boolean {
  return (
    known.size === stats.size &&
    known.mtime === stats.mtimeMs &&
    known.ctime === stats.ctimeMs &&
    known.inode === stats.ino
  );
}

/** SHA-256 of a file in hexadecimal digits. What is read is never held in memory as a whole unless it is small. */
export async function digestOf(path: string, size: number): Promise<string> {
  if (size <= PIECE) return hash('sha256', await readFile(path, { flag: READ }), 'hex');
  const sum = createHash('sha256');
  await using file = await open(path, READ);
  const piece = Buffer.allocUnsafe(PIECE);
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, PIECE);
    if (bytesRead === 0) return sum.digest('hex');
    sum.update(piece.subarray(0, bytesRead));
  }
}
