import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store, Transaction } from '../../store/index.ts';
import {
  type ChunkRecord,
  chunkKey,
  eventSize,
  type GroupId,
  type GroupRecord,
  groupKey,
  MAX_CHUNK_SPAN_MS,
  type StoredEvent,
  type StreamRecord,
  sizeKey,
  streamKey,
} from './records.ts';

/** How long appended events may wait in memory for company. Real time: this is work, not simulated time. */
const FLUSH_DELAY_MS = 25;
/** After a failed write (a full disk, say), how long until the next try. */
const RETRY_DELAY_MS = 1000;
const FLUSH_BYTES = 4 * 1024 * 1024;
/** Past this the disk cannot keep up, and events are dropped, said aloud. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
const MAX_CHUNK_BYTES = 256 * 1024;
/** Largest event: 1 MB (CloudWatch Logs User Guide, "CloudWatch Logs quotas"). */
export const MAX_EVENT_BYTES = 1024 * 1024;

export interface IncomingEvent {
  readonly timestamp: number;
  readonly message: string;
}

interface PendingStream {
  readonly target: GroupId;
  readonly stream: string;
  /** Make group and stream when they are not there. */
  create: boolean;
  events: IncomingEvent[];
}

/** What a flush stored in one stream, for those who follow it. */
export interface PublishedEvents {
  readonly target: GroupId;
  readonly stream: string;
  readonly streamId: string;
  readonly events: readonly StoredEvent[];
}

/**
 * Collects appended events in memory and stores them together: one transaction for all streams, many events in one
 * record. A crash loses at most what was appended since the last flush; `flush` resolves when that is nothing.
 */
export class LogWriter {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #published: (events: PublishedEvents) => void;
  #pending = new Map<string, PendingStream>();
  #pendingBytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #unwrittenBytes = 0;
  /** The last write failed: the next waits for its time. */
  #failing = false;

  constructor(
    parts: { store: Store; clock: Clock; random: Random; logger: Logger },
    published: (events: PublishedEvents) => void,
  ) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#logger = parts.logger;
    this.#published = published;
  }

  /** Appends events in order. With `create`, group and stream come into being; without, events for a missing one vanish. */
  append(target: GroupId, stream: string, events: readonly IncomingEvent[], create: boolean): void {
    if (events.length === 0) return;
    const key = keyOf(target, stream);
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = { target, stream, create, events: [] };
      this.#pending.set(key, pending);
    }
    pending.create ||= create;
    for (const event of events) {
      const bytes = memoryOf(event);
      if (this.#pendingBytes + this.#unwrittenBytes + bytes > MAX_PENDING_BYTES) {
        this.#dropped++;
        continue;
      }
      this.#pendingBytes += bytes;
      if (event.message.length * 3 + 26 > MAX_EVENT_BYTES) pending.events.push(...splitEvent(event));
      else if (event.message !== '') pending.events.push(event);
    }
    if (this.#pendingBytes > FLUSH_BYTES && !this.#failing) void this.#flushLogged();
    else this.#timer ??= setTimeout(() => void this.#flushLogged(), FLUSH_DELAY_MS);
  }

  /** Resolves when everything appended before this call is durable. */
  flush(): Promise<void> {
    if (this.#flushing) {
      if (this.#pending.size === 0) return this.#flushing;
      this.#following ??= this.#flushing
        .catch(() => {})
        .then(() => {
          this.#following = undefined;
          return this.flush();
        });
      return this.#following;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.size === 0) return Promise.resolve();
    const batch = [...this.#pending.values()];
    this.#pending = new Map();
    this.#unwrittenBytes = this.#pendingBytes;
    this.#pendingBytes = 0;
    this.#flushing = this.#write(batch)
      .then(
        () => {
          this.#failing = false;
        },
        (error) => {
          this.#failing = true;
          this.#keepForRetry(batch);
          throw error;
        },
      )
      .finally(() => {
        this.#flushing = undefined;
        this.#unwrittenBytes = 0;
      });
    return this.#flushing;
  }

  /** Like `flush`, but a read is served even when the disk takes no more: it then lacks what could not be stored. */
  async settle(): Promise<void> {
    await this.flush().catch(() => {});
  }

  /** Functions' lines are tried again, before what came since; who called PutLogEvents is told and may try again. */
  #keepForRetry(batch: readonly PendingStream[]): void {
    for (const lost of batch) {
      if (!lost.create) continue;
      const key = keyOf(lost.target, lost.stream);
      const since = this.#pending.get(key);
      this.#pending.set(key, { ...lost, events: [...lost.events, ...(since?.events ?? [])] });
      for (const event of lost.events) this.#pendingBytes += memoryOf(event);
    }
    if (this.#pending.size > 0) this.#timer ??= setTimeout(() => void this.#flushLogged(), RETRY_DELAY_MS);
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      clearTimeout(this.#timer);
    }
  }

  async #flushLogged(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      this.#logger.error('log events were not stored', { error: String(error) });
    }
  }

  async #write(batch: readonly PendingStream[]): Promise<void> {
    if (this.#dropped > 0) {
      this.#logger.warn('log events dropped: the disk does not keep up', { events: this.#dropped });
      this.#dropped = 0;
    }
    for (const pending of batch) sortByTime(pending.events);
    const written = await this.#store.transact(async (transaction) => {
      const published: PublishedEvents[] = [];
      const sizes = new Map<string, number>();
      for (const pending of batch) {
        const stored = await this.#writeStream(transaction, pending, sizes);
        if (stored) published.push(stored);
      }
      for (const [groupId, bytes] of sizes) {
        const size = (await transaction.get<number>(sizeKey(groupId)))?.value ?? 0;
        transaction.put(sizeKey(groupId), size + bytes);
      }
      return published;
    });
    for (const events of written) this.#published(events);
  }

  async #writeStream(
    transaction: Transaction,
    { target, stream, create, events }: PendingStream,
    sizes: Map<string, number>,
  ): Promise<PublishedEvents | undefined> {
    const now = this.#clock.now();
    const group = await this.#group(transaction, target, create, now);
    if (!group) return undefined;
    const existing = (await transaction.get<StreamRecord>(streamKey(group.id, stream)))?.value;
    if (!existing && !create) return undefined;
    const record = existing ?? newStream(stream, this.#random, now);
    if (events.length === 0) return undefined;
    const stored: StoredEvent[] = [];
    let sequence = record.nextSequence;
    for (const { first, chunk } of chunksOf(events, now)) {
      transaction.put(chunkKey(record.id, first, sequence), chunk);
      sizes.set(group.id, (sizes.get(group.id) ?? 0) + chunk.b);
      for (const [index, timestamp] of chunk.t.entries()) {
        stored.push({ timestamp, sequence, index, message: chunk.m[index]!, ingestionTime: now });
      }
      sequence++;
    }
    const first = events[0]!.timestamp;
    const last = events.at(-1)!.timestamp;
    transaction.put(streamKey(group.id, stream), {
      ...record,
      firstEvent: Math.min(record.firstEvent ?? first, first),
      lastEvent: Math.max(record.lastEvent ?? last, last),
      lastIngestion: now,
      nextSequence: sequence,
      ordered: record.ordered && first >= (record.lastEvent ?? 0),
    } satisfies StreamRecord);
    return { target, stream, streamId: record.id, events: stored };
  }

  async #group(
    transaction: Transaction,
    target: GroupId,
    create: boolean,
    now: number,
  ): Promise<GroupRecord | undefined> {
    const key = groupKey(target);
    const existing = (await transaction.get<GroupRecord>(key))?.value;
    if (existing || !create) return existing;
    const group = newGroup(target.group, this.#random, now);
    transaction.put(key, group);
    return group;
  }
}

