import { type BigIntStats, closeSync, openSync, rmSync } from 'node:fs';
import { nativePath } from '../tar/names.ts';
import type { TarEntry } from '../tar/tar-entry.ts';
import { END_OF_ARCHIVE } from '../tar/tar-header.ts';
import { ArchiveFile } from './archive-file.ts';
import type { Confinement } from './confinement.ts';
import { entryOf } from './described-entry.ts';
import { FileSystemCalls, fileTime } from './file-system-calls.ts';
import { lstatIfThere, namesIn } from './named-files.ts';
import { SafeFiles } from './safe-files.ts';
import { TreePacker, type TreePackerOptions } from './tree-packer.ts';

export interface PackLayerTask {
  readonly kind: 'pack';
  /** The directory that overlayfs has written changes into. */
  readonly upper: string;
  /** File that the archive goes into; it must not be there yet. */
  readonly archive: string;
  /** Absolute paths, as the inside sees them, that are left out. */
  readonly exclude: readonly string[];
  /** Directories, as paths like those, that are left out unless something in them was written. */
  readonly unchanged?: readonly string[];
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
    const output = new ArchiveFile(fd);
    const files = new SafeFiles(confinement.kernel);
    try {
      const packer = new LayerPacker({ output, calls: new FileSystemCalls(confinement.kernel), files }, task);
      confinement.within(task.upper, () => packer.all());
      output.write(END_OF_ARCHIVE);
      return { digest: output.finish(), size: output.size, empty: packer.entries === 0 };
    } finally {
      files.close();
    }
  } finally {
    closeSync(fd);
  }
}

class LayerPacker extends TreePacker {
  readonly #exclude: ReadonlySet<string>;
  readonly #unchanged: ReadonlySet<string>;
  readonly #task: PackLayerTask;

  constructor(options: TreePackerOptions, task: PackLayerTask) {
    super(options);
    this.#task = task;
    this.#exclude = new Set(task.exclude.map(absolute));
    this.#unchanged = new Set((task.unchanged ?? []).map(absolute));
  }

  all(): void {
    const found = lstatIfThere('/');
    this.below('/', '');
    if (this.#task.consume && found) this.calls.setTime('/', fileTime(found.mtimeNs));
  }

  override pack(path: string, name: string): void {
    if (this.#exclude.has(path) || this.#isHollow(path)) {
      if (this.#task.consume) rmSync(nativePath(path), { recursive: true, force: true });
      return;
    }
    const found = lstatIfThere(path);
    if (!found) return;
    if (found.isCharacterDevice() && found.rdev === 0n) {
      const at = name.lastIndexOf('/') + 1;
      this.#mark(`${name.slice(0, at)}.wh.${name.slice(at)}`, found);
      return;
    }
    this.file(path, name, found);
    if (this.#task.consume) this.#setTime(path, found);
  }

  /** An unchanged directory without anything in it but others of that kind. */
  #isHollow(path: string): boolean {
    if (!this.#unchanged.has(path) || !lstatIfThere(path)?.isDirectory() || this.calls.isOpaque(path)) return false;
    return namesIn(path).every((name) => this.#isHollow(`${path}/${name}`));
  }

  protected override below(path: string, prefix: string): void {
    if (prefix !== '' && this.calls.isOpaque(path)) {
      const found = lstatIfThere(path);
      if (found) this.#mark(`${prefix}.wh..wh..opq`, found);
    }
    super.below(path, prefix);
  }

  protected override timeOf(found: BigIntStats): TarEntry['mtime'] {
    const time = super.timeOf(found);
    const { clampTime } = this.#task;
    return clampTime !== undefined && time.seconds > clampTime ? { seconds: clampTime, nanoseconds: 0 } : time;
  }

  /** An entry whose name is all that it says. */
  #mark(name: string, found: BigIntStats): void {
    this.header(entryOf(name, 'file', found, { mode: 0, mtime: this.timeOf(found) }));
  }

  /** The time that the archive tells; a directory that something was deleted from has got another one. */
  #setTime(path: string, found: BigIntStats): void {
    const time = this.timeOf(found);
    const own = fileTime(found.mtimeNs);
    if (time.seconds !== own.seconds) this.calls.setTime(path, time);
    else if (found.isDirectory()) this.calls.setTime(path, own);
  }
}

function absolute(path: string): string {
  return `/${path.replace(/^\/+|\/+$/g, '')}`;
}
