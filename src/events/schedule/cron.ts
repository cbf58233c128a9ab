import { type CronCalendar, nextWallTime } from './cron-calendar.ts';
import { daysOfMonth, daysOfWeek } from './cron-days.ts';
import { CRON_FIELDS, fieldValues } from './cron-field.ts';
import { InvalidScheduleError, type ScheduleExpression } from './schedule-expression.ts';
import type { TimeZone } from './time-zone.ts';
import { unixCronHint } from './unix-cron.ts';

/** The instants of the year field, with room at both ends for any time zone. */
const FIRST_MS = Date.UTC(CRON_FIELDS.year.first, 0, 0);
const LAST_MS = Date.UTC(CRON_FIELDS.year.last + 1, 0, 2);

/**
 * `minutes hours day-of-month month day-of-week year`. Where the clocks are set forward, times that do not exist are left
 * out; where they are set back, times that come twice count once.
 * Source: EventBridge Scheduler User Guide, "Cron-based schedules", "Daylight savings time".
 */
export function parseCron(text: string, zone: TimeZone): ScheduleExpression {
  const calendar = readCalendar(text);
  return {
    kind: 'cron',
    next: (afterMs) => {
      if (afterMs >= LAST_MS) return undefined;
      let wall = nextWallTime(calendar, zone.wallTime(Math.max(afterMs, FIRST_MS)));
      while (wall !== undefined) {
        const instant = zone.instant(wall);
        // In the second of two equal hours, the times to come are those that have been.
        if (instant !== undefined && instant > afterMs) return instant;
        wall = nextWallTime(calendar, wall);
      }
      return undefined;
    },
  };
}

function readCalendar(text: string): CronCalendar {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 6) {
    throw new InvalidScheduleError(
      unixCronHint(text) ??
        `a cron expression has six fields (minutes hours day-of-month month day-of-week year), not ${fields.length}`,
    );
  }
  const [minutes, hours, dayOfMonth, month, dayOfWeek, year] = fields as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    throw new InvalidScheduleError('exactly one of the day-of-month and day-of-week fields has to be ?');
  }
  return {
    minutes: fieldValues(minutes, CRON_FIELDS.minutes),
    hours: fieldValues(hours, CRON_FIELDS.hours),
    days: dayOfMonth === '?' ? daysOfWeek(dayOfWeek) : daysOfMonth(dayOfMonth),
    months: fieldValues(month, CRON_FIELDS.month),
    years: fieldValues(year, CRON_FIELDS.year),
  };
}
