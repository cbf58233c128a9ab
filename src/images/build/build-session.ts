import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ContentStore } from '../content.ts';
import type { Image, Images, TransferProgress } from '../images.ts';
import type { FileSystemCalls } from '../layers/file-system-calls.ts';
import type { Platform } from '../oci.ts';
import type { CreateRootOptions, Root } from '../roots.ts';
import type { BuildOptions, BuildProgress, BuildStep } from './builder.ts';
import type { FileDigests } from './cache/file-digests.ts';
import type { StepRecord, StepRecords } from './cache/step-records.ts';
import type { StepTurns } from './cache/step-turns.ts';
import type { Copier } from './copy/copier.ts';
import type { RemoteFiles } from './copy/remote-files.ts';
import { SourceTree } from './copy/source-tree.ts';
import { createIgnore, type Dockerfile } from './dockerfile/index.ts';
import { registryOf } from './registry-of.ts';
import type { CacheMounts } from './run/cache-mounts.ts';
import type { SecretFiles } from './run/secret-files.ts';
import type { Snapshot } from './stages/snapshot.ts';
import type { StepRunner } from './step-runner.ts';

/** What all builds share. */
export interface BuildParts {
  readonly images: Images;
  readonly content: ContentStore;
  readonly runner: StepRunner;
  readonly records: StepRecords;
  readonly turns: StepTurns;
  readonly mounts: CacheMounts;
  readonly remoteFiles: RemoteFiles;
  readonly secrets: SecretFiles;
  readonly digests: FileDigests;
  readonly calls: FileSystemCalls;
  readonly copier: Copier;
  readonly logger: Logger;
  /** Where builds keep what they need while they run: a directory for each. */
  readonly scratch: string;
}

/** One build: its options, and what must be given back when it ends. */
export class BuildSession {
  readonly id: string;
  readonly options: BuildOptions;
  readonly dockerfile: Dockerfile;
  readonly parts: BuildParts;
  /** Epoch seconds to which times are clamped. */
  readonly epoch: number | undefined;
  readonly startedAt: number;
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal;
  readonly #cleanups: (() => Promise<void> | void)[] = [];
  readonly #images = new Map<string, Promise<Image>>();
  readonly #trees = new Map<string, Promise<SourceTree>>();
  readonly #waiting: (() => void)[] = [];
  readonly #tracked = new Set<Promise<unknown>>();
  /** Results that this build has made. */
  readonly records: StepRecord[] = [];
  #running = 0;
  #roots = 0;
  #context: Promise<SourceTree> | undefined;
  #directory: Promise<string> | undefined;

  constructor(id: string, options: BuildOptions, dockerfile: Dockerfile, parts: BuildParts) {
    this.id = id;
    this.options = options;
    this.dockerfile = dockerfile;
    this.parts = parts;
    this.epoch = epochOf(options);
    this.startedAt = Date.now();
    this.#signal =
      options.signal === undefined
        ? this.#controller.signal
        : AbortSignal.any([options.signal, this.#controller.signal]);
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Stops everything that the build does: one of its stages has failed. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  emit(event: BuildProgress): void {
    this.options.onProgress?.(event);
  }

  warn(message: string, line?: number): void {
    this.emit({ kind: 'warning', message, ...(line === undefined ? {} : { line }) });
  }

  /** A result has been put into the cache. */
  made(record: StepRecord): void {
    this.records.push(record);
  }

  /** Work that must have ended before the build does, also when another part of it has failed. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#tracked.add(work);
    const done = () => this.#tracked.delete(work);
    work.then(done, done);
    return work;
  }

  async settled(): Promise<void> {
    while (this.#tracked.size > 0) await Promise.allSettled(this.#tracked);
  }

  /** Called when the build ends, the last first. */
  defer(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup);
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        this.parts.logger.warn('a build could not tidy up', { build: this.id, error: String(error) });
      }
    }
    this.#cleanups.length = 0;
  }

