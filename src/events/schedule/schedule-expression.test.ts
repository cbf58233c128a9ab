import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidScheduleError, parseScheduleExpression, type ScheduleKind } from './index.ts';

const ALL: readonly ScheduleKind[] = ['rate', 'cron', 'at'];

/** The first times after `from`, in UTC, to the minute or to the second as the expectation has it. */
function times(expression: string, from: string, count: number, timezone?: string): string[] {
  const schedule = parseScheduleExpression(expression, { allow: ALL, timezone });
  const anchor = Date.parse(`${from}Z`);
  const found: string[] = [];
  let time: number | undefined = anchor;
  while (found.length < count) {
    time = schedule.next(time, anchor);
    if (time === undefined) return [...found, 'never'];
    found.push(new Date(time).toISOString().replace(/(:00)?\.000Z$/, ''));
  }
  return found;
}

type Case = readonly [expression: string, from: string, expected: string, timezone?: string];

function check(cases: readonly Case[]): void {
  for (const [expression, from, expected, timezone] of cases) {
    const wanted = expected.split(/\s+/);
    assert.deepEqual(times(expression, from, wanted.length, timezone), wanted, `${expression} ${timezone ?? 'UTC'}`);
  }
}

/** 1 January 2026 is a Thursday. */
const NEW_YEAR = '2026-01-01T00:00';

