import type { Clock } from '../../base/clock.ts';
import type { IndexedMessage } from './indexed-message.ts';
import type { Queue } from './queue.ts';

/** Source: SQS API Reference, "ReceiveMessage": ReceiveRequestAttemptId, 5 minutes. */
const INTERVAL_MS = 300_000;

interface Attempt {
  /** Epoch ms. */
  readonly until: number;
  readonly messages: readonly {
    readonly message: IndexedMessage;
    readonly nonce: number;
    readonly hiddenUntil: number;
  }[];
}

/**
 * What receives with an attempt's id got from FIFO queues, so that one that is repeated gets the same messages again. It is
 * known in memory only: after a restart, messages in flight come back when their visibility timeout is over.
 */
export class ReceiveAttempts {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #attempts = new Map<string, Attempt>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What an earlier receive of this id got, when nothing has happened to any of it since. */
  earlier(queue: Queue, id: string): readonly IndexedMessage[] | undefined {
    this.#forgetOld();
    const messages = this.#attempts.get(`${queue.id} ${id}`)?.messages;
    const untouched = messages?.every(
      ({ message, nonce, hiddenUntil }) =>
        message.stage === 'inFlight' && message.nonce === nonce && message.hiddenUntil === hiddenUntil,
    );
    return untouched ? messages?.map(({ message }) => message) : undefined;
  }

  remember(queue: Queue, id: string, messages: readonly IndexedMessage[]): void {
    if (messages.length === 0) return;
    const name = `${queue.id} ${id}`;
    this.#attempts.delete(name);
    this.#attempts.set(name, {
      until: this.#clock.now() + INTERVAL_MS,
      messages: messages.map((message) => ({
        message,
        nonce: message.nonce,
        hiddenUntil: message.hiddenUntil,
      })),
    });
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [name, { until }] of this.#attempts) {
      if (until > now) return;
      this.#attempts.delete(name);
    }
  }
}
