import type { ResponseSink, StreamPrelude } from './engine.ts';
import { maxResponseBytes } from './frames.ts';
import { emptyPayload } from './invocation-outcome.ts';

/** `awslambda.HttpResponseStream.from`: the body starts with JSON and eight zero bytes. */
export const httpIntegrationType = 'application/vnd.awslambda.http-integration-response';
const separator = Buffer.alloc(8);
const maxPreludeBytes = 128 * 1024;

/**
 * One streamed response on its way from a runtime to whoever called: takes the prelude off where it is wanted so, or, for
 * a caller that wants the whole answer at once, gathers it.
 */
export class StreamResponse {
  readonly #sink: ResponseSink | undefined;
  #contentType = 'application/octet-stream';
  #started = false;
  #head: Buffer | undefined;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(sink: ResponseSink | undefined) {
    this.#sink = sink;
  }

  /** The buffered caller's limit was passed. */
  get tooLarge(): boolean {
    return this.#gatheredBytes > maxResponseBytes;
  }

  start(contentType: string): void {
    this.#contentType = contentType;
    if (!this.#sink) return;
    if (contentType === httpIntegrationType && !this.#sink.rawPrelude) this.#head = Buffer.alloc(0);
    else this.#begin(undefined);
  }

  /** Resolves when the bytes were passed on. */
  write(chunk: Uint8Array): Promise<void> {
    if (!this.#sink) {
      this.#gatheredBytes += chunk.length;
      if (!this.tooLarge) this.#gathered.push(chunk);
      return Promise.resolve();
    }
    let bytes = chunk;
    if (this.#head) {
      const head = Buffer.concat([this.#head, chunk]);
      const end = head.indexOf(separator);
      if (end < 0 && head.length <= maxPreludeBytes) {
        this.#head = head;
        return Promise.resolve();
      }
      this.#head = undefined;
      this.#begin(end < 0 ? undefined : parsePrelude(head.toString('utf8', 0, end)));
      bytes = end < 0 ? head : head.subarray(end + separator.length);
    }
    if (bytes.length === 0) return this.#last;
    const sink = this.#sink;
    // One after the other, and a caller that has gone does not end the invocation.
    this.#last = this.#last.then(() => sink.write(bytes)).catch(() => {});
    return this.#last;
  }

  /** What the buffered caller gets; resolves when everything was passed on. */
  async end(): Promise<Uint8Array> {
    if (!this.#sink) return Buffer.concat(this.#gathered);
    if (!this.#started) {
      const head = this.#head;
      this.#head = undefined;
      this.#begin(undefined);
      if (head && head.length > 0) await this.write(head);
    }
    await this.#last;
    return emptyPayload;
  }

  #begin(prelude: StreamPrelude | undefined): void {
    if (this.#started) return;
    this.#started = true;
    this.#sink?.start({ contentType: this.#contentType, ...(prelude ? { prelude } : {}) });
  }
}

/** Reads a prelude; whatever is not of the documented shape is left out. */
export function parsePrelude(text: string): StreamPrelude | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { statusCode, headers, cookies } = value as Record<string, unknown>;
  const prelude: { statusCode?: number; headers?: Record<string, string>; cookies?: string[] } = {};
  if (typeof statusCode === 'number' && Number.isInteger(statusCode) && statusCode >= 100 && statusCode <= 599) {
    prelude.statusCode = statusCode;
  }
  if (typeof headers === 'object' && headers !== null) {
    prelude.headers = Object.fromEntries(Object.entries(headers).map(([name, one]) => [name, String(one)]));
  }
  if (Array.isArray(cookies)) prelude.cookies = cookies.map(String);
  return prelude;
}
