import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { AuthorizationRequest, AwsService, RequestContext } from '../service.ts';
import { logsTarget } from './delivery-target.ts';
import { Followers } from './followers.ts';
import { groupArn } from './input.ts';
import { type IncomingEvent, LogWriter } from './log-writer.ts';
import * as events from './operations/events.ts';
import * as groups from './operations/groups.ts';
import { startLiveTail } from './operations/live-tail.ts';
import { testMetricFilter } from './operations/metric-filters.ts';
import * as streams from './operations/streams.ts';
import * as tags from './operations/tags.ts';
import type { GroupId } from './records.ts';
import { REFUSED } from './refused.ts';
import { Retention } from './retention.ts';
import { findGroup, type LogsState } from './state.ts';
import { type TailEvent, type TailOptions, tail } from './tail.ts';

export type { GroupId } from './records.ts';
export type { TailEvent, TailOptions } from './tail.ts';

export interface LogsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Logs {
  readonly service: AwsService;
  /** Implements the function engine's `FunctionLogs`. */
  readonly functionLogs: {
    append(account: string, region: string, group: string, stream: string, lines: readonly IncomingEvent[]): void;
  };
  /** Log groups as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** Reads and follows a log group without the wire. */
  tail(target: GroupId, options?: TailOptions): AsyncIterable<TailEvent>;
  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void>;
}

type Bound<Input, Output> = (state: LogsState, input: Input, context: RequestContext) => Promise<Output>;

/** CloudWatch Logs: groups, streams, events, filter patterns, live tail. */
export function createLogs(options: LogsOptions): Logs {
  const followers = new Followers();
  const writer = new LogWriter(options, (published) => followers.publish(published));
  const retention = new Retention(options);
  const state: LogsState = { ...options, writer, followers, retention };
  void retention.schedule();
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  /** Truthful for as long as none can be made. */
  const none =
    (member: string): Bound<{ logGroupName?: string }, object> =>
    async (_state, input, context) => {
      if (input.logGroupName !== undefined) await findGroup(state, { ...context, group: input.logGroupName });
      return { [member]: [] };
    };
  const service: AwsService = {
    name: 'logs',
    operations: {
      CreateLogGroup: bind(groups.createLogGroup),
      CreateLogStream: bind(streams.createLogStream),
      DeleteLogGroup: bind(groups.deleteLogGroup),
      DeleteLogStream: bind(streams.deleteLogStream),
      DeleteRetentionPolicy: bind(groups.deleteRetentionPolicy),
      DescribeLogGroups: bind(groups.describeLogGroups),
      DescribeLogStreams: bind(streams.describeLogStreams),
      DescribeMetricFilters: bind(none('metricFilters')),
      DescribeSubscriptionFilters: bind(none('subscriptionFilters')),
      FilterLogEvents: bind(events.filterLogEvents),
      GetLogEvents: bind(events.getLogEvents),
      ListLogGroups: bind(groups.listLogGroups),
      ListTagsForResource: bind(tags.listTagsForResource),
      ListTagsLogGroup: bind(tags.listTagsLogGroup),
      PutLogEvents: bind(events.putLogEvents),
      PutLogGroupDeletionProtection: bind(groups.putLogGroupDeletionProtection),
      PutRetentionPolicy: bind(groups.putRetentionPolicy),
      StartLiveTail: bind(startLiveTail),
      TagLogGroup: bind(tags.tagLogGroup),
      TagResource: bind(tags.tagResource),
      TestMetricFilter: bind(testMetricFilter),
      UntagLogGroup: bind(tags.untagLogGroup),
      UntagResource: bind(tags.untagResource),
    },
    refused: REFUSED,
    authorization,
    close: async () => {
      followers.close();
      await writer.close();
      await retention.close();
    },
  };
  return {
    service,
    deliveryTarget: logsTarget(state),
    functionLogs: {
      append: (account, region, group, stream, lines) => writer.append({ account, region, group }, stream, lines, true),
    },
    tail: (target, tailOptions) => tail(state, target, tailOptions),
    flush: () => writer.flush(),
  };
}

/** Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch Logs". */
async function authorization(
  operation: string,
  input: {
    readonly logGroupName?: string;
    readonly logGroupIdentifier?: string;
    readonly logGroupIdentifiers?: readonly string[];
    readonly logStreamName?: string;
    readonly resourceArn?: string;
  },
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `logs:${operation}`;
  if (input.resourceArn !== undefined) return [{ action, resource: input.resourceArn }];
  const identifiers = input.logGroupIdentifiers ?? [input.logGroupName ?? input.logGroupIdentifier];
  const onStream = ['PutLogEvents', 'GetLogEvents', 'DeleteLogStream'].includes(operation);
  return identifiers.map((identifier) => {
    if (identifier === undefined) {
      return { action, resource: operation === 'TestMetricFilter' ? '*' : groupArn({ ...context, group: '' }) };
    }
    const arn = identifier.startsWith('arn:')
      ? identifier.replace(/:\*$/, '')
      : groupArn({ ...context, group: identifier });
    return { action, resource: `${arn}:${onStream ? `log-stream:${input.logStreamName}` : '*'}` };
  });
}
