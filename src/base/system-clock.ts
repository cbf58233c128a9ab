import { performance } from 'node:perf_hooks';
import type { AdjustableClock, Timer } from './clock.ts';
import { DueHeap, type DueItem } from './due-heap.ts';

/** Longest delay that `setTimeout` takes; longer waits are re-armed. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export interface SystemClockOptions {
  /** Where unadjusted time comes from, epoch ms. Monotonic by default, so that a step of the machine's clock fires nothing. */
  readonly source?: () => number;
  /** A clock whose timers keep the process alive must be closed by its owner; by default they do not. */
  readonly keepAlive?: boolean;
}

/**
 * The machine's time plus an offset that can be moved by hand. All timers share one `setTimeout`, armed for the earliest,
 * so ten thousand schedules cost one kernel timer.
 */
export function createSystemClock(options: SystemClockOptions = {}): AdjustableClock {
  return new SystemClock(
    options.source ?? (() => performance.timeOrigin + performance.now()),
    options.keepAlive ?? false,
  );
}

class SystemClock implements AdjustableClock {
  readonly #source: () => number;
  readonly #keepAlive: boolean;
  readonly #due = new DueHeap();
  readonly #listeners = new Set<() => void>();
  #offset = 0;
  #frozenAt: number | undefined;
  #timeout: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(source: () => number, keepAlive: boolean) {
    this.#source = source;
    this.#keepAlive = keepAlive;
  }

  get frozen(): boolean {
    return this.#frozenAt !== undefined;
  }

  get offset(): number {
    return this.#offset;
  }

  now(): number {
    return this.#frozenAt ?? Math.floor(this.#source() + this.#offset);
  }

  at(time: number, fire: () => void): Timer {
    const item = this.#due.push(time, fire);
    if (this.#due.earliest() === item) this.#arm();
    return {
      cancel: () => {
        this.#due.remove(item);
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`a clock only moves forward: ${ms} ms`);
    if (this.#frozenAt !== undefined) this.#frozenAt += ms;
    else this.#offset += ms;
    this.#adjusted();
  }

  freeze(): void {
    if (this.#frozenAt !== undefined) return;
    this.#frozenAt = this.now();
    this.#adjusted();
  }

  unfreeze(): void {
    if (this.#frozenAt === undefined) return;
    this.#offset = this.#frozenAt - this.#source();
    this.#frozenAt = undefined;
    this.#adjusted();
  }

  restore(state: { offset: number; frozenAt: number | undefined }): void {
    this.#offset = state.offset;
    this.#frozenAt = state.frozenAt;
    this.#arm();
  }

  onAdjust(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timeout);
    this.#due.clear();
    this.#listeners.clear();
  }

  #adjusted(): void {
    for (const listener of this.#listeners) listener();
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timeout);
    this.#timeout = undefined;
    const earliest = this.#due.earliest();
    if (!earliest || this.#closed) return;
    const wait = earliest.time - this.now();
    if (wait > 0 && this.frozen) return;
    this.#timeout = setTimeout(() => this.#fire(), Math.min(Math.max(wait, 0), MAX_TIMEOUT_MS));
    if (!this.#keepAlive) this.#timeout.unref();
  }

  /** Runs what is due now. A timer set while firing waits for the next turn, so a chain of timers cannot starve I/O. */
  #fire(): void {
    const due: DueItem[] = [];
    const now = this.now();
    for (let item = this.#due.earliest(); item && item.time <= now; item = this.#due.earliest()) {
      this.#due.remove(item);
      due.push(item);
    }
    try {
      fireAll(due);
    } finally {
      this.#arm();
    }
  }
}

/** A clock for tests: it stands still until told to move. Timers fire inside `advance`, in due order. */
export interface ManualClock extends AdjustableClock {
  /** Moves time and lets promise reactions run between timers, so that a chain of sleeps unrolls in order. */
  advanceAsync(ms: number): Promise<void>;
}

/** Creates a clock that stands at `start` (epoch ms; default 2026-01-01T00:00:00Z) until it is advanced. */
export function createManualClock(start: number = Date.UTC(2026, 0, 1)): ManualClock {
  const due = new DueHeap();
  const listeners = new Set<() => void>();
  let now = start;
  let moved = 0;
  const next = (until: number): DueItem | undefined => {
    const item = due.earliest();
    if (!item || item.time > until) return undefined;
    due.remove(item);
    now = Math.max(now, item.time);
    return item;
  };
  const finish = (until: number, ms: number): void => {
    now = until;
    moved += ms;
    for (const listener of listeners) listener();
  };
  const clock: ManualClock = {
    frozen: true,
    get offset() {
      return moved;
    },
    now: () => now,
    at(time, fire) {
      const item = due.push(time, fire);
      if (time <= now) {
        setImmediate(() => {
          if (due.remove(item)) fire();
        });
      }
      return { cancel: () => void due.remove(item) };
    },
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`a clock only moves forward: ${ms} ms`);
      const until = now + ms;
      for (let item = next(until); item; item = next(until)) item.fire();
      finish(until, ms);
    },
    async advanceAsync(ms) {
      const until = now + ms;
      await turn();
      for (let item = next(until); item; item = next(until)) {
        item.fire();
        await turn();
      }
      finish(until, ms);
      await turn();
    },
    freeze() {},
    unfreeze() {
      throw new Error('a manual clock has no time of its own to run on');
    },
    restore(state) {
      now = state.frozenAt ?? start + state.offset;
    },
    onAdjust(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      due.clear();
      listeners.clear();
    },
  };
  return clock;
}

function sleepOn(clock: Pick<AdjustableClock, 'now' | 'at'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const aborted = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.at(clock.now() + ms, () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    });
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

/** Fires every item; one that throws does not keep the others from firing. */
function fireAll(items: readonly DueItem[]): void {
  let index = 0;
  try {
    for (; index < items.length; index++) items[index]!.fire();
  } finally {
    if (index < items.length) {
      const rest = items.slice(index + 1);
      if (rest.length > 0) setImmediate(() => fireAll(rest));
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
