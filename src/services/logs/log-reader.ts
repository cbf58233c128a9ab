import type { Entry, Store } from '../../store/index.ts';
import {
  type ChunkRecord,
  chunkKey,
  chunkPrefix,
  comparePositions,
  MAX_CHUNK_SPAN_MS,
  type Position,
  type StoredEvent,
  type StreamRecord,
} from './records.ts';

/** The first read takes one chunk, each further one twice as many, up to this. */
const MAX_CHUNKS_A_READ = 8;

export interface ReadRange {
  /** Oldest timestamp, inclusive. */
  readonly from: number;
  /** Newest timestamp, inclusive. */
  readonly to: number;
  /** Only what comes after (forward) or before (backward) this position. */
  readonly past?: Position | undefined;
  readonly backward?: boolean;
}

/**
 * Walks one stream's events in order of time, forward or backward, reading chunks as they are needed. Chunks are keyed by
 * their first timestamp and may overlap; an event is given out once no unread chunk can hold an earlier one.
 */
export class StreamCursor {
  readonly stream: StreamRecord;
  readonly #store: Store;
  readonly #range: ReadRange;
  /** Read and not given out yet; the next one is at the end. */
  #buffer: StoredEvent[] = [];
  #page: Entry<ChunkRecord>[] = [];
  #pageIndex = 0;
  #pageSize = 1;
  #last: Entry<ChunkRecord> | undefined;
  #exhausted = false;

  constructor(store: Store, stream: StreamRecord, range: ReadRange) {
    this.#store = store;
    this.stream = stream;
    const past = range.past?.timestamp;
    this.#range = range.backward
      ? { ...range, to: Math.min(range.to, past ?? range.to) }
      : { ...range, from: Math.max(range.from, past ?? range.from) };
  }

  /** The next event, left in place; `undefined` at the end. */
  async peek(): Promise<StoredEvent | undefined> {
    for (;;) {
      const next = this.#buffer.at(-1);
      const chunk = await this.#peekChunk();
      if (next && (!chunk || this.#isSafe(next, chunk))) return next;
      if (!chunk) return undefined;
      this.#pageIndex++;
      this.#take(chunk);
    }
  }

  /** The next event without waiting, when it is already known. */
  peekNow(): StoredEvent | undefined {
    const next = this.#buffer.at(-1);
    if (!next) return undefined;
    const chunk = this.#page[this.#pageIndex];
    if (chunk) return this.#isSafe(next, chunk) ? next : undefined;
    return this.#exhausted ? next : undefined;
  }

  /** Drops the event that `peek` showed. */
  advance(): void {
    this.#buffer.pop();
  }

  #isSafe(event: StoredEvent, unread: Entry<ChunkRecord>): boolean {
    const first = unread.key[3] as number;
    if (this.#range.backward) return this.stream.ordered || event.timestamp > first + MAX_CHUNK_SPAN_MS;
    return event.timestamp < first || (event.timestamp === first && event.sequence < (unread.key[4] as number));
  }

  #take({ key, value }: Entry<ChunkRecord>): void {
    const { from, to, past, backward } = this.#range;
    const sequence = key[4] as number;
    const fresh: StoredEvent[] = [];
    for (const [index, timestamp] of value.t.entries()) {
      if (timestamp < from || timestamp > to) continue;
      const position = { timestamp, sequence, index };
      if (past) {
        const order = comparePositions(position, past);
        if (backward ? order >= 0 : order <= 0) continue;
      }
      fresh.push({ ...position, message: value.m[index]!, ingestionTime: value.i });
    }
    if (!backward) fresh.reverse();
    if (this.#buffer.length === 0) {
      this.#buffer = fresh;
      return;
    }
    this.#buffer.push(...fresh);
    this.#buffer.sort(backward ? comparePositions : (a, b) => comparePositions(b, a));
  }

  async #peekChunk(): Promise<Entry<ChunkRecord> | undefined> {
    if (this.#pageIndex >= this.#page.length && !this.#exhausted) {
      const { from, to, backward } = this.#range;
      const id = this.stream.id;
      this.#last = this.#page.at(-1) ?? this.#last;
      const lower = chunkKey(id, from - MAX_CHUNK_SPAN_MS, 0);
      const upper = chunkKey(id, to, Number.MAX_SAFE_INTEGER);
      this.#page = await this.#store.range<ChunkRecord>({
        prefix: chunkPrefix(id),
        limit: this.#pageSize,
        ...(backward
          ? { reverse: true, from: lower, before: this.#last?.key ?? upper }
          : { before: upper, ...(this.#last ? { after: this.#last.key } : { from: lower }) }),
      });
      this.#pageIndex = 0;
      this.#exhausted = this.#page.length < this.#pageSize;
      this.#pageSize = Math.min(this.#pageSize * 2, MAX_CHUNKS_A_READ);
    }
    return this.#page[this.#pageIndex];
  }
}

/** An event with the stream it belongs to. */
export interface GroupEvent {
  readonly event: StoredEvent;
  readonly stream: StreamRecord;
}

/** Merges the cursors of several streams by time, ties by stream name, then by position. */
export class MergedCursor {
  readonly #cursors: StreamCursor[];
  readonly #direction: 1 | -1;

  constructor(cursors: readonly StreamCursor[], backward: boolean) {
    this.#cursors = [...cursors];
    this.#direction = backward ? -1 : 1;
  }

  async next(): Promise<GroupEvent | undefined> {
    let best: StreamCursor | undefined;
    let bestEvent: StoredEvent | undefined;
    for (let index = 0; index < this.#cursors.length; ) {
      const cursor = this.#cursors[index]!;
      const event = cursor.peekNow() ?? (await cursor.peek());
      if (!event) {
        this.#cursors.splice(index, 1);
        continue;
      }
      if (!best || this.#before(event, cursor, bestEvent!, best)) {
        best = cursor;
        bestEvent = event;
      }
      index++;
    }
    if (!best) return undefined;
    best.advance();
    return { event: bestEvent!, stream: best.stream };
  }

  #before(a: StoredEvent, cursorA: StreamCursor, b: StoredEvent, cursorB: StreamCursor): boolean {
    return compareGroupEvents(a, cursorA.stream.name, b, cursorB.stream.name) * this.#direction < 0;
  }
}

/** The order of a group's events: by time, then stream name, then arrival. */
export function compareGroupEvents(a: Position, streamA: string, b: Position, streamB: string): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (streamA !== streamB) return streamA < streamB ? -1 : 1;
  return comparePositions(a, b);
}
