import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { context, messages, startTestLogs, type TestLogs } from './test-logs.ts';

const DAY = 86_400_000;

let test: TestLogs;
let call: TestLogs['call'];

beforeEach(() => {
  test = startTestLogs();
  call = test.call;
});

afterEach(() => test.close());

async function makeStream(group = 'g', stream = 's'): Promise<void> {
  await call('CreateLogGroup', { logGroupName: group });
  await call('CreateLogStream', { logGroupName: group, logStreamName: stream });
}

function put(events: (readonly [number, string])[], stream = 's', group = 'g') {
  return call('PutLogEvents', {
    logGroupName: group,
    logStreamName: stream,
    logEvents: events.map(([timestamp, message]) => ({ timestamp, message })),
  });
}

describe('Logs CreateLogGroup', () => {
  it('makes a group once', async () => {
    await call('CreateLogGroup', { logGroupName: '/aws/lambda/f', tags: { team: 'a' } });
    await assert.rejects(call('CreateLogGroup', { logGroupName: '/aws/lambda/f' }), {
      code: 'ResourceAlreadyExistsException',
      message: 'The specified log group already exists',
    });
    const { logGroups } = await call('DescribeLogGroups', {});
    assert.equal(logGroups[0].arn, 'arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*');
    assert.equal(logGroups[0].creationTime, test.clock.now());
  });

  it('refuses names that AWS refuses, and keys of KMS by name', async () => {
    for (const logGroupName of ['', 'a b', 'a:b', 'x'.repeat(513)]) {
      await assert.rejects(call('CreateLogGroup', { logGroupName }), { code: 'InvalidParameterException' });
    }
    await assert.rejects(call('CreateLogGroup', { logGroupName: 'g', kmsKeyId: 'k' }), {
      code: 'NotImplemented',
      status: 501,
    });
  });

  it('keeps accounts and regions apart', async () => {
    await call('CreateLogGroup', { logGroupName: 'g' });
    await call('CreateLogGroup', { logGroupName: 'g' }, { region: 'eu-west-1' });
    await call('CreateLogGroup', { logGroupName: 'g' }, { account: '111111111111' });
    assert.equal((await call('DescribeLogGroups')).logGroups.length, 1);
  });
});

describe('Logs DescribeLogGroups', () => {
  it('pages in order of name, by prefix and by pattern', async () => {
    for (const name of ['a/2', 'a/1', 'b/1', 'a/3']) await call('CreateLogGroup', { logGroupName: name });
    const first = await call('DescribeLogGroups', { logGroupNamePrefix: 'a/', limit: 2 });
    assert.deepEqual(
      first.logGroups.map((group: { logGroupName: string }) => group.logGroupName),
      ['a/1', 'a/2'],
    );
    const second = await call('DescribeLogGroups', { logGroupNamePrefix: 'a/', limit: 2, nextToken: first.nextToken });
    assert.deepEqual(
      second.logGroups.map((group: { logGroupName: string }) => group.logGroupName),
      ['a/3'],
    );
    assert.equal(second.nextToken, undefined);
    assert.equal((await call('DescribeLogGroups', { logGroupNamePattern: '/1' })).logGroups.length, 2);
    await assert.rejects(call('DescribeLogGroups', { nextToken: 'x' }), { code: 'InvalidParameterException' });
  });
});

describe('Logs DeleteLogGroup', () => {
  it('takes streams and events with it, so that a new group of that name is empty', async () => {
    await makeStream();
    await put([[test.clock.now(), 'old']]);
    await call('DeleteLogGroup', { logGroupName: 'g' });
    await assert.rejects(call('GetLogEvents', { logGroupName: 'g', logStreamName: 's' }), {
      code: 'ResourceNotFoundException',
    });
    await makeStream();
    assert.deepEqual(messages(await call('FilterLogEvents', { logGroupName: 'g' })), []);
    assert.equal((await test.store.range({ prefix: ['logs', 'chunk'] })).length, 0);
  });

  it('is refused while deletion protection is on', async () => {
    await call('CreateLogGroup', { logGroupName: 'g', deletionProtectionEnabled: true });
    await assert.rejects(call('DeleteLogGroup', { logGroupName: 'g' }), { code: 'ValidationException' });
    await call('PutLogGroupDeletionProtection', { logGroupIdentifier: 'g', deletionProtectionEnabled: false });
    await call('DeleteLogGroup', { logGroupName: 'g' });
  });
});

