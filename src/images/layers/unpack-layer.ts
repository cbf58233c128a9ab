import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { compressionOf, decompressFile, MAGIC_LENGTH } from '../tar/decompress.ts';
import { TarError } from '../tar/tar-entry.ts';
import { TarReader } from '../tar/tar-reader.ts';
import type { Confinement } from './confinement.ts';
import { watchDisk } from './disk-budget.ts';
import { FileSystemCalls } from './file-system-calls.ts';
import { LayerWriter } from './layer-writer.ts';

export interface UnpackLayerTask {
  readonly kind: 'unpack';
  /** File with the layer's archive. */
  readonly blob: string;
  /** Empty directory that it is unpacked into. */
  readonly directory: string;
  /** Digest that the uncompressed archive must have. */
  readonly diffId: string;
}

export interface UnpackedLayer {
  /** Bytes of the uncompressed archive. */
  readonly size: number;
  /** Directories, relative and from the top, that the archive has files in but does not describe; empty: the root. */
  readonly implied: readonly string[];
}

const READ_CHUNK = 1024 * 1024;

/** Unpacks a layer and verifies it. What is in the directory after a failure is for the caller to remove. */
export async function unpackLayer(
  confinement: Confinement,
  { blob, directory, diffId }: UnpackLayerTask,
  onRead: (bytes: number) => void,
): Promise<UnpackedLayer> {
  const fd = openSync(blob, 'r');
  let taken = false;
  try {
    const magic = Buffer.alloc(MAGIC_LENGTH);
    readSync(fd, magic, 0, MAGIC_LENGTH, 0);
    const compression = compressionOf(magic);
    return await confinement.throughout(directory, async () => {
      const writer = new LayerWriter(new FileSystemCalls(confinement.kernel), watchDisk('/'));
      try {
        const reader = new TarReader(writer);
        const hash = createHash('sha256');
        let size = 0;
        const take = (chunk: Uint8Array): void => {
          hash.update(chunk);
          size += chunk.length;
          reader.write(chunk);
        };
        if (compression === 'none') readAll(fd, take, onRead);
        else {
          taken = true;
          for await (const chunk of decompressFile(fd, compression, onRead)) take(chunk as Buffer);
        }
        reader.finish();
        const actual = `sha256:${hash.digest('hex')}`;
        if (actual !== diffId) throw new TarError(`the layer's content has digest ${actual} instead of ${diffId}`);
        writer.finish();
        return { size, implied: [...writer.implied].sort() };
      } finally {
        writer.abandon();
      }
    });
  } finally {
    if (!taken) closeSync(fd);
  }
}

function readAll(fd: number, take: (chunk: Uint8Array) => void, onRead: (bytes: number) => void): void {
  const buffer = Buffer.allocUnsafe(READ_CHUNK);
  for (;;) {
    const length = readSync(fd, buffer, 0, buffer.length, null);
    if (length === 0) return;
    take(buffer.subarray(0, length));
    onRead(length);
  }
}
