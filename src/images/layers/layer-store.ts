import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { ContentStore } from '../content.ts';
import { Holds } from '../holds.ts';
import type { Layer } from '../images.ts';
import { IMAGES, type ImageRecord, type LayerRecord, layerKey, type RootRecord } from '../records.ts';
import { bootId } from './boot-id.ts';
import { chainIds } from './chain-id.ts';
import type { LayerWorkers } from './layer-workers.ts';
import { RecentLayers } from './recent-layers.ts';
import { spreadApart } from './spread-apart.ts';
import type { Trash } from './trash.ts';

export interface LayerStoreOptions {
  readonly directory: string;
  readonly store: Store;
  readonly content: ContentStore;
  readonly random: Random;
  readonly logger: Logger;
  readonly workers: LayerWorkers;
  readonly trash: Trash;
  /** False: nobody wants the layers back after a stop of the machine. */
  readonly durable: boolean;
}

/** Layers are written to the disk when none has come for so long; by the machine's clock, as it is about the machine. */
const SYNC_AFTER_MS = 5000;

/** Unpacked layers that stay until `release`. */
export interface HeldLayers {
  /** Bottom first. */
  readonly chains: readonly string[];
  /** Top first, as overlayfs wants them. */
  readonly lowers: readonly string[];
  /** Bytes of the uncompressed archives, bottom first. */
  readonly sizes: readonly number[];
  release(): void;
}

/** A layer whose archive is in the content store, or will be once `arrived` resolves. */
export type PackedLayer = Pick<Layer, 'descriptor' | 'diffId'> & { readonly arrived?: Promise<unknown> };

/** Told of layers by their place. */
export interface UnpackListener {
  /** So many more bytes of the archive were unpacked. */
  readonly onProgress?: ((layer: number, bytes: number) => void) | undefined;
  readonly onUnpacked?: ((layer: number) => void) | undefined;
}

interface Unpacking {
  readonly done: Promise<void>;
  readonly listeners: Set<(bytes: number) => void>;
}

/**
 * Layers as directories that overlayfs can be mounted over, one for each chain ID. A directory is made under another name and
 * renamed when it is whole. It stays as long as an image or a root has it, or somebody holds it, and for a while after a build
 * has used it.
 */
export class LayerStore {
  readonly #options: LayerStoreOptions;
  readonly #directory: string;
  readonly #holds = new Holds();
  /** Sizes by chain ID. */
  readonly #present = new Map<string, number>();
  readonly #unpacking = new Map<string, Unpacking>();
  readonly #adopting = new Map<string, Promise<void>>();
  /** Layers that are not known to be on the disk. */
  readonly #unsynced = new Set<string>();
  readonly #recent: RecentLayers;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Where layers are made. */
  readonly temporary: string;

