import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import { AwsChunkedDecoder, type ChunkSignatures } from './aws-chunked.ts';
import type { BodyCheck } from './body-checks.ts';

export interface StreamedBodyOptions {
  /** Length of the decoded body, when known. */
  readonly contentLength: number | undefined;
  readonly checks: readonly BodyCheck[];
  /** Set when the body is framed as `aws-chunked`. */
  readonly chunked?: { readonly signatures?: ChunkSignatures | undefined } | undefined;
}

/** A request's body on its way to an operation: framing taken off, checked while it flows, in constant memory. */
export class StreamedBody extends Readable implements RequestBody {
  readonly contentLength: number | undefined;
  readonly #source: IncomingMessage;
  readonly #checks: readonly BodyCheck[];
  readonly #decoder: AwsChunkedDecoder | undefined;
  readonly #trailers: Record<string, string> = {};
  #started = false;
  #received = 0;
  #wantsMore = true;

  constructor(source: IncomingMessage, options: StreamedBodyOptions) {
    super({ highWaterMark: 256 * 1024 });
    this.contentLength = options.contentLength;
    this.#source = source;
    this.#checks = options.checks;
    this.#decoder =
      options.chunked &&
      new AwsChunkedDecoder({
        signatures: options.chunked.signatures,
        decodedLength: options.contentLength ?? 0,
        onData: (bytes) => this.#take(bytes),
      });
    // An operation may fail before it looks at its body; a later failure of the body is then nobody's concern.
    this.on('error', () => {});
  }

  get trailers(): Readonly<Record<string, string>> {
    return this.#decoder?.trailers ?? this.#trailers;
  }

  override _read(): void {
    if (this.#started) {
      this.#source.resume();
      return;
    }
    this.#started = true;
    this.#source.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#source.on('end', () => this.#end());
    this.#source.on('error', () => this.destroy(interrupted()));
    this.#source.on('close', () => {
      if (!this.#source.complete) this.destroy(interrupted());
    });
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      this.#wantsMore = true;
      if (this.#decoder) this.#decoder.write(chunk);
      else this.#take(chunk);
      if (!this.#wantsMore) this.#source.pause();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #take(bytes: Buffer): void {
    this.#received += bytes.length;
    for (const check of this.#checks) check.update(bytes);
    this.#wantsMore = this.push(bytes);
  }

  #end(): void {
    if (this.destroyed) return;
    try {
      this.#decoder?.end();
      if (this.contentLength !== undefined && this.#received !== this.contentLength) throw interrupted();
      Object.assign(this.#trailers, this.#source.trailers);
      for (const check of this.#checks) check.finish(this.trailers);
      this.push(null);
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}

function interrupted(): ServiceError {
  return new ServiceError(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  );
}
