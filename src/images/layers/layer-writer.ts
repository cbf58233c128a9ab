import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { nativePath } from '../tar/names.ts';
import { type TarEntry, TarError } from '../tar/tar-entry.ts';
import type { TarHandler } from '../tar/tar-reader.ts';
import { entryPath } from './entry-path.ts';
import { codeOf, deviceNumber, type FileSystemCalls, S_IFBLK, S_IFCHR, S_IFIFO } from './file-system-calls.ts';

/** Source: OCI Image Layer Filesystem Changeset, "Whiteouts". */
const WHITEOUT = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';
/** AUFS kept its own files under such names; they are no part of an image. */
const AUFS_OWN = '.wh..wh.';

const EXCLUSIVE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Looks after the room on the disk; throws when it is used up. */
export interface DiskBudget {
  /** Called before this many bytes, in a new file where `file`, are written. */
  take(bytes: number, file: boolean): void;
}

export interface LayerWriterOptions {
  /** Directory, absolute, that names are below; `/` unless told. It must be there. */
  readonly base?: string;
  /** Files named `.wh.…` are files like others. */
  readonly plain?: boolean;
  /** Everything belongs to this one instead of who the archive tells. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Refuses to replace a directory by what is none, and the other way. */
  readonly keepKind?: boolean;
}

/**
 * Unpacks a layer into the root directory of the calling thread, which must be confined to it. Whiteouts become what overlayfs
 * understands. An entry replaces what was there by its name before, except that directories are merged.
 */
export class LayerWriter implements TarHandler {
  /** Directories that no entry described: what is below them tells their owner and mode. */
  readonly implied = new Set<string>();
  readonly #calls: FileSystemCalls;
  readonly #budget: DiskBudget;
  readonly #options: LayerWriterOptions;
  readonly #base: string;
  /** Directories that are known to be there, and to be none by way of a link. */
  readonly #directories = new Set<string>(['']);
  /** Times of directories are set at the end, since each new entry changes them. */
  readonly #directoryTimes = new Map<string, TarEntry>();
  #entry: TarEntry | undefined;
  #path = '';
  #file: number | undefined;
  /** Where the file that is being written ends so far. */
  #written = 0;

  constructor(calls: FileSystemCalls, budget: DiskBudget, options: LayerWriterOptions = {}) {
    this.#calls = calls;
    this.#budget = budget;
    this.#options = options;
    this.#base = (options.base ?? '/').replace(/\/*$/, '/');
    this.implied.add('');
  }

  begin(entry: TarEntry): void {
    const path = entryPath(entry.path);
    this.#entry = entry;
    this.#path = path;
    this.#budget.take(0, true);
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (!this.#options.plain && name.startsWith(WHITEOUT)) {
      this.#entry = undefined;
      this.#whiteout(slash === -1 ? '' : path.slice(0, slash), name);
      return;
    }
    if (path === '' && this.#options.plain) {
      // The directory that is unpacked into stays as it is.
      this.#entry = undefined;
      return;
    }
    if (path === '') {
      if (entry.type !== 'directory')
        throw new TarError(`the archive's root is a ${entry.type} instead of a directory`);
    } else this.#ensureParent(path);
    this.#make(entry, this.#at(path));
  }

  write(bytes: Uint8Array, position: number): void {
    if (this.#file === undefined) return; // content of a whiteout
    this.#budget.take(bytes.length, false);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at, bytes.length - at, position + at);
    this.#written = position + bytes.length;
  }

  end(): void {
    const entry = this.#entry;
    const file = this.#file;
    this.#entry = undefined;
    this.#file = undefined;
    if (!entry) return;
    if (file !== undefined) this.#finishFile(entry, file);
    if (entry.type === 'hard-link') return;
    this.#setAttributes(entry, this.#at(this.#path));
  }

  /** Sets what can only be set at the end; closes what a failure has left open. */
  finish(): void {
    for (const [path, { mtime }] of this.#directoryTimes) {
      try {
        this.#calls.setTime(this.#at(path), mtime);
      } catch (error) {
        // A later entry, reached through a link, has replaced what was above it.
        if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
      }
    }
  }

  /** After a failure: closes the file that was being written, and removes what there is of it. */
  abandon(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    rmSync(nativePath(this.#at(this.#path)), { force: true });
  }

  #at(path: string): string {
    return this.#base + path;
  }

  #make(entry: TarEntry, path: string): void {
    this.#directoryTimes.delete(this.#path);
    if (entry.type === 'directory') {
      this.#makeDirectory(entry, path);
      return;
    }
    try {
      this.#makeOther(entry, path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      if (this.#options.keepKind && lstatSync(nativePath(path)).isDirectory()) {
        throw new TarError(`cannot overwrite directory "${path}" with non-directory "${path}"`);
      }
      rmSync(nativePath(path), { recursive: true });
      this.#forgetDirectories();
      this.#makeOther(entry, path);
    }
  }

