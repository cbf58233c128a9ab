import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store, Entry as StoreEntry, Transaction } from '../../store/index.ts';
import { Backlog } from './backlog.ts';
import { invocation } from './invocation.ts';
import {
  DUE_PREFIX,
  type Due,
  dueKey,
  HORIZON_KEY,
  nextKey,
  readDueKey,
  type ScheduleId,
  type ScheduleRecord,
  scheduleKey,
} from './records.ts';
import { Timing } from './timing.ts';

export interface TimetableOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
}

/** Invocations that one transaction starts. */
const PAGE = 500;
/** Later than this, it is catching up: the clock was moved, or the process was not running. */
const CATCHING_UP_MS = 60_000;
const RETRY_MS = 1000;

/** A schedule and its next time. */
interface Entry {
  readonly id: ScheduleId;
  readonly due: Due;
}

/**
 * Invokes the targets of schedules when they come due. What is due is in the store in order of time, so one timer waits for
 * the first of them, and any number of schedules costs nothing until then. A page of due schedules is one transaction:
 * their invocations are enqueued and their next times written together, so each time is invoked exactly once.
 *
 * When the clock jumps, each time in between is invoked, in order, no faster than the targets are tried. Times that came
 * while the process was not running are invoked late, and only the first of each schedule.
 */
export class Timetable {
  readonly timing: Timing;
  readonly #options: TimetableOptions;
  readonly #backlog = new Backlog();
  #timer: { readonly time: number; readonly timer: Timer } | undefined;
  #running: Promise<void> | undefined;
  /** Became due while the last page was looked for. */
  #again = false;
  /** The times after the first of these (exclusive) up to the second came while nothing ran. */
  #missed = { after: 0, until: 0 };
  #closed = false;

  constructor(options: TimetableOptions) {
    this.#options = options;
    this.timing = new Timing(options.random);
  }

  /** Goes on with what an earlier run left. */
  async start(): Promise<void> {
    const { clock, store } = this.#options;
    const horizon = (await store.get<number>(HORIZON_KEY))?.value ?? 0;
    this.#missed = { after: horizon, until: clock.now() };
    await this.#arm();
  }

  /** Takes nothing more; resolves when the page under way is done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#backlog.close();
    await this.#running;
  }

  /** A try of an invocation began. */
  began(deliveryId: string): void {
    this.#backlog.remove(deliveryId);
  }

  /** Writes down when a schedule comes next, or that it does not. Call `expect` with the time once that is durable. */
  async put(transaction: Transaction, id: ScheduleId, due: Due | undefined): Promise<void> {
    const previous = (await transaction.get<Due>(nextKey(id)))?.value;
    if (previous) transaction.delete(dueKey(id, previous.time));
    if (!due) {
      if (previous) transaction.delete(nextKey(id));
      return;
    }
    transaction.put(nextKey(id), due);
    transaction.put(dueKey(id, due.time), due.scheduled);
  }

  /** Something is due at this time. */
  expect(time: number): void {
    if (this.#closed || (this.#timer && this.#timer.time <= time)) return;
    this.#timer?.timer.cancel();
    this.#timer = {
      time,
      timer: this.#options.clock.at(time, () => {
        this.#timer = undefined;
        this.#run();
      }),
    };
  }

  #run(): void {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#running = this.#invokeDue().finally(() => {
      this.#running = undefined;
      if (this.#again && !this.#closed) this.#run();
    });
  }

  async #arm(): Promise<void> {
    const [first] = await this.#options.store.range({ prefix: DUE_PREFIX, limit: 1 });
    if (first) this.expect(readDueKey(first.key).time);
  }

  /** Invokes page after page, until nothing is due. */
  async #invokeDue(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      while (!this.#closed && (await this.#page()));
      if (!this.#closed) await this.#arm();
    } catch (error) {
      if (this.#closed) return;
      logger.error('due schedules could not be invoked; they are tried again', { error });
      this.expect(clock.now() + RETRY_MS);
    }
  }

  /** Invokes the first of what is due; false when nothing is. */
  async #page(): Promise<boolean> {
    const { clock, store } = this.#options;
    const now = clock.now();
    const due = { prefix: DUE_PREFIX, before: [...DUE_PREFIX, now + 1] };
    const [first] = await store.range({ ...due, limit: 1 });
    if (!first) return false;
    const { time } = readDueKey(first.key);
    const late = time < now - CATCHING_UP_MS;
    if (late) await this.#backlog.room();
    if (this.#closed) return false;
    let enqueued: string[] = [];
    const forget = () => {
      for (const id of enqueued) this.#backlog.remove(id);
      enqueued = [];
    };
    try {
      await store.transact(async (transaction) => {
        forget();
        const entries = await transaction.range<number>({ ...due, limit: PAGE });
        for await (const id of this.#invocations(transaction, entries, now)) {
          enqueued.push(id);
          this.#backlog.add(id);
        }
        if (late && !this.#wasMissed(time)) transaction.put(HORIZON_KEY, now);
      });
    } catch (error) {
      forget();
      throw error;
    }
    return true;
  }

  /** Invokes what was read, in order of time; yields the ids of the deliveries. */
  async *#invocations(
    transaction: Transaction,
    entries: readonly StoreEntry<number>[],
    now: number,
  ): AsyncIterable<string> {
    const page = entries.map(({ key, value }): Entry => {
      const { id, time } = readDueKey(key);
      return { id, due: { time, scheduled: value } };
    });
    // A schedule that comes again before the end of what was read takes its turn in the same page.
    const until = page.length === PAGE ? page[PAGE - 1]!.due.time : now;
    for (let count = 0; count < PAGE; count += 1) {
      const entry = page.shift();
      if (!entry) return;
      const { deliveryId, next } = await this.#invoke(transaction, entry);
      if (deliveryId !== undefined) yield deliveryId;
      if (next && next.time <= until) insert(page, { id: entry.id, due: next });
    }
  }

  #wasMissed(time: number): boolean {
    return time > this.#missed.after && time <= this.#missed.until;
  }

  /** Enqueues one invocation and writes down the next time. */
  async #invoke(
    transaction: Transaction,
    { due, id }: Entry,
  ): Promise<{ readonly deliveryId?: string; readonly next?: Due | undefined }> {
    const { delivery, random } = this.#options;
    const schedule = (await transaction.get<ScheduleRecord>(scheduleKey(id)))?.value;
    if (!schedule) {
      await this.put(transaction, id, undefined);
      return {};
    }
    const next = this.timing.after(
      schedule,
      this.#wasMissed(due.time) ? Math.max(due.scheduled, this.#missed.until) : due.scheduled,
    );
    await this.put(transaction, id, next);
    if (!next && schedule.actionAfterCompletion === 'DELETE') transaction.delete(scheduleKey(id));
    return { deliveryId: delivery.enqueue(transaction, invocation(id, schedule, due, random.uuid())), next };
  }
}

/** Keeps the entries in order of time; after those of the same time. */
function insert(page: Entry[], entry: Entry): void {
  let [low, high] = [0, page.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (page[middle]!.due.time <= entry.due.time) low = middle + 1;
    else high = middle;
  }
  page.splice(low, 0, entry);
}
