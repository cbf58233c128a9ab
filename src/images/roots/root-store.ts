import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { type Kernel, openKernel } from '../../network/kernel/index.ts';
import type { Store } from '../../store/index.ts';
import type { ContentStore } from '../content.ts';
import type { Layer } from '../images.ts';
import { nextChainId } from '../layers/chain-id.ts';
import { inWords } from '../layers/image-errors.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { LayerWorkers } from '../layers/layer-workers.ts';
import { spreadApart } from '../layers/spread-apart.ts';
import type { Trash } from '../layers/trash.ts';
import { MEDIA_TYPES } from '../oci.ts';
import { IMAGES, type RootRecord, rootKey } from '../records.ts';
import type {
  CommitOptions,
  CreateRootOptions,
  FileTree,
  Root,
  RootStat,
  Roots,
  WriteArchiveOptions,
} from '../roots.ts';
import { mountOverlay } from './overlay-mount.ts';

export interface RootStoreOptions {
  readonly directory: string;
  readonly store: Store;
  readonly content: ContentStore;
  readonly random: Random;
  readonly logger: Logger;
  readonly workers: LayerWorkers;
  readonly layers: LayerStore;
  readonly trash: Trash;
}

const ID = /^[a-z0-9-]{1,128}$/;

/** A layer that was made of a root, held until `release`. */
interface CommittedLayer {
  readonly layer: Layer;
  readonly empty: boolean;
  release(): void;
}

/** Root file systems: for each a directory with what is written (`upper`) and the mount over its layers (`merged`). */
export class RootStore implements Roots {
  readonly #options: RootStoreOptions;
  readonly #directory: string;
  /** Where archives are made. Emptied at the start. */
  readonly packing: string;
  /** Layers without files: overlayfs wants two different ones where nothing is written, and one where there is no layer. */
  readonly #empties: readonly string[];
  readonly #kernel: Kernel | undefined = openKernel();
  readonly #removing = new Map<string, Promise<void>>();

  constructor(options: RootStoreOptions) {
    this.#options = options;
    this.#directory = join(options.directory, 'roots');
    this.packing = join(options.directory, 'packing');
    this.#empties = [join(options.directory, 'empty'), join(options.directory, 'empty-too')];
  }

