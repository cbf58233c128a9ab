/**
 * Lets a few processes boot at a time: a burst of cold starts is over sooner when they do not take the processors from
 * each other, and none of them uses up the init phase's ten seconds waiting.
 */
export class BootLimit {
  readonly #parallel: number;
  readonly #waiting: (() => void)[] = [];
  #booting = 0;

  constructor(parallel: number) {
    this.#parallel = parallel;
  }

  async run<T>(boot: () => Promise<T>): Promise<T> {
    if (this.#booting < this.#parallel) this.#booting += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await boot();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#booting -= 1;
    }
  }
}
