import type { Timer } from '../../../base/clock.ts';
import type { EventMessage, EventQueue } from '../ports.ts';
import type { Room } from '../room.ts';
import { type Batch, runBatch } from './batch-run.ts';
import type { MappingRecord } from './mapping-record.ts';
import { type MessageFilter, messageFilter } from './message-filter.ts';
import { PollerScale } from './poller-scale.ts';
import { queueRecord } from './queue-event.ts';
import { roleProblem } from './source-permissions.ts';

/** How long a queue that is not there, or must not be read, is left alone. */
const PROBLEM_PAUSE_MS = 60_000;
/** Messages that are received at once: each may have 1 MB. */
const MAX_RECEIVE = 100;

/**
 * Reads a mapping's queue and gives the messages to its function. It waits in the queue until there are some, so an idle
 * mapping costs nothing.
 */
export class QueuePoller {
  readonly #room: Room;
  readonly #mapping: MappingRecord;
  readonly #scale: PollerScale;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** Ends what the reader waits for. */
  #interrupt = new AbortController();
  /** Wakes the reader that waits for a place. */
  #batchEnded: () => void = () => {};
  #lastEndedWell = true;
  #filter: Promise<MessageFilter> | undefined;
  #reading: Promise<void> = Promise.resolve();
  /** The function's role, in whose name the queue is read. */
  #roleArn = '';
  /** Why nothing is read. */
  #problem: string | undefined;
  #lastRun: string | undefined;

  constructor(room: Room, mapping: MappingRecord) {
    this.#room = room;
    this.#mapping = mapping;
    this.#scale = new PollerScale(mapping.maximumConcurrency);
  }

  /** As `LastProcessingResult` shows it. */
  get lastResult(): string | undefined {
    return this.#problem === undefined ? this.#lastRun : `PROBLEM: ${this.#problem}`;
  }

  start(): void {
    this.#reading = this.#read();
  }

  /** Something of the function, or of who may do what, has changed: looks again. */
  changed(): void {
    if (this.#closing.signal.aborted) return;
    this.#interrupt.abort();
    this.#interrupt = new AbortController();
  }

  /** Reads no more; resolves when what was read has been begun. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#interrupt.abort();
    await this.#reading;
  }

  /** Resolves when the batches under way have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #read(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        if (!(await this.#place())) continue;
        const queue = await this.#readable();
        if (!queue) continue;
        const { messages, since } = await this.#gather();
        if (messages.length > 0) this.#begin({ messages, visibleAt: since + queue.visibilityTimeoutSeconds * 1000 });
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#room.logger.warn('an event source could not be read', { queue: this.#mapping.sourceArn, error });
        await this.#pause('The event source could not be read.');
      }
    }
  }

  /** True when another batch may be begun at once; else waits for a change. */
  async #place(): Promise<boolean> {
    const { clock } = this.#room;
    if (this.#running.size === 0 && this.#lastEndedWell) this.#scale.calm();
    if (this.#running.size < this.#scale.limit(clock.now())) return true;
    const raisedAt = this.#scale.busy(clock.now());
    await this.#waiting((wake) => {
      this.#batchEnded = wake;
      return raisedAt === undefined ? undefined : clock.at(raisedAt, wake);
    });
    return false;
  }