describe('a cron expression', () => {
  it("runs when AWS's examples say", () => {
    check([
      ['cron(0 10 * * ? *)', NEW_YEAR, '2026-01-01T10:00 2026-01-02T10:00'],
      ['cron(15 12 * * ? *)', NEW_YEAR, '2026-01-01T12:15 2026-01-02T12:15'],
      ['cron(0 18 ? * MON-FRI *)', NEW_YEAR, '2026-01-01T18:00 2026-01-02T18:00 2026-01-05T18:00'],
      ['cron(0 8 1 * ? *)', NEW_YEAR, '2026-01-01T08:00 2026-02-01T08:00 2026-03-01T08:00'],
      ['cron(0/15 * * * ? *)', NEW_YEAR, '2026-01-01T00:15 2026-01-01T00:30 2026-01-01T00:45 2026-01-01T01:00'],
      ['cron(0/10 * ? * MON-FRI *)', '2026-01-02T23:40', '2026-01-02T23:50 2026-01-05T00:00 2026-01-05T00:10'],
      ['cron(0/5 8-17 ? * MON-FRI *)', '2026-01-02T17:50', '2026-01-02T17:55 2026-01-05T08:00 2026-01-05T08:05'],
      [
        'cron(0/30 20-2 ? * MON-FRI *)',
        '2026-01-02T23:00',
        '2026-01-02T23:30 2026-01-05T00:00 2026-01-05T00:30 2026-01-05T01:00 2026-01-05T01:30 2026-01-05T02:00 2026-01-05T02:30 2026-01-05T20:00',
      ],
      ['cron(15 10 ? * 6L 2022-2023)', '2023-10-01T00:00', '2023-10-27T10:15 2023-11-24T10:15 2023-12-29T10:15 never'],
      ['cron(0 0 ? * 3#2 *)', NEW_YEAR, '2026-01-13T00:00 2026-02-10T00:00 2026-03-10T00:00'],
      [
        'cron(0 0 3W * ? *)',
        NEW_YEAR,
        '2026-01-02T00:00 2026-02-03T00:00 2026-03-03T00:00 2026-04-03T00:00 2026-05-04T00:00',
      ],
    ]);
  });

  it('takes lists, ranges and increments', () => {
    check([
      ['cron(5,10,50 3 * * ? *)', NEW_YEAR, '2026-01-01T03:05 2026-01-01T03:10 2026-01-01T03:50 2026-01-02T03:05'],
      ['cron(1/10 0 * * ? *)', NEW_YEAR, '2026-01-01T00:01 2026-01-01T00:11 2026-01-01T00:21'],
      ['cron(*/20 5 * * ? *)', NEW_YEAR, '2026-01-01T05:00 2026-01-01T05:20 2026-01-01T05:40 2026-01-02T05:00'],
      ['cron(10-30/10 5 * * ? *)', NEW_YEAR, '2026-01-01T05:10 2026-01-01T05:20 2026-01-01T05:30 2026-01-02T05:10'],
      ['cron(0 6-8,20 * * ? *)', NEW_YEAR, '2026-01-01T06:00 2026-01-01T07:00 2026-01-01T08:00 2026-01-01T20:00'],
      ['cron(0 0 1-3 * ? *)', NEW_YEAR, '2026-01-02T00:00 2026-01-03T00:00 2026-02-01T00:00'],
      ['cron(0 0 1/10 * ? *)', NEW_YEAR, '2026-01-11T00:00 2026-01-21T00:00 2026-01-31T00:00 2026-02-01T00:00'],
      [
        'cron(0 0 1 JAN,APR,JUL,OCT ? *)',
        NEW_YEAR,
        '2026-04-01T00:00 2026-07-01T00:00 2026-10-01T00:00 2027-01-01T00:00',
      ],
      ['cron(0 0 1 1/3 ? *)', NEW_YEAR, '2026-04-01T00:00 2026-07-01T00:00 2026-10-01T00:00 2027-01-01T00:00'],
      ['cron(0 0 1 NOV-FEB ? *)', NEW_YEAR, '2026-02-01T00:00 2026-11-01T00:00 2026-12-01T00:00 2027-01-01T00:00'],
      ['cron(0 0 1 1 ? 2030/5)', NEW_YEAR, '2030-01-01T00:00 2035-01-01T00:00 2040-01-01T00:00'],
      ['cron(0 0 1 1 ? 2027,2029)', NEW_YEAR, '2027-01-01T00:00 2029-01-01T00:00 never'],
      ['cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)', '2026-01-03T08:14', '2026-01-03T08:15 2026-01-05T08:00'],
      ['cron(30-30 13-13 ? * 2,4,6 *)', NEW_YEAR, '2026-01-02T13:30 2026-01-05T13:30 2026-01-07T13:30'],
      ['cron(1-31/30 1-1 ? * 1,7 *)', NEW_YEAR, '2026-01-03T01:01 2026-01-03T01:31 2026-01-04T01:01'],
      ['cron( 0   12  *  *  ?  * )', NEW_YEAR, '2026-01-01T12:00'],
      ['cron(0/60 * * * ? *)', NEW_YEAR, '2026-01-01T01:00 2026-01-01T02:00'],
    ]);
  });

  it('counts the days of the week from Sunday = 1', () => {
    check([
      ['cron(0 0 ? * 1 *)', NEW_YEAR, '2026-01-04T00:00 2026-01-11T00:00'],
      ['cron(0 0 ? * SUN *)', NEW_YEAR, '2026-01-04T00:00 2026-01-11T00:00'],
      ['cron(0 0 ? * 7 *)', NEW_YEAR, '2026-01-03T00:00 2026-01-10T00:00'],
      ['cron(0 0 ? * mon,Wed *)', NEW_YEAR, '2026-01-05T00:00 2026-01-07T00:00'],
      [
        'cron(0 0 ? * FRI-MON *)',
        NEW_YEAR,
        '2026-01-02T00:00 2026-01-03T00:00 2026-01-04T00:00 2026-01-05T00:00 2026-01-09T00:00',
      ],
      ['cron(0 0 ? * L *)', NEW_YEAR, '2026-01-03T00:00 2026-01-10T00:00'],
      ['cron(0 0 ? * * *)', NEW_YEAR, '2026-01-02T00:00 2026-01-03T00:00'],
      ['cron(0 0 ? * 2/2 *)', NEW_YEAR, '2026-01-02T00:00 2026-01-05T00:00 2026-01-07T00:00'],
    ]);
  });

  it('knows the ends of months, and leap days', () => {
    check([
      ['cron(0 0 L * ? *)', NEW_YEAR, '2026-01-31T00:00 2026-02-28T00:00 2026-03-31T00:00 2026-04-30T00:00'],
      ['cron(0 0 L 2 ? *)', '2027-01-01T00:00', '2027-02-28T00:00 2028-02-29T00:00'],
      ['cron(0 0 29 2 ? *)', NEW_YEAR, '2028-02-29T00:00 2032-02-29T00:00'],
      ['cron(0 0 29 2 ? *)', '2096-03-01T00:00', '2104-02-29T00:00'],
      ['cron(0 0 31 * ? *)', NEW_YEAR, '2026-01-31T00:00 2026-03-31T00:00 2026-05-31T00:00'],
      ['cron(0 0 30 2 ? *)', NEW_YEAR, 'never'],
      ['cron(0 0 29 2 ? 2027)', NEW_YEAR, 'never'],
      ['cron(0 9 1,15,L * ? *)', NEW_YEAR, '2026-01-01T09:00 2026-01-15T09:00 2026-01-31T09:00 2026-02-01T09:00'],
      ['cron(59 23 31 12 ? *)', NEW_YEAR, '2026-12-31T23:59 2027-12-31T23:59'],
    ]);
  });

  it('knows the weekdays closest to a day, without leaving the month', () => {
    check([
      // 1 February and 1 March 2026 are Sundays, 1 August a Saturday.
      ['cron(0 0 1W * ? *)', NEW_YEAR, '2026-02-02T00:00 2026-03-02T00:00 2026-04-01T00:00'],
      ['cron(0 0 1W 8 ? *)', NEW_YEAR, '2026-08-03T00:00'],
      ['cron(0 0 15W * ? *)', NEW_YEAR, '2026-01-15T00:00 2026-02-16T00:00 2026-03-16T00:00 2026-04-15T00:00'],
      // 31 January 2026 is a Saturday, 31 May a Sunday; a month of 30 days has no 31st.
      ['cron(0 0 31W * ? *)', NEW_YEAR, '2026-01-30T00:00 2026-03-31T00:00 2026-05-29T00:00 2026-07-31T00:00'],
      ['cron(0 0 LW * ? *)', NEW_YEAR, '2026-01-30T00:00 2026-02-27T00:00 2026-03-31T00:00'],
    ]);
  });

  it('knows the nth and the last of a day of the week', () => {
    check([
      ['cron(0 0 ? * MON#1 *)', NEW_YEAR, '2026-01-05T00:00 2026-02-02T00:00 2026-03-02T00:00'],
      // Only months with five Mondays.
      ['cron(0 0 ? * 2#5 *)', NEW_YEAR, '2026-03-30T00:00 2026-06-29T00:00 2026-08-31T00:00 2026-11-30T00:00'],
      ['cron(0 0 ? * FRIL *)', NEW_YEAR, '2026-01-30T00:00 2026-02-27T00:00 2026-03-27T00:00'],
      ['cron(0 0 ? * 1L *)', NEW_YEAR, '2026-01-25T00:00 2026-02-22T00:00'],
    ]);
  });

  it('stays within the years it is given', () => {
    check([
      ['cron(0 0 1 1 ? *)', '1965-06-01T00:00', '1970-01-01T00:00 1971-01-01T00:00'],
      ['cron(0 0 1 1 ? *)', '2198-06-01T00:00', '2199-01-01T00:00 never'],
      ['cron(59 23 31 12 ? 2199)', '2199-12-31T00:00', '2200-01-01T04:59 never', 'America/New_York'],
      ['cron(0 0 1 1 ? 1999)', NEW_YEAR, 'never'],
    ]);
    const schedule = parseScheduleExpression('cron(* * * * ? *)', { allow: ['cron'] });
    assert.equal(schedule.next(8e15), undefined);
  });

  it('leaves out what the clocks skip in spring', () => {
    check([
      // Berlin: 29 March 2026, 02:00 becomes 03:00 at 01:00 UTC.
      ['cron(30 2 * * ? *)', '2026-03-27T12:00', '2026-03-28T01:30 2026-03-30T00:30', 'Europe/Berlin'],
      ['cron(0 3 * * ? *)', '2026-03-27T12:00', '2026-03-28T02:00 2026-03-29T01:00 2026-03-30T01:00', 'Europe/Berlin'],
      ['cron(0 12 * * ? *)', '2026-03-28T00:00', '2026-03-28T11:00 2026-03-29T10:00', 'Europe/Berlin'],
      [
        'cron(0/30 1-3 29 3 ? 2026)',
        NEW_YEAR,
        '2026-03-29T00:00 2026-03-29T00:30 2026-03-29T01:00 2026-03-29T01:30 never',
        'Europe/Berlin',
      ],
      // New York: 8 March 2026, 02:00 becomes 03:00 at 07:00 UTC.
      ['cron(15 2 * * ? *)', '2026-03-07T00:00', '2026-03-07T07:15 2026-03-09T06:15', 'America/New_York'],
      ['cron(30 2 8 3 ? 2026)', NEW_YEAR, 'never', 'America/New_York'],
      // Lord Howe: 4 October 2026, 02:00 becomes 02:30 at 15:30 UTC of the day before.
      ['cron(15 2 * * ? *)', '2026-10-02T00:00', '2026-10-02T15:45 2026-10-04T15:15', 'Australia/Lord_Howe'],
      ['cron(30 2 * * ? *)', '2026-10-02T18:00', '2026-10-03T15:30 2026-10-04T15:30', 'Australia/Lord_Howe'],
      // Samoa left out 30 December 2011 when it changed sides of the date line.
      ['cron(0 12 * * ? *)', '2011-12-29T00:00', '2011-12-29T22:00 2011-12-30T22:00', 'Pacific/Apia'],
    ]);
  });

  it('runs once at what comes twice in autumn', () => {
    check([
      // Berlin: 25 October 2026, 03:00 becomes 02:00 at 01:00 UTC.
      ['cron(30 2 * * ? *)', '2026-10-24T00:00', '2026-10-24T00:30 2026-10-25T00:30 2026-10-26T01:30', 'Europe/Berlin'],
      [
        'cron(0/30 * * * ? *)',
        '2026-10-24T23:30',
        '2026-10-25T00:00 2026-10-25T00:30 2026-10-25T02:00 2026-10-25T02:30',
        'Europe/Berlin',
      ],
      // Asked in the middle of the second 02:15.
      ['cron(30 2 25 10 ? *)', '2026-10-25T01:15', '2027-10-25T00:30', 'Europe/Berlin'],
      // New York: 1 November 2026, 02:00 becomes 01:00 at 06:00 UTC.
      [
        'cron(0 1 * * ? *)',
        '2026-10-31T00:00',
        '2026-10-31T05:00 2026-11-01T05:00 2026-11-02T06:00',
        'America/New_York',
      ],
      // Lord Howe: 5 April 2026, 02:00 becomes 01:30 at 15:00 UTC of the day before.
      [
        'cron(45 1 * * ? *)',
        '2026-04-03T00:00',
        '2026-04-03T14:45 2026-04-04T14:45 2026-04-05T15:15',
        'Australia/Lord_Howe',
      ],
    ]);
  });

  it('follows time zones without daylight saving time', () => {
    check([
      ['cron(0 9 * * ? *)', NEW_YEAR, '2026-01-02T00:00 2026-01-03T00:00', 'Asia/Tokyo'],
      ['cron(0 0 1 * ? *)', NEW_YEAR, '2026-01-31T15:00 2026-02-28T15:00', 'Asia/Tokyo'],
      ['cron(45 5 * * ? *)', NEW_YEAR, '2026-01-02T00:00', 'Asia/Kathmandu'],
    ]);
  });

  it('is refused when it is not one', () => {
    for (const fields of [
      '60 0 * * ? *',
      '0 24 * * ? *',
      '0 0 0 * ? *',
      '0 0 32 * ? *',
      '0 0 1 13 ? *',
      '0 0 1 0 ? *',
      '0 0 ? * 0 *',
      '0 0 ? * 8 *',
      '0 0 ? * MON#6 *',
      '0 0 ? * MON#0 *',
      '0 0 ? * 3#1,6#3 *',
      '0 0 ? * 3#1#2 *',
      '0 0 ? * MON,FRIL *',
      '0 0 1 1 ? 1969',
      '0 0 1 1 ? 2200',
      '0 0 1 1 ? 2030-2026',
      '0 0 * * * *',
      '0 0 ? * ? *',
      '0 0 1 * MON *',
      '? 0 * * ? *',
      '0 0 ?,1 * ? *',
      '0 0 32W * ? *',
      '0 0 W * ? *',
      '0 0 L-3 * ? *',
      '0 0 WL * ? *',
      '*/0 * * * ? *',
      '0/61 * * * ? *',
      '0/1/2 * * * ? *',
      '1-2-3 * * * ? *',
      '-1 * * * ? *',
      ', * * * ? *',
      '1, * * * ? *',
      '/5 * * * ? *',
      '5/ * * * ? *',
      '1.5 * * * ? *',
      '0 0 * FOO ? *',
      '0 0 ? * MONDAY *',
      '0 0 * * ? * *',
      '0 0 * ?',
      '',
      '٣ 0 * * ? *',
    ]) {
      assert.throws(() => parseScheduleExpression(`cron(${fields})`, { allow: ALL }), InvalidScheduleError, fields);
    }
  });

  it('with the five fields of UNIX is refused, telling how AWS writes it', () => {
    const hint = (text: string) => {
      try {
        parseScheduleExpression(text, { allow: ALL });
      } catch (error) {
        return (error as Error).message;
      }
      return 'accepted';
    };
    assert.equal(hint('0 2 * * *'), '"0 2 * * *" has the five fields of UNIX cron: write cron(0 2 * * ? *)');
    assert.match(hint('cron(0 2 * * *)'), /write cron\(0 2 \* \* \? \*\)$/);
    assert.match(hint('*/5 9-17 * * 1-5'), /write cron\(\*\/5 9-17 \? \* MON-FRI \*\)$/);
    assert.match(hint('0 0 * * 0,7'), /write cron\(0 0 \? \* SUN,SUN \*\)$/);
    assert.match(hint('0 0 15 * *'), /write cron\(0 0 15 \* \? \*\)$/);
    assert.match(hint('0 0 1 * 1'), /two schedules, cron\(0 0 1 \* \? \*\) and cron\(0 0 \? \* MON \*\)$/);
    assert.match(hint('@daily'), /a schedule expression here is rate\(value unit\) or cron/);
    for (const written of ['cron(*/5 9-17 ? * MON-FRI *)', 'cron(0 0 ? * SUN,SUN *)']) {
      assert.equal(hint(written), 'accepted');
    }
  });
});