  /** Removes what a killed process has left of roots that no record tells of. */
  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    spreadApart(this.#directory);
    for (const empty of this.#empties) await mkdir(empty, { recursive: true, mode: 0o755 });
    await rm(this.packing, { recursive: true, force: true });
    await mkdir(this.packing, { mode: 0o700 });
    const known = new Set<string>();
    for (const { key, value } of await this.#options.store.range<RootRecord>({ prefix: [IMAGES, 'root'] })) {
      const id = String(key[2]);
      if (this.#isWhole(id, value)) known.add(id);
      else await this.#options.store.delete(key);
    }
    for (const name of await readdir(this.#directory)) if (!known.has(name)) await this.#discard(name);
  }

  async unpack(layers: readonly Layer[], onProgress?: (diffId: string, bytes: number) => void): Promise<void> {
    const listener = { onProgress: (i: number, bytes: number) => onProgress?.(layers[i]!.diffId, bytes) };
    (await this.#options.layers.hold(layers, listener)).release();
  }

  create(id: string, layers: readonly Layer[], options: CreateRootOptions = {}): Promise<Root> {
    return inWords(this.#create(id, layers, options));
  }

  async #create(id: string, layers: readonly Layer[], options: CreateRootOptions): Promise<Root> {
    if (!ID.test(id)) throw new ServiceError('InvalidRootId', `not an ID of a root: ${id}`);
    const { store } = this.#options;
    await this.#removing.get(id);
    if (await store.get(rootKey(id))) {
      throw new ServiceError('RootExists', `there is a root ${id} already`, { status: 409 });
    }
    const held = await this.#options.layers.hold(layers);
    try {
      const record: RootRecord = {
        chains: held.chains,
        layers: layers.map(({ descriptor, diffId }) => ({ descriptor, diffId })),
        readOnly: options.readOnly ?? false,
        volatile: options.volatile ?? false,
      };
      this.#makeDirectories(id, held.lowers, record);
      // The disk takes the record while the kernel mounts.
      const recorded = store.transact(async (transaction) => transaction.put(rootKey(id), record));
      try {
        this.#mount(id, held.lowers, record);
      } catch (error) {
        await recorded;
        await store.delete(rootKey(id));
        await this.#discard(id);
        throw error;
      }
      await recorded;
      if (options.keepLayers) this.#options.layers.keepForAWhile(held.chains);
      return this.#root(id, record);
    } finally {
      held.release();
    }
  }

  async open(id: string): Promise<Root | undefined> {
    if (!ID.test(id)) return undefined;
    await this.#removing.get(id);
    const record = (await this.#options.store.get<RootRecord>(rootKey(id)))?.value;
    if (!record || !this.#isWhole(id, record)) return undefined;
    if (!this.#isMounted(id)) await this.#mountAgain(id, record);
    return this.#root(id, record);
  }

  async list(): Promise<readonly string[]> {
    const records = await this.#options.store.range({ prefix: [IMAGES, 'root'] });
    return records.map(({ key }) => String(key[2]));
  }

  commit(root: Root, options: CommitOptions & { readonly consume?: boolean } = {}): Promise<CommittedLayer> {
    return inWords(this.#commit(root, options));
  }

  async #commit(root: Root, options: CommitOptions & { readonly consume?: boolean }): Promise<CommittedLayer> {
    const { store, content, layers, random, workers, logger } = this.#options;
    const record = (await store.get<RootRecord>(rootKey(root.id)))?.value;
    if (!record || record.readOnly) {
      throw new ServiceError('RootNotFound', `there is no root that could be committed: ${root.id}`, { status: 404 });
    }
    const { exclude = [], unchanged = [], clampTime, consume = false, paused } = options;
    if (consume) await this.#unmount(root.id);
    const archive = join(this.packing, random.hex(32));
    const upper = this.#upper(root.id);
    try {
      await using _pause = await paused?.();
      const { digest, size, empty } = await workers.run({
        kind: 'pack',
        upper,
        archive,
        exclude,
        unchanged,
        clampTime,
        consume,
      });
      const blob = await content.adopt(archive, { digest, size });
      const layer: Layer = {
        descriptor: { mediaType: MEDIA_TYPES.ociLayer, digest, size },
        diffId: digest,
        size,
      };
      if (!consume) return { layer, empty, release: blob.release };
      const parent = record.chains.at(-1);
      const chain = nextChainId(parent, digest);
      const letGo = await layers.take(chain);
      await layers.adopt(upper, chain, { diffId: digest, parent, size });
      await this.#forget(root.id, record);
      const release = () => {
        blob.release();
        letGo();
        // Nobody may have come to use it.
        layers.collect([chain], { recent: true }).catch((error: unknown) => {
          logger.warn('a layer that is not used cannot be deleted', { chain, error: String(error) });
        });
      };
      return { layer, empty, release };
    } finally {
      await rm(archive, { force: true });
    }
  }

  readArchive(root: FileTree, path: string, name?: string): Promise<Readable | undefined> {
    return this.#options.workers.readStream({
      kind: 'read-archive',
      root: root.path,
      path,
      ...(name !== undefined && { name }),
    });
  }

  stat(root: FileTree, path: string): Promise<RootStat | undefined> {
    return this.#options.workers.run({ kind: 'stat', root: root.path, path });
  }

  async writeArchive(
    root: FileTree,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    { noOverwriteDirNonDir = false, owner }: WriteArchiveOptions = {},
  ): Promise<void> {
    const result = await this.#options.workers.writeStream(
      { kind: 'write-archive', root: root.path, path, keepKind: noOverwriteDirNonDir, owner },
      archive,
    );
    if (result === 'written') return;
    if (result === 'not a directory') {
      throw new ServiceError('NotADirectory', `extraction point is not a directory: ${path}`);
    }
    throw new ServiceError('PathNotFound', `there is no ${path} in this root`, { status: 404 });
  }

  async collectLayers(): Promise<void> {
    await this.#options.layers.collectRecent();
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#removing.values());
  }

  #merged(id: string): string {
    return join(this.#directory, id, 'merged');
  }

  #upper(id: string): string {
    return join(this.#directory, id, 'upper');
  }

  #root(id: string, record: RootRecord): Root {
    return {
      id,
      path: this.#merged(id),
      changes: async () => {
        if (record.readOnly) return [];
        const lowers = record.chains.map((chain) => this.#options.layers.path(chain)).reverse();
        return this.#options.workers.run({ kind: 'changes', upper: this.#upper(id), lowers });
      },
      size: async () => {
        if (record.readOnly) return 0;
        return this.#options.workers.run({ kind: 'measure', directory: this.#upper(id) });
      },
      remove: () => this.#remove(id, record),
    };
  }

  /** Removals of the same root are one. */
  #remove(id: string, record: RootRecord): Promise<void> {
    let removing = this.#removing.get(id);
    if (!removing) {
      removing = this.#unmountAndForget(id, record).finally(() => this.#removing.delete(id));
      this.#removing.set(id, removing);
    }
    return removing;
  }

  async #unmountAndForget(id: string, record: RootRecord): Promise<void> {
    if (!(await this.#options.store.get(rootKey(id)))) return;
    await this.#unmount(id);
    await this.#forget(id, record);
  }

  async #forget(id: string, record: RootRecord): Promise<void> {
    const { store, trash, layers } = this.#options;
    await trash.discard(join(this.#directory, id));
    await trash.forget(store, rootKey(id));
    await layers.collect(record.chains, { recent: true });
  }

  /** Whether what was written is where it was; else its removal was under way when the process was killed. */
  #isWhole(id: string, { readOnly }: RootRecord): boolean {
    return existsSync(readOnly ? join(this.#directory, id) : this.#upper(id));
  }

  async #discard(id: string): Promise<void> {
    await this.#unmount(id);
    await this.#options.trash.discard(join(this.#directory, id));
  }

  async #unmount(id: string): Promise<void> {
    if (this.#isMounted(id)) {
      await this.#options.workers.unmount(this.#merged(id));
    }
  }

  #isMounted(id: string): boolean {
    const directory = join(this.#directory, id);
    const merged = statSync(join(directory, 'merged'), { throwIfNoEntry: false });
    return merged !== undefined && merged.dev !== statSync(directory).dev;
  }

  /** After the machine has been started anew. */
  async #mountAgain(id: string, record: RootRecord): Promise<void> {
    // Layers that may not have been on the disk when the machine stopped are unpacked again.
    const { lowers, release } = await this.#options.layers.hold(record.layers);
    // What the kernel keeps there belongs to the mount that is gone; a mark in it would refuse a volatile one.
    await rm(join(this.#directory, id, 'work'), { recursive: true, force: true });
    try {
      this.#makeDirectories(id, lowers, record);
      this.#mount(id, lowers, record);
    } finally {
      release();
    }
  }

  #makeDirectories(id: string, lowers: readonly string[], { readOnly }: RootRecord): void {
    const directory = join(this.#directory, id);
    mkdirSync(join(directory, 'merged'), { recursive: true, mode: 0o711 });
    if (readOnly) return;
    mkdirSync(join(directory, 'work'), { recursive: true, mode: 0o700 });
    const upper = this.#upper(id);
    if (mkdirSync(upper, { recursive: true }) === undefined) return;
    // The root directory that the inside sees is this one.
    const top = lowers[0] === undefined ? undefined : statSync(lowers[0]);
    if (top) chownSync(upper, top.uid, top.gid);
    chmodSync(upper, (top?.mode ?? 0o755) & 0o7777);
  }

  #mount(id: string, lowers: readonly string[], { readOnly, volatile }: RootRecord): void {
    if (!this.#kernel) {
      throw new ServiceError('NotSupported', 'containers cannot run here: this needs Linux and Node 26.1 or newer', {
        status: 501,
      });
    }
    const directory = join(this.#directory, id);
    const wanted = readOnly ? 2 : 1;
    const padding = this.#empties.slice(0, Math.max(0, wanted - lowers.length));
    mountOverlay(this.#kernel, {
      lowers: [...lowers, ...padding],
      target: this.#merged(id),
      ...(!readOnly && { changes: { upper: this.#upper(id), work: join(directory, 'work') } }),
      volatile,
    });
  }
}
