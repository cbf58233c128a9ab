import { closeSync, openSync } from 'node:fs';
import type { Confinement } from './confinement.ts';

export interface SyncTask {
  readonly kind: 'sync';
  /** Any path on the file system. */
  readonly path: string;
}

/** Writes everything of a file system to the disk; takes as long as that takes. */
export function sync({ kernel }: Confinement, { path }: SyncTask): undefined {
  const fd = openSync(path, 'r');
  try {
    kernel.call('syncfs', fd);
  } finally {
    closeSync(fd);
  }
  return undefined;
}
