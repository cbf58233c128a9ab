import { parseAt } from './at.ts';
import { parseCron } from './cron.ts';
import { parseRate } from './rate.ts';
import { InvalidScheduleError, type ScheduleExpression, type ScheduleKind } from './schedule-expression.ts';
import { timeZone } from './time-zone.ts';
import { unixCronHint } from './unix-cron.ts';

export interface ScheduleExpressionOptions {
  /** IANA name; UTC unless told. */
  readonly timezone?: string | undefined;
  /** The kinds that are taken here. */
  readonly allow: readonly ScheduleKind[];
  /** A rate's unit may be singular or plural whatever its value is, as EventBridge Scheduler has it. */
  readonly anyRateUnitForm?: boolean;
}

const FORMS: Readonly<Record<ScheduleKind, string>> = {
  rate: 'rate(value unit)',
  cron: 'cron(minutes hours day-of-month month day-of-week year)',
  at: 'at(yyyy-mm-ddThh:mm:ss)',
};
const MAX_LENGTH = 256;

/**
 * `rate(…)`, `cron(…)` or `at(…)`. Throws `InvalidScheduleError`, also for an unknown time zone.
 * Source: EventBridge Scheduler User Guide, "Schedule types on EventBridge Scheduler".
 */
export function parseScheduleExpression(text: string, options: ScheduleExpressionOptions): ScheduleExpression {
  const zone = timeZone(options.timezone ?? 'UTC');
  const match = text.length <= MAX_LENGTH ? /^(rate|cron|at)\(([^()]*)\)$/.exec(text) : null;
  const kind = match?.[1] as ScheduleKind | undefined;
  if (!match || !kind || !options.allow.includes(kind)) {
    const forms = options.allow.map((allowed) => FORMS[allowed]).join(' or ');
    throw new InvalidScheduleError(
      (options.allow.includes('cron') && unixCronHint(text)) || `a schedule expression here is ${forms}`,
    );
  }
  const fields = match[2]!.trim();
  if (kind === 'rate') return parseRate(fields, { anyUnitForm: options.anyRateUnitForm ?? false });
  return kind === 'cron' ? parseCron(fields, zone) : parseAt(fields, zone);
}
