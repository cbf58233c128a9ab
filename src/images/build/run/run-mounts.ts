import { stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Root } from '../../roots.ts';
import type { BuildSession } from '../build-session.ts';
import type { KeyParts } from '../cache/cache-keys.ts';
import { toCopySources } from '../copy/copy-plan.ts';
import { digestSelections, joinedFiles, type Selection, SourceNotFoundError, select } from '../copy/copy-sources.ts';
import type { SourceTree, TreeFile } from '../copy/source-tree.ts';
import type { RunMount } from '../dockerfile/index.ts';
import type { FileSystemSource, OperationParts } from '../operation.ts';
import { EMPTY_SNAPSHOT } from '../stages/snapshot.ts';
import type { StepMount } from '../step-runner.ts';
import { openAgentSocket } from './agent-socket.ts';
import type { CacheMountRequest } from './cache-mounts.ts';
import type { MountPoints } from './mount-points.ts';

/** A mount of RUN with what it takes its files from; undefined: the build context, or nothing. */
export interface PlannedMount {
  readonly mount: RunMount;
  readonly source: FileSystemSource | undefined;
}

/** What mounts add to the key of a RUN: never what secrets hold. */
export async function mountParts(
  planned: readonly PlannedMount[],
  session: BuildSession,
  mode: 'definition' | 'content',
): Promise<{ readonly parts: readonly KeyParts[]; readonly files: OperationParts['files'] }> {
  const parts: KeyParts[] = [];
  const filesOf: OperationParts['files'][] = [];
  for (const { mount, source } of planned) {
    if (mount.type !== 'bind' && mount.type !== 'cache') {
      parts.push({ ...mount });
      continue;
    }
    if (mount.type === 'cache') {
      parts.push({ ...mount, from: source === undefined ? undefined : await source.definition() });
      continue;
    }
    if (mode === 'definition' && source !== undefined) {
      parts.push({ ...mount, from: await source.definition() });
      continue;
    }
    const tree = source === undefined ? await session.context() : await source.tree();
    const digest = await digestSelections(await select(tree, mount.source, { parents: false, exclude: undefined }));
    filesOf.push(digest.files);
    parts.push({ ...mount, from: digest.digest });
  }
  return { parts, files: joinedFiles(filesOf) };
}

export interface PreparedMounts {
  readonly mounts: readonly StepMount[];
  /** `NAME=value` */
  readonly environment: readonly string[];
  release(): Promise<void>;
}

/** Makes everything that a RUN's mounts need. What it has made is given back when it fails in between. */
export async function prepareMounts(
  planned: readonly PlannedMount[],
  session: BuildSession,
  root: Root,
  workingDirectory: string,
  points: MountPoints,
): Promise<PreparedMounts> {
  const preparation = new Preparation(session, root, workingDirectory, points);
  try {
    await preparation.acquireCaches(planned);
    for (const one of planned) await preparation.add(one);
    return preparation;
  } catch (error) {
    await preparation.release();
    throw error;
  }
}

type CacheMount = Extract<RunMount, { type: 'cache' }>;

/** The strictest of what is asked for comes first. */
const SHARING: readonly CacheMount['sharing'][] = ['locked', 'private', 'shared'];

/** Mounts of one step that show the same directory, and how it is made. */
interface CacheFamily {
  readonly mounts: CacheMount[];
  readonly request: Omit<CacheMountRequest, 'sharing'>;
}

class Preparation implements PreparedMounts {
  readonly mounts: StepMount[] = [];
  readonly environment: string[] = [];
  readonly #session: BuildSession;
  readonly #root: Root;
  readonly #workingDirectory: string;
  readonly #points: MountPoints;
  readonly #releases: (() => Promise<void> | void)[] = [];
  readonly #caches = new Map<RunMount, string>();
  #agents = 0;

  constructor(session: BuildSession, root: Root, workingDirectory: string, points: MountPoints) {
    this.#session = session;
    this.#root = root;
    this.#workingDirectory = workingDirectory;
    this.#points = points;
  }

  async release(): Promise<void> {
    for (const release of this.#releases.reverse()) await release();
    this.#releases.length = 0;
  }

  /** Waits for every directory of a cache: each once, and in one order, so that no two steps wait for each other. */
  async acquireCaches(planned: readonly PlannedMount[]): Promise<void> {
    const families = new Map<string, CacheFamily>();
    for (const { mount, source } of planned) {
      if (mount.type !== 'cache') continue;
      const request = await this.#cacheRequest(mount, source);
      const name = this.#session.parts.mounts.familyOf(request);
      const family = families.get(name) ?? { mounts: [], request };
      family.mounts.push(mount);
      families.set(name, family);
    }
    for (const name of [...families.keys()].sort()) await this.#acquire(families.get(name)!);
  }

  async #cacheRequest(
    mount: CacheMount,
    source: FileSystemSource | undefined,
  ): Promise<Omit<CacheMountRequest, 'sharing'>> {
    const { id, mode, uid, gid } = mount;
    if (source === undefined) return { id, origin: '', mode, uid, gid };
    const origin = JSON.stringify([await source.definition(), mount.source]);
    const fill = async (directory: string) => this.#copyTree(await source.tree(), mount.source, directory);
    return { id, origin, mode, uid, gid, fill };
  }

