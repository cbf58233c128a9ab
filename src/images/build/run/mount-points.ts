import { type BigIntStats, closeSync, lstatSync, mkdirSync, openSync, rmdirSync, unlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { FileSystemCalls } from '../../layers/file-system-calls.ts';
import { missingBelow, resolveInside } from '../copy/inside.ts';

interface Stub {
  readonly path: string;
  /** Of the directory that it is in, as the inside sees it. */
  readonly inside: string;
  readonly kind: 'file' | 'directory';
  readonly parent: string;
  /** Of the directory that it is in, before and after it was made. */
  readonly before: BigIntStats;
  readonly after: BigIntStats;
}

const BILLION = 1_000_000_000n;

/**
 * Makes the files and directories of a root that something will be mounted on, and takes those away afterwards that it made, as
 * long as they are still empty. Directories that they are in keep their times. Source: BuildKit leaves no mount points behind.
 */
export class MountPoints {
  readonly #root: string;
  readonly #calls: FileSystemCalls;
  readonly #stubs: Stub[] = [];
  /** Their paths inside. */
  readonly #made = new Set<string>();
  /** Directories that something was made in or below, as they were, by their paths inside. */
  readonly #touched = new Map<string, BigIntStats>();

  constructor(root: string, calls: FileSystemCalls) {
    this.#root = root;
    this.#calls = calls;
  }

  /** Makes a mount point if it is not there. Links on the way are followed inside the root. */
  make(target: string, kind: 'file' | 'directory'): void {
    const { inside, stats } = resolveInside(this.#root, target);
    if (stats !== undefined || inside === '/') return;
    const missing = missingBelow(this.#root, inside);
    for (let above = posix.dirname(missing[0]!); above !== '/'; above = posix.dirname(above)) {
      if (this.#touched.has(above) || this.#made.has(above)) continue;
      this.#touched.set(above, lstatSync(join(this.#root, above), { bigint: true }));
    }
    for (const at of missing) this.#make(at, at === inside ? kind : 'directory');
  }

  #make(inside: string, kind: Stub['kind']): void {
    const path = join(this.#root, inside);
    const parent = posix.dirname(path);
    const before = lstatSync(parent, { bigint: true });
    if (kind === 'directory') mkdirSync(path, 0o755);
    else closeSync(openSync(path, 'wx', 0o644));
    this.#made.add(inside);
    this.#stubs.push({
      path,
      inside: posix.dirname(inside),
      kind,
      parent,
      before,
      after: lstatSync(parent, { bigint: true }),
    });
  }

  /**
   * Takes away what was made here and is still empty. Answers directories that are again as they were: overlayfs has them among
   * what was written all the same. Nothing may be running in the root any more: whatever ran there may have put links in the
   * place of directories, which would lead out of it.
   */
  clear(): string[] {
    const directories = new RealDirectories(this.#root);
    for (const { path, inside, kind, parent, before, after } of this.#stubs.reverse()) {
      const holder = directories.look(inside);
      if (holder === undefined || !removeEmpty(path, kind)) continue;
      // Whatever else was done in the directory has its own time.
      const time = holder.mtimeNs === after.mtimeNs ? before.mtimeNs : holder.mtimeNs;
      const nanoseconds = ((time % BILLION) + BILLION) % BILLION;
      this.#calls.setTime(parent, {
        seconds: Number((time - nanoseconds) / BILLION),
        nanoseconds: Number(nanoseconds),
      });
    }
    this.#stubs.length = 0;
    this.#made.clear();
    return [...this.#touched].flatMap(([inside, before]) => {
      const now = directories.look(inside);
      return now !== undefined && isSame(now, before) ? [inside] : [];
    });
  }
}

/** Directories of a root that are what they seem: no link is on the way to them. Nothing may change the root meanwhile but deletions. */
class RealDirectories {
  readonly #root: string;
  readonly #known = new Set(['/']);

  constructor(root: string) {
    this.#root = root;
  }

  /** The directory as it is now; undefined when it is not there, or not by itself. */
  look(inside: string): BigIntStats | undefined {
    const unknown: string[] = [];
    for (let at = inside; !this.#known.has(at); at = posix.dirname(at)) unknown.push(at);
    for (const at of unknown.reverse()) {
      if (this.#lstat(at)?.isDirectory() !== true) return undefined;
      this.#known.add(at);
    }
    return this.#lstat(inside);
  }

  #lstat(inside: string): BigIntStats | undefined {
    return lstatSync(join(this.#root, inside), { bigint: true, throwIfNoEntry: false });
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.isDirectory() && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeNs === b.mtimeNs;
}

function removeEmpty(path: string, kind: 'file' | 'directory'): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  if (kind === 'file') {
    if (!stats.isFile() || stats.size > 0) return false;
    unlinkSync(path);
    return true;
  }
  if (!stats.isDirectory()) return false;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return false;
    throw error;
  }
}
