import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Change, Image, Root } from '../images/index.ts';
import type { Endpoint, EndpointSpec } from '../network/index.ts';
import { noteStorePlace, type Store } from '../store/index.ts';
import { adoptContainers } from './adoption.ts';
import { type AttachOptions, attach } from './attach.ts';
import { removeEmptyGroup } from './cgroups/remove-groups.ts';
import { changesOf, commit } from './commit.ts';
import type { Container, ContainerSpec, Resources, RestartPolicy, TerminalSize } from './container.ts';
import { checkName } from './create/check-spec.ts';
import { createContainer } from './create/create-container.ts';
import { describeContainer } from './describe.ts';
import type {
  AttachedStreams,
  ContainerEngine,
  ContainerEvent,
  Exec,
  ExecSpec,
  LogLine,
  LogOptions,
  StartExecOptions,
  Stats,
  Volumes,
  WaitCondition,
} from './engine.ts';
import { invalid, notRunning } from './errors.ts';
import { Execs } from './exec/execs.ts';
import { HealthMonitor, isCheck } from './health/health-monitor.ts';
import { claimInstance, releaseInstance, sweepDeadInstances } from './instances.ts';
import { type ContainerEnd, LiveContainer } from './live-container.ts';
import { endOfLog, readLog } from './logs/read-log.ts';
import { mountsBelow, unmount } from './mounts/mount-table.ts';
import { type MountedRoot, openMountedRoot } from './mounts/mounted-root.ts';
import { connectNetwork, disconnectNetwork } from './network-changes.ts';
import { openParts } from './open-parts.ts';
import type { ContainerEngineOptions } from './options.ts';
import { type EngineParts, type EventSubject, groupPath, type OtherContainer } from './parts.ts';
import { ContainerRegistry } from './registry.ts';
import { resizeTerminal } from './runtime/conmon.ts';
import { statsOf } from './stats.ts';
import { top } from './top.ts';
import { update } from './update.ts';
import { VolumeStore } from './volumes/volume-store.ts';
import { waitFor } from './wait.ts';

/** Makes the engine; `start` it before it is used. Throws `NotSupported` where containers cannot run. */
export function createContainerEngine(options: ContainerEngineOptions): ContainerEngine {
  return new Engine(options);
}

/** Two blocks of zeros end every archive. Source: pax(1), "ustar Interchange Format". */
const EMPTY_ARCHIVE = Buffer.alloc(1024);

class Engine implements ContainerEngine {
  readonly #parts: EngineParts;
  readonly #ephemeral: boolean;
  readonly #store: Store;
  readonly #volumes: VolumeStore;
  readonly #containers = new ContainerRegistry();
  readonly #execs: Execs;
  readonly #listeners = new Set<(event: ContainerEvent) => void>();