  #makeDirectory({ mode }: TarEntry, path: string): void {
    const relative = this.#path;
    if (relative !== '') {
      try {
        mkdirSync(nativePath(path), mode & 0o1777);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        const found = lstatSync(nativePath(path));
        if (!found.isDirectory()) {
          if (this.#options.keepKind) {
            throw new TarError(`cannot overwrite non-directory "${path}" with directory "${path}"`);
          }
          rmSync(nativePath(path));
          this.#forgetDirectories();
          mkdirSync(nativePath(path), mode & 0o1777);
          // It hid what is below, and the directory goes on to do so.
          if (found.isCharacterDevice() && found.rdev === 0) this.#calls.makeOpaque(path);
        }
      }
    }
    this.#directories.add(relative);
    this.implied.delete(relative);
  }

  #makeOther(entry: TarEntry, path: string): void {
    switch (entry.type) {
      case 'file':
        this.#file = openSync(nativePath(path), EXCLUSIVE, entry.mode & 0o777);
        this.#written = 0;
        return;
      case 'symlink':
        symlinkSync(nativePath(entry.linkTarget), nativePath(path));
        return;
      case 'hard-link':
        this.#link(entry, path);
        return;
      case 'character':
        this.#calls.makeNode(path, S_IFCHR | entry.mode, deviceNumber(entry.deviceMajor, entry.deviceMinor));
        return;
      case 'block':
        this.#calls.makeNode(path, S_IFBLK | entry.mode, deviceNumber(entry.deviceMajor, entry.deviceMinor));
        return;
      case 'fifo':
        this.#calls.makeNode(path, S_IFIFO | entry.mode, 0n);
        return;
    }
  }

  #link({ path: name, linkTarget }: TarEntry, path: string): void {
    try {
      linkSync(nativePath(this.#at(entryPath(linkTarget))), nativePath(path));
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EPERM') throw error;
      throw new TarError(`the archive holds a hard link to what is not in it: ${name} to ${linkTarget}`);
    }
  }

  #finishFile(entry: TarEntry, file: number): void {
    try {
      // The end of a file may be a hole.
      if (entry.size > this.#written) ftruncateSync(file, entry.size);
    } finally {
      closeSync(file);
    }
  }

  #setAttributes(entry: TarEntry, path: string): void {
    const { uid, gid } = this.#options.owner ?? entry;
    lchownSync(nativePath(path), uid, gid);
    // A change of owner takes these bits away, and making a file does not set them.
    if (entry.type !== 'symlink' && (entry.mode & 0o7000 || entry.type === 'directory'))
      chmodSync(nativePath(path), entry.mode);
    for (const [name, value] of entry.xattrs) this.#setXattr(path, name, value);
    if (entry.type === 'directory') this.#directoryTimes.set(this.#path, entry);
    else this.#calls.setTime(path, entry.mtime);
  }

  #setXattr(path: string, name: string, value: Uint8Array): void {
    // Labels and overlayfs' own marks speak of the machine that the archive was made on.
    if (name !== 'security.capability' && !name.startsWith('user.') && !name.startsWith('system.posix_acl_')) return;
    try {
      this.#calls.setXattr(path, name, value);
    } catch (error) {
      const code = codeOf(error);
      // Not every file can have them, and not every file system.
      if (code !== 'EOPNOTSUPP' && code !== 'EPERM') throw error;
    }
  }

  #whiteout(parent: string, name: string): void {
    if (name === OPAQUE_WHITEOUT) {
      this.#ensureDirectory(parent);
      this.#calls.makeOpaque(this.#at(parent));
      return;
    }
    if (name.startsWith(AUFS_OWN)) return;
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new TarError(`the archive holds a whiteout of no file: ${parent}/${name}`);
    }
    this.#ensureDirectory(parent);
    const path = parent === '' ? hidden : `${parent}/${hidden}`;
    try {
      this.#calls.makeWhiteout(this.#at(path));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      // A whiteout hides what is in the layers below, not what is in its own.
      if (lstatSync(nativePath(this.#at(path))).isDirectory()) this.#calls.makeOpaque(this.#at(path));
    }
  }

  #ensureParent(path: string): void {
    const slash = path.lastIndexOf('/');
    if (slash !== -1) this.#ensureDirectory(path.slice(0, slash));
  }

  /** Makes the directories on the way that are missing. Links on the way are followed, within the layer. */
  #ensureDirectory(path: string): void {
    if (this.#directories.has(path)) return;
    this.#ensureParent(path);
    const absolute = this.#at(path);
    try {
      mkdirSync(nativePath(absolute), 0o755);
      this.implied.add(path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const found = lstatSync(nativePath(absolute));
      if (found.isCharacterDevice() && found.rdev === 0) {
        rmSync(nativePath(absolute));
        mkdirSync(nativePath(absolute), 0o755);
        this.#calls.makeOpaque(absolute);
        this.implied.add(path);
      } else if (!found.isDirectory()) {
        this.#followLink(path);
        return;
      }
    }
    this.#directories.add(path);
  }

  #followLink(path: string): void {
    let target: ReturnType<typeof lstatSync> | undefined;
    try {
      target = lstatSync(nativePath(`${this.#at(path)}/.`));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR' && codeOf(error) !== 'ELOOP') throw error;
    }
    if (!target?.isDirectory()) throw new TarError(`the archive holds a file below what is no directory: ${path}`);
  }

  /** Something else takes the place of what was there, and what was below it may have had other names through links. */
  #forgetDirectories(): void {
    this.#directories.clear();
    this.#directories.add('');
  }
}
