import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, eventsArn, QUEUE, START, TestEventBridge } from './test-eventbridge.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DEFAULT = eventsArn('event-bus/default');

let test: TestEventBridge;
beforeEach(async () => {
  test = new TestEventBridge();
  await test.start();
});
afterEach(() => test.close());

const archive = (ArchiveName: string, more: object = {}) =>
  test.call('CreateArchive', { ArchiveName, EventSourceArn: DEFAULT, ...more });
const count = async (ArchiveName: string): Promise<number> =>
  (await test.call('DescribeArchive', { ArchiveName })).EventCount;
const replay = (ReplayName: string, more: object = {}) =>
  test.call('StartReplay', {
    ReplayName,
    EventSourceArn: eventsArn('archive/a'),
    EventStartTime: new Date(START - DAY),
    EventEndTime: new Date(START + 30 * DAY),
    Destination: { Arn: DEFAULT },
    ...more,
  });
const details = async () => (await test.arrived()).map(({ event }) => event.detail.n);

describe('EventBridge archives', () => {
  it('keep the events that match, and tell how many and how large they are', async () => {
    await archive('all', { Description: 'd' });
    await archive('big', { EventPattern: JSON.stringify({ detail: { n: [{ numeric: ['>', 5] }] } }) });
    await test.rule('r', { source: ['app'] });
    await test.put({ n: 1 });
    await test.put({ n: 6 });
    const bodies = (await test.arrived()).map(({ body }) => body);
    const described = await test.call('DescribeArchive', { ArchiveName: 'all' });
    assert.deepEqual(described, {
      ArchiveArn: eventsArn('archive/all'),
      ArchiveName: 'all',
      Description: 'd',
      EventPattern: undefined,
      EventSourceArn: DEFAULT,
      State: 'ENABLED',
      RetentionDays: 0,
      EventCount: 2,
      SizeBytes: bodies.join('').length,
      CreationTime: new Date(START),
    });
    assert.equal(await count('big'), 1);
    const { Archives } = await test.call('ListArchives', { EventSourceArn: DEFAULT });
    assert.deepEqual(
      Archives.map(({ ArchiveName, EventCount }: Record<string, unknown>) => [ArchiveName, EventCount]),
      [
        ['all', 2],
        ['big', 1],
      ],
    );
  });

  it('have an event when PutEvents has answered, also after a restart', async () => {
    await archive('a');
    await test.put({ n: 1 });
    await test.stop();
    await test.start();
    assert.equal(await count('a'), 1);
  });

  it('forget events when they are too old', async () => {
    await archive('a', { RetentionDays: 2 });
    await test.put({ n: 1 });
    await test.advance(DAY);
    await test.put({ n: 2 });
    await test.advance(DAY - 1);
    assert.equal(await count('a'), 2);
    await test.advance(1);
    assert.equal(await count('a'), 1);
    assert.equal((await test.store.range({ prefix: ['events', 'archived'] })).length, 1);
    // Longer retention keeps what is left.
    await test.call('UpdateArchive', { ArchiveName: 'a', RetentionDays: 0 });
    await test.advance(100 * DAY);
    assert.equal(await count('a'), 1);
    await test.call('UpdateArchive', { ArchiveName: 'a', RetentionDays: 1 });
    assert.equal(await count('a'), 0);
    await test.advance(DAY);
    assert.deepEqual(await test.store.range({ prefix: ['events', 'archived'] }), []);
  });

  it('that are deleted take their events with them', async () => {
    await archive('a');
    await test.put({ n: 1 });
    await test.call('DeleteArchive', { ArchiveName: 'a' });
    await archive('a');
    assert.equal(await count('a'), 0);
    await test.settle();
    assert.deepEqual(await test.store.range({ prefix: ['events', 'archived'] }), []);
    await test.put({ n: 2 });
    assert.equal(await count('a'), 1);
  });

  it('refuse what cannot be', async () => {
    await archive('a');
    await assert.rejects(archive('a'), {
      code: 'ResourceAlreadyExistsException',
      message: 'Archive a already exists.',
    });
    await assert.rejects(archive('b', { EventSourceArn: eventsArn('event-bus/none') }), {
      code: 'ResourceNotFoundException',
      message: 'Event bus none does not exist.',
    });
    await assert.rejects(archive('b', { EventPattern: '{"source":"x"}' }), { code: 'InvalidEventPatternException' });
    await assert.rejects(archive('b', { RetentionDays: -1 }), { code: 'ValidationException' });
    await assert.rejects(archive('no spaces'), { code: 'ValidationException' });
    await assert.rejects(archive('b', { KmsKeyIdentifier: 'alias/x' }), { code: 'NotImplemented' });
    for (const operation of ['DescribeArchive', 'UpdateArchive', 'DeleteArchive']) {
      await assert.rejects(test.call(operation, { ArchiveName: 'none' }), {
        code: 'ResourceNotFoundException',
        message: 'Archive none does not exist.',
      });
    }
  });
});

