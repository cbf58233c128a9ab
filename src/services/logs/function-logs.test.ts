import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Store } from '../../store/index.ts';
import { context, messages, startTestLogs, type TestLogs } from './test-logs.ts';

let test: TestLogs;
let call: TestLogs['call'];

beforeEach(() => {
  test = startTestLogs();
  call = test.call;
});

afterEach(() => test.close());

describe("Functions' logs", () => {
  const append = (lines: string[], group = '/aws/lambda/f', stream = 's') =>
    test.logs.functionLogs.append(
      '000000000000',
      'us-east-1',
      group,
      stream,
      lines.map((message) => ({ timestamp: test.clock.now(), message })),
    );

  it('make group and stream, and are read as soon as they are appended', async () => {
    append(['START', 'line']);
    append(['END']);
    assert.deepEqual(messages(await call('FilterLogEvents', { logGroupName: '/aws/lambda/f' })), [
      'START',
      'line',
      'END',
    ]);
    assert.equal((await call('DescribeLogStreams', { logGroupName: '/aws/lambda/f' })).logStreams.length, 1);
  });

  it('are kept for the next try when the disk refuses them', async () => {
    let full = true;
    const refusing: Store = Object.create(test.store, {
      transact: {
        value: (...input: Parameters<Store['transact']>) => {
          if (full) return Promise.reject(new Error('no space left on device'));
          return test.store.transact(...input);
        },
      },
      get: { value: (...input: Parameters<Store['get']>) => test.store.get(...input) },
      range: { value: (...input: Parameters<Store['range']>) => test.store.range(...input) },
    });
    const failing = test.another(refusing);
    const line = (message: string) =>
      failing.functionLogs.append('000000000000', 'us-east-1', 'f', 's', [{ timestamp: test.clock.now(), message }]);
    line('one');
    await assert.rejects(failing.flush(), /no space left/);
    line('two');
    await assert.rejects(
      failing.service.operations.GetLogEvents!({ logGroupName: 'f', logStreamName: 's' } as never, {
        ...context,
        operation: 'GetLogEvents',
      }),
      { code: 'ResourceNotFoundException' },
    );
    full = false;
    await failing.flush();
    assert.deepEqual(messages(await call('FilterLogEvents', { logGroupName: 'f' })), ['one', 'two']);
    await failing.service.close?.();
  });

  it('store many lines as one record', async () => {
    for (let line = 0; line < 1000; line++) append([`line ${line}`]);
    await test.logs.flush();
    assert.equal((await test.store.range({ prefix: ['logs', 'chunk'] })).length, 1);
  });

  it('split a line that is larger than an event may be, losing nothing', async () => {
    const line = '€'.repeat(400_000);
    append([line]);
    const { events } = await call('FilterLogEvents', { logGroupName: '/aws/lambda/f' });
    let text = messages({ events }).join('');
    let { nextToken } = await call('FilterLogEvents', { logGroupName: '/aws/lambda/f' });
    while (nextToken) {
      const page = await call('FilterLogEvents', { logGroupName: '/aws/lambda/f', nextToken });
      text += messages(page).join('');
      nextToken = page.nextToken;
    }
    assert.equal(text, line);
  });

  it('are followed without missing or repeating a line', async () => {
    append(['before']);
    const controller = new AbortController();
    const target = { account: '000000000000', region: 'us-east-1', group: '/aws/lambda/f' };
    const seen: string[] = [];
    const following = (async () => {
      for await (const { message } of test.logs.tail(target, { follow: true, signal: controller.signal })) {
        seen.push(message);
        if (message === 'before') {
          for (let line = 0; line < 50; line++) append([`line ${line}`], '/aws/lambda/f', `s${line % 3}`);
          append(['last'], '/aws/lambda/f', 'new stream');
        }
        if (message === 'last') controller.abort();
      }
    })();
    await following;
    assert.equal(seen.length, 52);
    assert.equal(new Set(seen).size, 52);
  });

  it('appear in a live tail that asks for them', async () => {
    append(['before']);
    const controller = new AbortController();
    const { responseStream } = await call(
      'StartLiveTail',
      {
        logGroupIdentifiers: ['arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f'],
        logEventFilterPattern: 'ERROR',
      },
      { signal: controller.signal },
    );
    const seen: string[] = [];
    for await (const part of responseStream) {
      if (part.sessionStart) append(['ERROR one', 'fine', 'ERROR two']);
      for (const event of part.sessionUpdate?.sessionResults ?? []) seen.push(event.message);
      if (seen.length === 2) controller.abort();
    }
    assert.deepEqual(seen, ['ERROR one', 'ERROR two']);
  });
});
