import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Key, Store, Transaction } from '../store/index.ts';

export interface AgendaOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Keys of the entries begin with this. */
  readonly prefix: Key;
  /**
   * Does what is due for an item. In a transaction of its own it takes the entry away or puts it at a later time: an entry
   * that is still due afterwards is tried again in a minute.
   */
  run(item: readonly string[], due: number): Promise<void>;
}

/** How long an entry waits that could not be done. */
const RETRY_MS = 60_000;
const PAGE = 100;

/** What a service has to do at a certain time, kept in the store; one timer waits for the earliest. */
export class Agenda {
  readonly #options: AgendaOptions;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #again = false;
  #started = false;
  #closed = false;

  constructor(options: AgendaOptions) {
    this.#options = options;
  }

  /** Moves an item's entry, in the caller's transaction; `undefined`: there is none. Call `changed` once it is committed. */
  move(transaction: Transaction, item: readonly string[], from: number | undefined, to: number | undefined): void {
    if (from === to) return;
    if (from !== undefined) transaction.delete(this.#key(from, item));
    if (to !== undefined) transaction.put(this.#key(to, item), true);
  }

  /** An entry was put at this time. */
  changed(time: number | undefined): void {
    if (time !== undefined && time < this.#timerAt && this.#started) this.#arm(time);
  }

  /** Does what became due meanwhile, then waits. */
  async start(): Promise<void> {
    this.#started = true;
    const first = await this.#first();
    if (first !== undefined) this.#arm(first);
  }

  /** Resolves when nothing that is due is being done. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.idle();
  }

  #key(time: number, item: readonly string[]): Key {
    return [...this.#options.prefix, time, ...item];
  }

  #arm(time: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timerAt = time;
    this.#timer = this.#options.clock.at(time, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#fire();
    });
  }

  #fire(): void {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.#fire();
    });
  }

  async #work(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      const tried = clock.now();
      await this.#runDue(tried);
      const left = await this.#first();
      // What became due meanwhile is next; what is due although it was just tried has to wait.
      const retry = left !== undefined && left <= tried ? clock.now() + RETRY_MS : Number.POSITIVE_INFINITY;
      const next = Math.min(retry, (await this.#first(tried)) ?? retry);
      if (next < this.#timerAt) this.#arm(next);
    } catch (error) {
      logger.error('what became due was not done; it is tried again in a minute', { error: String(error) });
      this.#arm(clock.now() + RETRY_MS);
    }
  }

  /** Does what is due up to this time. */
  async #runDue(until: number): Promise<void> {
    const { store, logger, prefix, run } = this.#options;
    let after: Key | undefined;
    for (;;) {
      const page = await store.range({
        prefix,
        before: [...prefix, until + 1],
        ...(after ? { after } : {}),
        limit: PAGE,
      });
      for (const { key } of page) {
        if (this.#closed) return;
        const [time, ...item] = key.slice(prefix.length) as [number, ...string[]];
        try {
          await run(item, time);
        } catch (error) {
          logger.error('what became due was not done; it is tried again in a minute', { item, error: String(error) });
        }
      }
      if (page.length < PAGE) return;
      after = page.at(-1)!.key;
    }
  }

  /** The earliest time of an entry; of those after a time, if one is given. */
  async #first(after?: number): Promise<number | undefined> {
    const { store, prefix } = this.#options;
    const from = after === undefined ? {} : { from: [...prefix, after + 1] };
    const [entry] = await store.range({ prefix, ...from, limit: 1 });
    return entry && (entry.key[prefix.length] as number);
  }
}
