import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, rmSync } from 'node:fs';
import type { TarEntry, TarEntryType } from '../tar/tar-entry.ts';
import { END_OF_ARCHIVE, paddingOf, tarHeader } from '../tar/tar-header.ts';
import { ArchiveFile } from './archive-file.ts';
import type { Confinement } from './confinement.ts';
import { codeOf, FileSystemCalls, fileTime, majorOf, minorOf } from './file-system-calls.ts';
import { SafeFiles } from './safe-files.ts';

export interface PackLayerTask {
  readonly kind: 'pack';
  /** The directory that overlayfs has written changes into. */
  readonly upper: string;
  /** File that the archive goes into; it must not be there yet. */
  readonly archive: string;
  /** Absolute paths, as the inside sees them, that are left out. */
  readonly exclude: readonly string[];
  /** Epoch seconds; later times become this one. */
  readonly clampTime: number | undefined;
  /** The directory becomes the unpacked layer: what is left out is deleted from it, and its times are those of the archive. */
  readonly consume: boolean;
}

export interface PackedLayer {
  readonly digest: string;
  readonly size: number;
  readonly empty: boolean;
}

/**
 * Makes a layer's archive of what overlayfs has gathered, in the order of names, with whiteouts as archives have them.
 * Source: OCI Image Layer Filesystem Changeset, "Representing Changes".
 */
export function packLayer(confinement: Confinement, task: PackLayerTask): PackedLayer {
  const fd = openSync(task.archive, 'wx', 0o600);
  try {
    const file = new ArchiveFile(fd);
    const files = new SafeFiles(confinement.kernel);
    try {
      const packer = new LayerPacker(file, new FileSystemCalls(confinement.kernel), files, task);
      confinement.within(task.upper, () => packer.directory(''));
      file.write(END_OF_ARCHIVE);
      return { digest: file.finish(), size: file.size, empty: packer.entries === 0 };
    } finally {
      files.close();
    }
  } finally {
    closeSync(fd);
  }
}

class LayerPacker {
  entries = 0;
  readonly #file: ArchiveFile;
  readonly #calls: FileSystemCalls;
  readonly #files: SafeFiles;
  readonly #exclude: ReadonlySet<string>;
  readonly #task: PackLayerTask;
  /** First name of each file that has several. */
  readonly #links = new Map<string, string>();

  constructor(file: ArchiveFile, calls: FileSystemCalls, files: SafeFiles, task: PackLayerTask) {
    this.#file = file;
    this.#calls = calls;
    this.#files = files;
    this.#task = task;
    this.#exclude = new Set(task.exclude.map((path) => path.replace(/^\/+|\/+$/g, '')));
  }

  /** Packs what is in a directory. */
  directory(path: string): void {
    const prefix = path === '' ? '' : `${path}/`;
    for (const name of readdirSync(`/${path}`).sort()) this.#pack(`${prefix}${name}`, prefix, name);
  }

  #pack(path: string, prefix: string, name: string): void {
    if (this.#exclude.has(path)) {
      if (this.#task.consume) rmSync(`/${path}`, { recursive: true, force: true });
      return;
    }
    let found: BigIntStats;
    try {
      found = lstatSync(`/${path}`, { bigint: true });
    } catch (error) {
      // A container that goes on running deletes files, too.
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    if (found.isCharacterDevice() && found.rdev === 0n) {
      this.#header(entryOf(`${prefix}.wh.${name}`, 'file', found, { mode: 0, mtime: this.#timeOf(found) }));
      return;
    }
    if (found.isSocket()) return; // archives have none, and nobody listens at it any more
    if (found.isDirectory()) this.#packDirectory(path, found);
    else if (found.nlink > 1n && this.#packLink(path, found)) return;
    else if (found.isFile()) this.#packFile(path, found);
    else this.#packOther(path, found);
    if (this.#task.consume) this.#clamp(path, found);
  }

  #packDirectory(path: string, found: BigIntStats): void {
    this.#header(this.#described(`${path}/`, 'directory', path, found));
    if (this.#calls.isOpaque(`/${path}`)) {
      this.#header(entryOf(`${path}/.wh..wh..opq`, 'file', found, { mode: 0, mtime: this.#timeOf(found) }));
    }
    this.directory(path);
  }

  /** Whether this is one more name of a file that has been packed. */
  #packLink(path: string, found: BigIntStats): boolean {
    const file = `${found.dev}:${found.ino}`;
    const first = this.#links.get(file);
    if (first === undefined) {
      this.#links.set(file, path);
      return false;
    }
    this.#header({ ...this.#described(path, 'hard-link', undefined, found), linkTarget: first });
    return true;
  }

  #packFile(path: string, found: BigIntStats): void {
    const size = Number(found.size);
    const fd = size > 0 ? this.#files.open(`/${path}`) : undefined;
    try {
      if (size > 0 && fd === undefined) return; // gone, or no file any more
      this.#header(this.#described(path, 'file', path, found, size));
      let left = size;
      while (left > 0) {
        const count = this.#file.fill(left, (buffer) => readSync(fd!, buffer));
        if (count === 0) break;
        left -= count;
      }
      // It has become shorter since its size was told.
      this.#file.zeros(left + paddingOf(size));
    } finally {
      if (fd !== undefined) this.#files.closeFile(fd);
    }
  }

  #packOther(path: string, found: BigIntStats): void {
    if (found.isSymbolicLink()) {
      const linkTarget = readlinkSync(`/${path}`);
      this.#header({ ...this.#described(path, 'symlink', path, found), linkTarget });
    } else if (found.isFIFO()) this.#header(this.#described(path, 'fifo', path, found));
    else {
      const device = { deviceMajor: majorOf(found.rdev), deviceMinor: minorOf(found.rdev) };
      const type = found.isCharacterDevice() ? 'character' : 'block';
      this.#header({ ...this.#described(path, type, path, found), ...device });
    }
  }

  #described(name: string, type: TarEntryType, xattrsOf: string | undefined, found: BigIntStats, size = 0): TarEntry {
    const xattrs = xattrsOf === undefined ? undefined : this.#xattrs(`/${xattrsOf}`);
    return entryOf(name, type, found, { size, mtime: this.#timeOf(found), ...(xattrs && { xattrs }) });
  }

  /** Those that mean something on another machine. */
  #xattrs(path: string): Map<string, Uint8Array> {
    const xattrs = new Map<string, Uint8Array>();
    for (const name of this.#calls.listXattrs(path)) {
      if (name !== 'security.capability' && !name.startsWith('user.')) continue;
      const value = this.#calls.getXattr(path, name);
      if (value) xattrs.set(name, value);
    }
    return xattrs;
  }

  #timeOf(found: BigIntStats): TarEntry['mtime'] {
    const { seconds } = fileTime(found.mtimeNs);
    const { clampTime } = this.#task;
    return { seconds: clampTime === undefined ? seconds : Math.min(seconds, clampTime), nanoseconds: 0 };
  }

  #clamp(path: string, found: BigIntStats): void {
    const time = this.#timeOf(found);
    if (time.seconds !== fileTime(found.mtimeNs).seconds) this.#calls.setTime(`/${path}`, time);
  }

  #header(entry: TarEntry): void {
    this.entries++;
    this.#file.write(tarHeader(entry));
  }
}

function entryOf(path: string, type: TarEntryType, found: BigIntStats, more: Partial<TarEntry>): TarEntry {
  return {
    path,
    type,
    size: 0,
    mode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
    mtime: { seconds: 0, nanoseconds: 0 },
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    ...more,
  };
}
