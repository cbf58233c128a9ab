import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, eventsArn, FUNCTION, LETTERS, QUEUE, REGION, ROLE, TestEventBridge } from './test-eventbridge.ts';

let test: TestEventBridge;
beforeEach(async () => {
  test = new TestEventBridge();
  await test.start();
});
afterEach(() => test.close());

const sourceIs = (source: string) => ({ source: [source] });

describe('EventBridge PutEvents', () => {
  it('sends the event to the targets of the rules that match', async () => {
    const arn = await test.rule('r', { source: ['app'], detail: { n: [{ numeric: ['>', 5] }] } });
    await test.rule('other', sourceIs('elsewhere'), { Arn: FUNCTION });
    assert.equal((await test.put({ n: 1 })).ErrorCode, undefined);
    const { EventId } = await test.put({ n: 6 }, { Resources: ['arn:x'], Time: new Date(1_600_000_000_500) });
    const [arrival, ...more] = await test.arrived();
    assert.deepEqual(more, []);
    assert.equal(arrival!.target, QUEUE);
    assert.equal(
      arrival!.body,
      `{"version":"0","id":"${EventId}","detail-type":"Thing","source":"app","account":"${ACCOUNT}",` +
        `"time":"2020-09-13T12:26:40Z","region":"${REGION}","resources":["arn:x"],"detail":{"n":6}}`,
    );
    assert.deepEqual(arrival!.delivery.caller, {
      service: 'events.amazonaws.com',
      sourceArn: arn,
      sourceAccount: ACCOUNT,
    });
  });

  it('keeps the digits of numbers in the detail', async () => {
    await test.rule('r', sourceIs('app'));
    await test.put({}, { Detail: '{"big":12345678901234567890,"price":1.50}' });
    const [arrival] = await test.arrived();
    assert.match(arrival!.body, /"detail":\{"big":12345678901234567890,"price":1\.50\}\}$/);
  });

  it('takes or refuses each entry by itself', async () => {
    await test.rule('r', sourceIs('app'));
    const good = { Source: 'app', DetailType: 'T', Detail: '{}' };
    const { Entries, FailedEntryCount } = await test.call('PutEvents', {
      Entries: [
        good,
        { ...good, Source: undefined },
        { ...good, DetailType: '' },
        { ...good, Detail: undefined },
        { ...good, Detail: '[]' },
        { ...good, Detail: '"text"' },
        { ...good, Detail: '{' },
        { ...good, Source: 'aws.ec2' },
        { ...good, EventBusName: 'arn:aws:sqs:us-east-1:000000000000:q' },
        { ...good, Time: new Date(Number.NaN) },
      ],
    });
    assert.equal(FailedEntryCount, 9);
    assert.deepEqual(
      Entries.map(
        ({ ErrorCode, ErrorMessage }: Record<string, string>) => ErrorCode && `${ErrorCode}: ${ErrorMessage}`,
      ),
      [
        undefined,
        'InvalidArgument: Parameter Source is not valid. Reason: Source is a required argument.',
        'InvalidArgument: Parameter DetailType is not valid. Reason: DetailType is a required argument.',
        'InvalidArgument: Parameter Detail is not valid. Reason: Detail is a required argument.',
        'MalformedDetail: Detail is malformed.',
        'MalformedDetail: Detail is malformed.',
        'MalformedDetail: Detail is malformed.',
        'NotAuthorizedForSourceException: Not authorized for the source.',
        'InvalidArgument: Parameter EventBusName is not valid. Reason: Provided Arn is not in correct format.',
        'InvalidArgument: Parameter Time is not valid. Reason: it is no time.',
      ],
    );
    assert.equal((await test.arrived()).length, 1);
  });

  it('refuses more than 10 entries, or more than 1 MB', async () => {
    const entry = { Source: 'app', DetailType: 'T', Detail: '{}' };
    await assert.rejects(test.call('PutEvents', { Entries: Array(11).fill(entry) }), {
      code: 'ValidationException',
      message:
        "1 validation error detected: Value '[11 members]' at 'entries' failed to satisfy constraint: " +
        'Member must have length less than or equal to 10',
    });
    await assert.rejects(test.call('PutEvents', { Entries: [] }), { code: 'ValidationException' });
    // Source and DetailType count, too.
    const detail = (size: number) => ({ Detail: JSON.stringify({ a: 'x'.repeat(size - 8) }) });
    const room = 1024 * 1024 - 'app'.length - 'Thing'.length;
    assert.equal((await test.put({}, detail(room))).ErrorCode, undefined);
    await assert.rejects(test.put({}, detail(room + 1)), {
      code: 'ValidationException',
      message: 'Total size of the entries in the request is over the limit.',
    });
    await assert.rejects(test.put({}, { ...detail(room), Time: new Date(0) }), { code: 'ValidationException' });
    await assert.rejects(test.call('PutEvents', { EndpointId: 'abc.veo', Entries: [entry] }), {
      code: 'NotImplemented',
      status: 501,
    });
  });

  it('gives events for a bus that does not exist an id and drops them, and says so in the log', async () => {
    await test.rule('r', sourceIs('app'));
    const { EventId } = await test.put({}, { EventBusName: 'nowhere' });
    assert.match(EventId, /^[0-9a-f-]{36}$/);
    assert.deepEqual(await test.arrived(), []);
    assert.deepEqual(test.warnings, ['an event was put on an event bus that does not exist']);
  });

  it('hands on the trace header of the entry, or else of the request', async () => {
    await test.rule('r', sourceIs('app'));
    const headers = { 'x-amzn-trace-id': 'Root=1-request' };
    await test.put({}, { TraceHeader: 'Root=1-entry' }, { headers });
    await test.put({}, {}, { headers });
    await test.put({});
    const traces = (await test.arrived()).map(({ delivery }) => delivery.traceHeader);
    assert.deepEqual(traces, ['Root=1-entry', 'Root=1-request', undefined]);
  });

  it('brings events of another account to the bus that is named by ARN', async () => {
    await test.call('CreateEventBus', { Name: 'orders' });
    await test.rule('r', { account: ['111122223333'] }, {}, { EventBusName: 'orders' });
    await test.put({}, { EventBusName: eventsArn('event-bus/orders') }, { account: '111122223333' });
    const [arrival] = await test.arrived();
    assert.equal(arrival!.event.account, '111122223333');
    assert.equal(arrival!.delivery.account, ACCOUNT);
  });
});

