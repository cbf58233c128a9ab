/** A pending timer. `cancel` is idempotent and safe after the timer fired. */
export interface Timer {
  cancel(): void;
}

/**
 * The time that every component reads: schedules, visibility timeouts, TTLs, retention and token expiry.
 * Durations of real work (a handler's run time) are measured with `performance.now()`, never with this clock.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Runs `fire` once when the clock reaches `time` (epoch ms); at once (next tick) if it already has. */
  at(time: number, fire: () => void): Timer;
  /** Resolves when `ms` of this clock's time have passed; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A clock that can be moved by hand: the API behind `kobune clock`. */
export interface AdjustableClock extends Clock {
  readonly frozen: boolean;
  /** Milliseconds by which this clock is ahead of the machine's. */
  readonly offset: number;
  /** Moves time forward by `ms` (≥ 0) and fires what became due, in due order. */
  advance(ms: number): void;
  freeze(): void;
  unfreeze(): void;
  /** Puts an offset and frozen state back, as saved before a restart. */
  restore(state: { offset: number; frozenAt: number | undefined }): void;
  /** Calls `listener` after every change by hand; returns the function that stops it. */
  onAdjust(listener: () => void): () => void;
  close(): void;
}
