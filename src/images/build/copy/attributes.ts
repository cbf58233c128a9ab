import { createHash } from 'node:crypto';
import type { FileSystemCalls } from '../../layers/file-system-calls.ts';

type Calls = Pick<FileSystemCalls, 'listXattrs' | 'getXattr'>;

/** The extended attributes of a file that are copied with it: not those of overlayfs, nor the label that SELinux gives to where it is. */
export function copiedAttributes(calls: Calls, path: string): (readonly [string, Buffer])[] {
  return calls.listXattrs(path).flatMap((name) => {
    if (name.startsWith('trusted.') || name === 'security.selinux') return [];
    const value = calls.getXattr(path, name);
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** Tells one set of them from another; empty when there are none. */
export function attributesDigest(calls: Calls, path: string): string {
  const attributes = copiedAttributes(calls, path).sort(([a], [b]) => (a < b ? -1 : 1));
  if (attributes.length === 0) return '';
  const sum = createHash('sha256');
  for (const [name, value] of attributes) sum.update(`${name}\0${value.length}\0`).update(value);
  return sum.digest('hex');
}
