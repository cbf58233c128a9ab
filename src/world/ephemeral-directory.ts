import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryInUseError, type DirectoryLock, lockDirectory } from '../base/directory-lock.ts';
import type { Logger } from '../base/logger.ts';
import { isFunctionRoot } from './function-images.ts';
import { mountPointsBelow } from './mount-points.ts';

/** Files of a Kobune that keeps nothing. Its lock ends with its process, however that ends. */
export interface EphemeralDirectory {
  readonly path: string;
  /** Deletes it. Throws when something is still mounted in it, which may be the user's own. */
  remove(): Promise<void>;
}

const PREFIX = 'kobune-ephemeral-';
const NAME = new RegExp(`^${PREFIX}[A-Za-z0-9]{6}$`);
/** What {@link lockDirectory} writes, once the lock is held. */
const LOCK_FILE = 'lock';
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** Makes one below `parent`, in which {@link sweepEphemeralDirectories} finds it when its process was killed. */
export async function makeEphemeralDirectory(parent: string = tmpdir()): Promise<EphemeralDirectory> {
  const path = await mkdtemp(join(await realpath(parent), PREFIX));
  const lock = await lockDirectory(path);
  return { path, remove: () => remove(path, lock) };
}

/**
 * Removes what Kobunes that kept nothing and were killed have left below `parent`: their directories, and file systems of
 * functions in them. One whose containers outlived it stays until the container engine has ended them.
 */
export async function sweepEphemeralDirectories(logger: Logger, parent: string = tmpdir()): Promise<void> {
  const base = await realpath(parent).catch(() => parent);
  for (const name of await readdir(base).catch(() => [])) {
    if (!NAME.test(name)) continue;
    const directory = join(base, name);
    try {
      if (await sweep(directory)) logger.info('removed the files of a Kobune that was killed', { directory });
    } catch (error) {
      logger.warn('files of a Kobune that was killed are still there', { directory, error: String(error) });
    }
  }
}

async function sweep(directory: string): Promise<boolean> {
  const stat = await lstat(directory).catch(() => undefined);
  // Anybody can make such a name in a directory for everybody.
  if (!stat?.isDirectory() || stat.uid !== process.getuid?.()) return false;
  // Without it, it is just being made or removed.
  if (!existsSync(join(directory, LOCK_FILE))) return false;
  const mounted = await mountPointsBelow(directory);
  if (!mounted.every((point) => isFunctionRoot(directory, point))) return false;
  // Not released when something goes wrong: the lock's file is by what the next start finds the rest.
  const lock = await lockDirectory(directory).catch((error: unknown) => {
    if (error instanceof DirectoryInUseError) return undefined;
    throw error;
  });
  if (!lock) return false;
  await unmount(mounted);
  await remove(directory, lock);
  return true;
}

async function unmount(points: readonly string[]): Promise<void> {
  if (points.length === 0) return;
  const { openKernel } = await import('../network/kernel/index.ts');
  const kernel = openKernel();
  for (const point of points.toReversed()) kernel?.call('umount2', point, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/** The lock's file goes last: what a kill leaves of a removal is found by it. */
async function remove(directory: string, lock: DirectoryLock): Promise<void> {
  const [mounted] = await mountPointsBelow(directory);
  if (mounted !== undefined) throw new Error(`${mounted} is still mounted`);
  for (const name of await readdir(directory)) {
    if (name !== LOCK_FILE) await rm(join(directory, name), { recursive: true, force: true });
  }
  await lock.release();
  await rmdir(directory);
}