  constructor(options: ContainerEngineOptions) {
    const { store, random, directory } = options;
    this.#volumes = new VolumeStore({
      store,
      random,
      directory: join(directory, 'volumes'),
      now: () => Date.now(),
      users: (name) => this.#usersOf(name),
      removeFiles: (path) => this.#parts.removeFiles(path),
      emit: (action, id, attributes) => this.#tell({ kind: 'volume', action, id, attributes, time: Date.now() }),
    });
    this.#parts = openParts(options, {
      volumes: this.#volumes,
      emit: (action, subject, attributes) => this.#emit(action, subject, attributes),
      other: (nameOrId) => this.#other(nameOrId),
    });
    this.#execs = new Execs(this.#parts);
    this.#ephemeral = options.ephemeral;
    this.#store = store;
  }

  get volumes(): Volumes {
    return this.#volumes;
  }

  async start(): Promise<void> {
    const { kernel, hierarchies, logger, instance, directory, runtime } = this.#parts;
    await sweepDeadInstances(kernel, hierarchies, logger);
    await claimInstance(instance, {
      ephemeral: this.#ephemeral,
      store: noteStorePlace(this.#store),
      directory,
      runtimeState: runtime.stateDirectory,
    });
    await this.#volumes.start();
    this.#parts.images.tellRunning((id) => this.#containers.find(id)?.running ?? false);
    await adoptContainers(this.#parts, (container) => this.#add(container));
  }

  async create(spec: ContainerSpec): Promise<{ readonly container: Container; readonly warnings: readonly string[] }> {
    const { record, warnings } = await createContainer(this.#parts, spec, {
      holderOf: (name) => this.#containers.holderOf(name),
      mountsOf: (name) => this.#containers.get(name).record.mounts,
    });
    const container = new LiveContainer(this.#parts, record);
    this.#add(container);
    this.#emit('create', record);
    container.prepare();
    return { container: describeContainer(container), warnings };
  }

  async get(nameOrId: string): Promise<Container> {
    return describeContainer(this.#containers.get(nameOrId));
  }

  async find(nameOrId: string): Promise<Container | undefined> {
    const found = this.#containers.find(nameOrId);
    return found && describeContainer(found);
  }

  async list(): Promise<readonly Container[]> {
    return this.#containers.all().map(describeContainer);
  }

  async startContainer(nameOrId: string): Promise<void> {
    const container = this.#containers.get(nameOrId);
    try {
      await container.start();
    } catch (error) {
      if (container.record.spec.autoRemove && !container.running) await this.#removeEnded(container);
      throw error;
    }
  }

  async stop(
    nameOrId: string,
    options?: { readonly timeoutSeconds?: number; readonly signal?: string },
  ): Promise<void> {
    await this.#containers.get(nameOrId).stop(options);
  }

  async restart(
    nameOrId: string,
    options?: { readonly timeoutSeconds?: number; readonly signal?: string },
  ): Promise<void> {
    const container = this.#containers.get(nameOrId);
    await container.keepWhile(async () => {
      await container.stop(options);
      await container.start();
    });
    this.#emit('restart', container.record);
  }

  async kill(nameOrId: string, signal: string): Promise<void> {
    await this.#containers.get(nameOrId).kill(signal);
  }

  async pause(nameOrId: string): Promise<void> {
    await this.#containers.get(nameOrId).pause();
  }

  async unpause(nameOrId: string): Promise<void> {
    await this.#containers.get(nameOrId).unpause();
  }

  async remove(
    nameOrId: string,
    options: { readonly force?: boolean; readonly volumes?: boolean } = {},
  ): Promise<void> {
    const container = this.#containers.get(nameOrId);
    if (options.force && (container.running || container.record.status === 'restarting')) {
      await container.stop({ signal: 'SIGKILL', timeoutSeconds: 0 });
    }
    await container.remove(() => (options.volumes ? this.#removeAnonymousVolumes(container) : Promise.resolve()));
  }

  wait(nameOrId: string, condition: WaitCondition, signal?: AbortSignal) {
    // Also what cannot be found is a rejection.
    return new Promise<ContainerEnd>((resolve) => resolve(waitFor(this.#containers.get(nameOrId), condition, signal)));
  }

  async attach(nameOrId: string, options: AttachOptions): Promise<AttachedStreams> {
    const container = this.#containers.get(nameOrId);
    const history = () => this.#readHistory(container, options);
    const streams = attach(this.#parts, container, options, history);
    this.#emit('attach', container.record);
    return streams;
  }

  async *logs(nameOrId: string, options: LogOptions): AsyncGenerator<LogLine> {
    const container = this.#containers.get(nameOrId);
    if (container.record.spec.log.driver === 'none') {
      throw invalid('configured logging driver does not support reading');
    }
    yield* this.#readLog(container, options);
  }

  async rename(nameOrId: string, name: string): Promise<void> {
    const container = this.#containers.get(nameOrId);
    checkName(name);
    await container.exclusively(async () => {
      const { record } = container;
      if (name === record.name) throw invalid('Renaming a container with the same name as its current name');
      const renamed = { ...record, name };
      await this.#parts.records.rename(renamed, record.name);
      container.renamed(renamed);
      this.#containers.renamed(container, record.name);
      if (record.spec.network.mode === 'bridge') await this.#parts.networks.rename(container.id, name);
      this.#emit('rename', container.record, { oldName: `/${record.name}` });
    });
  }

  async update(
    nameOrId: string,
    changes: { readonly resources?: Partial<Resources>; readonly restart?: RestartPolicy },
  ): Promise<readonly string[]> {
    return update(this.#parts, this.#containers.get(nameOrId), changes);
  }

  async resize(nameOrId: string, size: TerminalSize): Promise<void> {
    const container = this.#containers.get(nameOrId);
    if (!container.running) throw notRunning(container.id);
    await resizeTerminal(container.files.run, size);
    this.#emit('resize', container.record, { height: String(size.rows), width: String(size.columns) });
  }

  async top(nameOrId: string, psArguments?: string) {
    const container = this.#containers.get(nameOrId);
    const told = await top(this.#parts, container, psArguments);
    this.#emit('top', container.record);
    return told;
  }

  async stats(nameOrId: string): Promise<Stats> {
    return statsOf(this.#parts, this.#containers.get(nameOrId));
  }

  async changes(nameOrId: string): Promise<readonly Change[]> {
    return changesOf(this.#containers.get(nameOrId));
  }

  async root(nameOrId: string): Promise<Root> {
    const container = this.#containers.get(nameOrId);
    // It may be about to be changed.
    await container.discardPreparation();
    return container.root();
  }

  async mountedRoot(nameOrId: string): Promise<MountedRoot> {
    const { path } = await this.root(nameOrId);
    return openMountedRoot(this.#parts, path, this.#containers.get(nameOrId).record.mounts);
  }

  async export(nameOrId: string): Promise<Readable> {
    const container = this.#containers.get(nameOrId);
    const root = await container.root();
    // Source: `docker export` names what is in the root without a slash, and not the root.
    const archive = await this.#parts.images.roots.readArchive(root, '/', '');
    this.#emit('export', container.record);
    return archive ?? Readable.from([EMPTY_ARCHIVE]);
  }

  async commit(nameOrId: string, options: Parameters<ContainerEngine['commit']>[1]): Promise<Image> {
    const container = this.#containers.get(nameOrId);
    const image = await commit(this.#parts, container, options);
    const { reference: imageRef, comment = '' } = options;
    this.#emit('commit', container.record, { comment, imageID: image.id, ...(imageRef ? { imageRef } : {}) });
    return image;
  }

  async connectNetwork(nameOrId: string, endpoint: EndpointSpec): Promise<Endpoint> {
    return connectNetwork(this.#parts, this.#containers.get(nameOrId), endpoint);
  }

  async disconnectNetwork(nameOrId: string, network: string, force: boolean): Promise<void> {
    await disconnectNetwork(this.#parts, this.#containers.get(nameOrId), network, force);
  }

  async createExec(nameOrId: string, spec: ExecSpec): Promise<Exec> {
    return this.#execs.create(this.#containers.get(nameOrId), spec);
  }

  startExec(execId: string, options: StartExecOptions): Promise<AttachedStreams | undefined> {
    return this.#execs.start(execId, options);
  }

  async resizeExec(execId: string, size: TerminalSize): Promise<void> {
    this.#execs.resize(execId, size);
  }

  async getExec(execId: string): Promise<Exec> {
    return this.#execs.get(execId);
  }

  async pruneContainers(matches: (container: Container) => boolean = () => true) {
    const ids: string[] = [];
    let bytes = 0;
    for (const container of this.#containers.all()) {
      const { running, record } = container;
      if (running || record.status === 'restarting' || !matches(describeContainer(container))) continue;
      const { written } = await this.sizes(container.id).catch(() => ({ written: 0 }));
      try {
        await this.remove(container.id);
      } catch {
        // It was started, or removed, meanwhile.
        continue;
      }
      ids.push(container.id);
      bytes += written;
    }
    this.#tell({
      kind: 'container',
      action: 'prune',
      id: '',
      attributes: { reclaimed: String(bytes) },
      time: Date.now(),
    });
    return { ids, bytes };
  }

  async sizes(nameOrId: string): Promise<{ readonly written: number; readonly root: number }> {
    const container = this.#containers.get(nameOrId);
    const [written, image] = await Promise.all([
      container.root().then((root) => root.size()),
      this.#parts.images.find(container.record.spec.image.id),
    ]);
    return { written, root: written + (image?.size ?? 0) };
  }

  onEvent(listener: (event: ContainerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close({ stopAll = false }: { readonly stopAll?: boolean } = {}): Promise<void> {
    const containers = this.#containers.all();
    if (stopAll) {
      await Promise.allSettled(
        containers.map((container) => this.remove(container.id, { force: true, volumes: true })),
      );
      // Also of a container that would not go nothing leads out of what is deleted next.
      const { kernel, directory } = this.#parts;
      for (const path of mountsBelow(directory)) unmount(kernel, path);
    }
    const goOn = containers.some(({ running }) => running);
    await Promise.all(containers.map((container) => container.letGo()));
    if (!goOn) {
      const { hierarchies, instance, runtime } = this.#parts;
      removeEmptyGroup(hierarchies, groupPath(instance, ''));
      await releaseInstance(instance, runtime.stateDirectory);
    }
    this.#listeners.clear();
  }

  /** What is in the log now: what comes after it is for those who are attached. */
  #readHistory(container: LiveContainer, { stdout, stderr }: AttachOptions): AsyncGenerator<LogLine> {
    const { log } = container.record.spec;
    const live = container.run?.spool.log;
    const end = endOfLog(container.files.log, live);
    return readLog(container.files.log, log.maxFiles, live, { stdout, stderr, follow: false, end });
  }

  #readLog(container: LiveContainer, options: LogOptions): AsyncGenerator<LogLine> {
    container.run?.spool.catchUp();
    const { log } = container.record.spec;
    return readLog(container.files.log, log.maxFiles, container.run?.spool.log, options);
  }

  #add(container: LiveContainer): void {
    this.#containers.add(container);
    const { healthcheck } = container.record.spec;
    if (isCheck(healthcheck)) {
      const monitor = new HealthMonitor(this.#parts, container, healthcheck);
      container.watchHealth(() => monitor.health);
    }
    container.listen({
      ended: (_end, final) => {
        if (final && container.record.spec.autoRemove && !container.kept) void this.#removeEnded(container);
      },
      removed: () => {
        this.#containers.remove(container);
        this.#execs.forget(container);
      },
    });
  }

  async #removeEnded(container: LiveContainer): Promise<void> {
    try {
      await container.remove(() => this.#removeAnonymousVolumes(container));
    } catch (error) {
      this.#parts.logger.warn('a container could not be removed', { container: container.id, error });
    }
  }

  async #removeAnonymousVolumes({ record }: LiveContainer): Promise<void> {
    for (const { point } of record.mounts) {
      const volume = point.name === undefined ? undefined : this.#volumes.find(point.name);
      if (!volume?.anonymous || this.#usersOf(volume.name).length > 0) continue;
      await this.#volumes.remove(volume.name, true).catch((error: unknown) => {
        this.#parts.logger.warn('a volume could not be removed', { volume: volume.name, error });
      });
    }
  }

  #usersOf(volume: string): string[] {
    const uses = ({ record }: LiveContainer) =>
      record.status !== 'removing' && record.mounts.some(({ point }) => point.name === volume);
    return this.#containers
      .all()
      .filter(uses)
      .map(({ id }) => id);
  }

  #other(nameOrId: string): OtherContainer {
    const container = this.#containers.get(nameOrId);
    const { record, files, run } = container;
    return {
      id: container.id,
      name: record.name,
      mounts: record.mounts.map(({ point }) => point),
      process: run?.record.process,
      hostFiles: files,
      shm: record.spec.ipcMode === 'shareable' ? files.shm : undefined,
    };
  }

  #emit(action: string, { id, name, spec }: EventSubject, attributes: Readonly<Record<string, string>> = {}): void {
    const all = { ...spec.labels, image: spec.image.reference, name, ...attributes };
    this.#tell({ kind: 'container', action, id, attributes: all, time: Date.now() });
  }

  #tell(event: ContainerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
