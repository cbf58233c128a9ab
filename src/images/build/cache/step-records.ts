import type { Random } from '../../../base/random.ts';
import type { BlobLease, Key, Store, Transaction } from '../../../store/index.ts';
import type { ContentStore } from '../../content.ts';
import type { Layer } from '../../images.ts';

/** What one instruction did to the files. */
export interface StepResult {
  /** Epoch ms: when it was carried out. */
  readonly created: number;
  /** Undefined: it changed nothing. */
  readonly layer: Layer | undefined;
}

/** A cached result: everything that was done upon the base, this step last. */
export interface StepRecord {
  readonly id: string;
  /** Keys by which it is found. */
  readonly keys: readonly string[];
  readonly results: readonly StepResult[];
  /** The instruction, for people. */
  readonly description: string;
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

export type NewStepRecord = Pick<StepRecord, 'keys' | 'results' | 'description'>;

const ROOM = 'build-cache';
const recordKey = (id: string): Key => [ROOM, 'record', id];
const keyKey = (key: string): Key => [ROOM, 'key', key];
const ownerOf = (id: string) => [ROOM, id];
/** A step that is reached in many ways forgets the oldest. */
const MAX_KEYS = 16;

/** A record that is in use: its layers stay until `release`. */
export interface HeldRecord {
  readonly record: StepRecord;
  release(): void;
}

/**
 * Results of build steps by key. Each holds references to its layers, so that no collection of garbage takes them; a record whose
 * layers are gone all the same is forgotten when it is looked up.
 */
export class StepRecords {
  readonly #store: Store;
  readonly #content: ContentStore;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #inUse = new Map<string, number>();

  constructor(store: Store, content: ContentStore, random: Random, now: () => number) {
    this.#store = store;
    this.#content = content;
    this.#random = random;
    this.#now = now;
  }

  /** The record that has this key, with its layers held. */
  async find(key: string): Promise<HeldRecord | undefined> {
    const named = await this.#store.get<{ id: string }>(keyKey(key));
    if (named === undefined) return undefined;
    const { id } = named.value;
    const entry = await this.#store.get<StepRecord>(recordKey(id));
    if (entry === undefined) return undefined;
    const leases: BlobLease[] = [];
    for (const { layer } of entry.value.results) {
      const lease = layer === undefined ? undefined : await this.#content.lease(layer.descriptor.digest);
      if (lease !== undefined) leases.push(lease);
      else if (layer !== undefined) {
        for (const held of leases) held.release();
        await this.remove([id]);
        return undefined;
      }
    }
    this.#inUse.set(id, (this.#inUse.get(id) ?? 0) + 1);
    const release = once(() => {
      for (const lease of leases) lease.release();
      const uses = this.#inUse.get(id)! - 1;
      if (uses === 0) this.#inUse.delete(id);
      else this.#inUse.set(id, uses);
    });
    return { record: entry.value, release };
  }

  /** Records what was done. The layers must be held by the caller. A record that had one of the keys loses it. */
  async add({ keys, results, description }: NewStepRecord): Promise<StepRecord> {
    const id = this.#random.hex(32);
    const now = this.#now();
    const record: StepRecord = { id, keys, results, description, created: now, lastUsed: now, uses: 0 };
    await this.#store.transact(async (transaction) => {
      for (const key of keys) await this.#takeKey(transaction, key);
      transaction.put(recordKey(id), record);
      for (const key of keys) transaction.put(keyKey(key), { id });
      for (const digest of digestsOf(record)) this.#content.reference(transaction, digest, ownerOf(id));
    });
    return record;
  }

  /** Counts uses, and gives records further keys. One write for a whole build. */
  async use(uses: readonly { readonly id: string; readonly keys: readonly string[] }[]): Promise<void> {
    if (uses.length === 0) return;
    const now = this.#now();
    await this.#store.transact(async (transaction) => {
      for (const { id, keys } of uses) {
        const entry = await transaction.get<StepRecord>(recordKey(id));
        if (entry === undefined) continue;
        const added = keys.filter((key) => !entry.value.keys.includes(key));
        for (const key of added) {
          await this.#takeKey(transaction, key);
          transaction.put(keyKey(key), { id });
        }
        const all = [...entry.value.keys, ...added];
        for (const key of all.slice(0, -MAX_KEYS)) transaction.delete(keyKey(key));
        const kept = all.slice(-MAX_KEYS);
        transaction.put(recordKey(id), { ...entry.value, keys: kept, lastUsed: now, uses: entry.value.uses + 1 });
      }
    });
  }

  async list(): Promise<readonly StepRecord[]> {
    return (await this.#store.range<StepRecord>({ prefix: [ROOM, 'record'] })).map(({ value }) => value);
  }

  isInUse(id: string): boolean {
    return this.#inUse.has(id);
  }

  /** Forgets records; their layers go with the next collection if nothing else holds them. */
  async remove(ids: readonly string[]): Promise<void> {
    await this.#store.transact(async (transaction) => {
      for (const id of ids) {
        const entry = await transaction.get<StepRecord>(recordKey(id));
        if (entry !== undefined) await this.#forget(transaction, entry.value);
      }
    });
  }

  async #takeKey(transaction: Transaction, key: string): Promise<void> {
    const named = await transaction.get<{ id: string }>(keyKey(key));
    if (named === undefined) return;
    const entry = await transaction.get<StepRecord>(recordKey(named.value.id));
    if (entry === undefined) return;
    const keys = entry.value.keys.filter((other) => other !== key);
    if (keys.length === 0) await this.#forget(transaction, entry.value);
    else transaction.put(recordKey(entry.value.id), { ...entry.value, keys });
  }

  async #forget(transaction: Transaction, record: StepRecord): Promise<void> {
    transaction.delete(recordKey(record.id));
    for (const key of record.keys) {
      const named = await transaction.get<{ id: string }>(keyKey(key));
      if (named?.value.id === record.id) transaction.delete(keyKey(key));
    }
    for (const digest of digestsOf(record)) this.#content.dereference(transaction, digest, ownerOf(record.id));
  }
}

function digestsOf({ results }: Pick<StepRecord, 'results'>): ReadonlySet<string> {
  return new Set(results.flatMap(({ layer }) => (layer === undefined ? [] : [layer.descriptor.digest])));
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
