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

interface Head {
  readonly cursor: StreamCursor;
  readonly event: StoredEvent;
}

/** Merges the cursors of several streams by time, ties by stream name, then by position. */
export class MergedCursor {
  readonly #cursors: readonly StreamCursor[];
  readonly #direction: 1 | -1;
  /** The next event of each stream; what comes first is at the end. */
  #heads: Head[] | undefined;

  constructor(cursors: readonly StreamCursor[], backward: boolean) {
    this.#cursors = cursors;
    this.#direction = backward ? -1 : 1;
  }

  async next(): Promise<GroupEvent | undefined> {
    this.#heads ??= await this.#open();
    const head = this.#heads.pop();
    if (!head) return undefined;
    const { cursor, event } = head;
    cursor.advance();
    const following = cursor.peekNow() ?? (await cursor.peek());
    if (following) this.#insert(this.#heads, { cursor, event: following });
    return { event, stream: cursor.stream };
  }

  async #open(): Promise<Head[]> {
    const heads: Head[] = [];
    for (const cursor of this.#cursors) {
      const event = await cursor.peek();
      if (event) heads.push({ cursor, event });
    }
    return heads.sort((a, b) => this.#compare(b, a));
  }

  /** Near the end first: the stream that was read last is most often read next. */
  #insert(heads: Head[], head: Head): void {
    if (heads.length === 0 || this.#compare(head, heads.at(-1)!) < 0) {
      heads.push(head);
      return;
    }
    let low = 0;
    let high = heads.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(heads[middle]!, head) > 0) low = middle + 1;
      else high = middle;
    }
    heads.splice(low, 0, head);
  }

  #compare(a: Head, b: Head): number {
    return compareGroupEvents(a.event, a.cursor.stream.name, b.event, b.cursor.stream.name) * this.#direction;
  }
}

/** The order of a group's events: by time, then stream name, then arrival. */
export function compareGroupEvents(a: Position, streamA: string, b: Position, streamB: string): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (streamA !== streamB) return streamA < streamB ? -1 : 1;
  return comparePositions(a, b);
}
