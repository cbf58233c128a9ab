import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { openKernel } from '../../network/index.ts';
import type { Store } from '../../store/index.ts';
import type { ContentStore } from '../content.ts';
import type { Images } from '../images.ts';
import { FileSystemCalls } from '../layers/file-system-calls.ts';
import { BuildGraph } from './build-graph.ts';
import { type BuildParts, BuildSession } from './build-session.ts';
import type { Builder, BuildOptions, BuildResult, CacheUsage } from './builder.ts';
import { keyOf } from './cache/cache-keys.ts';
import { CachePruning, type PruneOptions } from './cache/cache-pruning.ts';
import { FileDigests } from './cache/file-digests.ts';
import { Misses, type RememberedBuild, type RememberedStep } from './cache/misses.ts';
import { StepRecords } from './cache/step-records.ts';
import { StepTurns } from './cache/step-turns.ts';
import { exportCache } from './cache-transfer/export-cache.ts';
import { ImportedCaches } from './cache-transfer/imported-caches.ts';
import { openPlace } from './cache-transfer/open-place.ts';
import { Copier } from './copy/copier.ts';
import { RemoteFiles } from './copy/remote-files.ts';
import { type Dockerfile, parseDockerfile } from './dockerfile/index.ts';
import { readIgnoreFile } from './ignore-file.ts';
import { CacheMounts } from './run/cache-mounts.ts';
import { SecretFiles } from './run/secret-files.ts';
import { imageConfig } from './stages/image-config.ts';
import type { StepRunner } from './step-runner.ts';

export interface BuilderOptions {
  readonly images: Images;
  readonly content: ContentStore;
  readonly store: Store;
  readonly runner: StepRunner;
  readonly random: Random;
  readonly logger: Logger;
  /** The data directory of the images: the builder keeps its things in `build/` below it. */
  readonly directory: string;
  readonly clock: Clock;
  /** Bytes that the cache may take. */
  readonly maxCacheBytes?: number;
}

const MAX_CACHE_BYTES = 20 * 2 ** 30;
/** Roots of builds have names that begin so. */
const PREFIX = 'build-';

/** Makes the builder of a data directory. What a killed one has left half-made is removed before its first build. */
export function createBuilder(options: BuilderOptions): Builder {
  return new DockerfileBuilder(options);
}

class DockerfileBuilder implements Builder {
  readonly #options: BuilderOptions;
  readonly #parts: BuildParts;
  readonly #secrets: SecretFiles;
  readonly #misses: Misses;
  readonly #pruning: CachePruning;
  readonly #running = new Map<BuildSession, Promise<unknown>>();
  #ready: Promise<void> | undefined;
  #closed = false;