describe('a rate', () => {
  it('is counted from its anchor, whatever the clocks do', () => {
    check([
      ['rate(5 minutes)', '2026-01-01T00:01:30', '2026-01-01T00:06:30 2026-01-01T00:11:30'],
      ['rate(1 minute)', NEW_YEAR, '2026-01-01T00:01 2026-01-01T00:02'],
      ['rate(1 hour)', '2026-03-29T00:30', '2026-03-29T01:30 2026-03-29T02:30', 'Europe/Berlin'],
      ['rate(1 day)', '2026-03-28T12:00', '2026-03-29T12:00 2026-03-30T12:00', 'Europe/Berlin'],
      ['rate(2 days)', '2026-02-27T10:00', '2026-03-01T10:00 2026-03-03T10:00'],
      ['rate(12  hours)', NEW_YEAR, '2026-01-01T12:00'],
    ]);
    const schedule = parseScheduleExpression('rate(10 minutes)', { allow: ['rate'] });
    assert.equal(schedule.next(0, 1_000_000), 1_000_000);
    assert.equal(schedule.next(1_000_000, 1_000_000), 1_600_000);
    assert.equal(schedule.next(1_599_999, 1_000_000), 1_600_000);
    assert.equal(schedule.next(5), 600_005);
  });

  it('has a unit that goes with its value', () => {
    for (const text of ['rate(1 hours)', 'rate(5 hour)', 'rate(1 minutes)', 'rate(2 day)']) {
      assert.throws(
        () => parseScheduleExpression(text, { allow: ALL }),
        /the unit is singular for 1, otherwise plural/,
      );
      assert.equal(parseScheduleExpression(text, { allow: ALL, anyRateUnitForm: true }).kind, 'rate');
    }
  });

  it('is refused when it is not one', () => {
    for (const text of [
      'rate(0 minutes)',
      'rate(-1 minutes)',
      'rate(1.5 hours)',
      'rate(5 seconds)',
      'rate(5 Minutes)',
      'rate(minutes)',
      'rate(5minutes)',
      'rate(5)',
      'rate()',
      'rate(99999999999999 days)',
      'rate (5 minutes)',
      'Rate(5 minutes)',
      'rate(5 minutes',
      'rate(5 minutes))',
      ' rate(5 minutes)',
    ]) {
      assert.throws(() => parseScheduleExpression(text, { allow: ALL }), InvalidScheduleError, text);
    }
  });
});

