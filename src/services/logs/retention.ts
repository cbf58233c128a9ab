import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Store } from '../../store/index.ts';
import { retentionStart } from './input.ts';
import {
  type ChunkRecord,
  chunkKey,
  chunkPrefix,
  type GroupRecord,
  MAX_CHUNK_SPAN_MS,
  type StreamRecord,
  sizeKey,
  streamKey,
  streamPrefix,
} from './records.ts';

/** Expired events are hidden at once by every read; their space is given back together, at most this often. */
const SWEEP_INTERVAL_MS = 3600_000;
const CHUNKS_A_SWEEP = 500;

/** Deletes what retention has expired, when the clock says so: one timer, no polling. */
export class Retention {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: { store: Store; clock: Clock; logger: Logger }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** Looks for what is due, now and then when the next is due. Called at start and when a retention changes. */
  schedule(): Promise<void> {
    this.#running = this.#running
      .then(() => this.#sweep())
      .catch((error) => {
        this.#logger.error('expired log events were not deleted', { error: String(error) });
        this.#arm(this.#clock.now() + SWEEP_INTERVAL_MS);
      });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #arm(time: number): void {
    if (this.#closed || time >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = time;
    this.#timer = this.#clock.at(time, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      void this.schedule();
    });
  }

  async #sweep(): Promise<void> {
    const now = this.#clock.now();
    let any = false;
    for (const { value: group } of await this.#store.range<GroupRecord>({ prefix: ['logs', 'group'] })) {
      if (group.retentionInDays === undefined) continue;
      any = true;
      const cutoff = retentionStart(group.retentionInDays, now);
      for (const { value: stream } of await this.#store.range<StreamRecord>({ prefix: streamPrefix(group.id) })) {
        if (stream.firstEvent !== undefined && stream.firstEvent < cutoff) await this.#expire(group, stream, cutoff);
      }
    }
    if (any) this.#arm(now + SWEEP_INTERVAL_MS);
  }

  async #expire(group: GroupRecord, stream: StreamRecord, cutoff: number): Promise<void> {
    for (;;) {
      const chunks = await this.#store.range<ChunkRecord>({
        prefix: chunkPrefix(stream.id),
        before: chunkKey(stream.id, cutoff, 0),
        limit: CHUNKS_A_SWEEP,
      });
      const expired = chunks.filter(({ value }) => value.l < cutoff);
      await this.#store.transact(async (transaction) => {
        let bytes = 0;
        for (const { key, value } of expired) {
          transaction.delete(key);
          bytes += value.b;
        }
        const size = (await transaction.get<number>(sizeKey(group.id)))?.value ?? 0;
        transaction.put(sizeKey(group.id), Math.max(0, size - bytes));
        if (chunks.length === CHUNKS_A_SWEEP && expired.length > 0) return;
        const current = (await transaction.get<StreamRecord>(streamKey(group.id, stream.name)))?.value;
        if (current?.id !== stream.id) return;
        const emptied = (current.lastEvent ?? 0) < cutoff;
        transaction.put(streamKey(group.id, stream.name), {
          ...current,
          firstEvent: emptied ? undefined : Math.max(current.firstEvent ?? 0, cutoff - MAX_CHUNK_SPAN_MS),
          lastEvent: emptied ? undefined : current.lastEvent,
        });
      });
      if (chunks.length < CHUNKS_A_SWEEP || expired.length === 0) return;
    }
  }
}
