import { type FileHandle, open } from 'node:fs/promises';

const READ_CHUNK = 256 * 1024;

/** A file that another thread writes from its beginning to its end, to be read meanwhile, wherever it is moved to. */
export class GrowingFile {
  readonly #file: FileHandle;
  readonly #waiting = new Set<() => void>();
  #users = 1;
  #size = 0;
  #over = false;
  #failure: unknown;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Makes the file, empty; it must not be there yet. */
  static async create(path: string): Promise<GrowingFile> {
    return new GrowingFile(await open(path, 'wx+', 0o600));
  }

  /** Bytes that are known to be in it. */
  get size(): number {
    return this.#size;
  }

  /** So many more bytes were written, by whomever. */
  grew(bytes: number): void {
    this.#size += bytes;
    this.#wake();
  }

  /** Nothing more is written. With `failure` readers fail too. */
  async finish(failure?: unknown): Promise<void> {
    this.#over = true;
    this.#failure = failure;
    this.#wake();
    await this.#leave();
  }

  /** All that was and will be written. The answer must be disposed of. */
  read(): AsyncDisposable & { readonly pieces: AsyncIterable<Uint8Array> } {
    this.#users++;
    let left = false;
    return {
      pieces: this.#pieces(),
      [Symbol.asyncDispose]: async () => {
        if (left) return;
        left = true;
        await this.#leave();
      },
    };
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    for (let position = 0; ; ) {
      while (position === this.#size && !this.#over) await this.#change();
      if (this.#failure !== undefined) throw this.#failure;
      if (position === this.#size) return;
      const length = Math.min(READ_CHUNK, this.#size - position);
      const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafeSlow(length), 0, length, position);
      if (bytesRead === 0) throw new Error('a file that was being written has been cut short');
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #leave(): Promise<void> {
    if (--this.#users === 0) await this.#file.close();
  }
}
