import { CRON_FIELDS, fieldValue, fieldValues } from './cron-field.ts';
import { InvalidScheduleError } from './schedule-expression.ts';

/** The days of a month on which a cron expression runs, ascending. `month` counts from 1. */
export type DaysOfMonth = (year: number, month: number) => readonly number[];

const DAY_MS = 86_400_000;
const SUNDAY = 1;
const SATURDAY = 7;

/** `L` is the last day of the month, `LW` its last weekday, `15W` the weekday closest to the 15th within the month. */
export function daysOfMonth(field: string): DaysOfMonth {
  const rules = CRON_FIELDS.dayOfMonth;
  const parts = field.toUpperCase().split(',');
  const plain = parts.filter((part) => !/^(L|LW|\d+W)$/.test(part));
  const values = plain.length === 0 ? [] : fieldValues(plain.join(','), rules);
  const nearest = parts.filter((part) => /^\d+W$/.test(part)).map((part) => fieldValue(part.slice(0, -1), rules));
  const [last, lastWeekday] = [parts.includes('L'), parts.includes('LW')];
  return (year, month) => {
    const length = lengthOf(year, month);
    const days = new Set(values.filter((day) => day <= length));
    if (last) days.add(length);
    if (lastWeekday) days.add(nearestWeekday(year, month, length));
    for (const day of nearest) if (day <= length) days.add(nearestWeekday(year, month, day));
    return [...days].sort((a, b) => a - b);
  };
}

/** `L` is the last day of the week, `6L` the last Friday of the month, `6#2` the second one. */
export function daysOfWeek(field: string): DaysOfMonth {
  const rules = CRON_FIELDS.dayOfWeek;
  if (field.includes('#')) {
    const [day = '', nth = '', ...more] = field.split('#');
    if (!/^[1-5]$/.test(nth) || more.length > 0) {
      throw new InvalidScheduleError(
        `"${field}" is not a day of the week and its number in the month, 1 to 5, such as 3#2; there can be only one`,
      );
    }
    const weekday = fieldValue(day, rules);
    return (year, month) => weekdays(year, month, [weekday]).slice(Number(nth) - 1, Number(nth));
  }
  if (/^[^,]+L$/i.test(field)) {
    const weekday = fieldValue(field.slice(0, -1), rules);
    return (year, month) => weekdays(year, month, [weekday]).slice(-1);
  }
  const values = /^L$/i.test(field) ? [rules.last] : fieldValues(field, rules);
  return (year, month) => weekdays(year, month, values);
}

function weekdays(year: number, month: number, values: readonly number[]): number[] {
  const days: number[] = [];
  const first = weekdayOf(year, month, 1);
  for (let day = 1; day <= lengthOf(year, month); day += 1) {
    if (values.includes(((first - 1 + day - 1) % 7) + 1)) days.push(day);
  }
  return days;
}

function nearestWeekday(year: number, month: number, day: number): number {
  const weekday = weekdayOf(year, month, day);
  if (weekday === SATURDAY) return day === 1 ? 3 : day - 1;
  if (weekday === SUNDAY) return day === lengthOf(year, month) ? day - 2 : day + 1;
  return day;
}

function lengthOf(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Sunday is 1. */
function weekdayOf(year: number, month: number, day: number): number {
  // The epoch was a Thursday.
  const days = Date.UTC(year, month - 1, day) / DAY_MS;
  return ((((days + 4) % 7) + 7) % 7) + 1;
}
