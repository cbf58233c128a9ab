import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { gzip } from '../tar/gzip.ts';

export interface CompressLayerTask {
  readonly kind: 'compress';
  /** The plain archive. */
  readonly archive: string;
  /** File that is there and empty. */
  readonly target: string;
}

export interface CompressedLayer {
  readonly digest: string;
  readonly size: number;
}

/** Compresses a layer's archive to gzip; `onWritten` is told of what was added to the target. */
export async function compressLayer(
  { archive, target }: CompressLayerTask,
  onWritten: (bytes: number) => void,
): Promise<CompressedLayer> {
  const source = openSync(archive, 'r');
  try {
    const file = openSync(target, 'r+');
    try {
      const hash = createHash('sha256');
      let size = 0;
      for await (const piece of gzip((buffer) => readSync(source, buffer))) {
        for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
        onWritten(piece.length);
        hash.update(piece);
        size += piece.length;
      }
      return { digest: `sha256:${hash.digest('hex')}`, size };
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(source);
  }
}