  async #acquire({ mounts, request }: CacheFamily): Promise<void> {
    const sharing = SHARING.find((one) => mounts.some((mount) => mount.sharing === one))!;
    const cache = await this.#session.parts.mounts.acquire({ ...request, sharing }, this.#session.signal);
    this.#releases.push(() => cache.release());
    for (const mount of mounts) this.#caches.set(mount, cache.directory);
  }

  async add(planned: PlannedMount): Promise<void> {
    const { mount } = planned;
    switch (mount.type) {
      case 'cache':
        return this.#bind(this.#caches.get(mount)!, mount.target, mount.readOnly, 'directory');
      case 'tmpfs': {
        const target = this.#target(mount.target);
        this.#points.make(target, 'directory');
        this.mounts.push({
          type: 'tmpfs',
          target,
          ...(mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }),
        });
        return;
      }
      case 'bind':
        return await this.#addBind(mount, planned.source);
      case 'secret':
        return await this.#addSecret(mount);
      case 'ssh':
        return await this.#addAgent(mount);
    }
  }

  async #addBind(mount: Extract<RunMount, { type: 'bind' }>, source: FileSystemSource | undefined): Promise<void> {
    const { path, kind } =
      source === undefined
        ? await this.#contextFiles(mount.source, mount.writable)
        : await this.#sourceFiles(source, mount.source, mount.writable);
    this.#bind(path, mount.target, !mount.writable, kind === 'directory' ? 'directory' : 'file');
  }

  /** Where the files of another stage or image are. What is written goes to a root of the step's own. */
  async #sourceFiles(
    source: FileSystemSource,
    path: string,
    writable: boolean,
  ): Promise<{ path: string; kind: TreeFile['kind'] }> {
    const tree = await source.tree();
    const found = tree.find(path);
    if (found === undefined) throw new SourceNotFoundError(path, tree);
    if (!writable) return { path: found.absolute, kind: found.kind };
    const root = await this.#session.root(await source.snapshot());
    this.#releases.push(() => root.remove());
    return { path: join(root.path, found.path), kind: found.kind };
  }

  /**
   * Where the files of the build context are: in their place if everything there may be seen as it is, else in a copy that has
   * nothing of what is ignored, and whose owner is root.
   */
  async #contextFiles(path: string, writable: boolean): Promise<{ path: string; kind: TreeFile['kind'] }> {
    const tree = await this.#session.context();
    const [selection] = await select(tree, path, { parents: false, exclude: undefined });
    if (selection === undefined) throw new SourceNotFoundError(path, tree);
    const asItIs = [selection, ...selection.below].every(({ file }) => file.stats.uid === 0 && file.stats.gid === 0);
    if (!writable && asItIs && !tree.hasIgnored) return { path: selection.file.absolute, kind: selection.file.kind };
    const root = await this.#session.root(EMPTY_SNAPSHOT);
    this.#releases.push(() => root.remove());
    await this.#copySelection(selection, root.path, '/files');
    return { path: join(root.path, 'files'), kind: selection.file.kind };
  }

  async #copyTree(tree: SourceTree, path: string, directory: string): Promise<void> {
    const [selection] = await select(tree, path, { parents: false, exclude: undefined });
    if (selection === undefined) throw new SourceNotFoundError(path, tree);
    await this.#copySelection(selection, directory, '/');
  }

  async #copySelection(selection: Selection, root: string, destination: string): Promise<void> {
    const sources = toCopySources([selection]);
    const plan = { root, destination, intoDirectory: false, sources, owner: undefined, mode: undefined };
    await this.#session.parts.copier.copy(plan);
  }

  async #addSecret(mount: Extract<RunMount, { type: 'secret' }>): Promise<void> {
    const content = this.#session.options.secrets?.get(mount.id);
    if (content === undefined) {
      if (mount.required) throw new Error(`the secret ${mount.id} is required, and was not given to the build`);
      return;
    }
    if (mount.environment !== undefined) {
      this.environment.push(`${mount.environment}=${Buffer.from(content).toString()}`);
    }
    if (mount.target === undefined) return;
    const file = await this.#session.parts.secrets.write(content, mount);
    this.#releases.push(() => file.remove());
    this.#bind(file.path, mount.target, true, 'file');
  }

  async #addAgent(mount: Extract<RunMount, { type: 'ssh' }>): Promise<void> {
    const agent = this.#session.options.ssh?.get(mount.id);
    if (agent === undefined) {
      if (mount.required) throw new Error(`the SSH agent ${mount.id} is required, and was not given to the build`);
      return;
    }
    const found = await stat(agent).catch(() => undefined);
    if (!found?.isSocket()) {
      const why = found === undefined ? 'is not there, or cannot be reached' : 'is no socket';
      throw new Error(`the SSH agent ${mount.id} cannot be used: ${agent} ${why}`);
    }
    const target = mount.target ?? `/run/buildkit/ssh_agent.${this.#agents}`;
    const socket = join(await this.#session.directory(), `agent-${this.#root.id}-${this.#agents}`);
    this.#agents += 1;
    this.#releases.push(await openAgentSocket(socket, agent, mount));
    this.#bind(socket, target, true, 'file');
    if (!this.environment.some((entry) => entry.startsWith('SSH_AUTH_SOCK='))) {
      this.environment.push(`SSH_AUTH_SOCK=${target}`);
    }
  }

  #bind(source: string, target: string, readOnly: boolean, kind: 'file' | 'directory'): void {
    const at = this.#target(target);
    this.#points.make(at, kind);
    this.mounts.push({ type: 'bind', source, target: at, readOnly });
  }

  #target(target: string): string {
    const path = posix.resolve(this.#workingDirectory, target);
    if (path === '/') throw new Error('nothing can be mounted on /');
    return path;
  }
}
