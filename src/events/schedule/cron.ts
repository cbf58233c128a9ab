import { Cron } from 'croner';
import { CRON_FIELDS, type CronFieldRules, fieldValue, fieldValues } from './cron-field.ts';
import { InvalidScheduleError, type ScheduleExpression } from './schedule-expression.ts';
import type { TimeZone } from './time-zone.ts';
import { unixCronHint } from './unix-cron.ts';

/** The wall times of the year field, with room at both ends for any time zone. */
const FIRST_MS = Date.UTC(CRON_FIELDS.year.first, 0, 0);
const LAST_MS = Date.UTC(CRON_FIELDS.year.last + 1, 0, 2);

/**
 * `minutes hours day-of-month month day-of-week year`. Where the clocks are set forward, times that do not exist are left
 * out; where they are set back, times that come twice count once.
 *
 * The library has rules of its own for such days, so it works on wall times, which know no daylight saving time.
 * Source: EventBridge Scheduler User Guide, "Cron-based schedules", "Daylight savings time".
 */
export function parseCron(text: string, zone: TimeZone): ScheduleExpression {
  const pattern = cronerPattern(text);
  let calendar: Cron | undefined;
  return {
    kind: 'cron',
    next: (afterMs) => {
      calendar ??= new Cron(pattern, { mode: '7-part', alternativeWeekdays: true, timezone: 'UTC' });
      if (afterMs >= LAST_MS) return undefined;
      const after = zone.wallTime(Math.max(afterMs, FIRST_MS));
      for (let wall = calendar.nextRun(new Date(after)); wall !== null; wall = calendar.nextRun(wall)) {
        const instant = zone.instant(wall.getTime());
        // In the second of two equal hours, the times to come are those that have been.
        if (instant !== undefined && instant > afterMs) return instant;
      }
      return undefined;
    },
  };
}

/** The expression in the library's dialect: seconds first, plain lists of values, `#L` for the last of a weekday. */
function cronerPattern(text: string): string {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 6) throw new InvalidScheduleError(fieldCountMessage(text, fields));
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
  return [
    '0',
    list(minutes, CRON_FIELDS.minutes),
    list(hours, CRON_FIELDS.hours),
    daysOfMonth(dayOfMonth),
    list(month, CRON_FIELDS.month),
    daysOfWeek(dayOfWeek),
    // Always a list, so that the search for a day that never comes ends with the last year.
    fieldValues(year, CRON_FIELDS.year).join(','),
  ].join(' ');
}

function fieldCountMessage(text: string, fields: readonly string[]): string {
  const hint = unixCronHint(text);
  if (hint) return hint;
  return `a cron expression has six fields (minutes hours day-of-month month day-of-week year), not ${fields.length}`;
}

function list(text: string, rules: CronFieldRules): string {
  const values = fieldValues(text, rules);
  return values.length === rules.last - rules.first + 1 ? '*' : values.join(',');
}

/** `L` is the last day of the month, `LW` its last weekday, `15W` the weekday closest to the 15th within the month. */
function daysOfMonth(text: string): string {
  if (text === '?') return '*';
  const parts = text.toUpperCase().split(',');
  const special = parts.filter((part) => part === 'L' || part === 'LW' || /^\d+W$/.test(part));
  for (const part of special) {
    if (/^\d/.test(part)) fieldValue(part.slice(0, -1), CRON_FIELDS.dayOfMonth);
  }
  if (special.length === 0) return list(text, CRON_FIELDS.dayOfMonth);
  const plain = parts.filter((part) => !special.includes(part));
  const values = plain.length > 0 ? fieldValues(plain.join(','), CRON_FIELDS.dayOfMonth) : [];
  return [...values, ...new Set(special)].join(',');
}

/** `L` is the last day of the week, `6L` the last Friday of the month, `6#2` the second one. */
function daysOfWeek(text: string): string {
  const rules = CRON_FIELDS.dayOfWeek;
  if (text === '?') return '*';
  if (/^L$/i.test(text)) return String(rules.last);
  if (text.includes('#')) {
    const [day = '', nth = '', ...more] = text.split('#');
    if (!/^[1-5]$/.test(nth) || more.length > 0) {
      throw new InvalidScheduleError(
        `"${text}" is not a day of the week and its number in the month, 1 to 5, such as 3#2; there can be only one`,
      );
    }
    return `${fieldValue(day, rules)}#${nth}`;
  }
  if (/^[^,]+L$/i.test(text)) return `${fieldValue(text.slice(0, -1), rules)}#L`;
  return list(text, rules);
}
