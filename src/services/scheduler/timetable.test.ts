import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createManualClock } from '../../base/system-clock.ts';
import { START, TestScheduler } from './test-scheduler.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const at = (ms: number): Date => new Date(START + ms);

let world: TestScheduler;
beforeEach(async () => {
  world = new TestScheduler();
  await world.start();
});
afterEach(() => world.close());

/** When each arrival was scheduled, as `HH:MM:SS`, in order of arrival. */
const scheduled = (): string[] =>
  world.arrivals.map(({ delivery }) => String(delivery.attributes!.scheduledTime).slice(11, 19));

describe('Scheduler: when targets are invoked', () => {
  it('a one-time schedule once, to the second', async () => {
    await world.create('s', 'at(2026-01-01T10:05:07)');
    await world.advance(5 * MINUTE + 6999);
    assert.deepEqual(scheduled(), []);
    await world.advance(1);
    await world.advance(DAY);
    assert.deepEqual(scheduled(), ['10:05:07']);
    assert.equal((await world.call('GetSchedule', { Name: 's' })).State, 'ENABLED');
  });

  it('a one-time schedule of the present minute at once', async () => {
    await world.advance(30_000);
    await world.create('s', 'at(2026-01-01T10:00:00)');
    await world.settle();
    assert.deepEqual(scheduled(), ['10:00:00']);
  });

  it('a rate at once, then each time it has passed', async () => {
    await world.create('s', 'rate(5 minutes)');
    await world.settle();
    assert.deepEqual(scheduled(), ['10:00:00']);
    await world.advance(4 * MINUTE + 59_999);
    assert.equal(world.arrivals.length, 1);
    await world.advance(1);
    assert.deepEqual(scheduled(), ['10:00:00', '10:05:00']);
  });

  it('a rate at once, also when time goes on while it is made', async () => {
    const now = world.clock.now.bind(world.clock);
    let reads = 0;
    world.clock.now = () => {
      reads += 1;
      return now() + reads;
    };
    await world.create('s', 'rate(1 day)');
    world.clock.now = now;
    await world.advance(1000);
    assert.equal(world.arrivals.length, 1);
  });

  it('a rate with a start date at that date first, and not after its end date', async () => {
    await world.create('s', 'rate(1 hour)', { StartDate: at(30 * MINUTE), EndDate: at(2.5 * HOUR) });
    await world.advance(DAY);
    assert.deepEqual(scheduled(), ['10:30:00', '11:30:00', '12:30:00']);
  });

  it('a cron expression at its times between the dates', async () => {
    await world.create('s', 'cron(0 * * * ? *)', { StartDate: at(HOUR), EndDate: at(3 * HOUR - 1) });
    await world.advance(DAY);
    assert.deepEqual(scheduled(), ['11:00:00', '12:00:00']);
  });

  it('a cron expression in its time zone', async () => {
    await world.create('s', 'cron(30 9 * * ? *)', { ScheduleExpressionTimezone: 'America/New_York' });
    await world.advance(2 * DAY);
    assert.deepEqual(scheduled(), ['14:30:00', '14:30:00']);
  });

  it('not a schedule that is disabled', async () => {
    await world.create('s', 'rate(1 minute)', { State: 'DISABLED' });
    await world.advance(HOUR);
    assert.deepEqual(scheduled(), []);
  });

  it('within the flexible window, each time at another moment, the same in each run', async () => {
    const moments = async (): Promise<number[]> => {
      const found: number[] = [];
      const other = new TestScheduler();
      await other.start();
      await other.create('s', 'cron(0 * * * ? *)', {
        FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 30 },
      });
      for (let minute = 0; minute < 4 * 60; minute += 1) {
        const before = other.arrivals.length;
        await other.advance(MINUTE);
        if (other.arrivals.length > before) found.push(minute % 60);
      }
      await other.close();
      return found;
    };
    const first = await moments();
    assert.equal(first.length, 3);
    assert.ok(first.every((minute) => minute < 30));
    assert.ok(new Set(first).size > 1);
    assert.deepEqual(await moments(), first);
  });

  it('deletes a schedule after its last time, if told to', async () => {
    await world.create('once', 'at(2026-01-01T11:00:00)', { ActionAfterCompletion: 'DELETE' });
    await world.create('often', 'rate(1 hour)', { ActionAfterCompletion: 'DELETE', EndDate: at(90 * MINUTE) });
    await world.create('kept', 'at(2026-01-01T11:00:00)');
    await world.advance(59 * MINUTE);
    await world.call('GetSchedule', { Name: 'once' });
    await world.advance(MINUTE);
    assert.deepEqual(
      (await world.call('ListSchedules')).Schedules.map(({ Name }: { Name: string }) => Name),
      ['kept'],
    );
    assert.deepEqual(world.arrivals.map(({ body }) => body).sort(), ['kept', 'often', 'often', 'once']);
  });

  it('costs nothing while nothing is due: one timer', async () => {
    let timers = 0;
    const clock = createManualClock(START);
    const set = clock.at.bind(clock);
    clock.at = (time, fire) => {
      timers += 1;
      return set(time, fire);
    };
    const other = new TestScheduler(undefined, clock);
    await other.start();
    await other.create('first', 'at(2026-01-01T11:00:00)');
    for (let count = 0; count < 50; count += 1)
      await other.create(`s${count}`, `at(2026-01-01T12:00:${count % 60 < 10 ? '0' : ''}${count})`);
    assert.equal(timers, 1);
    await other.create('earlier', 'at(2026-01-01T10:30:00)');
    assert.equal(timers, 2);
    await other.advance(3 * HOUR);
    assert.equal(other.arrivals.length, 52);
    await other.close();
  });
});

