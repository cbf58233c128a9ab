import { createHash } from 'node:crypto';
import type { CreateScheduleCommandInput, UpdateScheduleCommandInput } from '@aws-sdk/client-scheduler';
import { invalid, refused, violates } from './errors.ts';
import type { ScheduleRecord, ScheduleSettings } from './records.ts';
import type { SchedulerState } from './state.ts';
import { checkTarget } from './target.ts';
import { checkInteger, checkLength, checkOneOf } from './validation.ts';

type Input = CreateScheduleCommandInput | UpdateScheduleCommandInput;

/** How far in the past a start date may be. */
const START_TOLERANCE_MS = 5 * 60_000;
/** Longest flexible window. */
const MAXIMUM_WINDOW_MINUTES = 1440;

/**
 * What the request says, checked, with defaults for what it leaves out; `previous` is what is being replaced. Throws
 * ValidationException and NotImplemented. Source: API Reference, "CreateSchedule", "UpdateSchedule".
 */
export function settingsOf(state: SchedulerState, input: Input, previous?: ScheduleRecord): ScheduleSettings {
  if (input.KmsKeyArn !== undefined) throw refused('KmsKeyArn', 'Schedules are not encrypted with keys of KMS.');
  checkLength(input.ScheduleExpression, 'scheduleExpression', 1, 256);
  checkLength(input.ScheduleExpressionTimezone, 'scheduleExpressionTimezone', 1, 50);
  checkLength(input.Description, 'description', 0, 512);
  const settings: ScheduleSettings = {
    expression: input.ScheduleExpression!,
    timezone: input.ScheduleExpressionTimezone ?? 'UTC',
    state: checkOneOf(input.State ?? 'ENABLED', 'state', ['ENABLED', 'DISABLED']),
    startDate: input.StartDate?.getTime(),
    endDate: input.EndDate?.getTime(),
    description: input.Description,
    windowMinutes: windowOf(input),
    target: checkTarget(input.Target!, state.delivery),
    actionAfterCompletion: checkOneOf(input.ActionAfterCompletion ?? 'NONE', 'actionAfterCompletion', [
      'NONE',
      'DELETE',
    ]),
  };
  checkTimes(state, settings, previous);
  return settings;
}

function windowOf({ FlexibleTimeWindow: { Mode, MaximumWindowInMinutes } = { Mode: undefined } }: Input): number {
  const mode = checkOneOf(Mode, 'flexibleTimeWindow.mode', ['OFF', 'FLEXIBLE']);
  checkInteger(MaximumWindowInMinutes, 'flexibleTimeWindow.maximumWindowInMinutes', 1, MAXIMUM_WINDOW_MINUTES);
  if (mode === 'OFF') {
    if (MaximumWindowInMinutes === undefined) return 0;
    throw invalid('MaximumWindowInMinutes cannot be set when the mode of the flexible time window is OFF.');
  }
  if (MaximumWindowInMinutes !== undefined) return MaximumWindowInMinutes;
  throw violates('flexibleTimeWindow.maximumWindowInMinutes', 'null', 'not be null when the mode is FLEXIBLE');
}

/** One-time schedules ignore start and end date; what was accepted before is not held against an update. */
function checkTimes(state: SchedulerState, settings: ScheduleSettings, previous: ScheduleRecord | undefined): void {
  const now = state.clock.now();
  const { kind } = state.timetable.timing.parse(settings);
  if (kind === 'at') {
    const same = previous?.expression === settings.expression && previous.timezone === settings.timezone;
    if (!same && !state.timetable.timing.first({ ...settings, anchor: now }, now)) {
      throw invalid(`Invalid Schedule Expression ${settings.expression}. (its time is in the past, or never comes)`);
    }
    return;
  }
  const { endDate, startDate } = settings;
  if (startDate !== undefined && startDate !== previous?.startDate && startDate < now - START_TOLERANCE_MS) {
    throw invalid('The StartDate you specify cannot be earlier than 5 minutes ago.');
  }
  if (endDate !== undefined && endDate !== previous?.endDate && endDate <= now) {
    throw invalid('The EndDate you specify must be later than the current time.');
  }
  if (startDate !== undefined && endDate !== undefined && endDate <= startDate) {
    throw invalid('The EndDate you specify must be later than the StartDate.');
  }
}

/** Tells whether a request is the same as another one. */
export function requestDigest(input: Input): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('base64url');
}
