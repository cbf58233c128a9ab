import { createHash, type Hash } from 'node:crypto';
import { ServiceError } from '../../base/errors.ts';

/** Checks the signatures of a signed body: each covers the one before. */
export interface ChunkSignatures {
  /** `hash`: SHA-256 of the chunk's bytes, hexadecimal. */
  chunk(signature: string, hash: string): void;
  /** `hash`: SHA-256 of the trailing headers in canonical form. */
  trailer(signature: string, hash: string): void;
}

export interface AwsChunkedOptions {
  /** For bodies whose chunks are signed; without it signatures are skipped over. */
  readonly signatures?: ChunkSignatures | undefined;
  /** Decoded length that the client announced. */
  readonly decodedLength: number;
  /** Called with each piece of the decoded body. */
  readonly onData: (bytes: Buffer) => void;
}

/** Longest chunk header or trailing header line. */
const maximumLine = 8 * 1024;
const maximumTrailers = 32;

/**
 * Takes the framing of `aws-chunked` off a body, piece by piece. Source: Amazon S3 API Reference, "Signature
 * Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and the pages on trailing headers.
 */
export class AwsChunkedDecoder {
  readonly trailers: Record<string, string> = {};
  readonly #options: AwsChunkedOptions;
  #state: 'header' | 'data' | 'dataEnd' | 'trailer' | 'done' = 'header';
  #line: Buffer = Buffer.alloc(0);
  #remaining = 0;
  #decoded = 0;
  #signature = '';
  #hash: Hash | undefined;
  #canonicalTrailers = '';

  constructor(options: AwsChunkedOptions) {
    this.#options = options;
  }

  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'done') throw incomplete('The body has bytes after its end');
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, at + this.#remaining);
        at += piece.length;
        this.#remaining -= piece.length;
        this.#hash?.update(piece);
        this.#options.onData(piece);
        if (this.#remaining === 0) this.#endChunk();
      } else {
        const end = bytes.indexOf(0x0a, at);
        const part = bytes.subarray(at, end < 0 ? bytes.length : end + 1);
        at += part.length;
        this.#line = this.#line.length === 0 ? part : Buffer.concat([this.#line, part]);
        if (this.#line.length > maximumLine) throw incomplete('A chunk header is too long');
        if (end >= 0) {
          const line = this.#line.toString('latin1').replace(/\r?\n$/, '');
          this.#line = Buffer.alloc(0);
          this.#endLine(line);
        }
      }
    }
  }

  /** To be called when the body has ended. */
  end(): void {
    // Some clients leave out the empty line after the last chunk.
    if (this.#state !== 'done' && this.#state !== 'trailer') throw incomplete('The body ended within a chunk');
    if (this.#state === 'trailer') this.#finish();
    if (this.#decoded !== this.#options.decodedLength) {
      throw incomplete('You did not provide the number of bytes specified by the x-amz-decoded-content-length header');
    }
  }

  #endLine(line: string): void {
    if (this.#state === 'dataEnd') {
      if (line !== '') throw incomplete('A chunk is longer than its header says');
      this.#state = 'header';
    } else if (this.#state === 'header') this.#chunkHeader(line);
    else if (line === '') this.#finish();
    else this.#trailer(line);
  }

  #chunkHeader(line: string): void {
    const match = /^([0-9a-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line);
    if (!match) throw incomplete('A chunk header is malformed');
    this.#remaining = Number.parseInt(match[1]!, 16);
    this.#decoded += this.#remaining;
    if (this.#decoded > this.#options.decodedLength) {
      throw incomplete('The body is longer than the x-amz-decoded-content-length header says');
    }
    this.#signature = match[2] ?? '';
    if (this.#options.signatures) this.#hash = createHash('sha256');
    if (this.#remaining > 0) {
      this.#state = 'data';
      return;
    }
    this.#options.signatures?.chunk(this.#signature, this.#hash!.digest('hex'));
    this.#state = 'trailer';
  }

  #endChunk(): void {
    this.#options.signatures?.chunk(this.#signature, this.#hash!.digest('hex'));
    this.#state = 'dataEnd';
  }

  #trailer(line: string): void {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon < 1 || Object.keys(this.trailers).length >= maximumTrailers) throw malformedTrailer();
    const value = line.slice(colon + 1).trim();
    this.trailers[name] = value;
    if (name !== 'x-amz-trailer-signature') this.#canonicalTrailers += `${name}:${value}\n`;
  }

  #finish(): void {
    this.#state = 'done';
    const { signatures } = this.#options;
    if (!signatures || Object.keys(this.trailers).length === 0) return;
    const hash = createHash('sha256').update(this.#canonicalTrailers).digest('hex');
    signatures.trailer(this.trailers['x-amz-trailer-signature'] ?? '', hash);
  }
}

function incomplete(message: string): ServiceError {
  return new ServiceError('IncompleteBody', message);
}

export function malformedTrailer(): ServiceError {
  return new ServiceError(
    'MalformedTrailerError',
    'The request contained trailing data that was not well-formed or did not conform to our published schema.',
  );
}
