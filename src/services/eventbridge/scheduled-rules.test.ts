import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventsArn, QUEUE, TestEventBridge } from './test-eventbridge.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let test: TestEventBridge;
beforeEach(async () => {
  test = new TestEventBridge();
  await test.start();
});
afterEach(() => test.close());

const scheduled = (name: string, ScheduleExpression: string, more: object = {}) =>
  test.rule(name, undefined, {}, { ScheduleExpression, ...more });
/** Times of the events that arrived, `HH:MM`. */
const times = async () => (await test.arrived()).map(({ event }) => event.time.slice(11, 16));

describe('EventBridge scheduled rules', () => {
  it('run at a rate, first after one period', async () => {
    await scheduled('r', 'rate(5 minutes)');
    await test.advance(5 * MINUTE - 1);
    assert.deepEqual(await times(), []);
    await test.advance(1);
    const [arrival] = await test.arrived();
    const { id: _, ...event } = arrival!.event;
    assert.deepEqual(event, {
      version: '0',
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: '000000000000',
      time: '2026-01-01T10:05:00Z',
      region: 'us-east-1',
      resources: [eventsArn('rule/r')],
      detail: {},
    });
    assert.equal(arrival!.delivery.caller!.sourceArn, eventsArn('rule/r'));
    await test.advance(5 * MINUTE);
    assert.deepEqual(await times(), ['10:10']);
  });

  it('run by cron in UTC', async () => {
    await scheduled('r', 'cron(30 11 ? * THU *)');
    await test.advance(DAY);
    assert.deepEqual(await times(), ['11:30']);
    await test.advance(6 * DAY);
    assert.deepEqual(await times(), []);
    await test.advance(DAY);
    assert.deepEqual(await times(), ['11:30']);
  });

  it('run for each time in between when the clock jumps', async () => {
    await scheduled('each', 'rate(1 minute)');
    await scheduled('hourly', 'cron(0 * * * ? *)');
    await test.advance(DAY);
    const arrivals = await test.arrived();
    const of = (rule: string) => arrivals.filter(({ event }) => event.resources[0].endsWith(`/${rule}`));
    assert.equal(of('each').length, 1440);
    assert.equal(new Set(of('each').map(({ event }) => event.time)).size, 1440);
    assert.equal(of('hourly').length, 24);
    await test.advance(MINUTE);
    assert.deepEqual(await times(), ['10:01']);
  });

  it('run once for the times that came while nothing ran', async () => {
    await scheduled('r', 'rate(10 minutes)');
    await test.advance(10 * MINUTE);
    assert.deepEqual(await times(), ['10:10']);
    await test.stop();
    test.clock.advance(HOUR);
    await test.start();
    assert.deepEqual(await times(), ['10:20']);
    await test.advance(9 * MINUTE);
    assert.deepEqual(await times(), []);
    // The rhythm stays.
    await test.advance(MINUTE);
    assert.deepEqual(await times(), ['11:20']);
  });

  it('do not run while disabled, nor when they were removed or changed', async () => {
    await scheduled('r', 'rate(1 minute)');
    await test.call('DisableRule', { Name: 'r' });
    await test.advance(2 * MINUTE);
    assert.deepEqual(await times(), []);
    await test.call('EnableRule', { Name: 'r' });
    await test.advance(MINUTE);
    assert.deepEqual(await times(), ['10:03']);
    await test.call('PutRule', { Name: 'r', ScheduleExpression: 'rate(1 hour)' });
    await test.advance(HOUR - 1);
    assert.deepEqual(await times(), []);
    await test.advance(1);
    assert.deepEqual(await times(), ['11:03']);
    await test.call('RemoveTargets', { Rule: 'r', Ids: ['1'] });
    await test.call('DeleteRule', { Name: 'r' });
    await test.advance(DAY);
    assert.deepEqual(await times(), []);
    assert.deepEqual(await test.store.range({ prefix: ['events', 'rule-due'] }), []);
    assert.deepEqual(await test.store.range({ prefix: ['events', 'next'] }), []);
  });

  it('with a pattern too run for both', async () => {
    const EventPattern = JSON.stringify({ source: ['app'] });
    await scheduled('r', 'rate(1 hour)', { EventPattern });
    await test.put();
    assert.equal((await test.arrived()).length, 1);
    await test.advance(HOUR);
    assert.deepEqual(await times(), ['11:00']);
  });

  it('are not seen by other rules', async () => {
    await scheduled('r', 'rate(1 hour)');
    await test.rule('other', { source: ['aws.events'] }, { Arn: `${QUEUE}2` });
    await test.advance(HOUR);
    assert.deepEqual(
      (await test.arrived()).map(({ target }) => target),
      [QUEUE],
    );
  });

  it('are on the default bus only, and say what is wrong with an expression', async () => {
    await test.call('CreateEventBus', { Name: 'b' });
    const put = (more: object) => test.call('PutRule', { Name: 'r', ...more });
    await assert.rejects(put({ EventBusName: 'b', ScheduleExpression: 'rate(1 day)' }), {
      code: 'ValidationException',
      message: 'ScheduleExpression is supported only on the default event bus.',
    });
    await assert.rejects(put({}), {
      code: 'ValidationException',
      message: 'Parameter(s) EventPattern or ScheduleExpression must be specified.',
    });
    for (const bad of ['rate(1 days)', 'rate(0 minutes)', 'at(2026-01-01T00:00:00)', '0 2 * * *', 'cron(0 2 * * *)']) {
      await assert.rejects(put({ ScheduleExpression: bad }), (error: Error & { code: string }) => {
        assert.match(error.message, /^Parameter ScheduleExpression is not valid\. Reason: /);
        return error.code === 'ValidationException';
      });
    }
  });
});