describe('Logs PutLogEvents', () => {
  beforeEach(() => makeStream());

  it('stores events that are there after a restart', async () => {
    await put([
      [test.clock.now(), 'one'],
      [test.clock.now(), 'two'],
    ]);
    const again = test.another();
    const answer = await again.service.operations.GetLogEvents!({ logGroupName: 'g', logStreamName: 's' } as never, {
      ...context,
      operation: 'GetLogEvents',
    });
    assert.deepEqual(messages(answer as never), ['one', 'two']);
    await again.service.close?.();
  });

  it('refuses what AWS refuses', async () => {
    const now = test.clock.now();
    await assert.rejects(
      put([
        [now, 'b'],
        [now - 1, 'a'],
      ]),
      { code: 'InvalidParameterException' },
    );
    await assert.rejects(put([]), { code: 'InvalidParameterException' });
    await assert.rejects(put([[now, '']]), { code: 'InvalidParameterException' });
    await assert.rejects(put([[now, 'x'.repeat(1_048_577 - 26)]]), { code: 'InvalidParameterException' });
    await assert.rejects(put(Array.from({ length: 10_001 }, () => [now, 'x'] as const)), {
      code: 'InvalidParameterException',
    });
    await assert.rejects(
      put([
        [now - 25 * 3_600_000, 'a'],
        [now, 'b'],
      ]),
      { code: 'InvalidParameterException' },
    );
    await assert.rejects(
      put([
        [now, 'x'.repeat(600_000)],
        [now, 'x'.repeat(600_000)],
      ]),
      { code: 'InvalidParameterException' },
    );
    await assert.rejects(put([[now, 'x']], 'missing'), { message: 'The specified log stream does not exist.' });
    await assert.rejects(put([[now, 'x']], 's', 'missing'), { message: 'The specified log group does not exist.' });
    assert.deepEqual(messages(await call('GetLogEvents', { logGroupName: 'g', logStreamName: 's' })), []);
  });

  it('rejects events too old, expired or too new, and stores the rest', async () => {
    const now = test.clock.now();
    await call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 1 });
    const answer = await put([
      [now - 15 * DAY, 'too old'],
      [now - 2 * DAY, 'expired'],
      [now, 'kept'],
      [now + 3 * 3_600_000, 'too new'],
    ]);
    assert.deepEqual(answer.rejectedLogEventsInfo, {
      tooOldLogEventEndIndex: 1,
      expiredLogEventEndIndex: 2,
      tooNewLogEventStartIndex: 3,
    });
    assert.deepEqual(messages(await call('FilterLogEvents', { logGroupName: 'g' })), ['kept']);
  });

  it('says that an entity is not kept', async () => {
    const logEvents = [{ timestamp: test.clock.now(), message: 'x' }];
    const answer = await call('PutLogEvents', { logGroupName: 'g', logStreamName: 's', logEvents, entity: {} });
    assert.deepEqual(answer.rejectedEntityInfo, { errorType: 'UnsupportedLogGroupType' });
    assert.deepEqual(messages(await call('FilterLogEvents', { logGroupName: 'g' })), ['x']);
  });

  it('takes no notice of a sequence token', async () => {
    await call('PutLogEvents', {
      logGroupName: 'g',
      logStreamName: 's',
      sequenceToken: 'wrong',
      logEvents: [{ timestamp: test.clock.now(), message: 'x' }],
    });
  });
});

describe('Logs GetLogEvents', () => {
  beforeEach(async () => {
    await makeStream();
    const start = test.clock.now();
    await put(Array.from({ length: 10 }, (_, index) => [start + index, `m${index}`] as const));
  });

  const get = (input: object = {}) => call('GetLogEvents', { logGroupName: 'g', logStreamName: 's', ...input });

  it('gives the newest events in order unless told to start from the head', async () => {
    assert.deepEqual(messages(await get({ limit: 3 })), ['m7', 'm8', 'm9']);
    assert.deepEqual(messages(await get({ limit: 3, startFromHead: true })), ['m0', 'm1', 'm2']);
  });

  it('walks forward, and at the end gives the same token until something comes', async () => {
    const seen: string[] = [];
    let token: string | undefined;
    for (;;) {
      const page = await get({ limit: 4, startFromHead: true, nextToken: token });
      seen.push(...messages(page));
      if (page.nextForwardToken === token) break;
      token = page.nextForwardToken;
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 10 }, (_, index) => `m${index}`),
    );
    await put([[test.clock.now() + 100, 'later']]);
    assert.deepEqual(messages(await get({ startFromHead: true, nextToken: token })), ['later']);
  });

  it('walks backward', async () => {
    const seen: string[] = [];
    let token: string | undefined;
    for (;;) {
      const page = await get({ limit: 4, nextToken: token });
      seen.unshift(...messages(page));
      if (page.nextBackwardToken === token) break;
      token = page.nextBackwardToken;
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 10 }, (_, index) => `m${index}`),
    );
  });

  it('takes startTime inclusive and endTime exclusive', async () => {
    const start = test.clock.now();
    assert.deepEqual(messages(await get({ startTime: start + 2, endTime: start + 4 })), ['m2', 'm3']);
  });

  it('refuses a token that it did not give', async () => {
    await assert.rejects(get({ nextToken: 'f/1' }), { code: 'InvalidParameterException' });
  });

  it('gives events in order of time whatever the order they came in', async () => {
    const start = test.clock.now();
    await put([
      [start - 20_000, 'a'],
      [start - 5_000, 'b'],
      [start + 4, 'c'],
    ]);
    await put([
      [start - 10_000, 'd'],
      [start + 3, 'e'],
      [start + 60_000, 'f'],
    ]);
    const expected = ['a', 'd', 'b', 'm0', 'm1', 'm2', 'm3', 'e', 'm4', 'c', 'm5', 'm6', 'm7', 'm8', 'm9', 'f'];
    assert.deepEqual(messages(await get({ startFromHead: true })), expected);
    assert.deepEqual(messages(await get()), expected);
  });
});

