import { createHash } from 'node:crypto';
import type { DeliveryCaller, DeliveryRequest, PendingDelivery } from '../../events/index.ts';
import { type Due, groupArn, type ScheduleId, type ScheduleRecord, scheduleArn } from './records.ts';
import { kindOf } from './target.ts';

/** The name under which invocations are known to the delivery. */
export const SOURCE = 'scheduler';
const PRINCIPAL = 'scheduler.amazonaws.com';
const KEYWORD = /<aws\.scheduler\.(schedule-arn|scheduled-time|execution-id|attempt-number)>/g;

/** What an invocation remembers of its schedule as it was when it came due. */
export interface InvocationAttributes extends Record<string, unknown> {
  readonly scheduleArn: string;
  /** `2022-03-22T18:59:43Z` */
  readonly scheduledTime: string;
  readonly retries: number;
  readonly ageSeconds: number;
  readonly deadLetters?: string | undefined;
  /** The payload holds keywords that each try replaces. */
  readonly keywords: boolean;
}

/**
 * In whose name the target is invoked. The source is the group: a trust policy cannot name a single schedule.
 * Source: EventBridge Scheduler User Guide, "Confused deputy prevention".
 */
export function callerOf(id: Omit<ScheduleId, 'name'>, roleArn: string): DeliveryCaller {
  return { service: PRINCIPAL, sourceArn: groupArn(id, id.group), sourceAccount: id.account, roleArn };
}

/** One invocation of a schedule's target. `eventId` is for targets that take events. */
export function invocation(id: ScheduleId, schedule: ScheduleRecord, due: Due, eventId: string): DeliveryRequest {
  const { target } = schedule;
  const arn = scheduleArn(id);
  const scheduledTime = new Date(due.scheduled).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const text = payload(id, schedule, { arn, scheduledTime, eventId });
  const attributes: InvocationAttributes = {
    scheduleArn: arn,
    scheduledTime,
    retries: target.RetryPolicy!.MaximumRetryAttempts!,
    ageSeconds: target.RetryPolicy!.MaximumEventAgeInSeconds!,
    deadLetters: target.DeadLetterConfig?.Arn,
    keywords: text.search(KEYWORD) >= 0,
  };
  const messageGroupId = target.SqsParameters?.MessageGroupId;
  return {
    source: SOURCE,
    targetArn: target.Arn!,
    payload: Buffer.from(text),
    account: id.account,
    region: id.region,
    caller: callerOf(id, target.RoleArn!),
    attributes,
    ...(messageGroupId === undefined ? {} : { parameters: { messageGroupId } }),
  };
}

/** The id of a try, other than that of any other try. */
export function executionId({ attempts, id }: Pick<PendingDelivery, 'attempts' | 'id'>): string {
  return createHash('sha256').update(`${id} ${attempts}`).digest('hex').slice(0, 16);
}

/**
 * The payload of a try: keywords are replaced by what they stand for.
 * Source: EventBridge Scheduler User Guide, "Adding context attributes".
 */
export function payloadOfTry(delivery: PendingDelivery): Uint8Array {
  const { keywords, scheduleArn: arn, scheduledTime } = delivery.attributes as InvocationAttributes;
  if (!keywords) return delivery.payload;
  const values: Readonly<Record<string, string>> = {
    'schedule-arn': arn,
    'scheduled-time': scheduledTime,
    'execution-id': executionId(delivery),
    'attempt-number': String(delivery.attempts + 1),
  };
  const text = Buffer.from(delivery.payload).toString();
  return Buffer.from(text.replace(KEYWORD, (_, name: string) => values[name]!));
}

interface Occasion {
  readonly arn: string;
  readonly scheduledTime: string;
  readonly eventId: string;
}

/** An event bus gets an event with the input as its detail; other targets get the input, or the default notification. */
function payload(id: ScheduleId, { target }: ScheduleRecord, occasion: Occasion): string {
  const { Input, EventBridgeParameters: event } = target;
  if (kindOf(target.Arn!) !== 'events') return Input ?? JSON.stringify({ ...envelope(id, occasion), detail: '{}' });
  const head = JSON.stringify({
    ...envelope(id, occasion),
    'detail-type': event!.DetailType,
    source: event!.Source,
  });
  // The input is JSON already, and stays as it was written.
  return `${head.slice(0, -1)},"detail":${Input ?? '{}'}}`;
}

function envelope({ account, region }: ScheduleId, { arn, eventId, scheduledTime }: Occasion) {
  return {
    version: '0',
    id: eventId,
    'detail-type': 'Scheduled Event',
    source: 'aws.scheduler',
    account,
    time: scheduledTime,
    region,
    resources: [arn],
  };
}
