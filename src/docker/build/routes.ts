import { ServiceError } from '../../base/errors.ts';
import type { BuildErrorPlace } from '../../images/index.ts';
import { jsonStream, type Say } from '../server/json-stream.ts';
import { readRegistryConfig } from '../server/registry-auth.ts';
import { type Answer, type Call, json, type Route } from '../server/route.ts';
import { readFilters } from '../shapes/filters.ts';
import { invalid } from '../shapes/shape.ts';
import { readPast } from '../shapes/timestamp.ts';
import { prepareContext } from './build-context.ts';
import { readBuildOptions } from './build-options.ts';
import { ClassicProgress } from './classic-progress.ts';
import { ContextPlaces } from './context-places.ts';
import { OWN_OPTIONS_HEADER, progressMessage, readOwnOptions } from './own-options.ts';

/** The builder that `/_ping` recommends and that `/build` is: the classic one. */
export const CLASSIC_BUILDER = '1';

async function imageBuild(call: Call): Promise<Answer> {
  const { host, query, request } = call;
  const version = query.text('version') || CLASSIC_BUILDER;
  if (version !== CLASSIC_BUILDER) {
    throw invalid(
      `builder version ${JSON.stringify(version.slice(0, 20))} is not supported: the classic builder (1) is; unset DOCKER_BUILDKIT, or use \`kobune build\``,
    );
  }
  query.refuse({ session: 'sessions are BuildKit’s' });
  const options = readBuildOptions(query);
  const own = readOwnOptions(request.headers[OWN_OPTIONS_HEADER]);
  const auth = readRegistryConfig(request.headers['x-registry-config']);
  const builder = await host.builder();
  const places = new ContextPlaces(host);
  const quiet = query.flag('q');
  return jsonStream(call, async (say, signal) => {
    try {
      const prepared = own.prepared ?? (await prepareContext(call, (small) => places.make(small), signal));
      const progress = new ClassicProgress(quiet ? () => {} : say);
      try {
        const result = await builder.build({
          ...options,
          ...own.build,
          ...prepared,
          auth,
          signal,
          onProgress: own.events ? (event) => say(progressMessage(event)) : (event) => progress.take(event),
        });
        progress.flush();
        tellResult(say, result, quiet);
      } catch (error) {
        progress.flush();
        throw toClassicError(error);
      }
    } finally {
      await places.remove();
    }
  });
}

function tellResult(
  say: Say,
  result: { readonly imageId: string; readonly tags: readonly string[] },
  quiet: boolean,
): void {
  if (quiet) {
    say({ stream: `${result.imageId}\n` });
    return;
  }
  say({ aux: { ID: result.imageId } });
  say({ stream: `Successfully built ${result.imageId.replace(/^sha256:/, '').slice(0, 12)}\n` });
  for (const tag of result.tags) say({ stream: `Successfully tagged ${tag}\n` });
}

/** A failed step as the classic builder words it, with the place in the Dockerfile, which that builder does not tell. */
function toClassicError(error: unknown): unknown {
  if (!(error instanceof ServiceError)) return error;
  const place = error.members.place as BuildErrorPlace | undefined;
  if (place === undefined || error.message.includes(place.file)) return error;
  const message = `${error.message}\n${place.file}:${place.line}: ${place.excerpt}`;
  return new ServiceError(error.code, message, { status: error.status, members: error.members, cause: error });
}

async function buildPrune(call: Call): Promise<Answer> {
  const { host, query } = call;
  const filters = readFilters(query, ['until', 'unused-for']);
  const times = [...filters.get('until'), ...filters.get('unused-for')];
  if (times.length > 1) throw invalid('until filter expects only one value');
  const until = times[0] === undefined ? undefined : readPast(times[0], host.clock.now(), 'filter until');
  query.refuse({
    'max-used-space': 'give reserved-space or keep-storage',
    'min-free-space': 'give reserved-space or keep-storage',
  });
  const keepBytes = query.whole('reserved-space') ?? query.whole('keep-storage');
  const builder = await host.builder();
  const { ids, bytes } = await builder.pruneCache({
    all: query.flag('all'),
    ...(until === undefined ? {} : { until }),
    ...(keepBytes ? { keepBytes } : {}),
  });
  host.events.add('builder', 'prune', '', { reclaimed: String(bytes) });
  return json({ CachesDeleted: ids.length > 0 ? ids : null, SpaceReclaimed: bytes });
}

export const buildRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/build',
    operation: 'ImageBuild',
    note: 'The classic builder’s protocol; the language is BuildKit’s Dockerfile, with mounts, here-documents and stages built in parallel.',
    handle: imageBuild,
  },
  { method: 'POST', path: '/build/prune', operation: 'BuildPrune', since: 31, handle: buildPrune },
];
