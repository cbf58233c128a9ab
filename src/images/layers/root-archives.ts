import { decompressed } from '../tar/decompress.ts';
import { END_OF_ARCHIVE } from '../tar/tar-header.ts';
import { TarReader } from '../tar/tar-reader.ts';
import type { Confinement } from './confinement.ts';
import { watchDisk } from './disk-budget.ts';
import { FileSystemCalls } from './file-system-calls.ts';
import { LayerWriter, type LayerWriterOptions } from './layer-writer.ts';
import { lstatIfThere } from './named-files.ts';
import { SafeFiles } from './safe-files.ts';
import { type ArchiveOutput, TreePacker } from './tree-packer.ts';
import type { TaskChannel } from './worker-messages.ts';

export interface ReadArchiveTask {
  readonly kind: 'read-archive';
  readonly root: string;
  readonly path: string;
  /** What the first entry is called; by default as the path is. Empty: there is none, only what is in the directory. */
  readonly name?: string;
}

export interface WriteArchiveTask {
  readonly kind: 'write-archive';
  readonly root: string;
  readonly path: string;
  readonly keepKind: boolean;
  readonly owner: LayerWriterOptions['owner'];
}

/** What is in the way of an archive that is to be unpacked. */
export type WriteArchiveResult = 'written' | 'no such path' | 'not a directory';

/** Sends an archive of what is at a path of a root; nothing when there is nothing. */
export function readArchive(
  confinement: Confinement,
  { root, path, name }: ReadArchiveTask,
  channel: TaskChannel,
): undefined {
  const files = new SafeFiles(confinement.kernel);
  try {
    const output = new ArchivePieces(channel);
    confinement.within(root, () => {
      const packer = new TreePacker({ output, calls: new FileSystemCalls(confinement.kernel), files });
      if (name === '') packer.contents(insidePath(path));
      else packer.pack(insidePath(path), name ?? nameOfPath(path));
      if (packer.entries > 0) output.write(END_OF_ARCHIVE);
    });
    output.finish();
  } finally {
    files.close();
  }
  return undefined;
}

/** Unpacks an archive below a directory of a root. */
export async function writeArchive(
  confinement: Confinement,
  { root, path, keepKind, owner }: WriteArchiveTask,
  channel: TaskChannel,
): Promise<WriteArchiveResult> {
  return confinement.throughout(root, async () => {
    const base = insidePath(path);
    const found = lstatIfThere(`${base}/.`);
    if (!found) return lstatIfThere(base) ? 'not a directory' : 'no such path';
    const writer = new LayerWriter(new FileSystemCalls(confinement.kernel), watchDisk('/'), {
      base,
      plain: true,
      keepKind,
      ...(owner && { owner }),
    });
    try {
      const reader = new TarReader(writer);
      for await (const bytes of decompressed(channel.pieces())) reader.write(bytes);
      reader.finish();
      writer.finish();
      return 'written';
    } finally {
      writer.abandon();
    }
  });
}

/** Absolute, as the inside sees it; a slash at the end stays, since it follows a link there. */
export function insidePath(path: string): string {
  return `/${path.replace(/^\/+/, '')}`;
}

/** The last part of a path, as Go's `filepath.Base` tells it. */
export function nameOfPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

const PIECE = 256 * 1024;

/** Gathers an archive into pieces of one size. */
class ArchivePieces implements ArchiveOutput {
  readonly #channel: TaskChannel;
  #buffer = new Uint8Array(PIECE);
  #used = 0;

  constructor(channel: TaskChannel) {
    this.#channel = channel;
  }

  write(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const count = this.fill(rest.length, (buffer) => {
        buffer.set(rest.subarray(0, buffer.length));
        return buffer.length;
      });
      rest = rest.subarray(count);
    }
  }

  zeros(count: number): void {
    for (let left = count; left > 0; ) {
      left -= this.fill(left, (buffer) => {
        buffer.fill(0);
        return buffer.length;
      });
    }
  }

  fill(wanted: number, read: (buffer: Uint8Array) => number): number {
    const count = read(this.#buffer.subarray(this.#used, Math.min(PIECE, this.#used + wanted)));
    this.#used += count;
    if (this.#used === PIECE) this.finish();
    return count;
  }

  finish(): void {
    if (this.#used === 0) return;
    this.#channel.send(this.#used === PIECE ? this.#buffer : this.#buffer.slice(0, this.#used));
    this.#buffer = new Uint8Array(PIECE);
    this.#used = 0;
  }
}
