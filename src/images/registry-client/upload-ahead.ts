import { Readable } from 'node:stream';
import { counted } from './counted.ts';
import type { GrowingFile } from './growing-file.ts';
import type { RegistryClient } from './registry-client.ts';

/** With more than this left to send, it is asked whether the registry has the blob. */
const WORTH_ASKING = 4 * 1024 * 1024;

/**
 * Sends an archive while it is still being made, before its digest is known. What fails is left to the ordinary way, which tries
 * again and tells what is wrong.
 */
export class UploadAhead implements AsyncDisposable {
  readonly #client: RegistryClient;
  readonly #onProgress: (current: number) => void;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #archive: GrowingFile | undefined;
  /** Whether the registry has all of it. */
  #sending: Promise<boolean> = Promise.resolve(false);
  #sent = 0;

  constructor(client: RegistryClient, signal: AbortSignal | undefined, onProgress: (current: number) => void) {
    this.#client = client;
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
    this.#onProgress = onProgress;
  }

  begin(archive: GrowingFile): void {
    this.#archive = archive;
    this.#sending = this.#send(archive).then(
      () => true,
      // The ordinary way meets it again.
      () => false,
    );
  }

  /** Once the archive is complete: whether the registry has all of it by this upload. */
  async finish(digest: string): Promise<boolean> {
    const left = (this.#archive?.size ?? 0) - this.#sent;
    if (left > WORTH_ASKING && (await this.#client.hasBlob(digest))) this.#stop.abort();
    return this.#sending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sending;
  }

  async #send(archive: GrowingFile): Promise<void> {
    await using reader = archive.read();
    const onProgress = (current: number) => {
      this.#sent = current;
      this.#onProgress(current);
    };
    const content = Readable.from(counted(reader.pieces, onProgress), { objectMode: false });
    try {
      const session = await this.#client.openUpload(this.#signal);
      const next = await this.#client.streamUpload(session, content, this.#signal);
      await this.#client.finishUpload(next, await archive.digest);
    } finally {
      content.destroy();
    }
  }
}