describe('Logs FilterLogEvents', () => {
  it('interleaves streams and pages through every event once, both ways', async () => {
    await call('CreateLogGroup', { logGroupName: 'g' });
    const start = test.clock.now();
    const expected: string[] = [];
    for (const stream of ['a', 'b', 'c']) {
      await call('CreateLogStream', { logGroupName: 'g', logStreamName: stream });
      // Ties across streams on purpose.
      for (let batch = 0; batch < 3; batch++) {
        await put(
          [0, 1, 2].map((index) => [start + batch * 3 + index, `${stream}${batch}${index}`] as const),
          stream,
        );
      }
    }
    for (let tick = 0; tick < 9; tick++) {
      for (const stream of ['a', 'b', 'c']) expected.push(`${stream}${Math.floor(tick / 3)}${tick % 3}`);
    }
    for (const startFromHead of [true, false]) {
      for (const limit of [1, 4, 100]) {
        const seen: string[] = [];
        let nextToken: string | undefined;
        do {
          const page = await call('FilterLogEvents', {
            logGroupName: 'g',
            startFromHead,
            startTime: start,
            limit,
            nextToken,
          });
          seen.push(...messages(page));
          nextToken = page.nextToken;
        } while (nextToken);
        assert.deepEqual(seen, startFromHead ? expected : expected.toReversed());
      }
    }
  });

  it('filters by pattern, stream and time', async () => {
    await makeStream('g', 'x/1');
    await call('CreateLogStream', { logGroupName: 'g', logStreamName: 'y/1' });
    const now = test.clock.now();
    await put(
      [
        [now, 'ERROR one'],
        [now + 1, 'fine'],
      ],
      'x/1',
    );
    await put(
      [
        [now, 'ERROR two'],
        [now + 5, 'ERROR three'],
      ],
      'y/1',
    );
    const filter = async (input: object) => messages(await call('FilterLogEvents', { logGroupName: 'g', ...input }));
    assert.deepEqual(await filter({ filterPattern: 'ERROR' }), ['ERROR one', 'ERROR two', 'ERROR three']);
    assert.deepEqual(await filter({ logStreamNamePrefix: 'y/' }), ['ERROR two', 'ERROR three']);
    assert.deepEqual(await filter({ logStreamNames: ['x/1'], filterPattern: '-ERROR' }), ['fine']);
    assert.deepEqual(await filter({ startTime: now + 1, endTime: now + 5 }), ['fine', 'ERROR three']);
    await assert.rejects(filter({ logStreamNames: ['x/1'], logStreamNamePrefix: 'y' }), {
      code: 'InvalidParameterException',
    });
    await assert.rejects(filter({ filterPattern: '{ broken' }), { code: 'InvalidParameterException' });
  });

  it('gives ids that are unique', async () => {
    await makeStream('g', 'a');
    await call('CreateLogStream', { logGroupName: 'g', logStreamName: 'b' });
    const now = test.clock.now();
    for (const stream of ['a', 'b'])
      for (let batch = 0; batch < 3; batch++)
        await put(
          [
            [now, 'x'],
            [now, 'x'],
          ],
          stream,
        );
    const { events } = await call('FilterLogEvents', { logGroupName: 'g' });
    assert.equal(new Set(events.map((event: { eventId: string }) => event.eventId)).size, 12);
    assert.match(events[0].eventId, /^\d{56}$/);
  });
});

