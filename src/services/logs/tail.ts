import { parseFilterPattern } from './filter/index.ts';
import { retentionStart } from './input.ts';
import { MergedCursor, StreamCursor } from './log-reader.ts';
import { type GroupId, type GroupRecord, groupKey, type StreamRecord, streamPrefix } from './records.ts';
import type { LogsState } from './state.ts';

export interface TailOptions {
  /** Go on with what comes, until `signal` is aborted. */
  readonly follow?: boolean;
  /** Oldest event, epoch ms; everything by default. */
  readonly since?: number;
  readonly filterPattern?: string;
  readonly streamPrefix?: string;
  readonly signal?: AbortSignal;
}

export interface TailEvent {
  readonly timestamp: number;
  readonly stream: string;
  readonly message: string;
}

/**
 * A group's events in order of time, then (with `follow`) each as it is stored, woken by the append. A group that does
 * not exist is empty; it is followed all the same. Throws InvalidParameterException for a wrong pattern.
 */
export async function* tail(state: LogsState, target: GroupId, options: TailOptions = {}): AsyncGenerator<TailEvent> {
  const pattern = parseFilterPattern(options.filterPattern ?? '');
  const wanted = (stream: string): boolean => stream.startsWith(options.streamPrefix ?? '');
  // Follow first, then read: what is stored meanwhile is seen twice, and told by its sequence number.
  const follower = state.followers.follow(target);
  const close = (): void => follower.close();
  options.signal?.addEventListener('abort', close, { once: true });
  try {
    if (options.signal?.aborted) return;
    await state.writer.settle();
    const group = (await state.store.get<GroupRecord>(groupKey(target)))?.value;
    const read = new Map<string, number>();
    if (group) {
      const from = Math.max(options.since ?? 0, retentionStart(group.retentionInDays, state.clock.now()));
      const streams = (await state.store.range<StreamRecord>({ prefix: streamPrefix(group.id) })).map(
        ({ value }) => value,
      );
      for (const stream of streams) read.set(stream.id, stream.nextSequence);
      const cursors = streams
        .filter((stream) => wanted(stream.name) && (stream.lastEvent ?? 0) >= from)
        .map((stream) => new StreamCursor(state.store, stream, { from, to: Number.MAX_SAFE_INTEGER }));
      const merged = new MergedCursor(cursors, false);
      for (let next = await merged.next(); next; next = await merged.next()) {
        if (next.event.sequence >= next.stream.nextSequence || !pattern.matches(next.event.message)) continue;
        yield { timestamp: next.event.timestamp, stream: next.stream.name, message: next.event.message };
      }
    }
    while (options.follow && !follower.closed) {
      await follower.wait();
      for (const { stream, streamId, events } of follower.take()) {
        if (!wanted(stream)) continue;
        for (const event of events) {
          if (event.sequence < (read.get(streamId) ?? 0) || !pattern.matches(event.message)) continue;
          yield { timestamp: event.timestamp, stream, message: event.message };
        }
      }
    }
  } finally {
    options.signal?.removeEventListener('abort', close);
    follower.close();
  }
}
