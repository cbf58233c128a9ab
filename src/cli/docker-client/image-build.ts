import { lstat, readFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { BuildProgress } from '../../images/index.ts';
import { CommandError } from '../command-error.ts';
import type { EngineVersion, ProgressLine } from './answers.ts';
import type { DockerClient } from './client.ts';
import type { CredentialStore } from './registry-credentials.ts';

export interface CachePlace {
  readonly type: 'registry' | 'local';
  readonly target: string;
  readonly mode?: 'min' | 'max';
}

/** What an image is built from, and how. */
export interface ImageBuild {
  /** Absolute. */
  readonly directory: string;
  /** Path of the Dockerfile, relative to the directory or absolute; or its text. */
  readonly dockerfile: { readonly path: string } | { readonly text: string };
  readonly tags: readonly string[];
  readonly args: ReadonlyMap<string, string | null>;
  readonly labels: ReadonlyMap<string, string>;
  readonly target?: string;
  readonly platform?: string;
  readonly noCache: boolean;
  readonly pull: boolean;
  readonly network?: string;
  readonly shmSize?: number;
  readonly extraHosts: readonly string[];
  readonly ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly cacheFrom: readonly CachePlace[];
  readonly cacheTo: readonly CachePlace[];
  readonly secrets: ReadonlyMap<string, Buffer>;
  readonly ssh: ReadonlyMap<string, string>;
  readonly sourceDateEpoch?: number;
}

/** A line that a build says: the classic builder's words, or Kobune's own messages. */
export type BuildLine = ProgressLine & { readonly progress?: string; readonly event?: BuildEvent };

/** Output comes in base64. */
export type BuildEvent =
  | Exclude<BuildProgress, { kind: 'output' }>
  | (Omit<Extract<BuildProgress, { kind: 'output' }>, 'bytes'> & { readonly bytes: string });

const OWN_HEADER = 'x-kobune-build';
/** Node's clients and servers take headers of a limited size; the engine's limit is 1 MiB. */
const LARGEST_OWN = 900 * 1024;

/** Builds an image; yields what the builder says. Throws a `CommandError` for what the engine cannot do. */
export async function* buildImage(
  client: DockerClient,
  credentials: CredentialStore,
  build: ImageBuild,
): AsyncGenerator<BuildLine> {
  const { Platform: platform } = await client.json<EngineVersion>('GET', '/version');
  const isOwn = platform?.Name === 'Kobune';
  const local = isOwn && 'socketPath' in client.address ? await localContext(build) : undefined;
  const packed = local === undefined ? await archiveOf(build) : undefined;
  const own = { ...ownMembers(build, isOwn), ...(isOwn ? { events: true } : {}), ...local };
  const header = Buffer.from(JSON.stringify(own)).toString('base64url');
  if (header.length > LARGEST_OWN) throw new CommandError(`the secrets of a build are limited to ${LARGEST_OWN} bytes`);
  const request = {
    query: queryOf(build, packed?.dockerfile),
    headers: { ...(await credentials.headerForAll()), ...(isOwn ? { [OWN_HEADER]: header } : {}) },
    ...(packed === undefined ? {} : { stream: { source: packed.archive, type: 'application/x-tar' } }),
  };
  for await (const line of client.lines<ProgressLine & { progress?: unknown }>('POST', '/build', request)) {
    if (typeof line.progress === 'object') yield { event: line.progress as BuildEvent };
    else yield line as BuildLine;
  }
}

async function archiveOf(build: ImageBuild) {
  const { packContext } = await import('./build-context.ts');
  return packContext(build);
}

/** On the same machine the builder reads the files where they are: nothing is copied, and their digests are remembered. */
async function localContext({ directory, dockerfile }: ImageBuild): Promise<Record<string, unknown> | undefined> {
  const stat = await lstat(directory).catch(() => undefined);
  if (stat === undefined || !(stat.isDirectory() || stat.isSymbolicLink()))
    throw new CommandError(`there is no directory ${directory} to build from`);
  if ('text' in dockerfile) return { context: directory, dockerfile: { text: dockerfile.text, name: 'Dockerfile' } };
  const path = isAbsolute(dockerfile.path) ? dockerfile.path : join(directory, dockerfile.path);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`cannot read the Dockerfile ${path}: ${error.code ?? error.message}`, { cause: error });
  });
  // A very long one goes with the files instead.
  if (text.length > LARGEST_OWN / 3) return undefined;
  const inside = relative(directory, path);
  const name = inside.startsWith('..') || isAbsolute(inside) ? path : inside;
  const ignore = await readFile(`${path}.dockerignore`, 'utf8').catch(() => undefined);
  return { context: directory, dockerfile: { text, name }, ...(ignore === undefined ? {} : { ignore }) };
}

