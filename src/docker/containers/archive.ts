import { posix } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { Container, ContainerEngine, MountPoint } from '../../containers/index.ts';
import type { FileTree, RootStat, Roots } from '../../images/index.ts';
import { piecesOf } from '../server/request-body.ts';
import { type Answer, type Call, empty } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';
import { findPlace } from './mounted-path.ts';

const TAR = 'application/x-tar';

/** Metadata of a path, in a header: what `docker cp` asks first. */
export async function containerArchiveInfo(call: Call): Promise<Answer> {
  using place = await locate(call);
  return empty(200, { 'X-Docker-Container-Path-Stat': statHeader(place.stat) });
}

/** What is at a path as an archive, with what is mounted there and below. */
export async function containerArchive(call: Call): Promise<Answer> {
  using opened = new DisposableStack();
  const { container, roots, root, path, stat } = opened.use(await locate(call));
  const source = await roots.readArchive(root, path, stat.name === '/' ? undefined : stat.name);
  if (source === undefined) throw notFound(call);
  const held = opened.move();
  source.once('close', () => held.dispose());
  tell(call, 'archive-path', container);
  return {
    kind: 'stream',
    status: 200,
    headers: { 'content-type': TAR, 'X-Docker-Container-Path-Stat': statHeader(stat) },
    source,
  };
}

/** Unpacks an archive, into what is mounted where that is on the way. */
export async function putContainerArchive(call: Call): Promise<Answer> {
  const { query, request } = call;
  using place = await locate(call);
  const { container, roots, root, path, stat, mounted } = place;
  if (stat.mode < GO_DIRECTORY) throw invalid(`extraction point is not a directory`);
  if (mounted === undefined ? container.spec.readOnlyRoot : mounted.readOnly) {
    throw readOnly(mounted === undefined ? 'container rootfs' : 'mounted volume');
  }
  try {
    await roots.writeArchive(root, path, piecesOf(request), {
      noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'),
      copyUidGid: query.flag('copyUIDGID'),
    });
  } catch (error) {
    // Something below the path is another mount.
    if ((error as NodeJS.ErrnoException).code === 'EROFS') throw readOnly('mounted volume');
    throw error;
  }
  tell(call, 'extract-to-dir', container);
  return empty(200);
}

function tell({ host }: Call, action: string, { id, name, spec }: Container): void {
  host.events.add('container', action, id, { ...spec.labels, image: spec.image.reference, name });
}

function readOnly(what: string): ServiceError {
  return new ServiceError('ReadOnly', `${what} is marked read-only`, { status: 403 });
}

/** Go's bit of directories in `os.FileMode`. */
const GO_DIRECTORY = 2 ** 31;

interface Place extends Disposable {
  readonly container: Container;
  readonly roots: Roots;
  readonly root: FileTree;
  /** Absolute, below `root`. */
  readonly path: string;
  readonly stat: RootStat;
  readonly mounted: MountPoint | undefined;
}

async function locate(call: Call): Promise<Place> {
  const { host, query } = call;
  const asked = query.text('path');
  if (asked === '' || asked.includes('\0')) throw invalid('bad parameter: path cannot be empty');
  const engine = await host.engine();
  const container = await engine.get(call.parameters.id!);
  const roots = (await host.images()).roots;
  using opened = new DisposableStack();
  const view = await openView(engine, container, opened);
  const { root, path, mounted } = await findPlace(roots, view, container, asked);
  const stat = await roots.stat(root, path);
  if (stat === undefined) throw notFound(call);
  const held = opened.move();
  const named = { ...stat, name: nameOf(asked) };
  return { container, roots, root, path, stat: named, mounted, [Symbol.dispose]: () => held.dispose() };
}

/** Its file system, with what is mounted into it. */
async function openView(engine: ContainerEngine, container: Container, opened: DisposableStack): Promise<FileTree> {
  const isPlain = container.mounts.every(({ type }) => type === 'tmpfs');
  return isPlain ? engine.root(container.id) : opened.use(await engine.mountedRoot(container.id));
}

/** As Go's `filepath.Base` has it: `/etc/.` is what is in it. */
function nameOf(asked: string): string {
  return /(?:^|\/)\.$/.test(asked) ? '.' : posix.basename(posix.resolve('/', asked)) || '/';
}

function notFound(call: Call): ServiceError {
  const { id } = call.parameters;
  return new ServiceError('NotFound', `Could not find the file ${call.query.text('path')} in container ${id}`, {
    status: 404,
  });
}

function statHeader({ name, size, mode, modifiedAt, linkTarget }: RootStat): string {
  const stat = { name, size, mode, mtime: new Date(modifiedAt).toISOString(), linkTarget };
  return Buffer.from(JSON.stringify(stat)).toString('base64');
}
