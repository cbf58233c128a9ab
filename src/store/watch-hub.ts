import type { Change, Driver } from './driver.ts';
import { changesBetween } from './history.ts';
import { decodeKey, type EncodedKey } from './key-codec.ts';
import { decodeRecord } from './record.ts';
import { type ChangeBatch, type ChangeEvent, CompactedError, type Watch } from './store.ts';

/** What the hub must know of the store it belongs to. */
export interface WatchSource {
  readonly durableRevision: number;
  readonly compactedRevision: number;
}

/** Changes that wait for a slow reader in memory; past this many it reads them from history again. */
const MAX_QUEUED = 1024;

/** Hands each durable change to the watches of its prefix. */
export class WatchHub {
  readonly #driver: Driver;
  readonly #source: WatchSource;
  // Watches by prefix; a change looks up each prefix length in use, not each watch.
  readonly #byPrefix = new Map<EncodedKey, Set<PrefixWatch>>();
  readonly #lengths = new Map<number, number>();

  constructor(driver: Driver, source: WatchSource) {
    this.#driver = driver;
    this.#source = source;
  }

  watch<V>(prefix: EncodedKey, fromRevision: number): Watch<V> {
    const watch = new PrefixWatch(this.#driver, this.#source, prefix, fromRevision, () => this.#remove(watch));
    let group = this.#byPrefix.get(prefix);
    if (!group) {
      group = new Set();
      this.#byPrefix.set(prefix, group);
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
    }
    group.add(watch);
    return watch as unknown as Watch<V>;
  }

  publish(changes: readonly Change[]): void {
    if (this.#byPrefix.size === 0) return;
    const woken = new Set<PrefixWatch>();
    for (const change of changes) {
      for (const length of this.#lengths.keys()) {
        const group = this.#byPrefix.get(change.key.slice(0, length));
        if (!group || change.key.length < length) continue;
        for (const watch of group) {
          watch.queue(change);
          woken.add(watch);
        }
      }
    }
    for (const watch of woken) watch.wake();
  }

  close(): void {
    for (const group of [...this.#byPrefix.values()]) for (const watch of [...group]) watch.close();
  }

  #remove(watch: PrefixWatch): void {
    const group = this.#byPrefix.get(watch.prefix);
    if (!group?.delete(watch) || group.size > 0) return;
    this.#byPrefix.delete(watch.prefix);
    const users = (this.#lengths.get(watch.prefix.length) ?? 1) - 1;
    if (users > 0) this.#lengths.set(watch.prefix.length, users);
    else this.#lengths.delete(watch.prefix.length);
  }
}

/** One watch and its only iterator. */
class PrefixWatch implements Watch<unknown>, AsyncIterator<ChangeBatch<unknown>> {
  readonly prefix: EncodedKey;
  readonly #driver: Driver;
  readonly #source: WatchSource;
  readonly #onClose: () => void;
  #queued: Change[] = [];
  /** Everything up to and including this revision is delivered or queued. */
  #loaded: number;
  /** What comes after `#loaded` has to be read from history. */
  #behind: boolean;
  #closed = false;
  #waiting: { resolve(result: IteratorResult<ChangeBatch<unknown>>): void; reject(error: unknown): void }[] = [];

  constructor(driver: Driver, source: WatchSource, prefix: EncodedKey, fromRevision: number, onClose: () => void) {
    this.#driver = driver;
    this.#source = source;
    this.prefix = prefix;
    this.#loaded = fromRevision;
    this.#onClose = onClose;
    this.#behind = fromRevision < source.durableRevision;
  }

  [Symbol.asyncIterator](): AsyncIterator<ChangeBatch<unknown>> {
    return this;
  }

  next(): Promise<IteratorResult<ChangeBatch<unknown>>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.wake();
    });
  }

  async return(): Promise<IteratorResult<ChangeBatch<unknown>>> {
    this.close();
    return { done: true, value: undefined };
  }

  queue(change: Change): void {
    const last = this.#queued.at(-1)?.revision;
    if (this.#behind || (change.revision <= this.#loaded && change.revision !== last)) return;
    if (this.#queued.length >= MAX_QUEUED && change.revision !== last) {
      this.#behind = true;
      return;
    }
    this.#queued.push(change);
    this.#loaded = change.revision;
  }

  /** Gives what there is to those who wait. */
  wake(): void {
    while (this.#waiting.length > 0) {
      let batch: ChangeBatch<unknown> | undefined;
      try {
        batch = this.#take();
      } catch (error) {
        this.#waiting.shift()!.reject(error);
        this.close();
        return;
      }
      if (batch) this.#waiting.shift()!.resolve({ done: false, value: batch });
      else if (this.#closed) this.#waiting.shift()!.resolve({ done: true, value: undefined });
      else return;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queued = [];
    this.#behind = false;
    this.#onClose();
    this.wake();
  }

  #take(): ChangeBatch<unknown> | undefined {
    while (this.#behind && this.#queued.length === 0) this.#catchUp();
    const revision = this.#queued[0]?.revision;
    if (revision === undefined) return undefined;
    let count = 1;
    while (this.#queued[count]?.revision === revision) count++;
    const events = this.#queued.splice(0, count).map(eventOf);
    return { revision, events };
  }

  #catchUp(): void {
    const { durableRevision, compactedRevision } = this.#source;
    if (this.#loaded < compactedRevision) throw new CompactedError(compactedRevision);
    const through = Math.min(durableRevision, this.#loaded + MAX_QUEUED);
    this.#queued = changesBetween(this.#driver, this.prefix, this.#loaded, through);
    this.#loaded = through;
    this.#behind = through < durableRevision;
  }
}

function eventOf({ key, next, previous, revision }: Change): ChangeEvent<unknown> {
  if (next) {
    return {
      type: 'put',
      entry: decodeRecord(key, next),
      previous: previous && decodeRecord(key, previous),
      revision,
    };
  }
  return { type: 'delete', key: decodeKey(key), previous: decodeRecord(key, previous!), revision };
}
