/**
 * Lets one holder keep all others from committing for a while: what ends the starvation of a transaction that keeps
 * losing to others. First come, first served, for holders and passers alike.
 */
export class Gate {
  #held = false;
  readonly #waiting: ({ readonly pass: () => void } | { readonly hold: () => void })[] = [];

  /** Runs `pass` at once when nobody holds the gate, else when its turn comes. */
  enter(pass: () => void): void {
    if (this.#held) this.#waiting.push({ pass });
    else pass();
  }

  /** Waits for the gate, then keeps it until `release` (idempotent) or for `limit` milliseconds. */
  async hold(limit: number): Promise<GateHold> {
    if (this.#held) await new Promise<void>((hold) => this.#waiting.push({ hold }));
    else this.#held = true;
    let holding = true;
    const release = () => {
      if (!holding) return;
      holding = false;
      clearTimeout(timer);
      this.#next();
    };
    // A holder that waits for somebody who waits at the gate would stop the store for good.
    const timer = setTimeout(release, limit);
    timer.unref();
    return {
      release,
      get holding() {
        return holding;
      },
    };
  }

  #next(): void {
    for (;;) {
      const next = this.#waiting.shift();
      if (!next) {
        this.#held = false;
        return;
      }
      if ('hold' in next) {
        next.hold();
        return;
      }
      next.pass();
    }
  }
}

export interface GateHold {
  readonly holding: boolean;
  release(): void;
}
