import { InvalidScheduleError } from './schedule-expression.ts';

/** One of the six fields of a cron expression. */
export interface CronFieldRules {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** Names in order of their values, the first standing for `first`. */
  readonly names?: readonly string[];
  /** A range may go past the last value and on from the first one: `FRI-MON`. */
  readonly cyclic: boolean;
}

const cyclic = true;

/** Source: EventBridge Scheduler User Guide, "Cron-based schedules". */
export const CRON_FIELDS = {
  minutes: { name: 'minutes', first: 0, last: 59, cyclic },
  hours: { name: 'hours', first: 0, last: 23, cyclic },
  dayOfMonth: { name: 'day-of-month', first: 1, last: 31, cyclic },
  month: {
    name: 'month',
    first: 1,
    last: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
    cyclic,
  },
  dayOfWeek: {
    name: 'day-of-week',
    first: 1,
    last: 7,
    names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
    cyclic,
  },
  year: { name: 'year', first: 1970, last: 2199, cyclic: false },
} as const satisfies Record<string, CronFieldRules>;

/** The values that a list of `*`, values, ranges and increments stands for, ascending. */
export function fieldValues(text: string, rules: CronFieldRules): readonly number[] {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    for (const value of partValues(part, rules)) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

/** A number or a name of the field. */
export function fieldValue(text: string, rules: CronFieldRules): number {
  const named = rules.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = named >= 0 ? rules.first + named : /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= rules.first && value <= rules.last)) {
    const names = rules.names ? ` or ${rules.names[0]} to ${rules.names.at(-1)}` : '';
    throw new InvalidScheduleError(
      `"${text}" is not a value of the ${rules.name} field, which takes ${rules.first} to ${rules.last}${names}`,
    );
  }
  return value;
}

function partValues(part: string, rules: CronFieldRules): readonly number[] {
  const [range = '', increment, ...more] = part.split('/');
  if (more.length > 0) throw new InvalidScheduleError(`"${part}" has more than one increment`);
  const [from, to] = bounds(range, increment !== undefined, rules);
  const size = rules.last - rules.first + 1;
  const step = increment === undefined ? 1 : /^\d{1,4}$/.test(increment) ? Number(increment) : 0;
  if (step < 1 || step > size) {
    throw new InvalidScheduleError(`the increment of "${part}" is not a number from 1 to ${size}`);
  }
  const end = to < from ? to + size : to;
  const values: number[] = [];
  for (let value = from; value <= end; value += step) values.push(value > rules.last ? value - size : value);
  return values;
}

function bounds(range: string, increments: boolean, rules: CronFieldRules): readonly [number, number] {
  if (range === '*') return [rules.first, rules.last];
  const [first = '', second, ...more] = range.split('-');
  if (more.length > 0) throw new InvalidScheduleError(`"${range}" is not a range`);
  const from = fieldValue(first, rules);
  // `10/5` is every fifth from the tenth on.
  if (second === undefined) return [from, increments ? rules.last : from];
  const to = fieldValue(second, rules);
  if (to < from && !rules.cyclic) throw new InvalidScheduleError(`the range "${range}" runs backwards`);
  return [from, to];
}
