import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { FileSystemCalls } from '../../layers/file-system-calls.ts';
import { type DirectoryDigests, digestOf } from '../cache/file-digests.ts';
import type { Ignore } from '../dockerfile/index.ts';
import { attributesDigest } from './attributes.ts';
import { InsidePathError, resolveInside } from './inside.ts';

/** A file, directory or link that can be copied from. */
export interface TreeFile {
  /** Relative to the tree's root, with `/`; empty for the root itself. */
  readonly path: string;
  /** Path on this machine. */
  readonly absolute: string;
  readonly kind: 'file' | 'directory' | 'link' | 'device' | 'fifo' | 'socket';
  readonly stats: Stats;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a link. */
  readonly target: string;
}

export interface SourceTreeOptions {
  /** Absolute path. */
  readonly root: string;
  /** How messages call it: `the build context`, `stage builder`. */
  readonly label: string;
  readonly ignore?: Ignore;
  /** `root`: everything belongs to root, as in a build context. */
  readonly owner: 'root' | 'own';
  /** Digests of files that are known; without it they are read each time. */
  readonly digests?: DirectoryDigests;
  /** Every file is of this time; epoch seconds. */
  readonly time?: number;
  /** Reads extended attributes, of files that have their own. */
  readonly calls?: Pick<FileSystemCalls, 'listXattrs' | 'getXattr'>;
}

/** Files read at a time. */
const READERS = 16;
const SURROGATE = /[\ud800-\udfff]/;
/** The loop of events turns at least this often. */
const SLICE_MS = 4;

/**
 * Files that COPY, ADD and mounts take from: a build context, the file system of a stage or an image, a Git checkout. No path
 * leads out of it, also not through links. It is looked at once: what changes meanwhile is not seen.
 */
export class SourceTree {
  readonly label: string;
  readonly root: string;
  readonly time: number | undefined;
  /** Files have owners and attributes of their own. */
  readonly ownsFiles: boolean;
  readonly #options: SourceTreeOptions;
  readonly #listed = new Map<string, readonly TreeFile[]>();
  readonly #digests = new Map<string, Promise<string>>();
  #ignored = false;
  readonly #readers: (() => void)[] = [];
  #reading = 0;

  constructor(options: SourceTreeOptions) {
    this.#options = options;
    this.root = options.root;
    this.label = options.label;
    this.time = options.time;
    this.ownsFiles = options.owner === 'own';
  }

  /** Whether something was left out of what has been listed. */
  get hasIgnored(): boolean {
    return this.#ignored;
  }

  /** What is at `path`, links followed within the tree; undefined when there is nothing, or it is ignored. */
  find(path: string, options: { readonly follow?: boolean } = {}): TreeFile | undefined {
    const found = resolve(this.root, path, options.follow ?? true);
    if (found?.stats === undefined) return undefined;
    const file = this.#file(found.inside.slice(1), found.stats);
    return this.#isLeftOut(path.replace(/^\/+|\/+$/g, '')) || this.#leavesOut(file) ? undefined : file;
  }

  /** Whether `path` is there but left out by `.dockerignore`. */
  ignores(path: string): boolean {
    return resolve(this.root, path, true)?.stats !== undefined && this.find(path) === undefined;
  }

  /** What a directory holds, in the order of bytes. */
  list(directory: TreeFile): readonly TreeFile[] {
    let listed = this.#listed.get(directory.path);
    if (listed === undefined) {
      const names = readdirSync(directory.absolute).sort(byBytes);
      listed = names.flatMap((name): TreeFile[] => {
        const path = directory.path === '' ? name : `${directory.path}/${name}`;
        const stats = lstatSync(`${this.root}/${path}`, { throwIfNoEntry: false });
        if (stats === undefined) return [];
        const file = this.#file(path, stats);
        if (!this.#leavesOut(file)) return [file];
        this.#ignored = true;
        return [];
      });
      this.#listed.set(directory.path, listed);
    }
    return listed;
  }

  /** Visits everything below a directory, each directory before what it holds; `leave`: not what this directory holds. */
  async walk(directory: TreeFile, visit: (file: TreeFile) => 'enter' | 'leave'): Promise<void> {
    let slice = performance.now();
    let count = 0;
    const pending = this.list(directory).toReversed();
    while (pending.length > 0) {
      const file = pending.pop()!;
      if (visit(file) === 'enter' && file.kind === 'directory') {
        const inner = this.list(file);
        for (let index = inner.length - 1; index >= 0; index -= 1) pending.push(inner[index]!);
      }
      count += 1;
      if (count % 64 === 0 && performance.now() - slice > SLICE_MS) {
        await setImmediate();
        slice = performance.now();
      }
    }
  }

  /** SHA-256 of a regular file's content, in hexadecimal digits; what has not changed is not read again. */
  digest(file: TreeFile): string | Promise<string> {
    const known = this.#options.digests?.peek(file.path, file.stats);
    if (known !== undefined) return known;
    let digest = this.#digests.get(file.path);
    if (digest === undefined) {
      digest = this.#read(file);
      this.#digests.set(file.path, digest);
    }
    return digest;
  }

  /** Tells the extended attributes that are copied with a file; empty when there are none. */
  attributes(file: TreeFile): string {
    const { calls } = this.#options;
    return calls === undefined ? '' : attributesDigest(calls, file.absolute);
  }

  async #read(file: TreeFile): Promise<string> {
    if (this.#reading >= READERS) await new Promise<void>((resolve) => this.#readers.push(resolve));
    else this.#reading += 1;
    try {
      const { digests } = this.#options;
      return digests === undefined
        ? await digestOf(file.absolute, file.stats.size)
        : await digests.digest(file.path, file.absolute, file.stats);
    } finally {
      const next = this.#readers.shift();
      if (next === undefined) this.#reading -= 1;
      else next();
    }
  }

  #file(path: string, stats: Stats): TreeFile {
    const { owner } = this.#options;
    const kind = kindOf(stats);
    const absolute = path === '' ? this.root : `${this.root}/${path}`;
    return {
      path,
      absolute,
      kind,
      stats,
      // The mode of a context's own directory is an accident of how it came here.
      mode: path === '' && owner === 'root' ? 0o755 : stats.mode & 0o7777,
      uid: owner === 'root' ? 0 : stats.uid,
      gid: owner === 'root' ? 0 : stats.gid,
      target: kind === 'link' ? readlinkSync(absolute) : '',
    };
  }

  #isLeftOut(path: string): boolean {
    const { ignore } = this.#options;
    return ignore !== undefined && path !== '' && ignore.excludes(path) && ignore.prunes(path);
  }

  /** An excluded directory is there all the same when something in it is let in again. */
  #leavesOut(file: TreeFile): boolean {
    const { ignore } = this.#options;
    if (ignore === undefined || file.path === '' || !ignore.excludes(file.path)) return false;
    if (file.kind !== 'directory' || ignore.prunes(file.path)) return true;
    return this.list(file).length === 0;
  }
}

function resolve(root: string, path: string, follow: boolean): ReturnType<typeof resolveInside> | undefined {
  try {
    return resolveInside(root, path, { follow });
  } catch (error) {
    // A path through a file, or a loop of links: there is nothing.
    if (error instanceof InsidePathError) return undefined;
    throw error;
  }
}

function kindOf(stats: Stats): TreeFile['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isFIFO()) return 'fifo';
  return stats.isSocket() ? 'socket' : 'device';
}

/** As UTF-8 has it. UTF-16 has the same order but for what takes two units. */
function byBytes(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
