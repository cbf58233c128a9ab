import type { Readable } from 'node:stream';
import type { Layer } from './images.ts';

/** A path that differs from the image, as `docker diff` tells. */
export interface Change {
  /** Absolute, as the inside sees it. */
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}

/** A root file system over layers, mounted with overlayfs. It outlives this process; `Roots.open` finds it again. */
export interface Root {
  readonly id: string;
  /** Absolute host path at which it is mounted. */
  readonly path: string;
  /** Paths that were changed; empty for a read-only root. */
  changes(): Promise<readonly Change[]>;
  /** Bytes that were written into it. */
  size(): Promise<number>;
  /** Unmounts it and deletes what was written. Idempotent. */
  remove(): Promise<void>;
}

export interface CreateRootOptions {
  readonly readOnly?: boolean;
  /** What is written need not outlive a stop of the machine: nothing waits for the disk. For build steps. */
  readonly volatile?: boolean;
  /** The layers stay unpacked for a while after nothing uses them any more: they are likely to be wanted again. For build steps. */
  readonly keepLayers?: boolean;
}

export interface CommitOptions {
  /** Paths that are not part of the layer (mount points of cache mounts, `/etc/hosts`), absolute as the inside sees it. */
  readonly exclude?: readonly string[];
  /** Directories that are as they were below: left out unless something in them was written. */
  readonly unchanged?: readonly string[];
  /** Times later than this become this; epoch seconds (`SOURCE_DATE_EPOCH`). */
  readonly clampTime?: number;
  /** Called before the files are read; what it answers is disposed of afterwards. For containers that go on running. */
  readonly paused?: () => Promise<AsyncDisposable>;
}

/**
 * Root file systems made of layers. Layers are unpacked once, in parallel, into directories of their own; a root is an overlay
 * over them. Archives are unpacked in a place from which no name leads out, whatever they hold.
 */
export interface Roots {
  /** Unpacks what is not yet. Progress is per layer, in bytes of its descriptor. */
  unpack(layers: readonly Layer[], onProgress?: (diffId: string, bytes: number) => void): Promise<void>;
  /** Makes and mounts a root. Unpacks what is missing first. `id` is `[a-z0-9-]+`, unique on this machine. */
  create(id: string, layers: readonly Layer[], options?: CreateRootOptions): Promise<Root>;
  /** A root that was made before, mounted again where a reboot has unmounted it; `undefined` when there is none. */
  open(id: string): Promise<Root | undefined>;
  /** Deletes unpacked layers that only stay because a root with `keepLayers` had them. */
  collectLayers(): Promise<void>;
  /** Every root that there is, for finding orphans. */
  list(): Promise<readonly string[]>;
  /**
   * Makes a layer of what was written into the root: the archive goes into the content store (leased until `release`), and
   * what was written becomes the unpacked layer. With `consume` the root is gone afterwards, and nothing is copied.
   */
  commit(
    root: Root,
    options?: CommitOptions & { readonly consume?: boolean },
  ): Promise<{ readonly layer: Layer; readonly empty: boolean; release(): void }>;
  /**
   * The file at `path` inside the root, as a tar archive whose first entry is named after it (`docker cp`). Links on the way are
   * followed, one at the end only before a slash; `name` calls the entry otherwise, and an empty one leaves it out: what is in the directory is called
   * as it is there. `undefined`: no such file, or nothing in it then.
   */
  readArchive(root: FileTree, path: string, name?: string): Promise<Readable | undefined>;
  /** What `path` is, following no link at its end; `undefined` when it is not there. */
  stat(root: FileTree, path: string): Promise<RootStat | undefined>;
  /**
   * Unpacks an archive (plain, gzip or zstd) below directory `path` of the root; no name or link leads out of the root. Throws
   * `PathNotFound` (404), `NotADirectory` (400), `InvalidArchive` (400).
   */
  writeArchive(
    root: FileTree,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    options?: WriteArchiveOptions,
  ): Promise<void>;
  close(): Promise<void>;
}

/** A root, or a directory of the host that is mounted into one. */
export type FileTree = Pick<Root, 'path'>;

export interface WriteArchiveOptions {
  /** Refuse to replace a directory by what is none, and the other way. */
  readonly noOverwriteDirNonDir?: boolean;
  /** Owners are those that the archive tells, with this or without, unless `owner` is given. */
  readonly copyUidGid?: boolean;
  /** Whom everything belongs to. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface RootStat {
  readonly name: string;
  readonly size: number;
  /** Go's `os.FileMode` bits, as Docker's API tells them. */
  readonly mode: number;
  /** Epoch ms. */
  readonly modifiedAt: number;
  readonly linkTarget: string;
}
