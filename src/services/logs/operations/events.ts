import type {
  FilterLogEventsCommandInput,
  FilterLogEventsCommandOutput,
  GetLogEventsCommandInput,
  GetLogEventsCommandOutput,
  PutLogEventsCommandInput,
  PutLogEventsCommandOutput,
} from '@aws-sdk/client-cloudwatch-logs';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, refused } from '../errors.ts';
import { parseFilterPattern } from '../filter/index.ts';
import { checkLimit, checkStreamName, groupOf, readToken, retentionStart, writeToken } from '../input.ts';
import { compareGroupEvents, MergedCursor, StreamCursor } from '../log-reader.ts';
import { MAX_EVENT_BYTES } from '../log-writer.ts';
import {
  eventSize,
  type GroupRecord,
  type Position,
  type StoredEvent,
  type StreamRecord,
  streamKey,
  streamPrefix,
} from '../records.ts';
import { findGroup, findStream, type LogsState } from '../state.ts';
import { sequenceToken } from './streams.ts';

const MAX_BATCH_BYTES = 1_048_576;
const MAX_BATCH_EVENTS = 10_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_RESPONSE_BYTES = 1_048_576;
/** Events looked at in one FilterLogEvents call; past it, a page may be short or empty but has a token, as on AWS. */
const MAX_SCANNED_EVENTS = 100_000;
/** `startFromHead: false` needs a start on or after 2024-01-01 (API Reference, "FilterLogEvents"). */
const BACKWARD_SINCE = Date.UTC(2024, 0, 1);

/** API Reference, "PutLogEvents": limits, order, and which events are rejected while the rest is stored. */
export async function putLogEvents(
  state: LogsState,
  input: PutLogEventsCommandInput,
  context: RequestContext,
): Promise<Omit<PutLogEventsCommandOutput, '$metadata'>> {
  const id = groupOf(input, context);
  const name = checkStreamName(input.logStreamName!);
  const events = (input.logEvents ?? []).map((event) => ({ timestamp: event.timestamp!, message: event.message! }));
  checkBatch(events);
  const group = await findGroup(state, id);
  const stream = await findStream(state, group, name);
  const now = state.clock.now();
  const oldest = now - 14 * DAY_MS;
  const expired = Math.max(0, retentionStart(group.retentionInDays, now));
  const tooOld = events.filter(({ timestamp }) => timestamp < oldest).length;
  const tooExpired = events.filter(({ timestamp }) => timestamp < expired).length;
  const tooNewStart = events.findIndex(({ timestamp }) => timestamp > now + 2 * HOUR_MS);
  const accepted = events.slice(Math.max(tooOld, tooExpired), tooNewStart === -1 ? undefined : tooNewStart);
  if (accepted.length > 0 && accepted.at(-1)!.timestamp - accepted[0]!.timestamp > DAY_MS) {
    throw invalidParameter('The batch of log events in a single PutLogEvents request cannot span more than 24 hours.');
  }
  state.writer.append(id, name, accepted, false);
  await state.writer.flush();
  const rejected = {
    ...(tooNewStart === -1 ? {} : { tooNewLogEventStartIndex: tooNewStart }),
    ...(tooOld === 0 ? {} : { tooOldLogEventEndIndex: tooOld }),
    ...(tooExpired <= tooOld ? {} : { expiredLogEventEndIndex: tooExpired }),
  };
  return {
    nextSequenceToken: sequenceToken({ id: stream.id, nextSequence: stream.nextSequence + 1 }),
    ...(Object.keys(rejected).length > 0 ? { rejectedLogEventsInfo: rejected } : {}),
    // Entities are not kept, and that is how AWS says so: the events themselves are stored.
    ...(input.entity ? { rejectedEntityInfo: { errorType: 'UnsupportedLogGroupType' as const } } : {}),
  };
}

