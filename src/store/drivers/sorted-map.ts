/**
 * A map ordered by its string keys: chunks of some hundred keys, so that an insertion moves few elements however large
 * the map is.
 */
export class SortedMap<V> {
  readonly #chunks: { keys: string[]; values: V[] }[] = [{ keys: [], values: [] }];

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]!;
    const index = lowerBound(chunk.keys, key);
    return chunk.keys[index] === key ? chunk.values[index] : undefined;
  }

  set(key: string, value: V): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    const index = lowerBound(chunk.keys, key);
    if (chunk.keys[index] === key) {
      chunk.values[index] = value;
      return;
    }
    chunk.keys.splice(index, 0, key);
    chunk.values.splice(index, 0, value);
    if (chunk.keys.length <= MAX_CHUNK) return;
    const half = chunk.keys.length >> 1;
    this.#chunks.splice(at + 1, 0, { keys: chunk.keys.splice(half), values: chunk.values.splice(half) });
  }

  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    const index = lowerBound(chunk.keys, key);
    if (chunk.keys[index] !== key) return;
    chunk.keys.splice(index, 1);
    chunk.values.splice(index, 1);
    if (chunk.keys.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /** Entries with `start` ≤ key < `end`, in order or reversed. The map must not change while they are read. */
  *scan(start: string, end: string, reverse = false): Generator<readonly [string, V]> {
    if (reverse) yield* this.#backward(start, end);
    else yield* this.#forward(start, end);
  }

  *#forward(start: string, end: string): Generator<readonly [string, V]> {
    let at = this.#chunkOf(start);
    let index = lowerBound(this.#chunks[at]!.keys, start);
    for (; at < this.#chunks.length; at++, index = 0) {
      const { keys, values } = this.#chunks[at]!;
      for (; index < keys.length; index++) {
        if (keys[index]! >= end) return;
        yield [keys[index]!, values[index]!];
      }
    }
  }

  *#backward(start: string, end: string): Generator<readonly [string, V]> {
    let at = this.#chunkOf(end);
    let index = lowerBound(this.#chunks[at]!.keys, end) - 1;
    while (at >= 0) {
      const { keys, values } = this.#chunks[at]!;
      for (; index >= 0; index--) {
        if (keys[index]! < start) return;
        yield [keys[index]!, values[index]!];
      }
      at--;
      index = (this.#chunks[at]?.keys.length ?? 0) - 1;
    }
  }

  /** The chunk that holds or would hold `key`: the last whose first key is not above it. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle]!.keys[0]! <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const MAX_CHUNK = 512;

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
