import type { Clock } from '../../base/clock.ts';
import { throttled } from './errors.ts';
import type { Queue } from './queue.ts';

/**
 * Requests a second of each kind (send, receive, delete) to a FIFO queue without high throughput; with, 70,000 a second.
 * Source: SQS Developer Guide, "Amazon SQS quotas": FIFO queues.
 */
const FIFO_RATE = 300;
const HIGH_THROUGHPUT_RATE = 70_000;

type Kind = 'send' | 'receive' | 'delete';

interface Bucket {
  /** Epoch ms of the last look. */
  at: number;
  left: number;
}

/** Counts requests to FIFO queues. A second's worth may come at once. */
export class RequestRate {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws RequestThrottled. */
  take(queue: Queue, kind: Kind): void {
    if (!queue.fifo) return;
    const rate = queue.record.settings.fifoThroughputLimit === 'perMessageGroupId' ? HIGH_THROUGHPUT_RATE : FIFO_RATE;
    const now = this.#clock.now();
    const name = `${queue.id} ${kind}`;
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      bucket = { at: now, left: rate };
      this.#buckets.set(name, bucket);
    }
    bucket.left = Math.min(rate, bucket.left + ((now - bucket.at) / 1000) * rate);
    bucket.at = now;
    if (bucket.left < 1) throw throttled();
    bucket.left -= 1;
  }

  forget(queue: Queue): void {
    for (const kind of ['send', 'receive', 'delete']) this.#buckets.delete(`${queue.id} ${kind}`);
  }
}
