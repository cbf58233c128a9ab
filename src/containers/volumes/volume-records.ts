import type { Store } from '../../store/index.ts';

/** First key part of volumes. */
const VOLUMES = 'volumes';

export interface VolumeRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly created: number;
  readonly anonymous: boolean;
}

const key = (name: string) => [VOLUMES, name];

export class VolumeRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async all(): Promise<readonly VolumeRecord[]> {
    return (await this.#store.range<VolumeRecord>({ prefix: [VOLUMES] })).map(({ value }) => value);
  }

  /** Adds it if there is none of this name; answers the one that there is. */
  add(record: VolumeRecord): Promise<VolumeRecord> {
    return this.#store.transact(async (transaction) => {
      const there = await transaction.get<VolumeRecord>(key(record.name));
      if (there) return there.value;
      transaction.put(key(record.name), record);
      return record;
    });
  }

  async remove(name: string): Promise<void> {
    await this.#store.delete(key(name));
  }
}