  constructor(options: LayerStoreOptions) {
    this.#options = options;
    this.#directory = join(options.directory, 'layers');
    this.temporary = join(options.directory, 'unpacking');
    this.#recent = new RecentLayers((chains) => {
      this.collect(chains).catch((error: unknown) => {
        options.logger.warn('layers that are not used cannot be deleted', { error: String(error) });
      });
    });
  }

  /** Finds out what is there, and removes what a killed process has left half-made. */
  async start(): Promise<void> {
    const { store, trash } = this.#options;
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    await mkdir(this.temporary, { recursive: true, mode: 0o700 });
    spreadApart(this.temporary);
    for (const name of await readdir(this.temporary)) await trash.discard(join(this.temporary, name));
    const directories = new Set(await readdir(this.#directory));
    const boot = await bootId();
    for (const { key, value } of await store.range<LayerRecord>({ prefix: [IMAGES, 'layer'] })) {
      const chain = String(key[2]);
      // The machine has stopped before what was unpacked was known to be on the disk.
      const whole = value.boot === undefined || value.boot === boot;
      if (whole && directories.delete(hexOf(chain))) {
        this.#present.set(chain, value.size);
        if (value.boot !== undefined) this.#syncLater(chain);
      } else await store.delete(key);
    }
    for (const name of directories) await trash.discard(join(this.#directory, name));
  }

  path(chain: string): string {
    return join(this.#directory, hexOf(chain));
  }

  /** Unpacks what is not yet, in parallel, and holds all of it. */
  async hold(layers: readonly PackedLayer[], listener: UnpackListener = {}): Promise<HeldLayers> {
    const chains = chainIds(layers.map(({ diffId }) => diffId));
    const releases: (() => void)[] = [];
    const release = () => {
      for (const one of releases) one();
    };
    try {
      for (const chain of chains) releases.push(await this.#holds.take(chain));
      if (!chains.every((chain) => this.#present.has(chain))) await this.#unpackAll(layers, chains, listener);
      return {
        chains,
        lowers: chains.map((chain) => this.path(chain)).reverse(),
        sizes: chains.map((chain) => this.#present.get(chain) ?? 0),
        release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Whether it is unpacked. */
  has(chain: string): boolean {
    return this.#present.has(chain);
  }

  /** Makes a directory with a layer's files the unpacked layer. The caller holds the layers below, and the result. */
  async adopt(directory: string, chain: string, record: Omit<LayerRecord, 'boot'>): Promise<void> {
    // A build and a pull, or two builds, may have come to the same layer.
    for (let others = this.#adopting.get(chain); others; others = this.#adopting.get(chain)) {
      await others.catch(() => {}); // told to whom it is about
    }
    if (this.#present.has(chain)) {
      await this.#options.trash.discard(directory);
      return;
    }
    const adopting = this.#adopt(directory, chain, record).finally(() => this.#adopting.delete(chain));
    this.#adopting.set(chain, adopting);
    await adopting;
  }

  async #adopt(directory: string, chain: string, record: Omit<LayerRecord, 'boot'>): Promise<void> {
    const { store, trash } = this.#options;
    await rename(directory, this.path(chain));
    try {
      await store.put(layerKey(chain), { ...record, boot: await bootId() } satisfies LayerRecord);
    } catch (error) {
      // What nobody knows of would be in the way of the next attempt.
      await trash.discard(this.path(chain));
      throw error;
    }
    this.#present.set(chain, record.size);
    this.#syncLater(chain);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#recent.clear();
  }

  /** Layers that are there stay for a while although nothing uses them. Bottom first. */
  keepForAWhile(chains: readonly string[]): void {
    if (this.#closed) return;
    this.#recent.note(chains.map((chain) => ({ chain, size: this.#present.get(chain) ?? 0 })));
  }

  /** Deletes layers that only stay for a while; answers which. */
  async collectRecent(): Promise<string[]> {
    return await this.collect(this.#recent.clear());
  }

  /** Holds a chain ID, so that the layer of it stays once it is there. */
  take(chain: string): Promise<() => void> {
    return this.#holds.take(chain);
  }

  /** Deletes those of `chains`, bottom first, that no image and no root has any more; answers which. With `recent`, what is to stay for a while stays. */
  async collect(chains: readonly string[], { recent = false } = {}): Promise<string[]> {
    const deleted: string[] = [];
    if (!recent) this.#recent.forget(chains);
    // The top goes first: it is of no use without what is below.
    for (const chain of [...chains].reverse()) {
      if (!this.#present.has(chain) || this.#recent.has(chain)) continue;
      await this.#holds.unlessHeld(chain, async () => {
        if ((await this.#used()).has(chain)) return;
        this.#present.delete(chain);
        const { store, trash } = this.#options;
        await trash.discard(this.path(chain));
        await trash.forget(store, layerKey(chain));
        deleted.push(chain);
      });
    }
    return deleted;
  }

  /** Chain IDs of all that is unpacked. */
  all(): readonly string[] {
    return [...this.#present.keys()];
  }

  /** By and by layers are written to the disk; until then another start of the machine would unpack them again. */
  #syncLater(chain: string): void {
    if (!this.#options.durable) return;
    this.#unsynced.add(chain);
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#sync(), SYNC_AFTER_MS).unref();
  }

  async #sync(): Promise<void> {
    const { workers, store, logger } = this.#options;
    const chains = [...this.#unsynced];
    try {
      await workers.run({ kind: 'sync', path: this.#directory });
      await store.transact(async (transaction) => {
        for (const chain of chains) {
          const record = (await transaction.get<LayerRecord>(layerKey(chain)))?.value;
          if (!record) continue;
          const { boot: _boot, ...synced } = record;
          transaction.put(layerKey(chain), synced);
        }
      });
      for (const chain of chains) this.#unsynced.delete(chain);
    } catch (error) {
      // The next layer brings the next attempt; until then they are unpacked again after a stop of the machine.
      if (!this.#closed) logger.warn('layers cannot be written to the disk', { error: String(error) });
    }
  }

  async #used(): Promise<Set<string>> {
    const { store } = this.#options;
    const used = new Set<string>();
    for (const { value } of await store.range<ImageRecord>({ prefix: [IMAGES, 'image'] })) {
      for (const chain of chainIds(value.layers.map(({ diffId }) => diffId))) used.add(chain);
    }
    for (const { value } of await store.range<RootRecord>({ prefix: [IMAGES, 'root'] })) {
      for (const chain of value.chains) used.add(chain);
    }
    return used;
  }

  async #unpackAll(
    layers: readonly PackedLayer[],
    chains: readonly string[],
    { onProgress, onUnpacked }: UnpackListener,
  ): Promise<void> {
    const work: Promise<void>[] = [];
    let below: Promise<void> = Promise.resolve();
    for (const [i, layer] of layers.entries()) {
      const chain = chains[i]!;
      if (this.#present.has(chain)) continue;
      const onBytes = (bytes: number) => onProgress?.(i, bytes);
      below = this.#unpackShared(layer, chains.slice(0, i), chain, below, onBytes).then(() => onUnpacked?.(i));
      work.push(below);
    }
    for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
  }

  /** Unpacks a layer, or waits for whoever does so already. */
  async #unpackShared(
    layer: PackedLayer,
    belowChains: readonly string[],
    chain: string,
    below: Promise<void>,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    await layer.arrived;
    while (!this.#present.has(chain)) {
      const others = this.#unpacking.get(chain);
      const unpacking = others ?? this.#start(layer, belowChains, chain, below);
      unpacking.listeners.add(onBytes);
      try {
        await unpacking.done;
      } catch (error) {
        // It may have failed for what only the other one lacks: a layer below, whose download was aborted.
        if (!others) throw error;
      } finally {
        unpacking.listeners.delete(onBytes);
      }
    }
  }

  #start(layer: PackedLayer, belowChains: readonly string[], chain: string, below: Promise<void>): Unpacking {
    const listeners: Unpacking['listeners'] = new Set();
    const done = this.#unpack(layer, belowChains, chain, below, listeners);
    const forget = () => this.#unpacking.delete(chain);
    done.then(forget, forget);
    const unpacking = { done, listeners };
    this.#unpacking.set(chain, unpacking);
    return unpacking;
  }

  async #unpack(
    { descriptor, diffId }: PackedLayer,
    belowChains: readonly string[],
    chain: string,
    below: Promise<void>,
    listeners: ReadonlySet<(bytes: number) => void>,
  ): Promise<void> {
    const { content, random, workers, trash } = this.#options;
    const directory = join(this.temporary, random.hex(32));
    try {
      await mkdir(directory, { mode: 0o755 });
      const blob = await content.path(descriptor.digest);
      const { implied, size } = await workers.run({ kind: 'unpack', blob, directory, diffId }, (bytes) => {
        for (const listener of listeners) listener(bytes);
      });
      await below;
      if (belowChains.length > 0 && implied.length > 0) {
        const lowers = belowChains.map((one) => this.path(one)).reverse();
        await workers.run({ kind: 'inherit', directory, implied, lowers });
      }
      await this.adopt(directory, chain, { diffId, parent: belowChains.at(-1), size });
    } catch (error) {
      await rm(directory, { recursive: true, force: true }).catch(() => trash.discard(directory));
      throw error;
    }
  }
}

function hexOf(chain: string): string {
  return chain.slice('sha256:'.length);
}
