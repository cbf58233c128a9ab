/**
 * Who holds which blob, and which are being deleted. A deletion has three steps: look for references, which takes
 * time; then, in one turn and only if nobody has taken a lease meanwhile, declare the blob as going; then remove the
 * file. Whoever wants a lease on a blob that is going waits until it is gone.
 */
export class Leases {
  readonly #held = new Map<string, number>();
  /** Digests that a collection is looking at; taking a lease takes them out. */
  readonly #examined = new Set<string>();
  readonly #going = new Map<string, Promise<unknown>>();

  /** Holds `digest` until the function it resolves to is called (again and again does no harm). */
  async take(digest: string): Promise<() => void> {
    for (let going = this.#going.get(digest); going; going = this.#going.get(digest)) await going.catch(() => {});
    this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1);
    this.#examined.delete(digest);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#held.get(digest) ?? 1) - 1;
      if (left > 0) this.#held.set(digest, left);
      else this.#held.delete(digest);
    };
  }

  /** Runs `remove` when `unreferenced` says so and nobody held the blob at any moment in between; else undefined. */
  async unlessLeased<T>(
    digest: string,
    unreferenced: () => Promise<boolean>,
    remove: () => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#held.has(digest)) return undefined;
    this.#examined.add(digest);
    try {
      if (!(await unreferenced())) return undefined;
      if (!this.#examined.has(digest)) return undefined;
      const going = remove();
      this.#going.set(digest, going);
      try {
        return await going;
      } finally {
        this.#going.delete(digest);
      }
    } finally {
      this.#examined.delete(digest);
    }
  }
}