describe('Scheduler: a clock that jumps', () => {
  it('invokes each time in between, once', async () => {
    await world.create('s', 'rate(1 minute)');
    await world.settle();
    await world.advance(DAY);
    const times = scheduled();
    assert.equal(times.length, 1441);
    assert.equal(new Set(times.slice(1)).size, 1440);
  });

  it('begins invocations of all schedules in order of time', async () => {
    await world.create('a', 'rate(2 minutes)');
    await world.create('b', 'rate(3 minutes)', { StartDate: at(1.5 * MINUTE) });
    await world.create('c', 'at(2026-01-01T10:05:30)');
    await world.advance(8 * MINUTE);
    const order = [...world.arrivals].sort((x, y) => (x.delivery.id < y.delivery.id ? -1 : 1));
    assert.deepEqual(
      order.map(({ body, delivery }) => `${body} ${String(delivery.attributes!.scheduledTime).slice(14, 19)}`),
      ['a 00:00', 'b 01:30', 'a 02:00', 'a 04:00', 'b 04:30', 'c 05:30', 'a 06:00', 'b 07:30', 'a 08:00'],
    );
  });

  it('does not run far ahead of what targets take', async () => {
    for (let count = 0; count < 10; count += 1) await world.create(`s${count}`, 'rate(1 minute)');
    await world.settle();
    let waiting = 0;
    const watch = world.store.watch<unknown>({ prefix: ['delivery'] });
    const counting = (async () => {
      let pending = 0;
      for await (const { events } of watch) {
        for (const event of events) {
          if (event.type === 'delete') pending -= 1;
          else if (event.previous === undefined) pending += 1;
        }
        waiting = Math.max(waiting, pending);
      }
    })();
    await world.advance(DAY);
    watch.close();
    await counting;
    assert.equal(world.arrivals.length, 10 + 14_400);
    assert.ok(waiting <= 6500, `${waiting} waited`);
  });
});

describe('Scheduler: after a restart', () => {
  it('goes on', async () => {
    await world.create('s', 'rate(1 hour)');
    await world.settle();
    await world.stop();
    await world.start();
    await world.advance(HOUR);
    assert.deepEqual(scheduled(), ['10:00:00', '11:00:00']);
  });

  it('invokes late, and once, what came while it was not running', async () => {
    await world.create('once', 'at(2026-01-01T11:00:00)', { ActionAfterCompletion: 'DELETE' });
    await world.create('often', 'cron(0/10 * * * ? *)');
    await world.create('later', 'at(2026-01-01T15:00:00)');
    await world.stop();
    world.clock.advance(3 * HOUR + 5 * MINUTE);
    await world.start();
    await world.settle();
    assert.deepEqual(scheduled(), ['10:10:00', '11:00:00']);
    await assert.rejects(world.call('GetSchedule', { Name: 'once' }), { code: 'ResourceNotFoundException' });
    await world.advance(15 * MINUTE);
    assert.deepEqual(scheduled().slice(2), ['13:10:00', '13:20:00']);
  });

  it('ends catching up with a jump of the clock that it had begun, time for time', async () => {
    await world.create('s', 'rate(1 minute)', { StartDate: at(MINUTE) });
    // The process ends after the first page of 500.
    const stopped = new Promise<void>((resolve) => {
      const watch = world.store.watch({ prefix: ['scheduler', 'horizon'] });
      (async () => {
        for await (const _ of watch) break;
        watch.close();
        void world.scheduler.close();
        resolve();
      })();
    });
    world.clock.advance(DAY);
    await stopped;
    await world.stop();
    const before = (await world.store.range({ prefix: ['scheduler', 'due'] })).length;
    assert.equal(before, 1);
    world.clock.advance(5 * MINUTE);
    await world.start();
    await world.settle();
    const times = world.arrivals.map(({ delivery }) => String(delivery.attributes!.scheduledTime));
    // 1,440 of the day that it ran through, and one of the five minutes that it did not.
    assert.equal(new Set(times).size, 1441);
    assert.equal(times.length, 1441);
  });
});
