import { InvalidScheduleError, type ScheduleExpression } from './schedule-expression.ts';

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
/** The longest time that a `Date` can be away from the epoch. */
const MAX_TIME_MS = 8.64e15;

export interface RateOptions {
  /** `rate(1 hours)` and `rate(5 hour)` are as good as `rate(1 hour)` and `rate(5 hours)`. */
  readonly anyUnitForm?: boolean;
}

/**
 * `value unit`. A day is 24 hours, whatever the clocks of the time zone do.
 * Source: EventBridge User Guide, "Rate expressions".
 */
export function parseRate(fields: string, options: RateOptions = {}): ScheduleExpression {
  const match = /^(\d+)\s+(minute|hour|day)(s?)$/.exec(fields);
  if (!match) {
    throw new InvalidScheduleError(
      'a rate is a positive whole number and minute, minutes, hour, hours, day or days, such as rate(5 minutes)',
    );
  }
  const value = Number(match[1]);
  const unit = match[2]!;
  const periodMs = value * UNIT_MS[unit]!;
  if (value === 0) throw new InvalidScheduleError('the value of a rate is at least 1');
  if (periodMs > MAX_TIME_MS) throw new InvalidScheduleError(`rate(${fields}) is longer than time can be counted`);
  const form = value === 1 ? unit : `${unit}s`;
  if (!options.anyUnitForm && `${unit}${match[3]}` !== form) {
    throw new InvalidScheduleError(`write rate(${value} ${form}): the unit is singular for 1, otherwise plural`);
  }
  return {
    kind: 'rate',
    next: (afterMs, anchorMs = afterMs) => {
      if (afterMs < anchorMs) return anchorMs;
      const next = anchorMs + (Math.floor((afterMs - anchorMs) / periodMs) + 1) * periodMs;
      return next <= MAX_TIME_MS ? next : undefined;
    },
  };
}
