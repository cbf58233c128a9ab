import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { CompactedError, type Store, StoreWriteError, type Transaction, type Watch } from '../store/index.ts';
import {
  AcceptError,
  type Attempt,
  accept,
  carried,
  type DeliveryRecord,
  expiryOf,
  shortened,
  throttleBackoff,
} from './attempt.ts';
import { DEAD_LETTER_SOURCE, deadLetterRequest, deadLetterSource } from './dead-letter.ts';
import type {
  Acceptance,
  Delivery,
  DeliveryCaller,
  DeliveryOutcome,
  DeliveryPolicy,
  DeliveryRequest,
  DeliverySource,
  DeliveryTarget,
  FinalOutcome,
  PendingDelivery,
} from './delivery.ts';
import { DeliveryIds } from './delivery-ids.ts';
import { OrderedLanes } from './ordered-lanes.ts';
import { ReadyQueue, type ReadyQueueLimits } from './ready-queue.ts';
import { isEndpoint, targetKind } from './target-kind.ts';

export interface DeliveryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Attempts under way at once: 100 for one source and target, 1,000 of endpoints and 1,000 of others, unless told. */
  readonly limits?: Partial<ReadyQueueLimits>;
  /** How long `close` waits for attempts under way, real milliseconds; 5,000 unless told. */
  readonly closeGraceMs?: number;
  /** How long a store that could not write is left alone at first, real milliseconds; 1,000 unless told. */
  readonly writeRetryMs?: number;
}

const PREFIX = 'delivery';
/** Deliveries that are read at once: each may be as large as an event can be. */
const PAGE = 100;
/** Times that a source is told of what came of an attempt, before it is tried again as a whole. */
const RECORD_TRIES = 6;
/** Until a delivery that could not be tried at all is tried again; doubles each time, up to an hour. */
const UNTRIED_BACKOFF_MS = 60_000;
const MAX_UNTRIED_BACKOFF_MS = 3_600_000;
const MAX_WRITE_RETRY_MS = 30_000;

/** What is known of a delivery while it waits. Its payload is in the store: there may be very many. */
interface Waiting {
  readonly id: string;
  readonly lane: string;
  /** It goes to an endpoint outside. */
  readonly endpoint: boolean;
  readonly ordered: boolean;
  readonly notBefore: number;
  /** Times in a row that it could not even be tried. */
  readonly untried: number;
}

/**
 * A durable queue of deliveries in the store. Every delivery is tried at least once, also across a crash; an attempt that
 * had not ended when the process died is made again. Nothing polls: commits wake it through a watch, retries by the clock.
 */
export function createDelivery(options: DeliveryOptions): Delivery {
  return new StoredDelivery(options);
}

