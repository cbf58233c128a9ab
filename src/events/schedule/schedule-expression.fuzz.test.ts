import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { Cron } from 'croner';
import fc from 'fast-check';
import { InvalidScheduleError, parseScheduleExpression, type ScheduleKind } from './index.ts';

// The same inputs in each run; another seed finds others.
fc.configureGlobal({ seed: 20261125 });

const ALL: readonly ScheduleKind[] = ['rate', 'cron', 'at'];
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Tokyo',
  'Pacific/Apia',
  'Africa/Cairo',
];

const number = (first: number, last: number) => fc.integer({ min: first, max: last }).map(String);
const list = (first: number, last: number) =>
  fc.oneof(
    fc.constant('*'),
    number(first, last),
    fc.array(number(first, last), { minLength: 1, maxLength: 4 }).map((values) => values.join(',')),
    fc
      .tuple(fc.integer({ min: first, max: last }), fc.integer({ min: first, max: last }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.tuple(number(first, last), number(1, last - first)).map(([from, step]) => `${from}/${step}`),
  );
const instant = fc.integer({ min: Date.UTC(1970, 0), max: Date.UTC(2199, 0) });

/** Fields in AWS's dialect, and the same in that of the library that is asked for comparison. */
const fields = fc
  .record({
    minutes: list(0, 59),
    hours: list(0, 23),
    day: fc.oneof(
      list(1, 31).map((days) => ({ aws: [days, '?'], other: [range(days, 31), '*'] })),
      fc.constantFrom('L', 'LW', '1,L').map((days) => ({ aws: [days, '?'], other: [days, '*'] })),
      number(1, 31).map((day) => ({ aws: [`${day}W`, '?'], other: [`${day}W`, '*'] })),
      list(1, 7).map((days) => ({ aws: ['?', days], other: ['*', range(days, 7)] })),
      number(1, 7).map((day) => ({ aws: ['?', `${day}L`], other: ['*', `${day}#L`] })),
      fc
        .tuple(number(1, 7), number(1, 5))
        .map(([day, nth]) => ({ aws: ['?', `${day}#${nth}`], other: ['*', `${day}#${nth}`] })),
    ),
    month: list(1, 12),
  })
  .map(({ minutes, hours, day, month }) => ({
    aws: [minutes, hours, day.aws[0], month, day.aws[1], '*'].join(' '),
    other: ['0', range(minutes, 59), range(hours, 23), day.other[0], range(month, 12), day.other[1], '1970-2199'].join(
      ' ',
    ),
  }));

/** The library writes `10/5` as `10-59/5`. */
function range(text: string, last: number): string {
  return text.replace(/^(\d+)\//, `$1-${last}/`);
}

describe('schedule expressions at random', () => {
  it('run when another library says, in UTC', () => {
    fc.assert(
      fc.property(fields, instant, (expression, from) => {
        const ours = parseScheduleExpression(`cron(${expression.aws})`, { allow: ALL });
        const theirs = new Cron(expression.other, { mode: '7-part', alternativeWeekdays: true, timezone: 'UTC' });
        const expected = theirs.nextRuns(3, new Date(from)).map((date) => date.getTime());
        const found: number[] = [];
        for (let time = ours.next(from); time !== undefined && found.length < 3; time = ours.next(time))
          found.push(time);
        assert.deepEqual(found, expected, `cron(${expression.aws}) after ${new Date(from).toISOString()}`);
      }),
      { numRuns: 500 },
    );
  });

  it('only go forward, in every time zone, at the local times they name', () => {
    fc.assert(
      fc.property(fields, instant, fc.constantFrom(...ZONES), ({ aws }, from, timezone) => {
        const schedule = parseScheduleExpression(`cron(${aws})`, { allow: ALL, timezone });
        let before = from;
        for (let count = 0; count < 5; count += 1) {
          const time = schedule.next(before);
          if (time === undefined) return;
          assert.ok(time > before);
          assert.equal(time % 1000, 0);
          before = time;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are parsed or refused with InvalidScheduleError, whatever the text', () => {
    const character = fc.constantFrom(...'0123456789*?/,-#LW ()@MONJANcronrateatT:'.split(''));
    const text = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.array(character, { maxLength: 60 }).map((characters) => characters.join('')),
      fc.array(character, { maxLength: 40 }).map((characters) => `cron(${characters.join('')})`),
      fc
        .array(fc.array(character, { minLength: 1, maxLength: 5 }), { minLength: 6, maxLength: 6 })
        .map((parts) => `cron(${parts.map((part) => part.join('')).join(' ')})`),
      fc.tuple(fc.constantFrom('rate', 'at'), fc.string({ maxLength: 30 })).map(([kind, inner]) => `${kind}(${inner})`),
    );
    fc.assert(
      fc.property(text, fc.option(fc.string({ maxLength: 20 }), { nil: undefined }), (expression, timezone) => {
        try {
          const schedule = parseScheduleExpression(expression, { allow: ALL, timezone });
          const time = schedule.next(0, 0);
          assert.ok(time === undefined || time > 0);
        } catch (error) {
          assert.ok(error instanceof InvalidScheduleError, `${expression}: ${error}`);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('find out quickly that a day never comes', () => {
    for (const timezone of ZONES) {
      const schedules = ['* * 30 2 ? *', '* * 31 2,4,6,9,11 ? *', '* * 31W 4 ? *'].map((expression) =>
        parseScheduleExpression(`cron(${expression})`, { allow: ALL, timezone }),
      );
      const start = performance.now();
      for (const schedule of schedules) assert.equal(schedule.next(0), undefined);
      assert.ok(performance.now() - start < 500);
    }
  });
});
