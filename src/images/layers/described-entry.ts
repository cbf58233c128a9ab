import type { BigIntStats } from 'node:fs';
import type { TarEntry, TarEntryType } from '../tar/tar-entry.ts';
import { majorOf, minorOf } from './file-system-calls.ts';

/** The kind of entry that a file is in an archive; `undefined` for sockets, which archives have none for. */
export function entryTypeOf(found: BigIntStats): TarEntryType | undefined {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'directory';
  if (found.isSymbolicLink()) return 'symlink';
  if (found.isFIFO()) return 'fifo';
  if (found.isCharacterDevice()) return 'character';
  return found.isBlockDevice() ? 'block' : undefined;
}

/** What an archive says of a file, but for what `more` tells. */
export function entryOf(path: string, type: TarEntryType, found: BigIntStats, more: Partial<TarEntry>): TarEntry {
  const isDevice = type === 'character' || type === 'block';
  return {
    path,
    type,
    size: 0,
    mode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
    mtime: { seconds: 0, nanoseconds: 0 },
    linkTarget: '',
    deviceMajor: isDevice ? majorOf(found.rdev) : 0,
    deviceMinor: isDevice ? minorOf(found.rdev) : 0,
    xattrs: new Map(),
    ...more,
  };
}
