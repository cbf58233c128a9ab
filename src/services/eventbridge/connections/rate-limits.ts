import type { Clock } from '../../../base/clock.ts';

const MOST = 10_000;

/** Lets no more than so many invocations of each API destination through in a second; the others wait for their turn. */
export class RateLimits {
  readonly #clock: Clock;
  /** Epoch ms of the next free turn. */
  readonly #next = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is this invocation's turn; rejects when aborted. */
  async turn(destination: string, perSecond: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const at = Math.max(this.#next.get(destination) ?? 0, now);
    if (this.#next.size >= MOST) this.#forgetPast(now);
    this.#next.set(destination, at + 1000 / perSecond);
    if (at > now) await this.#clock.sleep(Math.ceil(at - now), signal);
  }

  #forgetPast(now: number): void {
    for (const [destination, next] of this.#next) if (next <= now) this.#next.delete(destination);
  }
}
