import type { Clock } from '../../base/clock.ts';

interface Waiter {
  readonly end: (woken: boolean) => void;
}

/** Receives that wait for a message, first come, first served. */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** True when woken; false when the time (epoch ms) came first, the signal was aborted, or all is over. */
  wait(until: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.#closed || signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const abort = () => waiter.end(false);
      const timer = until === undefined ? undefined : this.#clock.at(until, abort);
      const waiter: Waiter = {
        end: (woken) => {
          if (!this.#waiting.delete(waiter)) return;
          timer?.cancel();
          signal.removeEventListener('abort', abort);
          resolve(woken);
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  wake(count: number): void {
    for (const waiter of this.#waiting) {
      if (count <= 0) return;
      count -= 1;
      waiter.end(true);
    }
  }

  close(): void {
    this.#closed = true;
    for (const waiter of [...this.#waiting]) waiter.end(false);
  }
}
