import { rm } from 'node:fs/promises';
import type { Kernel } from '../../network/index.ts';
import { mountsBelow, unmount } from './mount-table.ts';

/**
 * Deletes a directory. What is mounted in it is taken away first: a kill may have left a bind of a directory of the machine there, whose
 * files are somebody else's.
 */
export async function removeFiles(kernel: Kernel, directory: string): Promise<void> {
  for (const path of mountsBelow(directory)) unmount(kernel, path);
  const [left] = mountsBelow(directory);
  if (left !== undefined) throw new Error(`${left} is still mounted`);
  await rm(directory, { recursive: true, force: true });
}
