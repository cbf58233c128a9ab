/** Steps that are being carried out, by key: who wants the same waits, and then finds it in the cache. */
export class StepTurns {
  readonly #running = new Map<string, Promise<void>>();

  /** Waits until nobody carries the step out. Rejects when the signal is aborted. Whoever has it calls the answer when it has ended. */
  async take(key: string, signal: AbortSignal): Promise<() => void> {
    for (;;) {
      const running = this.#running.get(key);
      if (running === undefined) break;
      await untilAborted(running, signal);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running.set(key, promise);
    return () => {
      this.#running.delete(key);
      resolve();
    };
  }
}

function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}
