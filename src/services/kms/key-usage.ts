import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Store } from '../../store/index.ts';
import { type KeyPlace, keyArn, keyKey, usageKey } from './records.ts';

/** The last successful use of a key. */
export interface KeyUsage {
  readonly operation: string;
  /** Epoch ms. */
  readonly time: number;
  readonly requestId: string;
}

/** The last use is written down at once when the last one written is as old as this; else it is kept in memory. */
const WRITTEN_EACH_MS = 60_000;
const MAXIMUM_KNOWN = 10_000;

interface Known {
  readonly place: KeyPlace;
  readonly usage: KeyUsage;
  readonly written: number;
}

/** Remembers when each key was last used: exactly while the process runs, to the minute when it is killed. */
export class KeyUsageLog {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #known = new Map<string, Known>();

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly logger: Logger }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  record(place: KeyPlace, operation: string, requestId: string): void {
    const name = keyArn(place);
    const time = this.#clock.now();
    const usage = { operation, time, requestId };
    const written = this.#known.get(name)?.written ?? Number.NEGATIVE_INFINITY;
    const isDue = time - written >= WRITTEN_EACH_MS;
    if (this.#known.size >= MAXIMUM_KNOWN && !this.#known.has(name)) void this.flush();
    this.#known.set(name, { place, usage, written: isDue ? time : written });
    if (isDue) void this.#write({ place, usage });
  }

  async find(place: KeyPlace): Promise<KeyUsage | undefined> {
    return this.#known.get(keyArn(place))?.usage ?? (await this.#store.get<KeyUsage>(usageKey(place)))?.value;
  }

  /** Writes down what is only in memory. */
  async flush(): Promise<void> {
    const known = [...this.#known.values()].filter(({ usage, written }) => usage.time > written);
    this.#known.clear();
    await Promise.all(known.map((one) => this.#write(one)));
  }

  async #write({ place, usage }: Pick<Known, 'place' | 'usage'>): Promise<void> {
    try {
      await this.#store.transact(async (transaction) => {
        // A key that has been deleted meanwhile leaves nothing behind.
        if (await transaction.get(keyKey(place))) transaction.put(usageKey(place), usage);
      });
    } catch (error) {
      this.#logger.warn('the last use of a key was not written down', { error: String(error) });
    }
  }
}
