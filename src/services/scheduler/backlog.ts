/** Above this many, `room` waits until there are fewer than half. */
const MOST = 5000;

/** Invocations that wait for their first try: so that catching up does not run far ahead of what targets take. */
export class Backlog {
  readonly #waiting = new Set<string>();
  #free: (() => void)[] = [];
  #closed = false;

  add(deliveryId: string): void {
    this.#waiting.add(deliveryId);
  }

  remove(deliveryId: string): void {
    if (this.#waiting.delete(deliveryId) && this.#waiting.size < MOST / 2) this.#release();
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    if (this.#waiting.size < MOST || this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#free.push(resolve);
    });
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#free.splice(0)) resolve();
  }
}
