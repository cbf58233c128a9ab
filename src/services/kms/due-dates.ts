import type { Clock, Timer } from '../../base/clock.ts';
import { DueHeap, type DueItem } from '../../base/due-heap.ts';
import type { Logger } from '../../base/logger.ts';
import type { Key, Store } from '../../store/index.ts';
import { ALL_KEYS, type KeyPlace, type KeyRecord, keyArn, keyKey } from './records.ts';

/** How soon what could not be done is tried again. */
const RETRY_MS = 60_000;
/** Keys read at once as it starts. */
const PAGE = 1000;

/** When something happens to a key by itself; `undefined` when nothing will. Epoch ms. */
export function nextDue(record: KeyRecord): number | undefined {
  const expiries = record.materials.flatMap(({ wrapped, validTo }) =>
    wrapped === undefined || validTo === undefined ? [] : [validTo],
  );
  const isReplica = record.multiRegion !== undefined && record.multiRegion.primary !== record.region;
  // Neither disabled keys nor those that wait for their deletion are rotated: Developer Guide, "Key states of AWS KMS keys".
  const rotates = record.enabled && record.pendingWindowInDays === undefined && !isReplica;
  const dates = [
    ...expiries,
    ...(record.deletionDate === undefined ? [] : [record.deletionDate]),
    ...(rotates && record.rotation !== undefined ? [record.rotation.next] : []),
  ];
  return dates.length === 0 ? undefined : Math.min(...dates);
}

export interface DueDatesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Does what is due for a key, and resolves to its record as it then is; `undefined` when it is gone. */
  perform(record: KeyRecord): Promise<KeyRecord | undefined>;
}

/** Deletions, rotations and expiries: one timer for the next of them. */
export class DueDates {
  readonly #options: DueDatesOptions;
  readonly #heap = new DueHeap();
  /** What is in the heap of each key. */
  readonly #items = new Map<string, DueItem>();
  readonly #places = new WeakMap<DueItem, KeyPlace>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: DueDatesOptions) {
    this.#options = options;
  }

  /** True when something should have happened by now. */
  get isDue(): boolean {
    return (
      this.#running !== undefined ||
      (this.#heap.earliest()?.time ?? Number.POSITIVE_INFINITY) <= this.#options.clock.now()
    );
  }

  /** Looks at every key, does what is due, and sets the timer for what is next. */
  async start(): Promise<void> {
    const { store } = this.#options;
    let after: Key | undefined;
    for (;;) {
      const page = await store.range<KeyRecord>({ prefix: ALL_KEYS, limit: PAGE, ...(after ? { after } : {}) });
      for (const { value } of page) this.consider(value);
      if (page.length < PAGE) break;
      after = page.at(-1)!.key;
    }
    await this.settle();
  }

  /** To be told of each key that is written. */
  consider(record: KeyRecord): void {
    this.#schedule(record, nextDue(record));
  }

  /** Does everything that is due. */
  settle(): Promise<void> {
    this.#running ??= this.#settle().finally(() => {
      this.#running = undefined;
      this.#arm();
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #settle(): Promise<void> {
    for (;;) {
      const item = this.#heap.earliest();
      if (this.#closed || item === undefined || item.time > this.#options.clock.now()) return;
      await this.#perform(this.#places.get(item)!);
    }
  }

  /** Does the first thing that is due for a key; what comes next for it is scheduled by that. */
  async #perform(place: KeyPlace): Promise<void> {
    const { clock, logger, perform, store } = this.#options;
    this.#schedule(place, undefined);
    try {
      const record = (await store.get<KeyRecord>(keyKey(place)))?.value;
      const isDue = record !== undefined && (nextDue(record) ?? Number.POSITIVE_INFINITY) <= clock.now();
      const next = isDue ? await perform(record) : record;
      if (next) this.consider(next);
    } catch (error) {
      logger.error('what was due for a key was not done', { key: keyArn(place), error: String(error) });
      this.#schedule(place, clock.now() + RETRY_MS);
    }
  }

  #schedule(place: KeyPlace, time: number | undefined): void {
    const name = keyArn(place);
    const known = this.#items.get(name);
    if (known) this.#heap.remove(known);
    if (time === undefined) {
      this.#items.delete(name);
      return;
    }
    const { account, id, region } = place;
    const item = this.#heap.push(time, () => {});
    this.#items.set(name, item);
    this.#places.set(item, { account, id, region });
    this.#arm();
  }

  #arm(): void {
    const time = this.#heap.earliest()?.time;
    if (time === undefined || this.#closed || this.#running !== undefined || time >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = time;
    this.#timer = this.#options.clock.at(time, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      void this.settle();
    });
  }
}