  constructor(options: BuilderOptions) {
    this.#options = options;
    const { images, content, store, runner, random, logger, clock } = options;
    const directory = join(options.directory, 'build');
    const kernel = openKernel();
    if (kernel === undefined) {
      throw new ServiceError('NotSupported', 'images cannot be built here: this needs Linux and Node 26.1 or newer', {
        status: 501,
      });
    }
    const calls = new FileSystemCalls(kernel);
    const now = () => clock.now();
    const records = new StepRecords(store, content, random, now);
    const mounts = new CacheMounts(join(directory, 'cache-mounts'), store, random, now);
    const remoteFiles = new RemoteFiles(store, content, now);
    this.#secrets = new SecretFiles(directory, random);
    this.#misses = new Misses(join(directory, 'last-builds'));
    this.#parts = {
      images,
      content,
      runner,
      records,
      turns: new StepTurns(),
      mounts,
      remoteFiles,
      secrets: this.#secrets,
      digests: new FileDigests(join(directory, 'file-digests')),
      calls,
      copier: new Copier(calls),
      logger,
      scratch: join(directory, 'running'),
    };
    this.#pruning = new CachePruning({
      records,
      mounts,
      remoteFiles,
      content,
      maxBytes: options.maxCacheBytes ?? MAX_CACHE_BYTES,
    });
  }

  async build(options: BuildOptions): Promise<BuildResult> {
    if (this.#closed) throw new ServiceError('Closed', 'the builder is closed', { status: 503 });
    this.#ready ??= this.#tidy();
    await this.#ready;
    const dockerfile = parseDockerfile(options.dockerfile.text, { name: options.dockerfile.name });
    const session = new BuildSession(
      this.#options.random.hex(16),
      { ...options, ignore: options.ignore ?? (await readIgnoreFile(options)) },
      dockerfile,
      this.#parts,
    );
    const work = this.#run(session);
    this.#running.set(session, work);
    try {
      return await work;
    } finally {
      this.#running.delete(session);
    }
  }

  async #run(session: BuildSession): Promise<BuildResult> {
    const { dockerfile, options, parts } = session;
    for (const { line, message } of dockerfile.warnings) session.warn(message, line);
    const names = buildNames(options, dockerfile);
    try {
      session.signal.throwIfAborted();
      const remembered = await this.#misses.recall(names);
      const imported = await this.#openImports(session);
      const lookUp = async (key: string) => (await parts.records.find(key)) ?? (await imported.find(key));
      const graph = new BuildGraph(session, { remembered, lookUp });
      const result = await this.#finish(session, graph);
      await this.#export(session, graph);
      await this.#remember(session, graph, names, remembered);
      return result;
    } catch (error) {
      // Stages that are still at work end before anything that they use is taken away.
      session.abort(error);
      throw options.signal?.aborted ? aborted(error) : error;
    } finally {
      await session.settled();
      await session.end();
    }
  }

  async #openImports(session: BuildSession): Promise<ImportedCaches> {
    const { options, signal, parts } = session;
    const locations = options.noCache === true ? [] : (options.cacheFrom ?? []);
    const places = locations.map((location) => openPlace(location, this.#options, options, { push: false, signal }));
    return await ImportedCaches.open(places, parts.records, (message) => session.warn(message), signal);
  }

  async #export(session: BuildSession, graph: BuildGraph): Promise<void> {
    const { options, signal, parts } = session;
    for (const location of options.cacheTo ?? []) {
      const place = openPlace(location, this.#options, options, { push: true, signal });
      const stages = location.mode === 'max' ? [...graph.stages.values()] : graph.target.withBelow;
      session.emit({ kind: 'transfer', id: place.label, status: 'Exporting the build cache' });
      const exported = await Promise.all(stages.map(async (stage) => ({ keys: (await stage.definitions()).slice(1) })));
      await exportCache(exported, parts.records, place);
      session.emit({ kind: 'transfer', id: place.label, status: 'Build cache exported' });
    }
  }

  async #finish(session: BuildSession, graph: BuildGraph): Promise<BuildResult> {
    const { options, parts } = session;
    await graph.planAll();
    const { snapshot, results } = await graph.target.result();
    const { base, steps, state } = await graph.target.plan();
    for (const stage of graph.stages.values()) if (!stage.wasAskedFor) await stage.reportUnneeded();
    for (const name of graph.arguments.unused()) session.warn(`the build argument ${name} was not used by any ARG`);
    session.signal.throwIfAborted();
    const { epoch, startedAt } = session;
    const { labels } = options;
    const config = imageConfig({ base: base.config, steps, results, state, snapshot, epoch, startedAt, labels });
    const [first, ...others] = options.tags;
    const used = [...graph.stages.values()].flatMap((stage) => [...stage.used]);
    const [image] = await Promise.all([
      parts.images.add({ config, layers: snapshot.layers }, first),
      parts.records.use(used.map(([id, keys]) => ({ id, keys: [...keys] }))),
    ]);
    for (const tag of others) await parts.images.tag(image.id, tag);
    return { imageId: image.id, tags: options.tags };
  }

  async #remember(
    session: BuildSession,
    graph: BuildGraph,
    names: readonly string[],
    before: RememberedBuild | undefined,
  ): Promise<void> {
    try {
      const definitions = await Promise.all([...graph.stages].map(([, stage]) => stage.definition()));
      const key = keyOf(definitions);
      if (key !== before?.key) {
        const stages: (readonly RememberedStep[])[] = session.dockerfile.stages.map(() => []);
        for (const [index, stage] of graph.stages) stages[index] = await stage.remember();
        await this.#misses.remember(names, { key, stages });
      }
      if (session.records.length > 0) await this.#pruning.enforceBound();
    } catch (error) {
      // The image is made: what is missing now is an explanation, or room that the next build makes.
      this.#parts.logger.warn('a build could not be remembered', { error: String(error) });
    }
  }

  async cacheUsage(): Promise<readonly CacheUsage[]> {
    return await this.#pruning.usage();
  }

  async pruneCache(options: PruneOptions = {}): Promise<{ readonly ids: readonly string[]; readonly bytes: number }> {
    await this.#parts.images.roots.collectLayers();
    return await this.#pruning.prune(options);
  }

  /** Removes what a killed process has left: roots, scratch files, secrets. */
  async #tidy(): Promise<void> {
    const { images, mounts, digests, scratch } = this.#parts;
    const own = new Set([...this.#running.keys()].map(({ id }) => id));
    for (const id of await images.roots.list()) {
      if (id.startsWith(PREFIX) && !own.has(id.slice(PREFIX.length).split('-')[0]!)) {
        await (await images.roots.open(id))?.remove();
      }
    }
    for (const name of await readdir(scratch).catch(() => [])) {
      await rm(join(scratch, name), { recursive: true, force: true });
    }
    await this.#secrets.tidy();
    await mounts.tidy();
    await digests.tidy();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const closing = new ServiceError('Closed', 'the builder is closed', { status: 503 });
    for (const session of this.#running.keys()) session.abort(closing);
    await Promise.allSettled(this.#running.values());
    await this.#parts.copier.close();
  }
}

/** Names under which the next build of the same Dockerfile is recognised, the surest first. */
function buildNames({ tags, context, dockerfile: { name } }: BuildOptions, { stages }: Dockerfile): string[] {
  const repository = tags[0]?.replace(/:[^:/]*$/, '');
  const names = [
    ...(repository === undefined ? [] : [`image ${repository}\n${name}`]),
    ...(context.temporary === true ? [] : [`directory ${context.directory}\n${name}`]),
  ];
  if (names.length > 0) return names;
  return [`stages ${name}\n${stages.map(({ from }) => from.text).join('\n')}`];
}

function aborted(error: unknown): Error {
  return error instanceof ServiceError && error.code !== 'Closed'
    ? error
    : new ServiceError('BuildCanceled', 'the build was canceled', { status: 499, cause: error });
}
