import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';

const GATHER = 1024 * 1024;

/** Where a thread writes an archive: gathers small pieces, and hashes what goes into the file. */
export class ArchiveFile {
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  readonly #buffer = Buffer.allocUnsafe(GATHER);
  #used = 0;
  size = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > GATHER - this.#used) this.#flush();
    if (bytes.length > GATHER) {
      this.#put(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  zeros(count: number): void {
    let left = count;
    while (left > 0) {
      if (this.#used === GATHER) this.#flush();
      const part = Math.min(left, GATHER - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + part);
      this.#used += part;
      left -= part;
    }
  }

  /** Lets `read` fill up to `wanted` bytes of the buffer; answers how many it has filled. */
  fill(wanted: number, read: (buffer: Uint8Array) => number): number {
    if (this.#used === GATHER) this.#flush();
    const count = read(this.#buffer.subarray(this.#used, Math.min(GATHER, this.#used + wanted)));
    this.#used += count;
    return count;
  }

  /** The digest of everything. */
  finish(): string {
    this.#flush();
    return `sha256:${this.#hash.digest('hex')}`;
  }

  #flush(): void {
    if (this.#used > 0) this.#put(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #put(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    this.size += bytes.length;
  }
}
