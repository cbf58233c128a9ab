import type { Clock } from '../../../base/clock.ts';

const SECOND_MS = 1000;
const MOST = 10_000;

/** Lets no more than so many invocations of each API destination through in any second; the others wait for their turn. */
export class RateLimits {
  readonly #clock: Clock;
  /** Epoch ms of the turns of the last second and of those to come, oldest first. */
  readonly #turns = new Map<string, number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is this invocation's turn; rejects when aborted. */
  async turn(destination: string, perSecond: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    if (this.#turns.size >= MOST) this.#forgetPast(now);
    const turns = (this.#turns.get(destination) ?? []).filter((time) => time > now - SECOND_MS);
    const at = turns.length < perSecond ? now : Math.max(now, turns[turns.length - perSecond]! + SECOND_MS);
    turns.push(at);
    this.#turns.set(destination, turns);
    if (at > now) await this.#clock.sleep(at - now, signal);
  }

  #forgetPast(now: number): void {
    for (const [destination, turns] of this.#turns)
      if (turns.at(-1)! <= now - SECOND_MS) this.#turns.delete(destination);
  }
}