  /** The queue, when it and the function are there and the function's role may read it; else waits for a change. */
  async #readable(): Promise<EventQueue | undefined> {
    const { queues, targets } = this.#room;
    const { function: target, sourceArn } = this.#mapping;
    const interrupt = this.#interrupt;
    const found = await targets.resolve(target).catch(() => undefined);
    if (!found) {
      this.#problem = 'Function not found.';
      if (interrupt === this.#interrupt) await this.#waiting(() => undefined);
      return undefined;
    }
    const queue = await queues.describe(sourceArn);
    if (!queue) {
      await this.#pause('The queue does not exist.');
      return undefined;
    }
    const problem = await roleProblem(this.#room, found.spec.roleArn, target.region, sourceArn, queue);
    if (problem !== undefined) {
      await this.#pause(problem);
      return undefined;
    }
    this.#problem = undefined;
    this.#roleArn = found.spec.roleArn;
    return queue;
  }

  /** What is there; with a window, what comes until it is over or the batch is full. */
  async #gather(): Promise<Gathered> {
    const { clock, limits } = this.#room;
    const { batchSize, windowSeconds } = this.#mapping;
    const gathered = await this.#receive(batchSize, this.#interrupt.signal);
    const since = clock.now();
    if (windowSeconds === 0 || gathered.length === 0) return { messages: gathered, since };
    const over = new AbortController();
    const end = (): void => over.abort();
    const timer = clock.at(since + windowSeconds * 1000, end);
    this.#closing.signal.addEventListener('abort', end);
    try {
      // A message that became visible again meanwhile is in the batch once, with its new receipt.
      const messages = new Map(gathered.map((message) => [message.messageId, message]));
      let size = sizeOf(gathered);
      while (messages.size < batchSize && size < limits.syncPayload && !over.signal.aborted) {
        const more = await this.#receive(batchSize - messages.size, over.signal);
        for (const message of more) messages.set(message.messageId, message);
        size += sizeOf(more);
      }
      return { messages: [...messages.values()], since };
    } finally {
      timer.cancel();
      this.#closing.signal.removeEventListener('abort', end);
    }
  }

  /** Messages that pass the filters; the others are deleted, as on AWS. */
  async #receive(maximum: number, signal: AbortSignal): Promise<readonly EventMessage[]> {
    const { queues } = this.#room;
    const { filters, function: target, sourceArn } = this.#mapping;
    const messages = await queues.receive(sourceArn, {
      maximum: Math.min(maximum, MAX_RECEIVE),
      signal,
      roleArn: this.#roleArn,
    });
    if (filters.length === 0 || messages.length === 0) return messages;
    this.#filter ??= messageFilter(filters);
    const passes = await this.#filter;
    const passing = messages.filter((message) => passes(queueRecord(sourceArn, target.region, message)));
    if (passing.length < messages.length) {
      const dropped = messages.filter((message) => !passing.includes(message));
      await queues.delete(
        sourceArn,
        dropped.map((message) => message.receiptHandle),
      );
    }
    return passing;
  }

  #begin(batch: Batch): void {
    const { clock, logger, queues } = this.#room;
    const run = runBatch(
      {
        room: this.#room,
        queues,
        mapping: this.#mapping,
        throttled: () => this.#scale.backOff(clock.now()),
        closing: this.#closing.signal,
      },
      batch,
    ).then(
      (result) => {
        this.#lastEndedWell = result === 'ok';
        if (result === 'failed') this.#scale.backOff(clock.now());
        this.#lastRun = result === 'ok' ? 'OK' : 'PROBLEM: Function call failed';
      },
      (error: unknown) => {
        this.#lastEndedWell = false;
        if (!this.#closing.signal.aborted) logger.error('a batch of messages ended badly', { error });
      },
    );
    this.#running.add(run);
    void run.then(() => {
      this.#running.delete(run);
      this.#batchEnded();
    });
  }

  async #pause(problem: string): Promise<void> {
    const { clock } = this.#room;
    this.#problem = problem;
    await this.#waiting((wake) => clock.at(clock.now() + PROBLEM_PAUSE_MS, wake));
  }

  /** Resolves when something calls `wake`, at a change, and when the poller is stopped. */
  async #waiting(arrange: (wake: () => void) => Timer | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const { signal } = this.#interrupt;
    signal.addEventListener('abort', wake);
    if (signal.aborted) wake();
    const timer = arrange(wake);
    await promise;
    timer?.cancel();
    signal.removeEventListener('abort', wake);
  }
}

interface Gathered {
  readonly messages: readonly EventMessage[];
  /** Epoch ms at which the first were received. */
  readonly since: number;
}

const sizeOf = (messages: readonly EventMessage[]): number =>
  messages.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
