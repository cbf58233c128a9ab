import { CRON_FIELDS } from './cron-field.ts';

/**
 * What to write instead of an expression of the five fields that UNIX has; `undefined` when it is not one. UNIX counts the
 * days of the week from Sunday = 0, and AWS from Sunday = 1.
 */
export function unixCronHint(text: string): string | undefined {
  const fields = text.trim().split(/\s+/);
  if (
    fields.length !== 5 ||
    !fields.every((field) => /^[\d*,/A-Za-z-]+$/.test(field) && /[\d*]|[A-Z]{3}/i.test(field))
  ) {
    return undefined;
  }
  const [minutes, hours, dayOfMonth, month, dayOfWeek] = fields as [string, string, string, string, string];
  const five = `"${fields.join(' ')}" has the five fields of UNIX cron`;
  const days = awsDays(dayOfWeek);
  if (days === undefined) return `${five}; AWS has six: cron(minutes hours day-of-month month day-of-week year)`;
  const write = (...parts: string[]) => `cron(${[minutes, hours, parts[0], month, parts[1], '*'].join(' ')})`;
  if (days === '*') return `${five}: write ${write(dayOfMonth, '?')}`;
  if (dayOfMonth === '*') return `${five}: write ${write('?', days)}`;
  return `${five} and either of two days: AWS needs two schedules, ${write(dayOfMonth, '?')} and ${write('?', days)}`;
}

/** Days of the week by name. */
function awsDays(field: string): string | undefined {
  const { names } = CRON_FIELDS.dayOfWeek;
  const parts = field.split(',').map((part) => {
    const match = /^(\*|[0-7]|[a-z]{3})(?:-([0-7]|[a-z]{3}))?(\/\d+)?$/i.exec(part);
    if (!match) return undefined;
    const [, from = '', to, step = ''] = match;
    const day = (value: string) => (/^\d$/.test(value) ? names[Number(value) % 7] : value.toUpperCase());
    return `${day(from)}${to === undefined ? '' : `-${day(to)}`}${step}`;
  });
  return parts.includes(undefined) ? undefined : parts.join(',');
}
