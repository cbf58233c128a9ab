import { type FileHandle, open } from 'node:fs/promises';

const READ_CHUNK = 512 * 1024;

/** A file that another thread writes from its beginning to its end, to be read meanwhile, wherever it is moved to. */
export class GrowingFile {
  readonly #file: FileHandle;
  readonly #waiting = new Set<() => void>();
  #users = 1;
  #size = 0;
  #over = false;
  #failure: unknown;
  readonly #digest = Promise.withResolvers<string>();

  private constructor(file: FileHandle) {
    this.#file = file;
    // Nobody may want to know.
    this.#digest.promise.catch(() => {});
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

  /** It is complete. */
  async finish(digest: string): Promise<void> {
    this.#digest.resolve(digest);
    await this.#end();
  }

  /** Nothing more comes. Its readers fail too. */
  async abandon(failure: unknown): Promise<void> {
    this.#failure = failure;
    this.#digest.reject(failure);
    await this.#end();
  }

  /** Resolves once it is complete; rejects when it was abandoned. */
  get digest(): Promise<string> {
    return this.#digest.promise;
  }

  /** All that was and will be written. The answer must be disposed of. */
  read(): AsyncDisposable & { readonly pieces: AsyncIterable<Uint8Array> } {
    this.#users++;
    let left = false;
    return {
      pieces: this.#pieces(() => left),
      [Symbol.asyncDispose]: async () => {
        if (left) return;
        left = true;
        this.#wake();
        await this.#leave();
      },
    };
  }

  async *#pieces(isLeft: () => boolean): AsyncGenerator<Buffer> {
    for (let position = 0; ; ) {
      while (position === this.#size && !this.#over && !isLeft()) await this.#change();
      if (isLeft()) return;
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

  async #end(): Promise<void> {
    this.#over = true;
    this.#wake();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    if (--this.#users === 0) await this.#file.close();
  }
}
