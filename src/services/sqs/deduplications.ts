import type { Clock } from '../../base/clock.ts';
import type { Key, Store } from '../../store/index.ts';

const SWEEP = 1000;

interface Noted {
  readonly until: number;
  readonly key: Key;
}

/** Forgets the sends whose deduplication interval is over: some with each send that follows. */
export class Deduplications {
  readonly #store: Store;
  readonly #clock: Clock;
  #noted: Noted[] = [];
  #head = 0;

  constructor(parts: { readonly store: Store; readonly clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  /** The record under `key` is of no use from `until` (epoch ms) on. */
  note(until: number, key: Key): void {
    this.#noted.push({ until, key });
    const now = this.#clock.now();
    if ((this.#noted[this.#head]?.until ?? now) >= now) return;
    const over: Key[] = [];
    while (over.length < SWEEP && (this.#noted[this.#head]?.until ?? now) < now) {
      over.push(this.#noted[this.#head]!.key);
      this.#head += 1;
    }
    if (this.#head > SWEEP && this.#head * 2 > this.#noted.length) {
      this.#noted = this.#noted.slice(this.#head);
      this.#head = 0;
    }
    // Nobody waits for it: a record that stays is harmless, and its time has passed.
    this.#forget(over).catch(() => {});
  }

  async #forget(over: readonly Key[]): Promise<void> {
    await this.#store.transact(async (transaction) => {
      for (const key of over) {
        const entry = await transaction.get<{ readonly until: number }>(key);
        if (entry && entry.value.until < this.#clock.now()) transaction.delete(key);
      }
    });
  }
}
