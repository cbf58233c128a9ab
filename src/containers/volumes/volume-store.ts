import { chmod, lstat, mkdir, opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { Volume, Volumes } from '../engine.ts';
import { invalid, volumeInUse, volumeNotFound } from '../errors.ts';
import { Lock } from '../lock.ts';
import { volumeMount } from './volume-options.ts';
import { type VolumeRecord, VolumeRecords } from './volume-records.ts';

export interface VolumeStoreOptions {
  readonly store: Store;
  readonly random: Random;
  /** `<name>/_data` below it. */
  readonly directory: string;
  readonly now: () => number;
  /** Containers that use a volume. */
  readonly users: (name: string) => readonly string[];
  readonly removeFiles: (directory: string) => Promise<void>;
  readonly emit: (action: string, name: string, attributes: Readonly<Record<string, string>>) => void;
}

/** Volumes that are not removed until it is released. */
export interface VolumeHold {
  add(name: string): void;
  release(): void;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** Named and anonymous volumes: directories that outlive containers. */
export class VolumeStore implements Volumes {
  readonly #options: VolumeStoreOptions;
  readonly #records: VolumeRecords;
  readonly #volumes = new Map<string, VolumeRecord>();
  readonly #holds = new Set<ReadonlySet<string>>();
  /** Containers that use it and run, by volume. */
  readonly #running = new Map<string, Set<string>>();
  readonly #lock = new Lock();

  constructor(options: VolumeStoreOptions) {
    this.#options = options;
    this.#records = new VolumeRecords(options.store);
  }

  /** Finds what there is; removes directories whose making or removal a kill has cut short. */
  async start(): Promise<void> {
    const { directory, removeFiles } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o711 });
    for (const record of await this.#records.all()) this.#volumes.set(record.name, record);
    for (const name of await readdir(directory)) {
      if (!this.#volumes.has(name)) await removeFiles(join(directory, name));
    }
  }

  /** Keeps volumes that a container is about to use, until it is in the list of users. */
  hold(): VolumeHold {
    const names = new Set<string>();
    this.#holds.add(names);
    return { add: (name) => void names.add(name), release: () => void this.#holds.delete(names) };
  }

  /** A container that uses it runs. */
  enter(name: string, container: string): void {
    const running = this.#running.get(name);
    if (running) running.add(container);
    else this.#running.set(name, new Set([container]));
  }

  /** It no longer runs; answers whether it was the last one that did. */
  leave(name: string, container: string): boolean {
    const running = this.#running.get(name);
    if (!running?.delete(container)) return false;
    if (running.size === 0) this.#running.delete(name);
    return running.size === 0;
  }

  /** A container's run begins or has ended to use it. */
  tell(action: 'mount' | 'unmount', name: string, attributes: Readonly<Record<string, string>>): void {
    this.#options.emit(action, name, { driver: 'local', ...attributes });
  }

  create(options: Parameters<Volumes['create']>[0]): Promise<Volume> {
    const { name = this.#options.random.hex(64), labels = {}, driverOptions = {} } = options;
    if (!NAME.test(name)) {
      throw invalid(
        `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
      );
    }
    volumeMount(driverOptions);
    return this.#lock.run(async () => {
      const there = this.#volumes.get(name);
      if (there) return this.#describe(there);
      const directory = join(this.#options.directory, name, '_data');
      await mkdir(directory, { recursive: true, mode: 0o755 });
      await chmod(join(this.#options.directory, name), 0o711);
      const record = await this.#records.add({
        name,
        labels,
        options: driverOptions,
        created: this.#options.now(),
        anonymous: options.name === undefined,
      });
      this.#volumes.set(name, record);
      this.#options.emit('create', name, { driver: 'local' });
      return this.#describe(record);
    });
  }

  async get(name: string): Promise<Volume> {
    const record = this.#volumes.get(name);
    if (!record) throw volumeNotFound(name);
    return this.#describe(record);
  }

  find(name: string): Volume | undefined {
    const record = this.#volumes.get(name);
    return record && this.#describe(record);
  }

  async list(): Promise<readonly Volume[]> {
    return [...this.#volumes.values()].map((record) => this.#describe(record));
  }

  remove(name: string, force = false): Promise<void> {
    return this.#lock.run(async () => {
      const record = this.#volumes.get(name);
      if (!record) {
        if (force) return;
        throw volumeNotFound(name);
      }
      const users = this.#options.users(name);
      const held = [...this.#holds].some((names) => names.has(name));
      if (users.length > 0 || held) throw volumeInUse(name, users);
      this.#volumes.delete(name);
      await this.#records.remove(name);
      await this.#options.removeFiles(join(this.#options.directory, name));
      this.#options.emit('destroy', name, { driver: 'local' });
    });
  }

  async prune(
    matches: (volume: Volume) => boolean = ({ anonymous }) => anonymous,
  ): Promise<{ readonly names: readonly string[]; readonly bytes: number }> {
    const names: string[] = [];
    let bytes = 0;
    for (const volume of await this.list()) {
      if (!matches(volume) || this.#options.users(volume.name).length > 0) continue;
      const size = await sizeOf(volume.mountpoint);
      try {
        await this.remove(volume.name);
      } catch {
        // Somebody has begun to use it.
        continue;
      }
      names.push(volume.name);
      bytes += size;
    }
    this.#options.emit('prune', '', { reclaimed: String(bytes) });
    return { names, bytes };
  }

  async usage(name: string): Promise<{ readonly size: number; readonly references: number }> {
    const { mountpoint } = await this.get(name);
    return { size: await sizeOf(mountpoint), references: this.#options.users(name).length };
  }

  #describe({ name, labels, options, created, anonymous }: VolumeRecord): Volume {
    const mountpoint = join(this.#options.directory, name, '_data');
    return { name, driver: 'local', mountpoint, labels, options, created, anonymous };
  }
}

/** Bytes of the files below a directory, without following links. */
async function sizeOf(directory: string): Promise<number> {
  let total = 0;
  try {
    for await (const entry of await opendir(directory)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) total += await sizeOf(path);
      else total += await lstat(path).then(({ size }) => size);
    }
  } catch {
    // It was deleted meanwhile.
  }
  return total;
}
