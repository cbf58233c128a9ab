import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { isAbsolute, join, posix, relative } from 'node:path';
import { type Pack, pack } from 'tar-stream';
import { createIgnore, type Ignore, ignoreFileNames } from '../../images/index.ts';
import { CommandError } from '../command-error.ts';

export interface ContextOptions {
  /** Absolute. */
  readonly directory: string;
  /** Path of the Dockerfile, relative to the directory or absolute; or its text. */
  readonly dockerfile: { readonly path: string } | { readonly text: string };
}

export interface PackedContext {
  /** A tar archive. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** What the Dockerfile is called in it. */
  readonly dockerfile: string;
}

/** The Dockerfile's name in the archive when it is none of the directory's files. */
const OUTSIDE = '.kobune.dockerfile';

/** Packs the files of a build, without those that its `.dockerignore` leaves out. Throws a `CommandError` when there is no Dockerfile. */
export async function packContext({ directory, dockerfile }: ContextOptions): Promise<PackedContext> {
  const isDirectory = await lstat(directory).then(
    (stat) => stat.isDirectory() || stat.isSymbolicLink(),
    () => false,
  );
  if (!isDirectory) throw new CommandError(`there is no directory ${directory} to build from`);
  if ('text' in dockerfile) {
    const ignore = await readIgnore(directory, ['.dockerignore']);
    return { archive: packed(directory, ignore, dockerfile.text, undefined), dockerfile: OUTSIDE };
  }
  const path = isAbsolute(dockerfile.path) ? dockerfile.path : join(directory, dockerfile.path);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`cannot read the Dockerfile ${path}: ${error.code ?? error.message}`, { cause: error });
  });
  const inside = relative(directory, path).split('\\').join('/');
  if (inside.startsWith('../') || isAbsolute(inside)) {
    const [own] = ignoreFileNames(path);
    const ignore = await readIgnore('/', [own!, join(directory, '.dockerignore')]);
    return { archive: packed(directory, ignore, text, undefined), dockerfile: OUTSIDE };
  }
  const ignore = await readIgnore(directory, ignoreFileNames(inside));
  return { archive: packed(directory, ignore, undefined, inside), dockerfile: inside };
}

async function readIgnore(directory: string, names: readonly string[]): Promise<Ignore> {
  for (const name of names) {
    const text = await readFile(isAbsolute(name) ? name : join(directory, name), 'utf8').catch(() => undefined);
    if (text !== undefined) return createIgnore(text);
  }
  return createIgnore('');
}

/** `keep` is sent although it may be ignored: the engine reads it. */
function packed(
  directory: string,
  ignore: Ignore,
  dockerfile: string | undefined,
  keep: string | undefined,
): AsyncIterable<Uint8Array> {
  const archive = pack();
  const kept = new Set(keep === undefined ? ['.dockerignore'] : [keep, ...ignoreFileNames(keep)]);
  const fill = async () => {
    if (dockerfile !== undefined) archive.entry({ name: OUTSIDE, mode: 0o644 }, dockerfile);
    await addDirectory(archive, directory, '', { ignore, kept });
    archive.finalize();
  };
  fill().catch((error: Error) => archive.destroy(error));
  return archive as AsyncIterable<Uint8Array>;
}

interface Choice {
  readonly ignore: Ignore;
  readonly kept: ReadonlySet<string>;
}

async function addDirectory(archive: Pack, root: string, path: string, choice: Choice): Promise<void> {
  const names = await readdir(join(root, path));
  for (const name of names.sort()) {
    const inside = posix.join(path, name);
    const stat = await lstat(join(root, inside));
    const header = { name: inside, mode: stat.mode & 0o7777, mtime: stat.mtime, uid: 0, gid: 0 };
    const isOut = choice.ignore.excludes(inside) && !choice.kept.has(inside);
    if (stat.isDirectory()) {
      const mayHold = [...choice.kept].some((one) => one.startsWith(`${inside}/`));
      if (!isOut) archive.entry({ ...header, type: 'directory' });
      if (!isOut || mayHold || !choice.ignore.prunes(inside)) await addDirectory(archive, root, inside, choice);
    } else if (isOut) continue;
    else if (stat.isSymbolicLink())
      archive.entry({ ...header, type: 'symlink', linkname: await readlink(join(root, inside)) });
    else if (stat.isFile()) await addFile(archive, join(root, inside), { ...header, size: stat.size });
  }
}

/** A file that grows meanwhile is cut at the size that was told, one that shrinks is an error. */
function addFile(archive: Pack, path: string, header: { name: string; size: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const entry = archive.entry(header, (error) => (error ? reject(error) : resolve()));
    if (header.size === 0) {
      entry.end(undefined);
      return;
    }
    const source = createReadStream(path, { end: header.size - 1 });
    source.on('error', reject);
    source.pipe(entry);
  });
}
