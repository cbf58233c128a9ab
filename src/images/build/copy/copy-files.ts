import {
  chmodSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import type { FileSystemCalls } from '../../layers/file-system-calls.ts';
import type { Owner } from './accounts.ts';
import { copiedAttributes } from './attributes.ts';
import { parseModeChange } from './file-mode.ts';
import { missingBelow, resolveInside } from './inside.ts';

/** A file as it is to be. Plain data: it is handed to another thread. */
export interface CopyFile {
  readonly kind: 'file' | 'directory' | 'link' | 'device' | 'fifo' | 'socket';
  /** Where its content is; undefined: in `data`. */
  readonly from: string | undefined;
  /** Bytes. */
  readonly size: number;
  readonly data?: string;
  readonly mode: number;
  /** Of the file that is copied. */
  readonly sourceMode?: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a link. */
  readonly target: string;
  /** Epoch nanoseconds; undefined: that of the source. */
  readonly time?: bigint;
  /** Of a device, with the kind of device in `nodeMode`. */
  readonly device?: bigint;
  readonly nodeMode?: number;
  /** The same for all names of one file. */
  readonly inode?: string;
  /** Size and times as they were when the content was summed up. */
  readonly stamp?: string;
  /** Take its extended attributes along. */
  readonly attributes: boolean;
}

export interface CopySource {
  /** What a file is called where it comes into a directory. */
  readonly name: string;
  readonly file: CopyFile;
  readonly below: readonly { readonly path: string; readonly file: CopyFile }[];
}

/** COPY or ADD, everything found and looked up. */
export interface CopyPlan {
  /** Host path of the root file system. */
  readonly root: string;
  /** As the inside sees it, absolute. */
  readonly destination: string;
  /** The destination was written as a directory. */
  readonly intoDirectory: boolean;
  readonly sources: readonly CopySource[];
  /** `--chown`; undefined: each keeps its owner. */
  readonly owner: Owner | undefined;
  /** `--chmod` as it was written. */
  readonly mode: string | undefined;
}

export interface CopyResult {
  /** Host paths of files that were changed after they had been summed up. */
  readonly changed: readonly string[];
}

/** A destination that cannot be written. The message is for the user. */
export class CopyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CopyError';
  }
}

const BILLION = 1_000_000_000n;
/** Bytes, for Linux. */
const LONGEST_PATH = 4095;
const ROOT_OWNER: Owner = { uid: 0, gid: 0 };

/**
 * Copies into a root as BuildKit does: the content of directories is merged into what is there, files replace files and links, a
 * directory is never replaced by a file nor the other way around. The way to the destination may lead over links, inside of the
 * root; below it no link is followed.
 */
export function copyFiles(plan: CopyPlan, calls: FileSystemCalls): CopyResult {
  return new Copying(plan, calls).run();
}

/** Makes a directory and those above it; those that are new get `owner` and mode 0755. Answers its host path. */
export function makeDirectories(root: string, path: string, owner: Owner): string {
  const { path: host, inside, stats } = resolveInside(root, path);
  if (stats?.isDirectory()) return host;
  if (stats !== undefined) throw new CopyError(`${inside} is not a directory`);
  if (Buffer.byteLength(host) > LONGEST_PATH) throw new CopyError('the path of the destination is too long');
  for (const missing of missingBelow(root, inside)) makeDirectory(join(root, missing), 0o755, owner);
  return host;
}

function makeDirectory(path: string, mode: number, { uid, gid }: Owner): void {
  mkdirSync(path, 0o700);
  lchownSync(path, uid, gid);
  chmodSync(path, mode);
}

class Copying {
  readonly #plan: CopyPlan;
  readonly #calls: FileSystemCalls;
  readonly #changeMode: (mode: number, isDirectory: boolean) => number;
  readonly #links = new Map<string, string>();
  /** Directories whose times are set when everything is in them. */
  readonly #times: { path: string; time: bigint }[] = [];
  /** Directories made here: nothing can be in them yet. */
  readonly #fresh = new Set<string>();
  readonly #changed: string[] = [];
  /** Directories whose files are of the directory's group. */
  readonly #givesGroup = new Map<string, boolean>();

  constructor(plan: CopyPlan, calls: FileSystemCalls) {
    this.#plan = plan;
    this.#calls = calls;
    this.#changeMode = (plan.mode === undefined ? undefined : parseModeChange(plan.mode)) ?? ((mode) => mode);
  }