function ownMembers(build: ImageBuild, isOwn: boolean): Record<string, unknown> {
  const { secrets, ssh, cacheFrom, cacheTo, sourceDateEpoch } = build;
  const encoded = [...secrets].map(([id, content]) => [id, content.toString('base64')]);
  const members = {
    ...(encoded.length > 0 ? { secrets: Object.fromEntries(encoded) } : {}),
    ...(ssh.size > 0 ? { ssh: Object.fromEntries(ssh) } : {}),
    ...(cacheFrom.some(isOnlyOurs) ? { cacheFrom } : {}),
    ...(cacheTo.length > 0 ? { cacheTo } : {}),
    ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
  };
  const [first] = Object.keys(members);
  if (first !== undefined && !isOwn)
    throw new CommandError(`${first} of a build needs Kobune's engine, and this is another`);
  return members;
}

/** Docker's parameter takes names of images alone. */
function isOnlyOurs({ type }: CachePlace): boolean {
  return type !== 'registry';
}

function queryOf(build: ImageBuild, dockerfile: string | undefined) {
  const { cacheFrom } = build;
  return {
    t: build.tags,
    dockerfile,
    buildargs: JSON.stringify(Object.fromEntries(build.args)),
    labels: JSON.stringify(Object.fromEntries(build.labels)),
    target: build.target,
    nocache: build.noCache,
    pull: build.pull,
    networkmode: build.network,
    shmsize: build.shmSize,
    extrahosts: build.extraHosts,
    ulimits: build.ulimits.length === 0 ? undefined : JSON.stringify(build.ulimits),
    platform: build.platform,
    cachefrom:
      cacheFrom.length === 0 || cacheFrom.some(isOnlyOurs)
        ? undefined
        : JSON.stringify(cacheFrom.map(({ target }) => target)),
    rm: true,
    forcerm: true,
    version: '1',
  };
}

const CACHE_FIELDS = ['type', 'ref', 'src', 'dest', 'mode'];

/** `type=registry,ref=NAME[,mode=max]`, `type=local,dest=DIRECTORY`, or the name of an image alone. `undefined` when it is none of these. */
export function parseCachePlace(text: string, directory: string): CachePlace | undefined {
  if (!text.includes('=')) return { type: 'registry', target: text };
  const fields = new Map(text.split(',').map(fieldOf));
  if ([...fields.keys()].some((name) => !CACHE_FIELDS.includes(name))) return undefined;
  const mode = fields.get('mode');
  if (mode !== undefined && mode !== 'min' && mode !== 'max') return undefined;
  const more: Pick<CachePlace, 'mode'> = mode === undefined ? {} : { mode };
  const reference = fields.get('ref');
  if (fields.get('type') === 'registry' && reference) return { type: 'registry', target: reference, ...more };
  const folder = fields.get('dest') ?? fields.get('src');
  if (fields.get('type') === 'local' && folder)
    return { type: 'local', target: isAbsolute(folder) ? folder : join(directory, folder), ...more };
  return undefined;
}

/** A path may have a further `=`. */
function fieldOf(field: string): [name: string, value: string] {
  const equals = field.indexOf('=');
  return equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)];
}
