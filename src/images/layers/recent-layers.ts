/** Bytes of unpacked layers that may stay although nothing uses them. */
const MOST_BYTES = 2 ** 30;
/** After so long without a build nothing stays; by the machine's clock, as it is about the machine's disk. */
const LIFETIME_MS = 10 * 60_000;

/**
 * Layers that were wanted a short while ago and may be wanted again: the stages of a build, whose files no image has. Unpacking
 * them for each build would take longer than all else of it.
 */
export class RecentLayers {
  /** Sizes by chain ID, the one that was wanted last at the end. */
  readonly #sizes = new Map<string, number>();
  readonly #over: (chains: readonly string[]) => void;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `over` is told of layers that need not stay any longer. */
  constructor(over: (chains: readonly string[]) => void) {
    this.#over = over;
  }

  /** Whether it is to stay. */
  has(chain: string): boolean {
    return this.#sizes.has(chain);
  }

  /** Bottom first. */
  note(layers: readonly { readonly chain: string; readonly size: number }[]): void {
    // What is below is worth nothing less: it goes last.
    for (const { chain, size } of layers.toReversed()) {
      this.#forget(chain);
      this.#sizes.set(chain, size);
      this.#bytes += size;
    }
    const gone: string[] = [];
    for (const chain of this.#sizes.keys()) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#forget(chain);
      gone.push(chain);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#over(this.clear()), LIFETIME_MS).unref();
    // Bottom first, as they are collected.
    if (gone.length > 0) this.#over(gone.reverse());
  }

  /** They need not stay, however recently they were wanted. */
  forget(chains: Iterable<string>): void {
    for (const chain of chains) this.#forget(chain);
  }

  /** Nothing needs to stay; answers what did, bottom first. */
  clear(): readonly string[] {
    clearTimeout(this.#timer);
    const all = [...this.#sizes.keys()].reverse();
    this.#sizes.clear();
    this.#bytes = 0;
    return all;
  }

  #forget(chain: string): void {
    this.#bytes -= this.#sizes.get(chain) ?? 0;
    this.#sizes.delete(chain);
  }
}
