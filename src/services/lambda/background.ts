import type { Logger } from '../../base/logger.ts';

/** Work that no request waits for; closing the service does. */
export class Background {
  readonly #logger: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Lets `work` run on; `failure` is what the log says should it reject. */
  run(failure: string, work: Promise<unknown>): void {
    const running = work.then(
      () => {},
      (error: unknown) => this.#logger.error(failure, { error }),
    );
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
