import type { OutputChunk } from '../engine.ts';

/** Chunks on their way to one who reads. */
export class OutputQueue implements AsyncIterable<OutputChunk> {
  readonly #chunks: OutputChunk[] = [];
  #bytes = 0;
  #ended = false;
  #discarded = false;
  #wake: (() => void) | undefined;
  readonly #drained: () => void;

  /** `drained`: called when something was taken out. */
  constructor(drained: () => void = () => {}) {
    this.#drained = drained;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: OutputChunk): void {
    if (this.#ended || this.#discarded) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.bytes.length;
    this.#wake?.();
  }

  /** What is there can still be read. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Nobody reads any more. */
  discard(): void {
    this.#discarded = true;
    this.#chunks.length = 0;
    this.#bytes = 0;
    this.end();
    this.#drained();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<OutputChunk> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#bytes -= chunk.bytes.length;
        this.#drained();
        yield chunk;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}
