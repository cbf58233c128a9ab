/**
 * Buffers of one size, used again and again. Fresh memory for each upload costs page faults, and makes the collector run
 * over the whole heap every few dozen megabytes. Their memory is shared, so that another thread can read them.
 */
export class BufferPool {
  readonly #size: number;
  readonly #keep: number;
  readonly #free: Buffer<SharedArrayBuffer>[] = [];

  /** Keeps up to `keep` buffers of `size` bytes that are not in use. */
  constructor(size: number, keep: number) {
    this.#size = size;
    this.#keep = keep;
  }

  /** A buffer with whatever is in it. */
  take(): Buffer<SharedArrayBuffer> {
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.#size));
  }

  /** Takes one back that nothing reads or writes any more. */
  give(buffer: Buffer<SharedArrayBuffer>): void {
    if (this.#free.length < this.#keep) this.#free.push(buffer);
  }
}
