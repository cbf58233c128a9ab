import type { DaysOfMonth } from './cron-days.ts';

/** What the six fields of a cron expression stand for; values ascending. */
export interface CronCalendar {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** From 1. */
  readonly months: readonly number[];
  readonly years: readonly number[];
  readonly days: DaysOfMonth;
}

const MINUTE_MS = 60_000;

/**
 * The first wall time after another one (exclusive); `undefined` when there is none. A day that never comes is looked for
 * month by month to the last year, so the time it takes is bounded.
 */
export function nextWallTime(calendar: CronCalendar, afterMs: number): number | undefined {
  const from = new Date((Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS);
  const start = [from.getUTCFullYear(), from.getUTCMonth() + 1, from.getUTCDate()] as const;
  for (const year of calendar.years) {
    if (year < start[0]) continue;
    for (const month of calendar.months) {
      if (year === start[0] && month < start[1]) continue;
      const thisMonth = year === start[0] && month === start[1];
      for (const day of calendar.days(year, month)) {
        if (thisMonth && day < start[2]) continue;
        const today = thisMonth && day === start[2];
        const time = timeOfDay(calendar, today ? from.getUTCHours() : 0, today ? from.getUTCMinutes() : 0);
        if (time !== undefined) return Date.UTC(year, month - 1, day, time[0], time[1]);
      }
    }
  }
  return undefined;
}

/** The first hour and minute not before these. */
function timeOfDay(
  calendar: CronCalendar,
  fromHour: number,
  fromMinute: number,
): readonly [hour: number, minute: number] | undefined {
  for (const hour of calendar.hours) {
    if (hour < fromHour) continue;
    const minute = hour === fromHour ? calendar.minutes.find((value) => value >= fromMinute) : calendar.minutes[0];
    if (minute !== undefined) return [hour, minute];
  }
  return undefined;
}