  /** A directory of this build, which is deleted with it. */
  directory(): Promise<string> {
    this.#directory ??= (async () => {
      const directory = join(this.parts.scratch, this.id);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      this.defer(() => rm(directory, { recursive: true, force: true }));
      return directory;
    })();
    return this.#directory;
  }

  /** Name for a root of this build. */
  rootId(): string {
    this.#roots += 1;
    return `build-${this.id}-${this.#roots}`;
  }

  /** Runs `work` when fewer steps than processors do. Never waits for another step inside. */
  async limit<T>(work: () => Promise<T>): Promise<T> {
    const most = Math.max(2, availableParallelism());
    if (this.#running >= most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      this.signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** The build context, without what `.dockerignore` leaves out. */
  context(): Promise<SourceTree> {
    this.#context ??= this.#openContext();
    return this.#context;
  }

  async #openContext(): Promise<SourceTree> {
    const { context, ignore } = this.options;
    const digests = await this.parts.digests.open(context.directory, context.temporary !== true);
    this.defer(() => digests.save());
    return new SourceTree({
      root: context.directory,
      label: 'the build context',
      owner: 'root',
      digests,
      ...(ignore === undefined ? {} : { ignore: createIgnore(ignore) }),
    });
  }

  /** The files of a snapshot, mounted read-only until the build ends. */
  mounted(snapshot: Snapshot, label: string): Promise<SourceTree> {
    let tree = this.#trees.get(snapshot.chain);
    if (tree === undefined) {
      tree = this.#mount(snapshot, label);
      this.#trees.set(snapshot.chain, tree);
    }
    return tree;
  }

  async #mount(snapshot: Snapshot, label: string): Promise<SourceTree> {
    const root = await this.root(snapshot, { readOnly: true });
    return new SourceTree({ root: root.path, label, owner: 'own', calls: this.parts.calls });
  }

  /** A root over a snapshot, removed when the build ends if nobody has before. */
  async root(snapshot: Snapshot, options: CreateRootOptions = {}): Promise<Root> {
    const root = await this.parts.images.roots.create(this.rootId(), snapshot.layers, { keepLayers: true, ...options });
    this.defer(() => root.remove());
    return root;
  }

  /** An image, pulled if it is not here. */
  image(reference: string, platform: Platform | undefined, step: BuildStep | undefined): Promise<Image> {
    const key = JSON.stringify([reference, platform]);
    let image = this.#images.get(key);
    if (image === undefined) {
      image = this.#findImage(reference, platform, step);
      this.#images.set(key, image);
    }
    return image;
  }

  async #findImage(reference: string, platform: Platform | undefined, step: BuildStep | undefined): Promise<Image> {
    const { images } = this.parts;
    const here = this.options.pull === true ? undefined : await images.find(reference);
    const image =
      here !== undefined && (platform === undefined || isFor(here, platform))
        ? here
        : await images.pull(reference, {
            ...(platform === undefined ? {} : { platform }),
            ...this.#auth(reference),
            signal: this.signal,
            onProgress: (progress) => this.#transfer(progress, step),
          });
    // Whoever deletes the image meanwhile does not take its layers from under the build.
    for (const { descriptor } of image.layers) {
      const lease = await this.parts.content.lease(descriptor.digest);
      if (lease !== undefined) this.defer(() => lease.release());
    }
    return image;
  }

  #auth(reference: string) {
    const auth = this.options.auth?.(registryOf(reference));
    return auth === undefined ? {} : { auth };
  }

  #transfer(progress: TransferProgress, step: BuildStep | undefined): void {
    this.emit({ kind: 'transfer', ...progress, ...(step === undefined ? {} : { step }) });
  }
}

function isFor(image: Image, platform: Platform): boolean {
  const { architecture, os, variant } = image.config;
  return (
    os === platform.os &&
    architecture === platform.architecture &&
    (platform.variant === undefined || variant === undefined || variant === platform.variant)
  );
}

/** Source: the specification of `SOURCE_DATE_EPOCH` at reproducible-builds.org. */
function epochOf({ sourceDateEpoch, buildArgs }: BuildOptions): number | undefined {
  const given = sourceDateEpoch === undefined ? buildArgs.SOURCE_DATE_EPOCH : String(sourceDateEpoch);
  if (given === undefined || given === '') return undefined;
  if (/^\d{1,11}$/.test(given)) return Number(given);
  throw new ServiceError('DockerfileError', `SOURCE_DATE_EPOCH must be whole seconds since 1970, not "${given}"`);
}
