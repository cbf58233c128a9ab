import type {
  LiveTailSessionLogEvent,
  StartLiveTailCommandInput,
  StartLiveTailCommandOutput,
  StartLiveTailResponseStream,
} from '@aws-sdk/client-cloudwatch-logs';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { invalidParameter } from '../errors.ts';
import { type FilterPattern, parseFilterPattern } from '../filter/index.ts';
import type { Follower } from '../followers.ts';
import { groupArn, groupOf } from '../input.ts';
import type { GroupId } from '../records.ts';
import { findGroup, type LogsState } from '../state.ts';

/** API Reference, "StartLiveTail": an update at least every second, of at most 500 events; sessions last three hours. */
const UPDATE_INTERVAL_MS = 1000;
const MAX_EVENTS_AN_UPDATE = 500;
const SESSION_MS = 3 * 3_600_000;

export async function startLiveTail(
  state: LogsState,
  input: StartLiveTailCommandInput,
  context: RequestContext,
): Promise<Omit<StartLiveTailCommandOutput, '$metadata'>> {
  const identifiers = input.logGroupIdentifiers ?? [];
  if (identifiers.length < 1 || identifiers.length > 10) {
    throw invalidParameter('logGroupIdentifiers must name 1 to 10 log groups.');
  }
  const narrowed = input.logStreamNames?.length || input.logStreamNamePrefixes?.length;
  if (narrowed && identifiers.length > 1) {
    throw invalidParameter('Log streams can be chosen only when a single log group is given.');
  }
  if (input.logStreamNames?.length && input.logStreamNamePrefixes?.length) {
    throw invalidParameter('logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.');
  }
  const pattern = parseFilterPattern(input.logEventFilterPattern ?? '');
  const targets = identifiers.map((identifier) => groupOf({ logGroupIdentifier: identifier }, context));
  for (const target of targets) await findGroup(state, target);
  return { responseStream: session(state, input, context, targets, pattern) };
}

async function* session(
  state: LogsState,
  input: StartLiveTailCommandInput,
  context: RequestContext,
  targets: readonly GroupId[],
  pattern: FilterPattern,
): AsyncGenerator<StartLiveTailResponseStream> {
  const followers = targets.map((target) => state.followers.follow(target));
  const controller = new AbortController();
  const end = state.clock.at(state.clock.now() + SESSION_MS, () => controller.abort());
  const abort = (): void => controller.abort();
  context.signal.addEventListener('abort', abort);
  try {
    yield {
      sessionStart: {
        requestId: context.requestId,
        sessionId: state.random.uuid(),
        logGroupIdentifiers: targets.map(groupArn),
        logStreamNames: input.logStreamNames ?? [],
        logStreamNamePrefixes: input.logStreamNamePrefixes ?? [],
        logEventFilterPattern: input.logEventFilterPattern ?? '',
      },
    };
    while (!context.signal.aborted && !followers.some((follower) => follower.closed)) {
      await updateDue(followers, controller.signal);
      if (controller.signal.aborted) break;
      const { results, sampled } = collect(followers, input, pattern);
      yield { sessionUpdate: { sessionMetadata: { sampled }, sessionResults: results } };
    }
    if (controller.signal.aborted && !context.signal.aborted) {
      throw new ServiceError('SessionTimeoutException', 'The Live Tail session has timed out after three hours.');
    }
  } finally {
    end.cancel();
    context.signal.removeEventListener('abort', abort);
    for (const follower of followers) follower.close();
  }
}

/** Resolves when events have come, a second has passed (the update is then empty), or the session ends. */
async function updateDue(followers: readonly Follower[], signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let finish = (): void => {};
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  // Real time: this keeps the connection alive.
  const timer = setTimeout(finish, UPDATE_INTERVAL_MS);
  signal.addEventListener('abort', finish, { once: true });
  await Promise.race([ended, ...followers.map((follower) => follower.wait())]);
  clearTimeout(timer);
  signal.removeEventListener('abort', finish);
}

function collect(
  followers: readonly Follower[],
  input: StartLiveTailCommandInput,
  pattern: FilterPattern,
): { results: LiveTailSessionLogEvent[]; sampled: boolean } {
  const results: LiveTailSessionLogEvent[] = [];
  let sampled = false;
  for (const follower of followers) {
    sampled ||= follower.dropped > 0;
    follower.dropped = 0;
    for (const { stream, target, events } of follower.take()) {
      if (input.logStreamNames?.length && !input.logStreamNames.includes(stream)) continue;
      const prefixes = input.logStreamNamePrefixes;
      if (prefixes?.length && !prefixes.some((prefix) => stream.startsWith(prefix))) continue;
      for (const { message, timestamp, ingestionTime } of events) {
        if (!pattern.matches(message)) continue;
        if (results.length === MAX_EVENTS_AN_UPDATE) {
          sampled = true;
          break;
        }
        results.push({
          logStreamName: stream,
          logGroupIdentifier: groupArn(target),
          message,
          timestamp,
          ingestionTime,
        });
      }
    }
  }
  return { results, sampled };
}