function checkBatch(events: readonly { readonly timestamp: number; readonly message: string }[]): void {
  if (events.length === 0 || events.length > MAX_BATCH_EVENTS) {
    throw invalidParameter(
      `1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and ${MAX_BATCH_EVENTS}`,
    );
  }
  let bytes = 0;
  let previous = 0;
  for (const { timestamp, message } of events) {
    if (message === '') throw invalidParameter("Member 'message' must have length greater than or equal to 1");
    if (timestamp < 0) throw invalidParameter("Member 'timestamp' must have value greater than or equal to 0");
    const size = eventSize(message);
    if (size > MAX_EVENT_BYTES)
      throw invalidParameter(`Log event too large: ${size} bytes exceeds limit of ${MAX_EVENT_BYTES}`);
    bytes += size;
    if (timestamp < previous) {
      throw invalidParameter('Log events in a single PutLogEvents request must be in chronological order.');
    }
    previous = timestamp;
  }
  if (bytes > MAX_BATCH_BYTES) {
    throw invalidParameter(`Upload too large: ${bytes} bytes exceeds limit of ${MAX_BATCH_BYTES}`);
  }
}

/**
 * API Reference, "GetLogEvents". Tokens name a place and a direction; at either end the token that was given comes
 * back, and a later call with it sees what has come since.
 */
export async function getLogEvents(
  state: LogsState,
  input: GetLogEventsCommandInput,
  context: RequestContext,
): Promise<Omit<GetLogEventsCommandOutput, '$metadata'>> {
  const id = groupOf(input, context);
  const limit = checkLimit(input.limit, 10_000, 10_000);
  const token = input.nextToken === undefined ? undefined : parsePlace(input.nextToken);
  const group = await findGroup(state, id);
  const stream = await findStream(state, group, input.logStreamName!);
  const forward = token ? token.forward : input.startFromHead === true;
  const cursor = new StreamCursor(state.store, stream, {
    from: Math.max(input.startTime ?? 0, retentionStart(group.retentionInDays, state.clock.now())),
    to: input.endTime === undefined ? Number.MAX_SAFE_INTEGER : input.endTime - 1,
    backward: !forward,
    past: token?.position,
  });
  const events: StoredEvent[] = [];
  let bytes = 0;
  while (events.length < limit) {
    const event = cursor.peekNow() ?? (await cursor.peek());
    if (!event) break;
    bytes += eventSize(event.message);
    if (bytes > MAX_RESPONSE_BYTES && events.length > 0) break;
    events.push(event);
    cursor.advance();
  }
  if (!forward) events.reverse();
  const start: Position = { timestamp: input.startTime ?? 0, sequence: 0, index: 0 };
  return {
    events: events.map(({ timestamp, message, ingestionTime }) => ({ timestamp, message, ingestionTime })),
    nextForwardToken: writePlace('f', events.at(-1) ?? token?.position ?? { ...start, index: -1 }),
    nextBackwardToken: writePlace('b', events[0] ?? token?.position ?? start),
  };
}

function writePlace(direction: 'f' | 'b', { timestamp, sequence, index }: Position): string {
  const digits = `${String(timestamp).padStart(15, '0')}${String(sequence).padStart(16, '0')}${String(index + 1).padStart(8, '0')}`;
  return `${direction}/3${digits}/s`;
}

function parsePlace(token: string): { readonly forward: boolean; readonly position: Position } {
  const match = /^([fb])\/3(\d{15})(\d{16})(\d{8})\/s$/.exec(token);
  if (!match) throw invalidParameter('The specified nextToken is invalid.');
  const [, direction, timestamp, sequence, index] = match;
  return {
    forward: direction === 'f',
    position: { timestamp: Number(timestamp), sequence: Number(sequence), index: Number(index) - 1 },
  };
}

/** Where a page of FilterLogEvents ended. */
type FilterToken = readonly [timestamp: number, stream: string, sequence: number, index: number, backward: boolean];
const isFilterToken = (content: unknown): content is FilterToken =>
  Array.isArray(content) && content.length === 5 && typeof content[0] === 'number' && typeof content[1] === 'string';

