/**
 * Who holds what, and what is being deleted. A deletion is announced in the turn in which nobody holds the thing; whoever
 * wants it from then on waits until the deletion has been done or called off.
 */
export class Holds {
  readonly #held = new Map<string, number>();
  readonly #going = new Map<string, Promise<unknown>>();

  /** Holds `name` until the function it resolves to is called (again and again does no harm). */
  async take(name: string): Promise<() => void> {
    for (let going = this.#going.get(name); going; going = this.#going.get(name)) await going.catch(() => {});
    this.#held.set(name, (this.#held.get(name) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#held.get(name) ?? 1) - 1;
      if (left > 0) this.#held.set(name, left);
      else this.#held.delete(name);
    };
  }

  /** Runs `remove`, which looks for lasting references first, unless somebody holds `name` or it is going already. */
  async unlessHeld<T>(name: string, remove: () => Promise<T>): Promise<T | undefined> {
    if (this.#held.has(name) || this.#going.has(name)) return undefined;
    const going = remove();
    this.#going.set(name, going);
    try {
      return await going;
    } finally {
      this.#going.delete(name);
    }
  }
}
