import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Store } from '../../store/index.ts';
import { ALL_KEYS, type KeyRecord } from './records.ts';

/** How soon what could not be done is tried again. */
const RETRY_MS = 60_000;

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
  #next = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: DueDatesOptions) {
    this.#options = options;
  }

  /** True when something should have happened by now. */
  get isDue(): boolean {
    return this.#next <= this.#options.clock.now() || this.#running !== undefined;
  }

  /** To be told of each key that is written. */
  consider(record: KeyRecord): void {
    this.#arm(nextDue(record));
  }

  /** Does everything that is due, and sets the timer for what is next. */
  settle(): Promise<void> {
    this.#running ??= this.#settle()
      .catch((error) => {
        this.#options.logger.error('what was due for keys was not done', { error: String(error) });
        this.#arm(this.#options.clock.now() + RETRY_MS);
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #settle(): Promise<void> {
    this.#timer?.cancel();
    this.#next = Number.POSITIVE_INFINITY;
    for (const { value } of await this.#options.store.range<KeyRecord>({ prefix: ALL_KEYS })) {
      let record: KeyRecord | undefined = value;
      while (record && (nextDue(record) ?? Number.POSITIVE_INFINITY) <= this.#options.clock.now()) {
        record = await this.#options.perform(record);
      }
      if (record) this.consider(record);
    }
  }

  #arm(time: number | undefined): void {
    if (time === undefined || this.#closed || time >= this.#next) return;
    this.#timer?.cancel();
    this.#next = time;
    this.#timer = this.#options.clock.at(time, () => void this.settle());
  }
}