describe('EventBridge replays', () => {
  it('send the events of a span of time again, with the name of the replay', async () => {
    await archive('a');
    for (const n of [1, 2, 3, 4]) {
      await test.put({ n });
      await test.advance(HOUR);
    }
    await test.rule('r', { source: ['app'] });
    const { State } = await replay('again', {
      EventStartTime: new Date(START + HOUR),
      EventEndTime: new Date(START + 2 * HOUR),
    });
    assert.equal(State, 'STARTING');
    const arrivals = await test.arrived();
    assert.deepEqual(
      arrivals.map(({ event }) => [event.detail.n, event['replay-name'], event.time]),
      [
        [2, 'again', '2026-01-01T11:00:00Z'],
        [3, 'again', '2026-01-01T12:00:00Z'],
      ],
    );
    assert.match(
      arrivals[0]!.body,
      /"region":"us-east-1","replay-name":"again","resources":\[\],"detail":\{"n":2\}\}$/,
    );
    assert.deepEqual(await test.call('DescribeReplay', { ReplayName: 'again' }), {
      ReplayName: 'again',
      ReplayArn: eventsArn('replay/again'),
      Description: undefined,
      EventSourceArn: eventsArn('archive/a'),
      Destination: { Arn: DEFAULT },
      State: 'COMPLETED',
      StateReason: undefined,
      EventStartTime: new Date(START + HOUR),
      EventEndTime: new Date(START + 2 * HOUR),
      EventLastReplayedTime: new Date(START + 2 * HOUR),
      ReplayStartTime: new Date(START + 4 * HOUR),
      ReplayEndTime: new Date(START + 4 * HOUR),
    });
    // What was replayed is not archived again.
    assert.equal(await count('a'), 4);
  });

  it('reach only the rules that were named', async () => {
    await archive('a');
    await test.put({ n: 1 });
    await test.rule('r', { source: ['app'] });
    await test.rule('other', { source: ['app'] }, { Arn: `${QUEUE}2` });
    await replay('one', { Destination: { Arn: DEFAULT, FilterArns: [eventsArn('rule/other')] } });
    assert.deepEqual(
      (await test.arrived()).map(({ target }) => target),
      [`${QUEUE}2`],
    );
  });

  it('send many events, each once, also when they are interrupted', async () => {
    await archive('a');
    const total = 450;
    for (let first = 0; first < total; first += 10) {
      const Entries = Array.from({ length: 10 }, (_, index) => ({
        Source: 'app',
        DetailType: 'T',
        Detail: JSON.stringify({ n: first + index }),
      }));
      await test.call('PutEvents', { Entries });
    }
    await test.rule('r', { source: ['app'] });
    await replay('all');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await test.stop();
    const { State } = (await test.store.get<{ State: string }>(['events', 'replay', ACCOUNT, 'us-east-1', 'all']))!
      .value as unknown as { State: string };
    assert.notEqual(State, 'COMPLETED');
    await test.start();
    const numbers = (await details()).toSorted((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: total }, (_, n) => n),
    );
  });

  it('can be cancelled while they run', async () => {
    await archive('a');
    await test.put({ n: 1 });
    await replay('x');
    assert.deepEqual(await test.call('CancelReplay', { ReplayName: 'x' }), {
      ReplayArn: eventsArn('replay/x'),
      State: 'CANCELLING',
    });
    await test.settle();
    assert.equal((await test.call('DescribeReplay', { ReplayName: 'x' })).State, 'CANCELLED');
    await assert.rejects(test.call('CancelReplay', { ReplayName: 'x' }), {
      code: 'IllegalStatusException',
      message: 'Replay x is not in a valid state for this operation.',
    });
  });

  it('fail when the archive goes away, and are forgotten after 90 days', async () => {
    await archive('a');
    await test.put({ n: 1 });
    const started = replay('x');
    await started;
    await test.call('DeleteArchive', { ArchiveName: 'a' });
    await test.settle();
    const { State, StateReason } = await test.call('DescribeReplay', { ReplayName: 'x' });
    assert.deepEqual([State, StateReason], ['FAILED', 'Archive a does not exist.']);
    await test.advance(90 * DAY - 1);
    assert.equal((await test.call('ListReplays')).Replays.length, 1);
    await test.advance(1);
    assert.deepEqual((await test.call('ListReplays')).Replays, []);
  });

  it('refuse what cannot be', async () => {
    await archive('a');
    await test.call('CreateEventBus', { Name: 'b' });
    const invalid = (message: string) => ({ code: 'ValidationException', message });
    await assert.rejects(
      replay('x', { EventEndTime: new Date(START - DAY) }),
      invalid('Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.'),
    );
    await assert.rejects(replay('x', { EventEndTime: new Date(Number.NaN) }), { code: 'ValidationException' });
    await assert.rejects(
      replay('x', { EventSourceArn: eventsArn('archive/none') }),
      invalid('Parameter EventSourceArn is not valid. Reason: Archive none does not exist.'),
    );
    await assert.rejects(
      replay('x', { Destination: { Arn: eventsArn('event-bus/b') } }),
      invalid('Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.'),
    );
    await assert.rejects(replay('x', { Destination: { Arn: eventsArn('event-bus/none') } }), {
      code: 'ResourceNotFoundException',
      message: 'Event bus none does not exist.',
    });
    await assert.rejects(replay('x', { Destination: { Arn: DEFAULT, FilterArns: [eventsArn('rule/none')] } }), {
      code: 'ValidationException',
    });
    await replay('x');
    await assert.rejects(replay('x'), { code: 'ResourceAlreadyExistsException', message: 'Replay x already exists.' });
  });
});