  run(): CopyResult {
    const several = this.#plan.sources.filter(({ file }) => file.kind !== 'directory').length > 1;
    for (const source of this.#plan.sources) {
      this.#fresh.clear();
      // A later source may replace what an earlier one has brought, and the digest knows no links between them.
      this.#links.clear();
      if (source.file.kind === 'directory') this.#copyDirectory(source);
      else this.#copyNamed(source, several);
    }
    for (const { path, time } of this.#times.reverse()) this.#setTime(path, time);
    return { changed: this.#changed };
  }

  #copyDirectory({ file, below }: CopySource): void {
    const { root, destination } = this.#plan;
    const found = resolveInside(root, destination);
    if (found.stats !== undefined && !found.stats.isDirectory()) {
      throw new CopyError(`cannot copy a directory to ${destination}, which is a file`);
    }
    if (found.stats === undefined) {
      makeDirectories(root, posix.dirname(found.inside), this.#plan.owner ?? ROOT_OWNER);
      this.#place(found.path, found.inside, file, true);
    }
    const base = found.path;
    for (const { path, file: inner } of below) {
      const host = join(base, path);
      const parent = path.includes('/') ? join(base, posix.dirname(path)) : base;
      this.#place(host, posix.join(found.inside, path), inner, this.#fresh.has(parent));
    }
  }

  #copyNamed({ name, file }: CopySource, several: boolean): void {
    const { root, destination, intoDirectory } = this.#plan;
    const owner = this.#plan.owner ?? ROOT_OWNER;
    const at = resolveInside(root, destination);
    if (intoDirectory || at.stats?.isDirectory()) {
      if (name === '') throw new CopyError(`a file name is missing: ${destination} is a directory`);
      // Names of here-documents and addresses are whatever somebody wrote: as a path they would lead out of the root.
      if (name === '.' || name === '..' || /[/\0]/.test(name)) {
        throw new CopyError(`"${name}" is not the name of a file, and ${destination} is a directory`);
      }
      const directory = makeDirectories(root, destination, owner);
      this.#place(join(directory, name), posix.join(at.inside, name), file, false);
      return;
    }
    if (several) {
      throw new CopyError(`several files are copied, so the destination must be a directory and end with a /`);
    }
    // A link in the file's place is replaced, not followed.
    const parent = resolveInside(root, posix.dirname(destination));
    const directory = makeDirectories(root, parent.inside, owner);
    const base = posix.basename(destination);
    this.#place(join(directory, base), posix.join(parent.inside, base), file, false);
  }

  #place(path: string, inside: string, file: CopyFile, fresh: boolean): void {
    const there = fresh ? undefined : lstatSync(path, { throwIfNoEntry: false });
    if (file.kind === 'directory') {
      if (there === undefined) {
        mkdirSync(path, 0o700);
        this.#fresh.add(path);
      } else if (!there.isDirectory()) {
        throw new CopyError(`cannot copy a directory to ${inside}, which is not one`);
      }
      this.#dress(path, file);
      this.#times.push({ path, time: timeOf(file) });
      return;
    }
    if (file.kind === 'socket') return;
    if (there?.isDirectory()) throw new CopyError(`cannot replace the directory ${inside} with a file`);
    if (there !== undefined) unlinkSync(path);
    if (file.inode !== undefined) {
      const first = this.#links.get(file.inode);
      if (first !== undefined) {
        linkSync(first, path);
        return;
      }
      this.#links.set(file.inode, path);
    }
    this.#make(path, file);
    this.#dress(path, file);
    this.#setTime(path, timeOf(file));
  }

  #make(path: string, file: CopyFile): void {
    if (file.kind === 'link') symlinkSync(file.target, path);
    else if (file.kind === 'device' || file.kind === 'fifo') {
      this.#calls.makeNode(path, file.nodeMode! | 0o600, file.device ?? 0n);
    } else if (file.from === undefined) writeFileSync(path, file.data ?? '', { flag: 'wx', mode: 0o600 });
    else {
      copyFileSync(file.from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      const now = lstatSync(file.from, { throwIfNoEntry: false });
      if (file.stamp !== undefined && (now === undefined || file.stamp !== stampOf(now))) this.#changed.push(file.from);
    }
  }

  /** Owner, mode and attributes. The owner first: the kernel takes set-user-id bits away with a change of owner. */
  #dress(path: string, file: CopyFile): void {
    const { uid, gid } = this.#plan.owner ?? file;
    const isRoots = uid === 0 && gid === 0 && !this.#inheritsGroup(dirname(path));
    if (!isRoots) lchownSync(path, uid, gid);
    const mode = this.#changeMode(file.mode, file.kind === 'directory');
    // What is copied has the mode of its source, which only a change of owner takes away in part.
    const hasMode = isRoots && file.kind === 'file' && file.sourceMode === file.mode;
    if (file.kind !== 'link' && !(hasMode && mode === file.mode)) chmodSync(path, mode);
    if (!file.attributes || file.from === undefined) return;
    for (const [name, value] of copiedAttributes(this.#calls, file.from)) this.#calls.setXattr(path, name, value);
  }

  #inheritsGroup(directory: string): boolean {
    let inherits = this.#givesGroup.get(directory);
    if (inherits === undefined) {
      inherits = (lstatSync(directory).mode & 0o2000) !== 0;
      this.#givesGroup.set(directory, inherits);
    }
    return inherits;
  }

  #setTime(path: string, time: bigint): void {
    const nanoseconds = ((time % BILLION) + BILLION) % BILLION;
    this.#calls.setTime(path, { seconds: Number((time - nanoseconds) / BILLION), nanoseconds: Number(nanoseconds) });
  }
}

function timeOf({ time, from }: CopyFile): bigint {
  return time ?? lstatSync(from!, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n;
}

/** Tells whether a file's content can have changed. */
export function stampOf({ size, mtimeMs, ctimeMs, ino }: Stats): string {
  return `${size}:${mtimeMs}:${ctimeMs}:${ino}`;
}
