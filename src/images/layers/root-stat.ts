import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import type { RootStat } from '../roots.ts';
import type { Confinement } from './confinement.ts';
import { codeOf } from './file-system-calls.ts';
import { insidePath, nameOfPath } from './root-archives.ts';

export interface StatTask {
  readonly kind: 'stat';
  readonly root: string;
  readonly path: string;
}

/** Bits of a file's mode as Go's `os.FileMode` has them. Source: pkg.go.dev/io/fs, FileMode. */
const MODE = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  namedPipe: 2 ** 25,
  socket: 2 ** 24,
  setUserId: 2 ** 23,
  setGroupId: 2 ** 22,
  characterDevice: 2 ** 21,
  sticky: 2 ** 20,
} as const;

/** What is at a path of a root; `undefined` when nothing is. */
export function rootStat(confinement: Confinement, { root, path }: StatTask): RootStat | undefined {
  return confinement.within(root, () => {
    const inside = insidePath(path);
    let found: ReturnType<typeof lstatSync>;
    try {
      found = lstatSync(inside);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined;
      throw error;
    }
    let mode = found.mode & 0o777;
    if (found.isDirectory()) mode += MODE.directory;
    if (found.isSymbolicLink()) mode += MODE.symlink;
    if (found.isBlockDevice() || found.isCharacterDevice()) mode += MODE.device;
    if (found.isCharacterDevice()) mode += MODE.characterDevice;
    if (found.isFIFO()) mode += MODE.namedPipe;
    if (found.isSocket()) mode += MODE.socket;
    if (found.mode & 0o4000) mode += MODE.setUserId;
    if (found.mode & 0o2000) mode += MODE.setGroupId;
    if (found.mode & 0o1000) mode += MODE.sticky;
    return {
      name: nameOfPath(path),
      size: found.size,
      mode,
      modifiedAt: Math.trunc(found.mtimeMs),
      linkTarget: found.isSymbolicLink() ? linkTarget(inside) : '',
    };
  });
}

/** Where a link leads at last, absolute as the inside sees it; as far as it can be told where it leads nowhere. */
function linkTarget(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return posix.resolve(posix.dirname(path), readlinkSync(path));
  }
}
