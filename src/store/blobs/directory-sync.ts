import { open } from 'node:fs/promises';

/** Flushes a directory's entries. Callers that come while a flush is under way share the next one. */
export class DirectorySync {
  readonly #directory: string;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Resolves when every entry made before the call is on disk. */
  sync(): Promise<void> {
    if (!this.#running) {
      this.#running = this.#flush();
      return this.#running;
    }
    // The one under way may have begun before the caller's entry was made.
    this.#next ??= this.#running.then(
      () => this.#startNext(),
      () => this.#startNext(),
    );
    return this.#next;
  }

  #startNext(): Promise<void> {
    this.#next = undefined;
    this.#running = this.#flush();
    return this.#running;
  }

  async #flush(): Promise<void> {
    try {
      const directory = await open(this.#directory, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    } finally {
      this.#running = undefined;
    }
  }
}