/** API Reference, "FilterLogEvents": events of many streams in one order, those that match the pattern. */
export async function filterLogEvents(
  state: LogsState,
  input: FilterLogEventsCommandInput,
  context: RequestContext,
): Promise<Omit<FilterLogEventsCommandOutput, '$metadata'>> {
  const id = groupOf(input, context);
  if (input.logStreamNames && input.logStreamNamePrefix !== undefined) {
    throw invalidParameter('LogStreamNames and LogStreamNamePrefix are mutually exclusive parameters.');
  }
  if ((input.logStreamNames?.length ?? 1) === 0 || (input.logStreamNames?.length ?? 1) > 100) {
    throw invalidParameter("Member 'logStreamNames' must have length between 1 and 100");
  }
  if (input.unmask) throw refused('unmask', 'Nothing is masked here.');
  const limit = checkLimit(input.limit, 10_000, 10_000);
  const pattern = parseFilterPattern(input.filterPattern ?? '');
  const now = state.clock.now();
  const token = input.nextToken === undefined ? undefined : readToken(input.nextToken, now, isFilterToken);
  const backward = token ? token[4] : input.startFromHead === false;
  if (backward && !token && (input.startTime ?? 0) < BACKWARD_SINCE) {
    throw invalidParameter('startFromHead can be false only with a startTime on or after Jan 1, 2024 00:00:00 UTC.');
  }
  const group = await findGroup(state, id);
  const from = Math.max(input.startTime ?? 0, retentionStart(group.retentionInDays, now));
  const to = input.endTime ?? Number.MAX_SAFE_INTEGER;
  const streams = (await streamsOf(state, group, input)).filter(
    (stream) => stream.lastEvent !== undefined && stream.lastEvent >= from && (stream.firstEvent ?? 0) <= to,
  );
  const cursor = new MergedCursor(
    streams.map((stream) => new StreamCursor(state.store, stream, { from, to, backward, past: past(token, stream) })),
    backward,
  );
  const events = [];
  let bytes = 0;
  let last: { event: StoredEvent; stream: StreamRecord } | undefined;
  let more = true;
  for (let scanned = 0; scanned < MAX_SCANNED_EVENTS && events.length < limit; scanned++) {
    const next = await cursor.next();
    if (!next) {
      more = false;
      break;
    }
    if (pattern.matches(next.event.message)) {
      bytes += eventSize(next.event.message);
      if (bytes > MAX_RESPONSE_BYTES && events.length > 0) break;
      events.push({
        logStreamName: next.stream.name,
        timestamp: next.event.timestamp,
        message: next.event.message,
        ingestionTime: next.event.ingestionTime,
        eventId: eventId(next.event, next.stream),
      });
    }
    last = next;
  }
  const nextToken =
    more && last
      ? writeToken(
          [
            last.event.timestamp,
            last.stream.name,
            last.event.sequence,
            last.event.index,
            backward,
          ] satisfies FilterToken,
          now,
        )
      : undefined;
  return { events, searchedLogStreams: [], ...(nextToken ? { nextToken } : {}) };
}

async function streamsOf(
  state: LogsState,
  group: GroupRecord,
  input: Pick<FilterLogEventsCommandInput, 'logStreamNames' | 'logStreamNamePrefix'>,
): Promise<StreamRecord[]> {
  if (input.logStreamNames) {
    const names = new Set(input.logStreamNames);
    return Promise.all([...names].map((name) => findStream(state, group, name)));
  }
  const prefix = input.logStreamNamePrefix ?? '';
  const entries = await state.store.range<StreamRecord>({
    prefix: streamPrefix(group.id),
    ...(prefix === '' ? {} : { from: streamKey(group.id, prefix) }),
  });
  return entries.map(({ value }) => value).filter((stream) => stream.name.startsWith(prefix));
}

/** Where this stream goes on after a page that ended at `token`, in the order of the whole group. */
function past(token: FilterToken | undefined, stream: StreamRecord): Position | undefined {
  if (!token) return undefined;
  const [timestamp, name, sequence, index, backward] = token;
  if (stream.name === name) return { timestamp, sequence, index };
  const low = { timestamp, sequence: -1, index: -1 };
  const high = { timestamp, sequence: Number.MAX_SAFE_INTEGER, index: Number.MAX_SAFE_INTEGER };
  const before = compareGroupEvents(low, stream.name, low, name) < 0;
  // Of events at the same time, those of streams named earlier come first.
  return backward ? (before ? high : low) : before ? high : low;
}

/** Unique in the group; sorts by time. 56 digits, as AWS gives. */
function eventId({ timestamp, sequence, index }: Position, stream: StreamRecord): string {
  const streamDigits = String(BigInt(`0x${stream.id.slice(0, 14)}`)).padStart(17, '0');
  return `3${String(timestamp).padStart(14, '0')}${streamDigits}${String(sequence).padStart(16, '0')}${String(index).padStart(8, '0')}`;
}
