import type { RotationRulesType } from '@aws-sdk/client-secrets-manager';
import { InvalidScheduleError, parseScheduleExpression, type ScheduleExpression } from '../../../events/index.ts';
import { constraint, invalidParameter } from '../errors.ts';
import type { RotationRules, RotationWindow, SecretRecord } from '../records.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_DAYS = 1000;
const MIN_GAP_HOURS = 4;
/** How many times of a cron expression are looked at for their distance. */
const LOOK_AHEAD = 60;

/**
 * The rules of a request, checked. Throws InvalidParameterException.
 * Source: Secrets Manager User Guide, "Rotation schedules".
 */
export function readRules(input: RotationRulesType, now: number): RotationRules {
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression, Duration: duration } = input;
  if (days !== undefined && expression !== undefined) {
    throw invalidParameter('You can use either AutomaticallyAfterDays or ScheduleExpression, but not both.');
  }
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= MAX_DAYS)) {
    throw constraint(days, 'rotationRules.automaticallyAfterDays', `Member must have value between 1 and ${MAX_DAYS}`);
  }
  const rules: RotationRules = {
    automaticallyAfterDays: days,
    scheduleExpression: expression,
    duration: duration === undefined ? undefined : readDuration(duration),
  };
  if (expression !== undefined) checkExpression(expression, now);
  checkDuration(rules, now);
  return rules;
}

function readDuration(text: string): number {
  const hours = /^(\d{1,2})h$/.exec(text)?.[1];
  if (hours === undefined || Number(hours) < 1 || Number(hours) > 24) {
    throw invalidParameter(`Duration is the length of the rotation window in hours, such as 3h, not ${text}.`);
  }
  return Number(hours);
}

function checkExpression(expression: string, now: number): void {
  const rate = readRate(expression);
  if (rate) {
    if (rate.unit === 'hour' && rate.value < MIN_GAP_HOURS) throw tooOften();
    if (rate.unit === 'day' && rate.value > 999) throw invalidParameter('The maximum rotation period is 999 days.');
    return;
  }
  const schedule = parse(expression);
  if (schedule.kind === 'rate') throw invalidParameter('A rate is in hours or days, such as rate(10 days).');
  const fields = expression.slice('cron('.length, -1).trim().split(/\s+/);
  if (fields[0] !== '0')
    throw invalidParameter('Rotation windows open on the hour: the minutes of a cron expression are 0.');
  if (fields[5] !== '*') throw invalidParameter('The year of a cron expression for a rotation is *.');
  if (shortestGap(schedule, now) < MIN_GAP_HOURS * HOUR_MS) throw tooOften();
}

function readRate(expression: string): { readonly value: number; readonly unit: 'hour' | 'day' } | undefined {
  const match = /^rate\(\s*(\d{1,6})\s+(hour|day)s?\s*\)$/.exec(expression);
  if (!match || Number(match[1]) === 0) return undefined;
  return { value: Number(match[1]), unit: match[2] as 'hour' | 'day' };
}

function parse(expression: string): ScheduleExpression {
  try {
    // Secrets Manager's own examples write `/8` for `0/8`.
    const text = expression.replace(/^(cron\(\s*\S+\s+)(?=\/\d)/, (fields) => `${fields}0`);
    return parseScheduleExpression(text, { allow: ['rate', 'cron'], anyRateUnitForm: true });
  } catch (error) {
    if (!(error instanceof InvalidScheduleError)) throw error;
    throw invalidParameter(`Invalid ScheduleExpression: ${error.message}`);
  }
}

function shortestGap(schedule: ScheduleExpression, now: number): number {
  let shortest = Number.POSITIVE_INFINITY;
  let before = schedule.next(now);
  for (let count = 0; count < LOOK_AHEAD && before !== undefined; count++) {
    const after = schedule.next(before);
    if (after !== undefined) shortest = Math.min(shortest, after - before);
    before = after;
  }
  return shortest;
}

/** A window ends before the next begins, and, unless the schedule is in hours, on the day on which it began. */
function checkDuration(rules: RotationRules, now: number): void {
  if (rules.duration === undefined) return;
  const window = nextWindow(rules, now);
  if (!window) return;
  const tooLong = isHourly(rules, now)
    ? window.end > nextWindow(rules, window.start)!.start
    : window.end > startOfDay(window.start) + DAY_MS;
  if (tooLong) {
    throw invalidParameter(
      'The rotation window must not extend into the next UTC day or into the next rotation window.',
    );
  }
}

function tooOften() {
  return invalidParameter(`A secret can be rotated as often as every ${MIN_GAP_HOURS} hours.`);
}

/** More than one rotation a day. */
function isHourly({ scheduleExpression: expression }: RotationRules, now: number): boolean {
  if (expression === undefined) return false;
  const rate = readRate(expression);
  return rate ? rate.unit === 'hour' : shortestGap(parse(expression), now) < DAY_MS;
}

const startOfDay = (time: number) => Math.floor(time / DAY_MS) * DAY_MS;

/** The window of the rotation that follows one at `last`; `undefined` when there is none. All in UTC. */
export function nextWindow(rules: RotationRules, last: number): RotationWindow | undefined {
  const start = nextStart(rules, last);
  if (start === undefined) return undefined;
  if (rules.duration !== undefined) return { start, end: start + rules.duration * HOUR_MS };
  return { start, end: isHourly(rules, last) ? start + HOUR_MS : startOfDay(start) + DAY_MS - 1000 };
}

function nextStart({ automaticallyAfterDays: days, scheduleExpression: expression }: RotationRules, last: number) {
  if (days !== undefined) return startOfDay(last + days * DAY_MS);
  if (expression === undefined) return undefined;
  const rate = readRate(expression);
  if (!rate) return parse(expression).next(last);
  if (rate.unit === 'day') return startOfDay(last + rate.value * DAY_MS);
  return Math.floor((last + rate.value * HOUR_MS) / HOUR_MS) * HOUR_MS;
}

/** The secret with its next window, counted from now. */
export function scheduled(secret: SecretRecord, now: number): SecretRecord {
  const { rotation } = secret;
  if (!rotation) return secret;
  const window = rotation.enabled && rotation.rules ? nextWindow(rotation.rules, now) : undefined;
  return { ...secret, rotation: { ...rotation, window } };
}

/** A value that is put by hand counts as a rotation for a schedule in `AutomaticallyAfterDays`. */
export function rescheduled(secret: SecretRecord, now: number): SecretRecord {
  const { rotation, job } = secret;
  const counts = rotation?.enabled && !job && rotation.rules?.automaticallyAfterDays !== undefined;
  return counts ? scheduled(secret, now) : secret;
}

/** The rules as they are told; the days of a schedule are counted from the last rotation. */
export function rulesOutput({
  rules,
  window,
  last,
}: NonNullable<SecretRecord['rotation']>): RotationRulesType | undefined {
  if (!rules) return undefined;
  const { automaticallyAfterDays, scheduleExpression, duration } = rules;
  const days = last !== undefined && window ? Math.max(1, Math.ceil((window.start - last) / DAY_MS)) : undefined;
  const told = automaticallyAfterDays ?? days;
  return {
    ...(told === undefined ? {} : { AutomaticallyAfterDays: told }),
    ...(scheduleExpression === undefined ? {} : { ScheduleExpression: scheduleExpression }),
    ...(duration === undefined ? {} : { Duration: `${duration}h` }),
  };
}
