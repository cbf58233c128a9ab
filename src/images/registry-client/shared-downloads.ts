import type { Blob, BlobLease } from '../../store/index.ts';
import type { ContentStore } from '../content.ts';
import { untilAborted } from './until-aborted.ts';

/** Downloads a blob into the content store. */
export type FetchBlob = (signal: AbortSignal, onProgress: (bytes: number) => void) => Promise<Blob & BlobLease>;

export interface SharedDownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes have come. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

interface Running {
  readonly done: Promise<Blob & BlobLease>;
  readonly listeners: Set<(bytes: number) => void>;
  users: number;
  /** Nobody waits any more: stops it, or lets go of what it has brought. */
  leave(): Promise<void>;
}

/** Who wants a blob that is on its way already waits for it. A download stops when nobody wants it any more. */
export class SharedDownloads {
  readonly #content: ContentStore;
  readonly #running = new Map<string, Running>();

  constructor(content: ContentStore) {
    this.#content = content;
  }

  /** A lease of the blob, which is fetched unless it is there. */
  async lease(
    digest: string,
    fetch: FetchBlob,
    { signal, onProgress = () => {} }: SharedDownloadOptions,
  ): Promise<Blob & BlobLease> {
    for (;;) {
      signal?.throwIfAborted();
      const present = await this.#content.lease(digest);
      if (present) return present;
      const others = this.#running.get(digest);
      const running = others ?? this.#start(digest, fetch);
      running.users++;
      running.listeners.add(onProgress);
      try {
        await untilAborted(running.done, signal);
        const lease = await this.#content.lease(digest);
        if (lease) return lease;
      } catch (error) {
        // It may have failed for what only the other one lacks: permission, or patience.
        if (!others || signal?.aborted) throw error;
      } finally {
        running.listeners.delete(onProgress);
        if (--running.users === 0) await running.leave();
      }
    }
  }

  #start(digest: string, fetch: FetchBlob): Running {
    const abort = new AbortController();
    const listeners: Running['listeners'] = new Set();
    const done = fetch(abort.signal, (bytes) => {
      for (const listener of listeners) listener(bytes);
    });
    const forget = () => {
      if (this.#running.get(digest) === running) this.#running.delete(digest);
    };
    const leave = () => {
      forget();
      abort.abort();
      return done.then(
        ({ release }) => release(),
        () => {},
      );
    };
    const running: Running = { done, listeners, users: 0, leave };
    done.catch(forget);
    this.#running.set(digest, running);
    return running;
  }
}
