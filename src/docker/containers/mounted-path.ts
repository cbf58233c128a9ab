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
 * Where a path of a container is: in its file system, of which `root` is the view with its volumes and binds, or in memory, which can only be
 * reached through the process that has it. Links on the way may lead into a mount, and are followed as the container would.
 */
export async function findPlace(
  roots: Roots,
  root: FileTree,
  { mounts, state }: Container,
  asked: string,
): Promise<MountedPath> {
  // A slash at the end stays: it says that a link there is followed.
  const followed = asked.endsWith('/') || asked.endsWith('/.');
  const absolute = posix.resolve('/', asked);
  if (mounts.length === 0) return { root, path: withSlash(absolute, followed), mounted: undefined };
  const view: View = { roots, root, pid: state.pid, mounts: [] };
  // The way to where something is mounted may lead through links, too.
  for (const mount of mounts.toSorted((one, other) => depth(one) - depth(other))) {
    const destination = await resolveLinks(view, mount.destination, true);
    view.mounts.push({ ...mount, destination });
  }
  const place = placeOf(view, await resolveLinks(view, absolute, followed));
  return { ...place, path: withSlash(place.path, followed) };
}

interface View {
  readonly roots: Roots;
  readonly root: FileTree;
  /** 0: it does not run. */
  readonly pid: number;
  /** At paths without links. */
  readonly mounts: MountPoint[];
}

function depth({ destination }: MountPoint): number {
  return destination.split('/').length;
}

function withSlash(path: string, followed: boolean): string {
  return followed && path !== '/' ? `${path}/` : path;
}

/** A path without links; one at its end is only followed when that is wanted. */
async function resolveLinks(view: View, path: string, followed: boolean): Promise<string> {
  const names = path.split('/').filter((name) => name !== '');
  let at = '/';
  for (let links = 0; names.length > 0; ) {
    const next = posix.join(at, names.shift()!);
    const isLast = names.length === 0 && !followed;
    const target = isLast ? undefined : await linkTarget(view, next);
    if (target === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) throw invalid(`too many levels of symbolic links: ${path}`);
    const resolved = posix.resolve(at, target);
    names.unshift(...resolved.split('/').filter((name) => name !== ''));
    at = '/';
  }
  return at;
}

async function linkTarget(view: View, at: string): Promise<string | undefined> {
  const { root, path } = placeOf(view, at);
  const found = await view.roots.stat(root, path);
  return found !== undefined && Math.floor(found.mode / GO_LINK) % 2 === 1 ? found.linkTarget : undefined;
}

/** The innermost mount that holds a path. */
function placeOf({ mounts, pid, root }: View, path: string): MountedPath {
  const mounted = mounts
    .filter(({ destination }) => path === destination || path.startsWith(`${destination}/`))
    .toSorted((one, other) => other.destination.length - one.destination.length)[0];
  if (mounted?.type !== 'tmpfs') return { root, path, mounted };
  return pid === 0 ? { root, path, mounted: undefined } : { root: { path: `/proc/${pid}/root` }, path, mounted };
}
