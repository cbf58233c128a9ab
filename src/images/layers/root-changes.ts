import type { BigIntStats } from 'node:fs';
import type { Change } from '../roots.ts';
import type { Confinement } from './confinement.ts';
import { FileSystemCalls } from './file-system-calls.ts';
import { lstatIfThere, namesIn } from './named-files.ts';

export interface ChangesTask {
  readonly kind: 'changes';
  readonly upper: string;
  /** Top first. */
  readonly lowers: readonly string[];
}

export interface MeasureTask {
  readonly kind: 'measure';
  readonly directory: string;
}

type Kind = 'whiteout' | 'directory' | 'opaque directory' | 'file';

interface Written {
  readonly path: string;
  readonly kind: Kind;
}

/**
 * Tells what differs between what overlayfs has gathered and the layers below. What was written may change meanwhile, so it is
 * read confined; layers do not change, and their links are not followed.
 */
export function rootChanges(confinement: Confinement, { upper, lowers }: ChangesTask): Change[] {
  const calls = new FileSystemCalls(confinement.kernel);
  const written: Written[] = [];
  confinement.within(upper, () => gather(calls, '', written));
  // For each directory those of the layers that its content comes from, as overlayfs merges them.
  const merged = new Map<string, readonly string[]>([['', lowers]]);
  const changes: Change[] = [];
  for (const { path, kind } of written) {
    const parents = merged.get(path.slice(0, path.lastIndexOf('/'))) ?? [];
    const { exists, directories } = below(calls, parents, path);
    if (kind === 'directory') merged.set(path, directories);
    if (kind === 'whiteout') {
      if (exists) changes.push({ path, kind: 'deleted' });
    } else changes.push({ path, kind: exists ? 'modified' : 'added' });
  }
  return changes;
}

function gather(calls: FileSystemCalls, directory: string, into: Written[]): void {
  for (const name of namesIn(directory === '' ? '/' : directory)) {
    const path = `${directory}/${name}`;
    const found = lstatIfThere(path);
    if (!found) continue;
    if (isWhiteout(found)) into.push({ path, kind: 'whiteout' });
    else if (found.isDirectory()) {
      into.push({ path, kind: calls.isOpaque(path) ? 'opaque directory' : 'directory' });
      gather(calls, path, into);
    } else into.push({ path, kind: 'file' });
  }
}

/** Whether a path is there in merged directories, and in which of them it is a directory that is merged, too. */
function below(
  calls: FileSystemCalls,
  parents: readonly string[],
  path: string,
): { readonly exists: boolean; readonly directories: readonly string[] } {
  const directories: string[] = [];
  for (const parent of parents) {
    const found = lstatIfThere(parent + path);
    if (!found) continue;
    if (isWhiteout(found)) break;
    if (!found.isDirectory()) return { exists: true, directories };
    directories.push(parent);
    if (calls.isOpaque(parent + path)) break;
  }
  return { exists: directories.length > 0, directories };
}

function isWhiteout(found: BigIntStats): boolean {
  return found.isCharacterDevice() && found.rdev === 0n;
}

/** Bytes of the files in a directory; those with several names count once. */
export function measure(confinement: Confinement, { directory }: MeasureTask): number {
  const seen = new Set<bigint>();
  const sizeOf = (path: string): number => {
    let sum = 0;
    for (const name of namesIn(path)) {
      const inner = path === '/' ? `/${name}` : `${path}/${name}`;
      const found = lstatIfThere(inner);
      if (!found) continue;
      if (found.isDirectory()) sum += sizeOf(inner);
      else if (found.nlink === 1n || !seen.has(found.ino)) {
        if (found.nlink > 1n) seen.add(found.ino);
        sum += Number(found.size);
      }
    }
    return sum;
  };
  return confinement.within(directory, () => sizeOf('/'));
}
