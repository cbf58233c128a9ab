import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Container, MountPoint } from '../../containers/index.ts';
import type { FileTree, Roots } from '../../images/index.ts';
import { invalid } from '../shapes/shape.ts';

/** Go's bit of symbolic links in `os.FileMode`. */
const GO_LINK = 2 ** 27;
/** As many as Linux follows. Source: path_resolution(7). */
const MOST_LINKS = 40;

export interface MountedPath {
  readonly root: FileTree;
  /** Absolute, below `root`. */
  readonly path: string;
  /** What is mounted there; `undefined`: it is in the container's own file system. */
  readonly mounted: MountPoint | undefined;
}

/**
 * Where a path of a container is: in its own file system, or in a volume or directory that is mounted into it, whether it runs or
 * not. Links on the way may lead into a mount, and are followed as the container would.
 */
export async function findPlace(
  roots: Roots,
  main: FileTree,
  container: Container,
  asked: string,
): Promise<MountedPath> {
  const { mounts, state } = container;
  // A slash at the end stays: it says that a link there is followed.
  const followed = asked.endsWith('/') || asked.endsWith('/.');
  const absolute = posix.resolve('/', asked);
  if (mounts.length === 0) return { root: main, path: withSlash(absolute, followed), mounted: undefined };
  const names = absolute.split('/').filter((name) => name !== '');
  let at = '/';
  for (let links = 0; names.length > 0; ) {
    const next = posix.join(at, names.shift()!);
    const isLast = names.length === 0 && !followed;
    const place = await placeOf(main, mounts, state.pid, next);
    const target = isLast || place.path === '/' ? undefined : await linkTarget(roots, place);
    if (target === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) throw invalid(`too many levels of symbolic links: ${asked}`);
    const [from, rest] = posix.isAbsolute(target) ? ['/', target] : [at, target];
    const resolved = posix.resolve(from, rest);
    names.unshift(...resolved.split('/').filter((name) => name !== ''));
    at = '/';
  }
  const place = await placeOf(main, mounts, state.pid, at);
  return { ...place, path: withSlash(place.path, followed) };
}

function withSlash(path: string, followed: boolean): string {
  return followed && path !== '/' ? `${path}/` : path;
}

async function linkTarget(roots: Roots, { root, path }: MountedPath): Promise<string | undefined> {
  const found = await roots.stat(root, path);
  return found !== undefined && Math.floor(found.mode / GO_LINK) % 2 === 1 ? found.linkTarget : undefined;
}

/** The innermost mount that holds a path. */
async function placeOf(main: FileTree, mounts: readonly MountPoint[], pid: number, path: string): Promise<MountedPath> {
  const holding = mounts
    .filter(({ destination }) => path === destination || path.startsWith(`${destination}/`))
    .toSorted((one, other) => other.destination.length - one.destination.length)[0];
  if (holding === undefined) return { root: main, path, mounted: undefined };
  const inside = path.slice(holding.destination.length) || '/';
  // What is in memory can be reached through the process that has it.
  if (holding.type === 'tmpfs') {
    if (pid === 0) return { root: main, path, mounted: undefined };
    return { root: { path: `/proc/${pid}/root${holding.destination}` }, path: inside, mounted: holding };
  }
  // A single file may be mounted, too: then its directory is where it is found.
  const isFile = inside === '/' && (await stat(holding.source).catch(() => undefined))?.isFile();
  if (!isFile) return { root: { path: holding.source }, path: inside, mounted: holding };
  return {
    root: { path: posix.dirname(holding.source) },
    path: `/${posix.basename(holding.source)}`,
    mounted: holding,
  };
}
