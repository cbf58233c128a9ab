/// <reference lib="esnext.temporal" />
import { InvalidScheduleError } from './schedule-expression.ts';

/**
 * The clocks on the wall of one time zone. A wall time is a number too: the epoch milliseconds at which a clock that shows
 * UTC reads the same date and time.
 */
export interface TimeZone {
  wallTime(instantMs: number): number;
  /**
   * When the clocks show this time: for the first time, if they do so twice; `undefined` if they never do, because they are
   * set forward past it.
   */
  instant(wallMs: number): number | undefined;
}

const UTC: TimeZone = { wallTime: (ms) => ms, instant: (ms) => ms };

/** Throws `InvalidScheduleError` unless the name is one of the IANA time zone database, written as it is there. */
export function timeZone(name: string): TimeZone {
  if (name === 'UTC') return UTC;
  if (!isZoneName(name)) {
    throw new InvalidScheduleError(`"${name}" is not a time zone of the IANA database, such as Europe/Berlin or UTC`);
  }
  return {
    wallTime: (instantMs) => {
      const { offsetNanoseconds } = Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(name);
      return instantMs + offsetNanoseconds / 1e6;
    },
    instant: (wallMs) => {
      const wall = Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO('UTC').toPlainDateTime();
      const zoned = wall.toZonedDateTime(name, { disambiguation: 'earlier' });
      return zoned.toPlainDateTime().equals(wall) ? zoned.epochMilliseconds : undefined;
    },
  };
}

/** Offsets such as `+01:00` are no names, and the case of letters counts. */
function isZoneName(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId === name;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
