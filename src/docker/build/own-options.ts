import { isAbsolute } from 'node:path';
import type { BuildOptions, BuildProgress } from '../../images/index.ts';
import { flag, invalid, list, map, nullable, object, optional, otherwise, text, whole } from '../shapes/shape.ts';

/** What builds can do and the classic protocol has no parameters for: Kobune's own clients say it in a header. */
export const OWN_OPTIONS_HEADER = 'x-kobune-build';

const location = object({ type: otherwise(text, 'registry'), target: text, mode: text });

const options = object({
  /** Contents in base64, by ID. */
  secrets: nullable(map(text)),
  /** Paths of agents' sockets, by ID. */
  ssh: nullable(map(text)),
  cacheFrom: list(location),
  cacheTo: list(location),
  /** A directory of this machine, instead of an archive in the body. */
  context: text,
  /** With `context`: the Dockerfile, and the name by which messages call it. */
  dockerfile: nullable(object({ text, name: text })),
  /** With `context`: what to use instead of its own `.dockerignore`. */
  ignore: optional(text),
  sourceDateEpoch: optional(whole),
  /** Each message of the build as it is, instead of the classic builder's words. */
  events: flag,
});

export interface OwnBuildOptions {
  readonly build: Pick<BuildOptions, 'secrets' | 'ssh' | 'cacheFrom' | 'cacheTo' | 'sourceDateEpoch'>;
  /** The build's files, when they are not in the body. */
  readonly prepared: Pick<BuildOptions, 'context' | 'dockerfile' | 'ignore'> | undefined;
  readonly events: boolean;
}

/** Reads the header: JSON in base64. Throws (400) for what it cannot be. */
export function readOwnOptions(header: string | string[] | undefined): OwnBuildOptions {
  if (typeof header !== 'string' || header === '') return { build: {}, prepared: undefined, events: false };
  const given = options(decode(header), 'the build options');
  const { secrets, ssh, cacheFrom, cacheTo, sourceDateEpoch, events } = given;
  for (const socket of Object.values(ssh ?? {}))
    if (!isAbsolute(socket)) throw invalid(`ssh must name sockets by absolute paths, not ${JSON.stringify(socket)}`);
  return {
    build: {
      ...(secrets === null
        ? {}
        : { secrets: new Map(Object.entries(secrets).map(([id, value]) => [id, Buffer.from(value, 'base64')])) }),
      ...(ssh === null ? {} : { ssh: new Map(Object.entries(ssh)) }),
      ...(cacheFrom.length === 0 ? {} : { cacheFrom: cacheFrom.map(toLocation) }),
      ...(cacheTo.length === 0 ? {} : { cacheTo: cacheTo.map(toLocation) }),
      ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
    },
    prepared: toPrepared(given.context, given.dockerfile, given.ignore),
    events,
  };
}

function toLocation(given: {
  type: string;
  target: string;
  mode: string;
}): NonNullable<BuildOptions['cacheTo']>[number] {
  const { type, target, mode } = given;
  if (type !== 'registry' && type !== 'local')
    throw invalid(`caches of type ${JSON.stringify(type)} are not supported`);
  if (target === '') throw invalid('a cache needs a target');
  if (type === 'local' && !isAbsolute(target)) throw invalid('a cache in a folder needs an absolute path');
  if (!['', 'min', 'max'].includes(mode))
    throw invalid(`the mode of a cache is min or max, not ${JSON.stringify(mode)}`);
  return { type, target, ...(mode === 'min' || mode === 'max' ? { mode } : {}) };
}

function toPrepared(
  directory: string,
  dockerfile: { text: string; name: string } | null,
  ignore: string | undefined,
): OwnBuildOptions['prepared'] {
  if (directory === '') return undefined;
  if (!isAbsolute(directory)) throw invalid('the context must be an absolute path');
  if (dockerfile === null) throw invalid('a context on this machine needs the text of the Dockerfile');
  return { context: { directory }, dockerfile, ...(ignore === undefined ? {} : { ignore }) };
}

function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as unknown;
  } catch {
    throw invalid(`invalid ${OWN_OPTIONS_HEADER} header: it is not JSON in base64`);
  }
}

/** A message of a build as JSON; output in base64. */
export function progressMessage(event: BuildProgress): object {
  if (event.kind !== 'output') return { progress: event };
  return { progress: { ...event, bytes: Buffer.from(event.bytes).toString('base64') } };
}