describe('EventBridge targets', () => {
  it('get a constant, a part of the event, or what a template makes of it', async () => {
    const Targets = [
      { Id: 'constant', Arn: QUEUE, Input: '{"a":1}' },
      { Id: 'part', Arn: QUEUE, InputPath: '$.detail.user' },
      {
        Id: 'template',
        Arn: QUEUE,
        InputTransformer: {
          InputPathsMap: { who: '$.detail.user.name' },
          InputTemplate: '"<who> by <aws.events.rule-name>"',
        },
      },
    ];
    await test.call('PutRule', { Name: 'r', EventPattern: JSON.stringify(sourceIs('app')) });
    await test.call('PutTargets', { Rule: 'r', Targets });
    await test.put({ user: { name: 'Ada' } });
    assert.deepEqual((await test.arrived()).map(({ body }) => body).toSorted(), [
      '"Ada by r"',
      '{"a":1}',
      '{"name":"Ada"}',
    ]);
  });

  it('of FIFO queues get the message group', async () => {
    await test.rule('r', sourceIs('app'), { Arn: `${QUEUE}.fifo`, SqsParameters: { MessageGroupId: 'g' } });
    await test.put();
    assert.deepEqual((await test.arrived())[0]!.delivery.parameters, { messageGroupId: 'g' });
  });

  it('are tried again with growing delays, up to the retries that are allowed, then go to the dead-letter queue', async () => {
    const rule = await test.rule('r', sourceIs('app'), {
      RetryPolicy: { MaximumRetryAttempts: 3 },
      DeadLetterConfig: { Arn: LETTERS },
    });
    test.answer = ({ targetArn }) =>
      targetArn === LETTERS ? { type: 'delivered' } : { type: 'failed', reason: 'no', code: 'ECONNREFUSED' };
    await test.put({ a: 1 });
    await test.settle();
    for (let waited = 0; waited < 15; waited += 1) await test.advance(1000);
    const arrivals = await test.arrived();
    assert.deepEqual(
      arrivals.map(({ target }) => target.split(':').at(-1)),
      ['q', 'q', 'q', 'q', 'letters'],
    );
    // 1, 2 and 4 seconds, of which up to a quarter is left to chance.
    const seconds = arrivals.map(({ at }) => Number(at.slice(6)));
    const gaps = seconds.slice(1).map((second, index) => second - seconds[index]!);
    for (const [index, longest] of [1, 2, 4, 0].entries()) {
      assert.ok(gaps[index]! <= longest && gaps[index]! >= longest * 0.75, `${gaps}`);
    }
    const letter = arrivals.at(-1)!;
    assert.equal(letter.body, arrivals[0]!.body);
    const attributes = letter.delivery.parameters!.messageAttributes!;
    assert.deepEqual(
      Object.fromEntries(Object.entries(attributes).map(([name, { stringValue }]) => [name, stringValue])),
      {
        ERROR_CODE: 'CONNECTION_FAILURE',
        ERROR_MESSAGE: 'no',
        EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
        RETRY_ATTEMPTS: '3',
        RULE_ARN: rule,
        TARGET_ARN: QUEUE,
      },
    );
    assert.deepEqual(letter.delivery.caller, {
      service: 'events.amazonaws.com',
      sourceArn: rule,
      sourceAccount: ACCOUNT,
    });
  });

  it('are tried no longer than the event may be old', async () => {
    await test.rule('r', sourceIs('app'), {
      RetryPolicy: { MaximumEventAgeInSeconds: 60 },
      DeadLetterConfig: { Arn: LETTERS },
      Input: '"changed"',
    });
    test.answer = ({ targetArn }) => (targetArn === LETTERS ? { type: 'delivered' } : { type: 'failed', reason: 'no' });
    await test.put({ a: 1 });
    await test.settle();
    for (let waited = 0; waited < 60; waited += 1) await test.advance(1000);
    const letter = (await test.arrived()).at(-1)!;
    assert.equal(letter.target, LETTERS);
    assert.equal(letter.at, '10:01:00');
    const { EXHAUSTED_RETRY_CONDITION, RETRY_ATTEMPTS } = letter.delivery.parameters!.messageAttributes!;
    assert.equal(EXHAUSTED_RETRY_CONDITION!.stringValue, 'MaximumEventAgeInSeconds');
    assert.equal(RETRY_ATTEMPTS!.stringValue, '5');
    // The dead letter is the event, not what the target was sent.
    assert.deepEqual(letter.event.detail, { a: 1 });
  });

  it('that are gone or refuse are not tried again', async () => {
    await test.rule('r', sourceIs('app'), { DeadLetterConfig: { Arn: LETTERS } });
    for (const [code, expected] of [
      ['AWS.SimpleQueueService.NonExistentQueue', 'NO_RESOURCE'],
      ['ResourceNotFoundException', 'NO_RESOURCE'],
      ['AccessDeniedException', 'NO_PERMISSIONS'],
      ['RequestTooLargeException', 'SDK_CLIENT_ERROR'],
    ] as const) {
      test.answer = ({ targetArn }) =>
        targetArn === LETTERS ? { type: 'delivered' } : { type: 'rejected', reason: 'gone', code };
      await test.put();
      const [, letter, ...more] = await test.arrived();
      assert.deepEqual(more, []);
      const attributes = letter!.delivery.parameters!.messageAttributes!;
      assert.equal(attributes.ERROR_CODE!.stringValue, expected);
      assert.equal(attributes.RETRY_ATTEMPTS!.stringValue, '0');
      assert.equal(attributes.EXHAUSTED_RETRY_CONDITION, undefined);
    }
  });

  it('without a dead-letter queue lose the event, and the log says so', async () => {
    await test.rule('r', sourceIs('app'), { RetryPolicy: { MaximumRetryAttempts: 0 } });
    test.answer = () => ({ type: 'failed', reason: 'no' });
    await test.put();
    assert.equal((await test.arrived()).length, 1);
    await test.advance(86_400_000);
    assert.deepEqual(await test.arrived(), []);
    assert.deepEqual(test.warnings, ['an event was not delivered']);
  });

  it('get an event that was put just before the process ended', async () => {
    await test.rule('r', sourceIs('app'));
    await test.delivery.close();
    await test.put({ n: 1 });
    await test.stop();
    await test.start();
    assert.deepEqual(
      (await test.arrived()).map(({ event }) => event.detail),
      [{ n: 1 }],
    );
  });
});

