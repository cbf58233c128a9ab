import type { SpoolEntry } from '../logs/spool-parser.ts';
import { OutputQueue } from './output-queue.ts';

export interface Subscription {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly queue: OutputQueue;
}

/** While one who is attached has so much to read, nothing more is taken from the process. */
const CONGESTED_BYTES = 4 * 1024 * 1024;

/** Hands what a container writes to those who are attached to it, from one run to the next. */
export class OutputHub {
  readonly #subscriptions = new Set<Subscription>();

  /** Bytes of the entry are used again by whoever calls. */
  push({ stream, bytes }: Pick<SpoolEntry, 'stream' | 'bytes'>): void {
    if (this.#subscriptions.size === 0) return;
    const copy = Buffer.from(bytes);
    for (const subscription of this.#subscriptions) {
      if (subscription[stream]) subscription.queue.push({ stream, bytes: copy });
    }
  }

  get congested(): boolean {
    for (const { queue } of this.#subscriptions) if (queue.bytes > CONGESTED_BYTES) return true;
    return false;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  subscribe(options: { readonly stdout: boolean; readonly stderr: boolean }): Subscription {
    const subscription = { ...options, queue: new OutputQueue() };
    this.#subscriptions.add(subscription);
    return subscription;
  }

  unsubscribe(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    subscription.queue.end();
  }

  /** The process has ended and everything was pushed. */
  end(): void {
    for (const subscription of this.#subscriptions) this.unsubscribe(subscription);
  }
}