function keyOf({ account, region, group }: GroupId, stream: string): string {
  return `${account}/${region}/${group}\n${stream}`;
}

/** About what an event takes in memory: enough to bound it. */
function memoryOf({ message }: IncomingEvent): number {
  return message.length * 2 + 64;
}

export function newGroup(name: string, random: Random, now: number): GroupRecord {
  return { id: random.hex(24), name, creationTime: now, logGroupClass: 'STANDARD', tags: {} };
}

export function newStream(name: string, random: Random, now: number): StreamRecord {
  return { id: random.hex(24), name, creationTime: now, nextSequence: 0, ordered: true };
}

function sortByTime(events: IncomingEvent[]): void {
  for (let index = 1; index < events.length; index++) {
    if (events[index]!.timestamp < events[index - 1]!.timestamp) {
      events.sort((a, b) => a.timestamp - b.timestamp);
      return;
    }
  }
}

/** Cuts sorted events into chunks bounded in bytes and in the time they span. */
function* chunksOf(
  events: readonly IncomingEvent[],
  ingestion: number,
): Generator<{ readonly first: number; readonly chunk: ChunkRecord }> {
  let start = 0;
  while (start < events.length) {
    const first = events[start]!.timestamp;
    const t: number[] = [];
    const m: string[] = [];
    let bytes = 0;
    let end = start;
    for (; end < events.length; end++) {
      const event = events[end]!;
      if (event.timestamp - first > MAX_CHUNK_SPAN_MS || (bytes > MAX_CHUNK_BYTES && end > start)) break;
      bytes += eventSize(event.message);
      t.push(event.timestamp);
      m.push(event.message);
    }
    yield { first, chunk: { l: t.at(-1)!, i: ingestion, t, m, b: bytes } };
    start = end;
  }
}

/** A message larger than CloudWatch Logs takes becomes several events of the same time. */
function splitEvent(event: IncomingEvent): IncomingEvent[] {
  if (eventSize(event.message) <= MAX_EVENT_BYTES) return [event];
  const pieces: IncomingEvent[] = [];
  const step = Math.floor((MAX_EVENT_BYTES - 26) / 3);
  for (let start = 0; start < event.message.length; ) {
    let end = Math.min(start + step, event.message.length);
    // Do not cut a surrogate pair.
    if (end < event.message.length && (event.message.charCodeAt(end) & 0xfc00) === 0xdc00) end--;
    pieces.push({ timestamp: event.timestamp, message: event.message.slice(start, end) });
    start = end;
  }
  return pieces;
}
