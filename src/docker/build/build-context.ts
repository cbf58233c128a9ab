import { constants } from 'node:fs';
import { open, realpath, writeFile } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';
import { type BuildOptions, checkOut, parseGitAddress, resolveCommit } from '../../images/index.ts';
import { piecesOf } from '../server/request-body.ts';
import type { Call } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';
import { type MakeDirectory, unpackContext } from './context-directory.ts';
import { fetchRemote } from './remote.ts';

/** A Dockerfile is text that people write. */
const LARGEST_DOCKERFILE = 16 * 1024 * 1024;

type Prepared = Pick<BuildOptions, 'context' | 'dockerfile' | 'ignore'>;

/** Puts the context of a build into a directory, from the request's body or from where `remote` says, and reads its Dockerfile. */
export async function prepareContext(call: Call, make: MakeDirectory, signal: AbortSignal): Promise<Prepared> {
  const { query, request } = call;
  const remote = query.text('remote');
  const wanted = dockerfileName(query.text('dockerfile'));
  const { context, name = wanted } =
    remote === ''
      ? { context: await unpackContext(piecesOf(request), make) }
      : await fetchContext(remote, make, signal);
  const text = await readInside(context, name);
  if (text === undefined) {
    throw invalid(`failed to read dockerfile: Cannot locate specified Dockerfile: ${name}`);
  }
  const ignore = await readInside(context, `${name}.dockerignore`);
  return {
    context: { directory: context, temporary: true },
    dockerfile: { text, name },
    ...(ignore === undefined ? {} : { ignore }),
  };
}

function dockerfileName(given: string): string {
  const name = posix.normalize(given || 'Dockerfile').replace(/^\/+/, '');
  if (name.split('/').includes('..') || name.includes('\0')) {
    throw invalid(`failed to read dockerfile: Forbidden path outside the build context: ${given.slice(0, 200)} ()`);
  }
  return name;
}

interface Fetched {
  readonly context: string;
  /** Of its Dockerfile, whatever the client calls it. */
  readonly name?: string;
}

/**
 * Text is the Dockerfile itself, an archive is the context, and so is a Git repository (`#reference:directory`). Answers the directory of
 * the context. Source: "Build an image", remote.
 */
async function fetchContext(remote: string, make: MakeDirectory, signal: AbortSignal): Promise<Fetched> {
  if (remote === 'client-session') throw invalid('remote=client-session is BuildKit’s: the classic builder is served');
  // GitHub's repositories may be named without the rest of their address.
  const [, path, rest = ''] = /^(github\.com\/[\w.-]+\/[\w.-]+?)(?:\.git)?([#?].*)?$/.exec(remote) ?? [];
  const repository = repositoryOf(path === undefined ? remote : `https://${path}.git${rest}`);
  if (repository !== undefined) return { context: await checkOutContext(repository, await make(false), signal) };
  if (!/^https?:\/\//.test(remote)) {
    const shown = JSON.stringify(remote.slice(0, 200));
    throw invalid(
      `remote ${shown} is not supported: addresses of Dockerfiles, of archives and of Git repositories are`,
    );
  }
  const { body, isText } = await fetchRemote(remote, signal);
  if (!isText) return { context: await unpackContext(body, make) };
  const name = 'Dockerfile';
  const context = await make(false);
  await writeFile(join(context, name), await textOf(body));
  return { context, name };
}

function repositoryOf(address: string): ReturnType<typeof parseGitAddress> {
  try {
    return parseGitAddress(address);
  } catch (error) {
    throw invalid(`unable to prepare context: ${(error as Error).message}`);
  }
}

async function checkOutContext(
  repository: NonNullable<ReturnType<typeof parseGitAddress>>,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const options = { signal, agent: undefined, authorization: undefined };
  try {
    const commit = await resolveCommit(repository, options);
    await checkOut(repository, commit, directory, false, options);
  } catch (error) {
    signal.throwIfAborted();
    throw invalid(`unable to prepare context from ${repository.remote}: ${(error as Error).message}`);
  }
  const [root, inside] = await Promise.all([
    realpath(directory),
    realpath(join(directory, repository.subdirectory)).catch(() => undefined),
  ]);
  if (inside === undefined || !`${inside}/`.startsWith(`${root}/`)) {
    throw invalid(`unable to prepare context: there is no directory ${repository.subdirectory.slice(0, 200)} in it`);
  }
  return inside;
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > LARGEST_DOCKERFILE) throw invalid('the Dockerfile is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A file of the context; links are followed as long as they stay within. `undefined`: it is not there. */
async function readInside(directory: string, name: string): Promise<string | undefined> {
  const [root, path] = await Promise.all([realpath(directory), realpath(join(directory, name)).catch(() => undefined)]);
  if (path === undefined) return undefined;
  if (!path.startsWith(root + sep))
    throw invalid(`failed to read dockerfile: Forbidden path outside the build context: ${name} ()`);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw invalid(`failed to read dockerfile: ${name} is not a file`);
    if (stat.size > LARGEST_DOCKERFILE) throw invalid('the Dockerfile is too large');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
