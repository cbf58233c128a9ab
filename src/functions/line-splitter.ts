/** CloudWatch Logs takes no longer event. */
const maxEventBytes = 256 * 1024;

/** Cuts a stream of output into lines, their ends included; a longer one comes in pieces. */
export class LineSplitter {
  readonly #emit: (line: string) => void;
  #partial: Buffer | undefined;

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  push(bytes: Buffer): void {
    let rest = bytes;
    if (this.#partial) {
      rest = Buffer.concat([this.#partial, bytes]);
      this.#partial = undefined;
    }
    let start = 0;
    for (let end = rest.indexOf(10, start); end >= 0; end = rest.indexOf(10, start)) {
      this.#pieces(rest.subarray(start, end + 1));
      start = end + 1;
    }
    while (rest.length - start >= maxEventBytes) {
      this.#pieces(rest.subarray(start, start + maxEventBytes));
      start += maxEventBytes;
    }
    if (start < rest.length) this.#partial = Buffer.from(rest.subarray(start));
  }

  #pieces(line: Buffer): void {
    for (let at = 0; at < line.length; at += maxEventBytes) {
      this.#emit(line.toString('utf8', at, Math.min(line.length, at + maxEventBytes)));
    }
  }

  /** Ends a line that was not ended. */
  end(): void {
    if (!this.#partial) return;
    const bytes = this.#partial;
    this.#partial = undefined;
    this.#emit(`${bytes.toString('utf8')}\n`);
  }
}
