import { parseArn } from '../base/arn.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { CompactedError, type Store, type Transaction, type Watch } from '../store/index.ts';
import type {
  Delivery,
  DeliveryOutcome,
  DeliveryPolicy,
  DeliveryRequest,
  DeliverySource,
  DeliveryTarget,
  FinalOutcome,
  PendingDelivery,
} from './delivery.ts';
import { ReadyQueue, type ReadyQueueLimits } from './ready-queue.ts';

export interface DeliveryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Attempts under way at once: 100 for one source and target, 1,000 in all, unless told. */
  readonly limits?: Partial<ReadyQueueLimits>;
  /** How long `close` waits for attempts under way, real milliseconds; 5,000 unless told. */
  readonly closeGraceMs?: number;
}

/** What the store keeps of a delivery. Written when it is enqueued and after each try that did not end it. */
interface DeliveryRecord extends PendingDelivery {
  /** Throttled tries since the last real attempt. */
  readonly throttles?: number;
  /** How the last try failed: told to the source when the event grows too old. */
  readonly lastOutcome?: DeliveryOutcome;
}

const PREFIX = 'delivery';
const PAGE = 1000;
/** Tries to tell a source that its delivery has ended, before that is given up and logged. */
const FINISH_TRIES = 6;
const MAX_THROTTLE_BACKOFF_MS = 300_000;
/** Bytes. */
const MAX_KEPT_RESPONSE = 256 * 1024;

/**
 * A durable queue of deliveries in the store. Every delivery is tried at least once, also across a crash; an attempt that
 * had not ended when the process died is made again. Nothing polls: commits wake it through a watch, retries by the clock.
 */
export function createDelivery(options: DeliveryOptions): Delivery {
  return new StoredDelivery(options);
}

