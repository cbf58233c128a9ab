import type { InvocationResult, ResponseSink, StreamPrelude } from '../../functions/index.ts';

/**
 * Carries a streamed answer from the engine to whoever reads it, one chunk at a time: a slow reader holds the writer back.
 * A reader that stops early lets the writer run on, its bytes dropped: the invocation goes to its end, as on AWS.
 */
export class ResponseChannel implements ResponseSink, AsyncIterable<Uint8Array> {
  readonly rawPrelude: boolean;
  /** Set once the invocation has ended. */
  result: InvocationResult | undefined;
  readonly #started = Promise.withResolvers<{ contentType: string; prelude: StreamPrelude | undefined } | undefined>();
  readonly #chunks: { readonly bytes: Uint8Array; readonly taken: () => void }[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #abandoned = false;
  #error: unknown;

  constructor(options: { readonly rawPrelude: boolean }) {
    this.rawPrelude = options.rawPrelude;
  }

  /** Resolves when the answer begins, or with `undefined` when it ended without one. Rejects when it could not be run. */
  get started(): Promise<{ contentType: string; prelude: StreamPrelude | undefined } | undefined> {
    return this.#started.promise;
  }

  start(metadata: { readonly contentType: string; readonly prelude?: StreamPrelude }): void {
    this.#started.resolve({ contentType: metadata.contentType, prelude: metadata.prelude });
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#abandoned || bytes.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#chunks.push({ bytes, taken: resolve });
      this.#wake?.();
    });
  }

  end(result: InvocationResult): void {
    this.result = result;
    this.#ended = true;
    this.#started.resolve(undefined);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = error;
    this.#ended = true;
    this.#started.promise.catch(() => {});
    this.#started.reject(error);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const next = this.#chunks.shift();
        if (next) {
          next.taken();
          yield next.bytes;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.#abandoned = true;
      for (const { taken } of this.#chunks.splice(0)) taken();
    }
  }
}
