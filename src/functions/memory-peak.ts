import type { Sandbox } from './sandbox/index.ts';

/** Memory is read again when an invocation took this long, or this long after the last reading. */
const sampleMs = 20;
const staleMs = 1_000;
const megabyte = 1024 * 1024;

/** The most memory that an environment was seen to use. */
export class MemoryPeak {
  readonly #limitMb: number;
  #bytes = 0;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(limitMb: number) {
    this.#limitMb = limitMb;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** As reports show it. */
  get megabytes(): number {
    return Math.min(this.#limitMb, Math.max(1, Math.ceil(this.#bytes / megabyte)));
  }

  /** Whether an invocation of this length is worth a reading. */
  due(elapsedMs: number): boolean {
    return elapsedMs > sampleMs || performance.now() - this.#readAt > staleMs;
  }

  read(sandbox: Sandbox): void {
    this.#readAt = performance.now();
    try {
      this.#bytes = Math.max(this.#bytes, sandbox.peakMemory());
    } catch {
      // It has just ended.
    }
  }

  reachedLimit(): void {
    this.#bytes = this.#limitMb * megabyte;
  }
}
