import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { join, posix } from 'node:path';

/** More links in one path are a loop; the kernel's own bound is 40. */
const MAX_LINKS = 40;

/** Where a path of the inside lies on this machine. */
export interface InsidePath {
  /** Absolute path on this machine; no part of it but the last may be a link. */
  readonly path: string;
  /** The same as the inside sees it, absolute. */
  readonly inside: string;
  /** What is there, the last link not followed unless asked; undefined: nothing. */
  readonly stats: Stats | undefined;
}

/** A path that leads through a file, or round and round. The message is for the user. */
export class InsidePathError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InsidePathError';
  }
}

/**
 * Finds `path` in the file system whose root directory is `root`, as a process with that root would: links are followed inside of
 * it, absolute ones from `root`, and `..` never leads above. What does not exist is answered as where it would be made.
 * Nothing else may change the tree meanwhile. Throws {@link InsidePathError}.
 */
export function resolveInside(root: string, path: string, options: { readonly follow?: boolean } = {}): InsidePath {
  const follow = options.follow ?? true;
  let at = '/';
  let stats: Stats | undefined = lstatInside(root, '/');
  let links = 0;
  const rest = parts(path).reverse();
  while (rest.length > 0) {
    const part = rest.pop()!;
    if (part === '..') {
      at = posix.dirname(at);
      stats = lstatInside(root, at);
      continue;
    }
    if (stats !== undefined && !stats.isDirectory()) throw new InsidePathError(`${at} is not a directory`);
    const next = posix.join(at, part);
    stats = stats === undefined ? undefined : lstatInside(root, next);
    if (stats?.isSymbolicLink() && (rest.length > 0 || follow)) {
      links += 1;
      if (links > MAX_LINKS) throw new InsidePathError(`too many links: ${path}`);
      const target = readlinkSync(join(root, next));
      rest.push(...parts(target).reverse());
      if (target.startsWith('/')) at = '/';
      stats = lstatInside(root, at);
      continue;
    }
    at = next;
  }
  return { path: join(root, at), inside: at, stats };
}

/** A path that `resolveInside` has answered, and those above it, as far as nothing is there; the highest first. */
export function missingBelow(root: string, inside: string): string[] {
  const missing: string[] = [];
  for (let at = inside; at !== '/' && lstatInside(root, at) === undefined; at = posix.dirname(at)) missing.push(at);
  return missing.reverse();
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function lstatInside(root: string, inside: string): Stats | undefined {
  return lstatSync(join(root, inside), { throwIfNoEntry: false });
}
