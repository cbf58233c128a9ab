import type { Clock, Timer } from '../../base/clock.ts';
import { type Connect, type Destination, destinationOf } from './destination.ts';
import type { Subscription, TelemetryType } from './subscription.ts';

/** Sending a batch again begins after this, twice as long every time; after so many times its events are dropped. */
const firstRetryMs = 50;
const longestRetryMs = 5_000;
const maxAttempts = 10;
/** "Expect to receive payloads as large as 2 * maxBytes" (Lambda Developer Guide, "Lambda Telemetry API"). */
const heldFactor = 2;

const fallenBehind = 'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.';

/**
 * One subscription: gathers events into batches and sends them one after the other. What a subscriber does not take
 * is held up to twice its buffer, then dropped and counted; nobody ever waits for it.
 */
export class Subscriber {
  readonly subscription: Subscription;
  readonly #types: ReadonlySet<TelemetryType>;
  readonly #clock: Clock;
  readonly #destination: Destination;
  #events: string[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #retry: Timer | undefined;
  #wake: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  #sendingBytes = 0;
  #sendingCount = 0;
  #droppedRecords = 0;
  #droppedBytes = 0;
  #closed = false;

  constructor(subscription: Subscription, clock: Clock, connect: Connect) {
    this.subscription = subscription;
    this.#types = new Set(subscription.types);
    this.#clock = clock;
    this.#destination = destinationOf(subscription, connect);
  }

  wants(type: TelemetryType): boolean {
    return this.#types.has(type);
  }

  add(event: string): void {
    if (this.#closed) return;
    const { maxBytes, maxItems, timeoutMs } = this.subscription;
    const bytes = Buffer.byteLength(event);
    const items = this.#events.length + this.#sendingCount;
    if (this.#bytes + this.#sendingBytes + bytes > heldFactor * maxBytes || items >= heldFactor * maxItems) {
      this.#droppedRecords += 1;
      this.#droppedBytes += bytes;
      return;
    }
    this.#events.push(event);
    this.#bytes += bytes;
    if (this.#bytes >= maxBytes || this.#events.length >= maxItems) void this.flush();
    else this.#timer ??= this.#clock.at(this.#clock.now() + timeoutMs, () => void this.flush());
  }

  /** Sends what is there. Resolves when it was taken, or dropped for good. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (!this.#closed && (this.#events.length > 0 || this.#droppedRecords > 0)) {
      const events = this.#events;
      this.#sendingCount = events.length;
      this.#sendingBytes = this.#bytes;
      this.#events = [];
      this.#bytes = 0;
      if (this.#droppedRecords > 0) events.push(this.#takeDropped());
      const taken = await this.#send(events);
      if (!taken && !this.#closed) {
        this.#droppedRecords += this.#sendingCount;
        this.#droppedBytes += this.#sendingBytes;
      }
      this.#sendingCount = 0;
      this.#sendingBytes = 0;
      // Told of with the next event: whoever takes nothing is not tried for ever.
      if (!taken) return;
    }
  }

  async #send(events: readonly string[]): Promise<boolean> {
    let pauseMs = firstRetryMs;
    for (let attempt = 1; !this.#closed; attempt++) {
      try {
        await this.#destination.send(events);
        return true;
      } catch {
        if (attempt === maxAttempts) return false;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#retry = this.#clock.at(this.#clock.now() + pauseMs, resolve);
      });
      pauseMs = Math.min(longestRetryMs, 2 * pauseMs);
    }
    return false;
  }

  #takeDropped(): string {
    const record = { droppedBytes: this.#droppedBytes, droppedRecords: this.#droppedRecords, reason: fallenBehind };
    this.#droppedBytes = 0;
    this.#droppedRecords = 0;
    return JSON.stringify({ time: new Date(this.#clock.now()).toISOString(), type: 'platform.logsDropped', record });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#retry?.cancel();
    this.#wake?.();
    this.#destination.close();
    this.#events = [];
  }
}
