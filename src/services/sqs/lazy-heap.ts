/** Below this many items, leftovers are not worth looking for. */
const SMALL = 64;

/**
 * A binary heap, smallest key first, whose items may become stale where they lie: stale ones are passed over, and thrown
 * out when they are the greater part.
 */
export class LazyHeap<T> {
  #items: T[] = [];
  readonly #key: (item: T) => number;
  readonly #stale: (item: T) => boolean;
  /** Size at which to look for stale ones. */
  #sweepAt = SMALL;

  constructor(options: { readonly key: (item: T) => number; readonly stale: (item: T) => boolean }) {
    this.#key = options.key;
    this.#stale = options.stale;
  }

  /** The first item that is not stale. */
  peek(): T | undefined {
    for (;;) {
      const first = this.#items[0];
      if (first === undefined || !this.#stale(first)) return first;
      this.#removeFirst();
    }
  }

  pop(): T | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  push(item: T): void {
    if (this.#items.length >= this.#sweepAt) this.#sweep();
    this.#items.push(item);
    this.#rise(this.#items.length - 1);
  }

  /** Takes out all items that are not stale, in no order. */
  drain(): T[] {
    const items = this.#items.filter((item) => !this.#stale(item));
    this.#items = [];
    this.#sweepAt = SMALL;
    return items;
  }

  #sweep(): void {
    this.#items = this.#items.filter((item) => !this.#stale(item));
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
    this.#sweepAt = Math.max(SMALL, 2 * this.#items.length);
  }

  #removeFirst(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    const items = this.#items;
    const item = items[from]!;
    const key = this.#key(item);
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#key(items[above]!) <= key) break;
      items[at] = items[above]!;
      at = above;
    }
    items[at] = item;
  }

  #sink(from: number): void {
    const items = this.#items;
    const item = items[from]!;
    const key = this.#key(item);
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.#key(items[below + 1]!) < this.#key(items[below]!)) below += 1;
      if (this.#key(items[below]!) >= key) break;
      items[at] = items[below]!;
      at = below;
    }
    items[at] = item;
  }
}