describe('EventBridge event buses as targets', () => {
  const bus = (name: string) => eventsArn(`event-bus/${name}`);

  it('match the event with their own rules, unchanged', async () => {
    await test.call('CreateEventBus', { Name: 'b' });
    await test.rule('forward', sourceIs('app'), { Arn: bus('b'), RoleArn: ROLE });
    await test.rule('r', sourceIs('app'), {}, { EventBusName: 'b' });
    const { EventId } = await test.put({ n: 1 });
    const [arrival, ...more] = await test.arrived();
    assert.deepEqual(more, []);
    assert.equal(arrival!.event.id, EventId);
    assert.equal(arrival!.delivery.caller!.sourceArn, eventsArn('rule/b/r'));
  });

  it('do not send events from another bus on to a third one, so that no loop is endless', async () => {
    for (const Name of ['b', 'c']) await test.call('CreateEventBus', { Name });
    const there = { EventBusName: 'b' };
    await test.rule('forward', sourceIs('app'), { Arn: bus('b') });
    await test.rule('on', sourceIs('app'), { Arn: bus('c'), DeadLetterConfig: { Arn: LETTERS } }, there);
    await test.rule('back', sourceIs('app'), { Arn: bus('default'), DeadLetterConfig: { Arn: LETTERS } }, there);
    await test.rule('r', sourceIs('app'), {}, { EventBusName: 'c' });
    await test.put();
    const arrivals = await test.arrived();
    assert.deepEqual(
      arrivals.map(({ target, delivery }) => [target, delivery.parameters?.messageAttributes?.ERROR_CODE?.stringValue]),
      [
        [LETTERS, 'THIRD_ACCOUNT_HOP_DETECTED'],
        [LETTERS, 'THIRD_ACCOUNT_HOP_DETECTED'],
      ],
    );
  });

  it('that are gone, or whose policy says no, send the event to the dead-letter queue', async () => {
    await test.call('CreateEventBus', { Name: 'b' });
    await test.rule('forward', sourceIs('app'), { Arn: bus('b'), DeadLetterConfig: { Arn: LETTERS } });
    const questions: unknown[] = [];
    test.allows = async ({ action, caller, conditions, resource }) => {
      questions.push({ action, resource, source: caller.sourceArn, conditions });
      return false;
    };
    await test.put();
    const code = async () => (await test.arrived())[0]!.delivery.parameters!.messageAttributes!.ERROR_CODE!.stringValue;
    assert.equal(await code(), 'NO_PERMISSIONS');
    assert.deepEqual(questions, [
      {
        action: 'events:PutEvents',
        resource: bus('b'),
        source: eventsArn('rule/forward'),
        conditions: { 'events:source': ['app'], 'events:detail-type': ['Thing'] },
      },
    ]);
    await test.call('DeleteEventBus', { Name: 'b' });
    await test.put();
    assert.equal(await code(), 'NO_RESOURCE');
  });

  it('take events of other senders, and refuse what is none', async () => {
    await test.rule('r', sourceIs('lambda'));
    const send = (payload: string) =>
      test.store.transact(async (transaction) =>
        test.delivery.enqueue(transaction, {
          source: 'other',
          targetArn: bus('default'),
          payload: Buffer.from(payload),
          account: ACCOUNT,
          region: REGION,
          caller: { service: 'lambda.amazonaws.com' },
        }),
      );
    const outcomes: unknown[] = [];
    test.delivery.registerSource('other', async () => ({
      policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 0 }),
      finished: async (_delivery, outcome) => {
        outcomes.push(outcome.type === 'delivered' ? 'delivered' : outcome.code);
      },
    }));
    await send('{"source":"lambda","detail-type":"Result","detail":{"n":1}}');
    const [arrival] = await test.arrived();
    const { id, ...event } = arrival!.event;
    assert.equal(typeof id, 'string');
    assert.deepEqual(event, {
      version: '0',
      'detail-type': 'Result',
      source: 'lambda',
      account: ACCOUNT,
      time: '2026-01-01T10:00:00Z',
      region: REGION,
      resources: [],
      detail: { n: 1 },
    });
    for (const bad of [
      'no json',
      '[]',
      '{"source":"lambda","detail":{}}',
      '{"source":"l","detail-type":"t","detail":1}',
    ]) {
      await send(bad);
      await test.settle();
    }
    assert.deepEqual(outcomes, ['delivered', ...Array(4).fill('INVALID_JSON')]);
  });
});
