import { chmodSync, chownSync, lstatSync } from 'node:fs';
import { nativePath } from '../tar/names.ts';
import type { Confinement } from './confinement.ts';
import { codeOf, FileSystemCalls, fileTime } from './file-system-calls.ts';

export interface InheritTask {
  readonly kind: 'inherit';
  readonly directory: string;
  /** Directories, relative, that the layer has files in without describing them; from the top. */
  readonly implied: readonly string[];
  /** Finished layers below, top first. */
  readonly lowers: readonly string[];
}

/**
 * Gives directories that a layer does not describe the owner, mode, attributes and time that they have in the layers below, as
 * if the archive had been unpacked on top of those.
 */
export function inheritAttributes({ kernel }: Confinement, { directory, implied, lowers }: InheritTask): undefined {
  const calls = new FileSystemCalls(kernel);
  for (const path of implied) {
    const lower = lowers.map((below) => directoryIn(below, path)).find((found) => found !== 'absent');
    // A name of the layer may lead over one of its links: out of it, since this thread is not confined now.
    const target = directoryIn(directory, path);
    if (lower === undefined || lower === 'hidden' || target === 'absent' || target === 'hidden') continue;
    const found = lstatSync(nativePath(lower), { bigint: true });
    chownSync(nativePath(target), Number(found.uid), Number(found.gid));
    chmodSync(nativePath(target), Number(found.mode) & 0o7777);
    for (const name of calls.listXattrs(lower)) {
      if (name.startsWith('trusted.')) continue;
      const value = calls.getXattr(lower, name);
      if (value) calls.setXattr(target, name, value);
    }
    calls.setTime(target, fileTime(found.mtimeNs));
  }
  return undefined;
}

/** The directory of that name in a finished layer, without following links on the way; or whether the layer hides it. */
function directoryIn(layer: string, path: string): string | 'absent' | 'hidden' {
  let at = layer;
  for (const part of path === '' ? [] : path.split('/')) {
    at += `/${part}`;
    try {
      if (!lstatSync(nativePath(at)).isDirectory()) return 'hidden';
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'absent';
      throw error;
    }
  }
  return at;
}
