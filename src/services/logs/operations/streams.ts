import type {
  CreateLogStreamCommandInput,
  DeleteLogStreamCommandInput,
  DescribeLogStreamsCommandInput,
  DescribeLogStreamsCommandOutput,
} from '@aws-sdk/client-cloudwatch-logs';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, groupNotFound, invalidParameter, streamNotFound } from '../errors.ts';
import { checkLimit, checkStreamName, groupArn, groupOf, readToken, writeToken } from '../input.ts';
import { newStream } from '../log-writer.ts';
import { type GroupRecord, groupKey, type StreamRecord, sizeKey, streamKey, streamPrefix } from '../records.ts';
import { findGroup, type LogsState } from '../state.ts';
import { deleteChunks } from './groups.ts';

export async function createLogStream(
  state: LogsState,
  input: CreateLogStreamCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = groupOf(input, context);
  const name = checkStreamName(input.logStreamName!);
  await state.writer.settle();
  await state.store.transact(async (transaction) => {
    const group = (await transaction.get<GroupRecord>(groupKey(id)))?.value;
    if (!group) throw groupNotFound();
    const key = streamKey(group.id, name);
    if (await transaction.get(key)) throw alreadyExists('log stream');
    transaction.put(key, newStream(name, state.random, state.clock.now()));
  });
  return {};
}

export async function deleteLogStream(
  state: LogsState,
  input: DeleteLogStreamCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = groupOf(input, context);
  await state.writer.settle();
  const [group, stream] = await state.store.transact(async (transaction) => {
    const found = (await transaction.get<GroupRecord>(groupKey(id)))?.value;
    if (!found) throw groupNotFound();
    const key = streamKey(found.id, input.logStreamName!);
    const entry = await transaction.get<StreamRecord>(key);
    if (!entry) throw streamNotFound();
    transaction.delete(key);
    return [found, entry.value] as const;
  });
  const bytes = await deleteChunks(state, stream.id);
  await state.store.transact(async (transaction) => {
    const size = await transaction.get<number>(sizeKey(group.id));
    if (size) transaction.put(sizeKey(group.id), Math.max(0, size.value - bytes));
  });
  return {};
}

/** Where a page of streams ended: the value it is ordered by, and the name. */
type StreamToken = readonly [number, string];
const isStreamToken = (content: unknown): content is StreamToken =>
  Array.isArray(content) && typeof content[0] === 'number' && typeof content[1] === 'string';

/** API Reference, "DescribeLogStreams": by name, or by the time of the last event. */
export async function describeLogStreams(
  state: LogsState,
  input: DescribeLogStreamsCommandInput,
  context: RequestContext,
): Promise<Omit<DescribeLogStreamsCommandOutput, '$metadata'>> {
  const id = groupOf(input, context);
  const byTime = input.orderBy === 'LastEventTime';
  if (byTime && input.logStreamNamePrefix !== undefined) {
    throw invalidParameter('Cannot order by LastEventTime with a logStreamNamePrefix.');
  }
  const limit = checkLimit(input.limit, 50, 50);
  const group = await findGroup(state, id);
  const now = state.clock.now();
  const after = input.nextToken === undefined ? undefined : readToken(input.nextToken, now, isStreamToken);
  const entries = await state.store.range<StreamRecord>({ prefix: streamPrefix(group.id) });
  const direction = input.descending ? -1 : 1;
  const rank = (stream: StreamRecord): number => (byTime ? (stream.lastEvent ?? 0) : 0);
  const compare = (a: StreamToken, b: StreamToken): number =>
    direction * (a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0));
  const streams = entries
    .map(({ value }) => value)
    .filter((stream) => stream.name.startsWith(input.logStreamNamePrefix ?? ''))
    .map((stream) => ({ stream, token: [rank(stream), stream.name] as const }))
    .filter(({ token }) => after === undefined || compare(token, after) > 0)
    .sort((a, b) => compare(a.token, b.token));
  const page = streams.slice(0, limit);
  return {
    logStreams: page.map(({ stream }) => ({
      logStreamName: stream.name,
      creationTime: stream.creationTime,
      ...(stream.firstEvent === undefined
        ? {}
        : { firstEventTimestamp: stream.firstEvent, lastEventTimestamp: stream.lastEvent }),
      ...(stream.lastIngestion === undefined ? {} : { lastIngestionTime: stream.lastIngestion }),
      uploadSequenceToken: sequenceToken(stream),
      arn: `${groupArn(id)}:log-stream:${stream.name}`,
      storedBytes: 0,
    })),
    ...(streams.length > limit ? { nextToken: writeToken(page.at(-1)!.token, now) } : {}),
  };
}

/** Still given out for old clients; no longer looked at (API Reference, "PutLogEvents"). */
export function sequenceToken(stream: Pick<StreamRecord, 'id' | 'nextSequence'>): string {
  return `49${BigInt(`0x${stream.id}`)}${stream.nextSequence}`.padEnd(56, '0').slice(0, 56);
}
