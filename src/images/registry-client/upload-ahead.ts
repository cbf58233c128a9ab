import { Readable } from 'node:stream';
import { counted } from './counted.ts';
import type { GrowingFile } from './growing-file.ts';
import type { RegistryClient, UploadSession } from './registry-client.ts';

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
  #sending: Promise<UploadSession | undefined> | undefined;
  #sent = 0;

  constructor(client: RegistryClient, signal: AbortSignal | undefined, onProgress: (current: number) => void) {
    this.#client = client;
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
    this.#onProgress = onProgress;
  }

  begin(archive: GrowingFile): void {
    this.#archive = archive;
    this.#sending = this.#send(archive).catch(() => undefined);
  }

  /** Once the archive is complete: whether the registry has all of it by this upload. */
  async finish(digest: string): Promise<boolean> {
    try {
      if (await this.#finish(digest)) return true;
    } catch {
      // The ordinary way meets it again.
    }
    await this[Symbol.asyncDispose]();
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sending;
  }

  async #finish(digest: string): Promise<boolean> {
    if (!this.#sending || !this.#archive) return false;
    if (this.#archive.size - this.#sent > WORTH_ASKING && (await this.#client.hasBlob(digest))) return false;
    const session = await this.#sending;
    if (!session) return false;
    await this.#client.finishUpload(session, digest);
    return true;
  }

  async #send(archive: GrowingFile): Promise<UploadSession> {
    await using reader = archive.read();
    const onProgress = (current: number) => {
      this.#sent = current;
      this.#onProgress(current);
    };
    const content = Readable.from(counted(reader.pieces, onProgress), { objectMode: false });
    try {
      const session = await this.#client.openUpload(this.#signal);
      return await this.#client.streamUpload(session, content, this.#signal);
    } finally {
      content.destroy();
    }
  }
}
