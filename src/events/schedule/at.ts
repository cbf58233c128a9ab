import { InvalidScheduleError, type ScheduleExpression } from './schedule-expression.ts';
import type { TimeZone } from './time-zone.ts';

/**
 * `yyyy-mm-ddThh:mm:ss` in the time zone. A time that the clocks skip never comes.
 * Source: EventBridge Scheduler User Guide, "One-time schedules".
 */
export function parseAt(text: string, zone: TimeZone): ScheduleExpression {
  const wallMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN;
  // `Date.parse` takes 30 February for 1 March, and 24:00 for the next day.
  if (Number.isNaN(wallMs) || !new Date(wallMs).toISOString().startsWith(text)) {
    throw new InvalidScheduleError('a one-time schedule is a date and a time, such as at(2030-01-31T18:30:00)');
  }
  const time = zone.instant(wallMs);
  return { kind: 'at', next: (afterMs) => (time !== undefined && time > afterMs ? time : undefined) };
}