class StoredDelivery implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #targets = new Map<string, DeliveryTarget>();
  readonly #sources = new Map<string, DeliverySource>();
  readonly #queue: ReadyQueue<string>;
  /** Ids that wait, run or sleep in this process. */
  readonly #known = new Set<string>();
  readonly #timers = new Map<string, Timer>();
  /** Ids whose source is not registered (yet), by source. */
  readonly #unclaimed = new Map<string, PendingDelivery[]>();
  readonly #abort = new AbortController();
  #watch: Watch<DeliveryRecord> | undefined;
  #watching: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const limits = { perLane: 100, total: 1000, ...options.limits };
    this.#queue = new ReadyQueue(limits, (id) => this.#try(id));
  }

  registerTarget(service: string, target: DeliveryTarget): void {
    this.#targets.set(service, target);
  }

  registerSource(name: string, source: DeliverySource): void {
    this.#sources.set(name, source);
    const waiting = this.#unclaimed.get(name) ?? [];
    this.#unclaimed.delete(name);
    for (const delivery of waiting) this.#queue.push(laneOf(delivery), delivery.id);
  }

  supports(targetArn: string): boolean {
    const service = parseArn(targetArn)?.service;
    return service !== undefined && this.#targets.has(service);
  }

  enqueue(transaction: Transaction, request: DeliveryRequest): string {
    const { clock, random } = this.#options;
    const enqueuedAt = clock.now();
    // Ids sort by time, so that a restart resumes the oldest first.
    const id = `${enqueuedAt.toString(16).padStart(12, '0')}-${random.hex(20)}`;
    const record: DeliveryRecord = { ...request, id, enqueuedAt, attempts: 0 };
    transaction.put([PREFIX, id], record);
    return id;
  }

  async start(): Promise<void> {
    const { store } = this.#options;
    // The watch opens before the backlog is read, so a commit between the two is seen; `#known` drops the doubles.
    const watch = store.watch<DeliveryRecord>({ prefix: [PREFIX], fromRevision: store.revision });
    this.#watch = watch;
    this.#watching = this.#follow(watch);
    await this.#admitStored();
  }

  async #admitStored(): Promise<void> {
    let after: readonly string[] | undefined;
    while (!this.#closed) {
      const page = await this.#options.store.range<DeliveryRecord>({
        prefix: [PREFIX],
        limit: PAGE,
        ...(after ? { after } : {}),
      });
      for (const entry of page) this.#admit(entry.value);
      if (page.length < PAGE) return;
      after = page[page.length - 1]!.key as readonly string[];
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch?.close();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    const stopped = this.#queue.stop();
    // Real time on purpose: a frozen clock must not keep the program from ending.
    const grace = setTimeout(() => this.#abort.abort(), this.#options.closeGraceMs ?? 5000);
    await Promise.race([
      stopped,
      new Promise<void>((resolve) => {
        this.#abort.signal.addEventListener('abort', () => setImmediate(resolve), { once: true });
      }),
    ]);
    clearTimeout(grace);
    await this.#watching;
  }

  async #follow(watch: Watch<DeliveryRecord>): Promise<void> {
    try {
      for await (const batch of watch) {
        for (const event of batch.events) {
          // An update of a delivery is this process's own note of a failed try.
          if (event.type === 'put' && event.previous === undefined) this.#admit(event.entry.value);
        }
      }
    } catch (error) {
      if (this.#closed) return;
      if (!(error instanceof CompactedError)) {
        this.#options.logger.error('the watch on pending deliveries ended', { error });
        return;
      }
      // History was forgotten faster than it was read here: begin anew, from what is stored now.
      this.#options.logger.warn('the watch on pending deliveries fell behind');
      await this.start();
    }
  }

  #admit(delivery: DeliveryRecord): void {
    if (this.#closed || this.#known.has(delivery.id)) return;
    this.#known.add(delivery.id);
    this.#schedule(delivery, delivery.notBefore ?? 0);
  }

  #schedule(delivery: PendingDelivery, time: number): void {
    if (this.#closed) return;
    const { id } = delivery;
    if (time <= this.#options.clock.now()) {
      this.#queue.push(laneOf(delivery), id);
      return;
    }
    const lane = laneOf(delivery);
    this.#timers.set(
      id,
      this.#options.clock.at(time, () => {
        this.#timers.delete(id);
        this.#queue.push(lane, id);
      }),
    );
  }

  /** One try of one delivery, and what follows from it. Never rejects. */
  async #try(id: string): Promise<void> {
    try {
      const entry = await this.#options.store.get<DeliveryRecord>([PREFIX, id]);
      if (!entry) {
        this.#known.delete(id);
        return;
      }
      await this.#attempt(entry.value);
    } catch (error) {
      if (this.#closed) return;
      this.#options.logger.error('a delivery could not be tried; it stays for the next start', { id, error });
    }
  }

  async #attempt(delivery: DeliveryRecord): Promise<void> {
    const { clock } = this.#options;
    const source = this.#sources.get(delivery.source);
    if (!source) {
      this.#options.logger.warn('a delivery waits for its source', { source: delivery.source, id: delivery.id });
      const waiting = this.#unclaimed.get(delivery.source) ?? [];
      this.#unclaimed.set(delivery.source, [...waiting, delivery]);
      return;
    }
    const policy = await source.policy(delivery);
    const expires = delivery.enqueuedAt + policy.maximumAgeSeconds * 1000;
    if (clock.now() >= expires) {
      const last = delivery.lastOutcome ?? { type: 'failed', reason: 'The event was not delivered in time.' };
      await this.#finish(delivery, source, { ...last, condition: 'EventAgeExceeded' });
      return;
    }
    const outcome = await this.#deliver(delivery);
    // The process is going down: whatever came back may be the abort's own doing, so the next start tries again.
    if (this.#abort.signal.aborted && outcome.type !== 'delivered') return;
    if (outcome.type === 'delivered') {
      await this.#finish({ ...delivery, attempts: delivery.attempts + 1 }, source, {
        ...outcome,
        condition: 'Success',
      });
    } else if (outcome.type === 'rejected') {
      await this.#finish({ ...delivery, attempts: delivery.attempts + 1 }, source, {
        ...outcome,
        condition: 'Rejected',
      });
    } else {
      await this.#failed(delivery, source, policy, outcome, expires);
    }
  }

  async #failed(
    delivery: DeliveryRecord,
    source: DeliverySource,
    policy: DeliveryPolicy,
    outcome: DeliveryOutcome & { readonly type: 'failed' },
    expires: number,
  ): Promise<void> {
    const attempts = delivery.attempts + (outcome.throttled ? 0 : 1);
    const throttles = outcome.throttled ? (delivery.throttles ?? 0) + 1 : 0;
    const next: DeliveryRecord = { ...delivery, attempts, throttles, lastOutcome: shortened(outcome) };
    if (attempts > policy.maximumRetries) {
      await this.#finish(next, source, { ...outcome, condition: 'RetriesExhausted' });
      return;
    }
    const delay = outcome.throttled ? throttleBackoff(policy, throttles) : policy.backoffMs(attempts);
    // An event that would be too old by its next try ends when it reaches that age, not later.
    const notBefore = Math.min(this.#options.clock.now() + delay, expires);
    await this.#options.store.put([PREFIX, delivery.id], { ...next, notBefore });
    this.#schedule(next, notBefore);
  }

  async #deliver(delivery: PendingDelivery): Promise<DeliveryOutcome> {
    const service = parseArn(delivery.targetArn)?.service;
    const target = service === undefined ? undefined : this.#targets.get(service);
    if (!target) return { type: 'rejected', reason: `no target of this kind is served: ${delivery.targetArn}` };
    try {
      return await target.deliver(delivery, this.#abort.signal);
    } catch (error) {
      if (!this.#closed) {
        this.#options.logger.warn('a delivery failed', { id: delivery.id, target: delivery.targetArn, error });
      }
      return { type: 'failed', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async #finish(delivery: PendingDelivery, source: DeliverySource, outcome: FinalOutcome): Promise<void> {
    const { clock, logger, store } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        await source.finished(delivery, outcome);
        break;
      } catch (error) {
        if (this.#closed) return;
        if (tries === FINISH_TRIES) {
          logger.error('a source could not be told of the end of its delivery', { id: delivery.id, error });
          break;
        }
        await clock.sleep(1000 * 2 ** (tries - 1), this.#abort.signal);
      }
    }
    await store.delete([PREFIX, delivery.id]);
    this.#known.delete(delivery.id);
  }
}

/** What is worth keeping of a failed try: a long answer would be written again at each of them. */
function shortened(outcome: DeliveryOutcome): DeliveryOutcome {
  if ((outcome.response?.length ?? 0) <= MAX_KEPT_RESPONSE) return outcome;
  const { response: _, ...rest } = outcome;
  return rest as DeliveryOutcome;
}

function throttleBackoff(policy: DeliveryPolicy, throttle: number): number {
  return policy.throttleBackoffMs?.(throttle) ?? Math.min(1000 * 2 ** (throttle - 1), MAX_THROTTLE_BACKOFF_MS);
}

/** A source's deliveries to one target share a lane: two sources of the same target do not hold each other up. */
function laneOf(delivery: DeliveryRequest): string {
  return `${delivery.source} ${delivery.targetArn}`;
}