class StoredDelivery implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #targets = new Map<string, () => Promise<DeliveryTarget>>();
  readonly #sources = new Map<string, () => Promise<DeliverySource>>();
  readonly #ids: DeliveryIds;
  readonly #queue: ReadyQueue<Waiting>;
  /** Endpoints that do not answer must not take every turn from queues and functions. */
  readonly #endpoints: ReadyQueue<Waiting>;
  readonly #ordered = new OrderedLanes<Waiting>((waiting) => this.#schedule(waiting, waiting.notBefore));
  /** Ids that wait, run or sleep in this process. */
  readonly #known = new Set<string>();
  readonly #timers = new Map<string, Timer>();
  /** Those whose source is not registered (yet), by source. */
  readonly #unclaimed = new Map<string, Waiting[]>();
  readonly #abort = new AbortController();
  #watch: Watch<DeliveryRecord> | undefined;
  #watching: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const limits = { perLane: 100, total: 1000, ...options.limits };
    this.#ids = new DeliveryIds(options.clock, options.random);
    this.#queue = new ReadyQueue(limits, (waiting) => this.#try(waiting));
    this.#endpoints = new ReadyQueue(limits, (waiting) => this.#try(waiting));
    this.registerSource(DEAD_LETTER_SOURCE, async () => deadLetterSource(options.logger));
  }

  registerTarget(kind: string, load: () => Promise<DeliveryTarget>): void {
    this.#targets.set(kind, load);
  }

  registerSource(name: string, load: () => Promise<DeliverySource>): void {
    this.#sources.set(name, load);
    const waiting = this.#unclaimed.get(name) ?? [];
    this.#unclaimed.delete(name);
    for (const each of waiting) this.#push(each);
  }

  supports(target: string): boolean {
    return this.#targets.has(targetKind(target) ?? '');
  }

  async permits(target: string, caller: DeliveryCaller): Promise<boolean> {
    const found = await this.#targetOf(target);
    return found !== undefined && (found.permits === undefined || found.permits(target, caller));
  }

  enqueue(transaction: Transaction, request: DeliveryRequest): string {
    const { id, time } = this.#ids.next();
    const record: DeliveryRecord = { ...request, id, enqueuedAt: time, attempts: 0 };
    transaction.put([PREFIX, id], record);
    return id;
  }

  async start(): Promise<void> {
    const { store } = this.#options;
    // What is enqueued from now on sorts after what is stored.
    const [newest] = await store.range<DeliveryRecord>({ prefix: [PREFIX], reverse: true, limit: 1 });
    if (newest) this.#ids.seen(newest.value.id);
    // The watch opens before the backlog is read, so a commit between the two is seen; `#known` drops the doubles.
    const watch = store.watch<DeliveryRecord>({ prefix: [PREFIX], fromRevision: store.revision });
    this.#watch = watch;
    // The older ones first: what is ordered must not begin with a newer one.
    await this.#admitStored();
    this.#watching = this.#follow(watch);
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
    const stopped = Promise.all([this.#queue.stop(), this.#endpoints.stop()]);
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
    this.#ids.seen(delivery.id);
    const waiting = waitingOf(delivery);
    if (waiting.ordered) this.#ordered.add(waiting.lane, waiting);
    else this.#schedule(waiting, waiting.notBefore);
  }

  /** The delivery is over: the next one of its order may begin. */
  #forget({ id, lane, ordered }: Waiting): void {
    this.#known.delete(id);
    if (ordered) this.#ordered.remove(lane, id);
  }

  #schedule(waiting: Waiting, time: number): void {
    if (this.#closed) return;
    const { id } = waiting;
    if (time <= this.#options.clock.now()) {
      this.#push(waiting);
      return;
    }
    this.#timers.set(
      id,
      this.#options.clock.at(time, () => {
        this.#timers.delete(id);
        this.#push(waiting);
      }),
    );
  }

  #push(waiting: Waiting): void {
    (waiting.endpoint ? this.#endpoints : this.#queue).push(waiting.lane, waiting);
  }

  /** One try of one delivery, and what follows from it. Never rejects. */
  async #try(waiting: Waiting): Promise<void> {
    const { id } = waiting;
    try {
      const entry = await this.#options.store.get<DeliveryRecord>([PREFIX, id]);
      if (entry) await this.#attempt(entry.value);
      else this.#forget(waiting);
    } catch (error) {
      if (this.#closed) return;
      const { clock, logger } = this.#options;
      const delay = Math.min(UNTRIED_BACKOFF_MS * 2 ** waiting.untried, MAX_UNTRIED_BACKOFF_MS);
      logger.error('a delivery could not be tried; it is tried again later', { id, delayMs: delay, error });
      this.#schedule({ ...waiting, untried: waiting.untried + 1 }, clock.now() + delay);
    }
  }

  async #attempt(delivery: DeliveryRecord): Promise<void> {
    const source = await this.#sources.get(delivery.source)?.();
    if (!source) {
      this.#options.logger.warn('a delivery waits for its source', { source: delivery.source, id: delivery.id });
      const waiting = this.#unclaimed.get(delivery.source) ?? [];
      waiting.push(waitingOf(delivery));
      this.#unclaimed.set(delivery.source, waiting);
      return;
    }
    const policy = await source.policy(delivery);
    const attempt: Attempt = { delivery, source, policy };
    if (this.#options.clock.now() >= expiryOf(attempt)) {
      const last = delivery.lastOutcome ?? { type: 'failed', reason: 'The event was not delivered in time.' };
      await this.#record(attempt, (transaction) =>
        this.#end(transaction, attempt, { ...last, condition: 'EventAgeExceeded' }),
      );
      return;
    }
    const target = await this.#targetOf(delivery.targetArn);
    if (target?.accept && (await this.#handOver(attempt, target))) return;
    const outcome = await this.#deliver(attempt, target);
    // The process is going down: whatever came back may be the abort's own doing, so the next start tries again.
    if (this.#abort.signal.aborted && outcome.type !== 'delivered') return;
    await this.#record(attempt, (transaction) => this.#conclude(transaction, attempt, outcome));
  }

  /** Lets the target take it over in the store; false when it has to be delivered instead. */
  async #handOver(attempt: Attempt, target: DeliveryTarget): Promise<boolean> {
    let acceptance: Acceptance | undefined;
    try {
      const revision = await this.#record(attempt, async (transaction) => {
        acceptance = await accept(target, attempt, transaction);
        return acceptance && this.#conclude(transaction, attempt, acceptance);
      });
      if (revision !== undefined) acceptance?.committed?.(revision);
      return acceptance !== undefined;
    } catch (error) {
      if (!(error instanceof AcceptError)) throw error;
      // What the target wrote before it threw was not kept.
      const outcome = this.#failure(attempt.delivery, error.cause);
      await this.#record(attempt, (transaction) => this.#conclude(transaction, attempt, outcome));
      return true;
    }
  }

  async #targetOf(target: string): Promise<DeliveryTarget | undefined> {
    return this.#targets.get(targetKind(target) ?? '')?.();
  }

  async #deliver(attempt: Attempt, target: DeliveryTarget | undefined): Promise<DeliveryOutcome> {
    const { delivery } = attempt;
    if (!target?.deliver) {
      return { type: 'rejected', reason: `no target of this kind is served: ${delivery.targetArn}` };
    }
    try {
      return await target.deliver(carried(attempt), this.#abort.signal);
    } catch (error) {
      return this.#failure(delivery, error);
    }
  }

  #failure(delivery: PendingDelivery, error: unknown): DeliveryOutcome {
    if (!this.#closed) {
      this.#options.logger.warn('a delivery failed', { id: delivery.id, target: delivery.targetArn, error });
    }
    return { type: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }

  /**
   * Writes down what came of an attempt, in one transaction, then does what follows. A store that cannot write (a full
   * disk) is asked again until it can, and holds up what comes behind. Returns the revision of what was written.
   */
  async #record(
    attempt: Attempt,
    decide: (transaction: Transaction) => Promise<Next | undefined>,
  ): Promise<number | undefined> {
    const { clock, logger, store, writeRetryMs = 1000 } = this.#options;
    const waiting = waitingOf(attempt.delivery);
    for (let tries = 1; ; tries += 1) {
      try {
        let revision: number | undefined;
        const next = await store.transact(decide, {
          onCommit: (committed) => {
            revision = committed;
          },
        });
        if (next?.type === 'ended') this.#forget(waiting);
        else if (next) this.#schedule(waiting, next.notBefore);
        return revision;
      } catch (error) {
        if (this.#closed || error instanceof AcceptError) throw error;
        if (error instanceof StoreWriteError) {
          if (tries === 1) logger.error('what came of a delivery cannot be written', { id: waiting.id, error });
          // Real time on purpose: it is the disk that is waited for.
          const delay = Math.min(writeRetryMs * 2 ** (tries - 1), MAX_WRITE_RETRY_MS);
          await sleep(delay, undefined, { signal: this.#abort.signal });
        } else if (tries === RECORD_TRIES) throw error;
        else await clock.sleep(1000 * 2 ** (tries - 1), this.#abort.signal);
      }
    }
  }

  async #conclude(transaction: Transaction, attempt: Attempt, given: Acceptance): Promise<Next> {
    const { delivery, policy } = attempt;
    const { committed: _, ...outcome } = given;
    if (outcome.type !== 'failed') {
      const condition = outcome.type === 'delivered' ? 'Success' : 'Rejected';
      const last = { ...delivery, attempts: delivery.attempts + 1 };
      return this.#end(transaction, { ...attempt, delivery: last }, { ...outcome, condition });
    }
    const attempts = delivery.attempts + (outcome.throttled ? 0 : 1);
    const throttles = outcome.throttled ? (delivery.throttles ?? 0) + 1 : 0;
    const next: DeliveryRecord = { ...delivery, attempts, throttles, lastOutcome: shortened(outcome) };
    if (attempts > policy.maximumRetries) {
      return this.#end(transaction, { ...attempt, delivery: next }, { ...outcome, condition: 'RetriesExhausted' });
    }
    const wait = outcome.throttled ? throttleBackoff(policy, throttles) : policy.backoffMs(attempts);
    const delay = Math.max(this.#jittered(wait, policy), outcome.retryAfterMs ?? 0);
    // An event that would be too old by its next try ends when it reaches that age, not later.
    const notBefore = Math.min(this.#options.clock.now() + delay, expiryOf(attempt));
    transaction.put([PREFIX, delivery.id], { ...next, notBefore });
    return { type: 'again', notBefore };
  }

  /** The delivery is removed, its source told and its dead letter sent, all together. */
  async #end(transaction: Transaction, attempt: Attempt, outcome: FinalOutcome): Promise<Next> {
    const { delivery, policy, source } = attempt;
    await source.finished?.(delivery, outcome, transaction);
    if (outcome.type !== 'delivered' && policy.deadLetter) {
      this.enqueue(transaction, deadLetterRequest(policy.deadLetter, delivery, outcome));
    }
    transaction.delete([PREFIX, delivery.id]);
    return { type: 'ended' };
  }

  #jittered(delay: number, { jitter = 0 }: DeliveryPolicy): number {
    return jitter === 0 ? delay : Math.round(delay * (1 - jitter * this.#options.random.fraction()));
  }
}

/** What follows from an attempt. */
type Next = { readonly type: 'ended' } | { readonly type: 'again'; readonly notBefore: number };

/**
 * A source's deliveries to one target share a lane: two sources of the same target do not hold each other up. Those that are
 * ordered have one for each order.
 */
function laneOf({ source, targetArn, orderingKey }: DeliveryRequest): string {
  return orderingKey === undefined ? `${source} ${targetArn}` : `${source} ${targetArn} ${orderingKey}`;
}

function waitingOf(delivery: DeliveryRequest & { readonly id: string }): Waiting {
  const { id, notBefore = 0, orderingKey, targetArn } = delivery;
  const ordered = orderingKey !== undefined;
  return { id, lane: laneOf(delivery), endpoint: isEndpoint(targetArn), ordered, notBefore, untried: 0 };
}