describe('a one-time schedule', () => {
  it('comes once, at its time in its time zone', () => {
    check([
      ['at(2026-11-20T13:00:00)', NEW_YEAR, '2026-11-20T13:00 never'],
      ['at(2026-11-20T13:00:07)', NEW_YEAR, '2026-11-20T13:00:07 never'],
      ['at(2026-11-20T13:00:00)', NEW_YEAR, '2026-11-20T18:00 never', 'America/New_York'],
      ['at(2026-07-01T00:00:00)', NEW_YEAR, '2026-06-30T22:00 never', 'Europe/Berlin'],
      ['at(2025-12-31T23:59:59)', NEW_YEAR, 'never'],
      ['at(2028-02-29T12:00:00)', NEW_YEAR, '2028-02-29T12:00 never'],
      // Skipped in spring; the first of the two in autumn.
      ['at(2026-03-29T02:30:00)', NEW_YEAR, 'never', 'Europe/Berlin'],
      ['at(2026-10-25T02:30:00)', NEW_YEAR, '2026-10-25T00:30 never', 'Europe/Berlin'],
    ]);
  });

  it('is refused when it is not one', () => {
    for (const time of [
      '2026-11-20',
      '2026-11-20T13:00',
      '2026-11-20T13:00:00Z',
      '2026-11-20T13:00:00.000',
      '2026-11-20 13:00:00',
      '2026-02-29T00:00:00',
      '2026-13-01T00:00:00',
      '2026-01-01T24:00:00',
      '2026-01-01T00:60:00',
      '20-11-2026T13:00:00',
      '',
    ]) {
      assert.throws(() => parseScheduleExpression(`at(${time})`, { allow: ALL }), InvalidScheduleError, time);
    }
  });
});

describe('a schedule expression', () => {
  it('is of a kind that is allowed', () => {
    const schedule = parseScheduleExpression('rate(1 day)', { allow: ['rate', 'cron'] });
    assert.equal(schedule.kind, 'rate');
    assert.throws(
      () => parseScheduleExpression('at(2030-01-01T00:00:00)', { allow: ['rate', 'cron'] }),
      /^InvalidScheduleError: a schedule expression here is rate\(value unit\) or cron\(/,
    );
  });

  it('has a time zone of the IANA database', () => {
    for (const timezone of ['UTC', 'GMT', 'Europe/Berlin', 'US/Pacific', 'Asia/Calcutta', 'Etc/GMT+5']) {
      parseScheduleExpression('rate(1 day)', { allow: ALL, timezone });
    }
    for (const timezone of ['', 'Mars/Olympus', 'europe/berlin', '+01:00', 'Z', 'utc', 'UTC+1']) {
      assert.throws(
        () => parseScheduleExpression('rate(1 day)', { allow: ALL, timezone }),
        /is not a time zone of the IANA database/,
        timezone,
      );
    }
  });
});
