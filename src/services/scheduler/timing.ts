import type { Random } from '../../base/random.ts';
import { InvalidScheduleError, parseScheduleExpression, type ScheduleExpression } from '../../events/index.ts';
import { invalid } from './errors.ts';
import type { Due, ScheduleRecord, ScheduleSettings } from './records.ts';

const MINUTE_MS = 60_000;
const CACHED = 1000;

type Timed = Pick<ScheduleRecord, 'expression' | 'timezone' | 'startDate' | 'endDate' | 'windowMinutes' | 'anchor'>;

/** Finds the times of schedules. Many have the same expression, so those last seen are kept. */
export class Timing {
  readonly #random: Random;
  readonly #expressions = new Map<string, ScheduleExpression>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The expression. Throws ValidationException. */
  parse({ expression, timezone }: Pick<ScheduleSettings, 'expression' | 'timezone'>): ScheduleExpression {
    const key = `${timezone} ${expression}`;
    let parsed = this.#expressions.get(key);
    if (!parsed) {
      parsed = parse(expression, timezone);
      if (this.#expressions.size === CACHED) this.#expressions.delete(this.#expressions.keys().next().value!);
      this.#expressions.set(key, parsed);
    }
    return parsed;
  }

  /**
   * The first time of a schedule that begins now. A rate begins at once, unless it has a start date; a one-time schedule may
   * still be in the present minute. Source: EventBridge Scheduler User Guide, "Schedule types on EventBridge Scheduler".
   */
  first(schedule: Timed, now: number): Due | undefined {
    const { kind } = this.parse(schedule);
    if (kind === 'at') return this.after(schedule, now - MINUTE_MS);
    return this.after(schedule, kind === 'rate' ? now - 1 : now);
  }

  /** The first time scheduled after another (exclusive), between the start and the end date; one-time schedules ignore these. */
  after(schedule: Timed, after: number): Due | undefined {
    const expression = this.parse(schedule);
    const recurs = expression.kind !== 'at';
    const { startDate, endDate } = schedule;
    const from = recurs && startDate !== undefined ? Math.max(after, startDate - 1) : after;
    const scheduled = expression.next(from, schedule.anchor);
    if (scheduled === undefined || (recurs && endDate !== undefined && scheduled > endDate)) return undefined;
    return { scheduled, time: scheduled + this.#delay(schedule.windowMinutes) };
  }

  /** Somewhere within the flexible window. */
  #delay(windowMinutes: number): number {
    return windowMinutes === 0 ? 0 : Math.floor(this.#random.fraction() * windowMinutes * MINUTE_MS);
  }
}

function parse(expression: string, timezone: string): ScheduleExpression {
  try {
    return parseScheduleExpression(expression, { timezone, allow: ['rate', 'cron', 'at'], anyRateUnitForm: true });
  } catch (error) {
    if (!(error instanceof InvalidScheduleError)) throw error;
    const { message } = error;
    throw invalid(
      message.includes('time zone')
        ? `Invalid Schedule Expression Timezone ${timezone}: ${message}.`
        : `Invalid Schedule Expression ${expression}. (${message})`,
    );
  }
}
