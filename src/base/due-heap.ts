/** Something to run at a time. */
export interface DueItem {
  readonly time: number;
  readonly fire: () => void;
}

interface HeapItem extends DueItem {
  readonly sequence: number;
  index: number;
}

/** A binary heap of things to run, earliest first; equal times in the order they were pushed. Removal is O(log n). */
export class DueHeap {
  readonly #items: HeapItem[] = [];
  #sequence = 0;

  push(time: number, fire: () => void): DueItem {
    const item: HeapItem = { time, fire, sequence: this.#sequence++, index: this.#items.length };
    this.#items.push(item);
    this.#up(item);
    return item;
  }

  earliest(): DueItem | undefined {
    return this.#items[0];
  }

  /** True when the item was still there. */
  remove(item: DueItem): boolean {
    const at = (item as HeapItem).index;
    if (this.#items[at] !== item) return false;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#place(last, at);
      this.#up(last);
      this.#down(last);
    }
    return true;
  }

  clear(): void {
    this.#items.length = 0;
  }

  #before(a: HeapItem, b: HeapItem): boolean {
    return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
  }

  #place(item: HeapItem, index: number): void {
    this.#items[index] = item;
    item.index = index;
  }

  #up(item: HeapItem): void {
    while (item.index > 0) {
      const parent = this.#items[(item.index - 1) >> 1]!;
      if (!this.#before(item, parent)) return;
      const at = parent.index;
      this.#place(parent, item.index);
      this.#place(item, at);
    }
  }

  #down(item: HeapItem): void {
    for (;;) {
      const left = this.#items[2 * item.index + 1];
      const right = this.#items[2 * item.index + 2];
      const child = left && right && this.#before(right, left) ? right : left;
      if (!child || !this.#before(child, item)) return;
      const at = child.index;
      this.#place(child, item.index);
      this.#place(item, at);
    }
  }
}