describe('Logs retention', () => {
  it('takes only the allowed numbers of days', async () => {
    await call('CreateLogGroup', { logGroupName: 'g' });
    await assert.rejects(call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 2 }), {
      code: 'InvalidParameterException',
    });
    await call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 3653 });
    assert.equal((await call('DescribeLogGroups')).logGroups[0].retentionInDays, 3653);
    await call('DeleteRetentionPolicy', { logGroupName: 'g' });
    assert.equal((await call('DescribeLogGroups')).logGroups[0].retentionInDays, undefined);
  });

  it('hides events at the moment they expire and then gives their space back', async () => {
    await makeStream();
    await call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 1 });
    await put([[test.clock.now(), 'gone']]);
    test.clock.advance(DAY / 2);
    await put([[test.clock.now(), 'still here']]);
    const watch = test.store.watch({ prefix: ['logs', 'chunk'] });
    test.clock.advance(DAY / 2 + 1);
    assert.deepEqual(messages(await call('FilterLogEvents', { logGroupName: 'g' })), ['still here']);
    const deleted: string[] = [];
    for await (const { events } of watch) {
      deleted.push(...events.map(({ type }) => type));
      if (deleted.length === 1) test.clock.advance(DAY);
      else break;
    }
    watch.close();
    assert.equal((await test.store.range({ prefix: ['logs', 'chunk'] })).length, 0);
    assert.equal((await test.store.range({ prefix: ['logs', 'stream'] })).length, 1);
  });
});

describe('Logs DescribeLogStreams', () => {
  it('orders by name or by the last event, and pages', async () => {
    await makeStream('g', 'a');
    for (const name of ['b', 'c']) await call('CreateLogStream', { logGroupName: 'g', logStreamName: name });
    await put([[test.clock.now() + 2, 'x']], 'a');
    await put([[test.clock.now() + 1, 'x']], 'c');
    const names = (answer: { logStreams: { logStreamName: string }[] }) =>
      answer.logStreams.map((stream) => stream.logStreamName);
    assert.deepEqual(names(await call('DescribeLogStreams', { logGroupName: 'g' })), ['a', 'b', 'c']);
    const newest = { logGroupName: 'g', orderBy: 'LastEventTime', descending: true, limit: 2 };
    const page = await call('DescribeLogStreams', newest);
    assert.deepEqual(names(page), ['a', 'c']);
    assert.deepEqual(names(await call('DescribeLogStreams', { ...newest, nextToken: page.nextToken })), ['b']);
    assert.equal(page.logStreams[0].lastEventTimestamp, test.clock.now() + 2);
    await assert.rejects(call('DescribeLogStreams', { ...newest, logStreamNamePrefix: 'a' }), {
      code: 'InvalidParameterException',
    });
  });

  it('is empty of a deleted stream', async () => {
    await makeStream();
    await put([[test.clock.now(), 'x']]);
    await call('DeleteLogStream', { logGroupName: 'g', logStreamName: 's' });
    assert.deepEqual((await call('DescribeLogStreams', { logGroupName: 'g' })).logStreams, []);
    assert.equal((await call('DescribeLogGroups')).logGroups[0].storedBytes, 0);
  });
});

describe('Logs tags', () => {
  it('are added, listed and removed by ARN and by name', async () => {
    await call('CreateLogGroup', { logGroupName: 'g', tags: { a: '1' } });
    const resourceArn = 'arn:aws:logs:us-east-1:000000000000:log-group:g';
    await call('TagResource', { resourceArn, tags: { b: '2' } });
    await call('TagLogGroup', { logGroupName: 'g', tags: { c: '3' } });
    await call('UntagResource', { resourceArn, tagKeys: ['a'] });
    assert.deepEqual((await call('ListTagsForResource', { resourceArn })).tags, { b: '2', c: '3' });
    assert.deepEqual((await call('ListTagsLogGroup', { logGroupName: 'g' })).tags, { b: '2', c: '3' });
    await assert.rejects(call('TagResource', { resourceArn, tags: { 'aws:x': '' } }), {
      code: 'InvalidParameterException',
    });
  });
});

describe('Logs TestMetricFilter', () => {
  it('numbers the messages that match and shows the values', async () => {
    const { matches } = await call('TestMetricFilter', {
      filterPattern: '[ip, status = 4*]',
      logEventMessages: ['1.1.1.1 404', '1.1.1.1 200'],
    });
    assert.deepEqual(matches, [
      { eventNumber: 1, eventMessage: '1.1.1.1 404', extractedValues: { $ip: '1.1.1.1', $status: '404' } },
    ]);
  });
});
