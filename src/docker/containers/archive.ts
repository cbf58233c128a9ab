import { posix } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { Container, MountPoint } from '../../containers/index.ts';
import type { FileTree, RootStat, Roots } from '../../images/index.ts';
import { piecesOf } from '../server/request-body.ts';
import { type Answer, type Call, empty } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';
import { findPlace } from './mounted-path.ts';

const TAR = 'application/x-tar';

/** Metadata of a path, in a header: what `docker cp` asks first. */
export async function containerArchiveInfo(call: Call): Promise<Answer> {
  const { stat } = await locate(call);
  return empty(200, { 'X-Docker-Container-Path-Stat': statHeader(stat) });
}

export async function containerArchive(call: Call): Promise<Answer> {
  const { roots, root, path, stat } = await locate(call);
  const source = await roots.readArchive(root, path, stat.name === '/' ? undefined : stat.name);
  if (source === undefined) throw notFound(call);
  return {
    kind: 'stream',
    status: 200,
    headers: { 'content-type': TAR, 'X-Docker-Container-Path-Stat': statHeader(stat) },
    source,
  };
}

export async function putContainerArchive(call: Call): Promise<Answer> {
  const { query, request } = call;
  const { container, roots, root, path, stat, mounted } = await locate(call);
  if (stat.mode < GO_DIRECTORY) throw invalid(`extraction point is not a directory`);
  if (mounted === undefined ? container.spec.readOnlyRoot : mounted.readOnly) {
    throw new ServiceError(
      'ReadOnly',
      mounted === undefined ? 'container rootfs is marked read-only' : 'mounted volume is marked read-only',
      { status: 403 },
    );
  }
  await roots.writeArchive(root, path, piecesOf(request), {
    noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'),
    copyUidGid: query.flag('copyUIDGID'),
  });
  return empty(200);
}

/** Go's bit of directories in `os.FileMode`. */
const GO_DIRECTORY = 2 ** 31;

interface Place {
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
  const [{ roots }, main] = await Promise.all([host.images(), engine.root(container.id)]);
  const { root, path, mounted } = await findPlace(roots, main, container, asked);
  const stat = await roots.stat(root, path);
  if (stat === undefined) throw notFound(call);
  return { container, roots, root, path, stat: { ...stat, name: nameOf(asked, stat, mounted) }, mounted };
}

/** As Go's `filepath.Base` has it: `/etc/.` is what is in it. What is mounted is called as the place at which it is. */
function nameOf(asked: string, stat: RootStat, mounted: MountPoint | undefined): string {
  if (/(?:^|\/)\.$/.test(asked)) return '.';
  return mounted !== undefined && posix.resolve('/', asked) === mounted.destination
    ? posix.basename(mounted.destination)
    : stat.name;
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
