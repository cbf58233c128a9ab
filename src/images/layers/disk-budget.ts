import { statfsSync } from 'node:fs';
import type { DiskBudget } from './layer-writer.ts';

const CHECK_EVERY_BYTES = 16 * 1024 * 1024;
const CHECK_EVERY_FILES = 2000;
/** Room that stays for others, so that an archive that never ends does not stop everything else: bytes, and a part of the disk. */
const RESERVE_BYTES = 64 * 1024 * 1024;
const RESERVE_PART = 0.02;

/** The disk has no room for what is to be written. `code` is the one that a write would have failed with. */
export class DiskFullError extends Error {
  readonly code = 'ENOSPC';
  constructor() {
    super('no space left on device');
    this.name = 'DiskFullError';
  }
}

/** Watches the file system at `path` while files are written: asks now and then how much room is left. */
export function watchDisk(path: string): DiskBudget {
  let bytes = 0;
  let files = 0;
  const check = (): void => {
    const { bavail, bsize, blocks, ffree, files: inodes } = statfsSync(path);
    const reserve = Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_PART);
    if (bavail * bsize < reserve || (inodes > 0 && ffree < CHECK_EVERY_FILES)) throw new DiskFullError();
    bytes = CHECK_EVERY_BYTES;
    files = CHECK_EVERY_FILES;
  };
  check();
  return {
    take(size, file) {
      bytes -= size;
      if (file) files--;
      if (bytes < 0 || files < 0) check();
    },
  };
}
