import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { invocationRequest } from './connections/http-request.ts';
import type { DestinationRecord } from './connections/records.ts';
import { type RuleRecord, ruleKey } from './records.ts';
import { ACCOUNT, eventsArn, LETTERS, QUEUE, REGION, ROLE, TestEventBridge } from './test-eventbridge.ts';

let test: TestEventBridge;
beforeEach(async () => {
  test = new TestEventBridge();
  await test.start();
});
afterEach(() => test.close());

const APP = { source: ['app'] };
const template = (InputTemplate: string, InputPathsMap: Record<string, string> = {}) => ({
  InputTransformer: { InputTemplate, InputPathsMap },
});

describe('EventBridge input that would be endless', () => {
  const everything = `[${Array.from({ length: 300 }, () => '<aws.events.event.json>').join(',')}]`;

  it('becomes a dead letter; other rules get the event', async () => {
    const arn = await test.rule('greedy', APP, { ...template(everything), DeadLetterConfig: { Arn: LETTERS } });
    await test.rule('modest', APP);
    const answer = await test.put({ text: 'x'.repeat(200_000) });
    assert.equal(answer.ErrorCode, undefined);
    const arrivals = await test.arrived();
    assert.deepEqual(arrivals.map(({ target }) => target).sort(), [LETTERS, QUEUE].sort());
    const letter = arrivals.find(({ target }) => target === LETTERS)!;
    assert.equal(letter.event.detail.text.length, 200_000);
    const attributes = Object.entries(letter.delivery.parameters!.messageAttributes!);
    assert.deepEqual(Object.fromEntries(attributes.map(([name, { stringValue }]) => [name, stringValue])), {
      ERROR_CODE: 'INVALID_PARAMETER',
      ERROR_MESSAGE: 'The input transformer makes an input of more than 2097152 characters.',
      RETRY_ATTEMPTS: '0',
      RULE_ARN: arn,
      TARGET_ARN: QUEUE,
    });
  });

  it('is given up where there is no queue for it', async () => {
    await test.rule('greedy', APP, template(everything));
    assert.equal((await test.put({ text: 'x'.repeat(200_000) })).ErrorCode, undefined);
    assert.deepEqual(await test.arrived(), []);
    await test.put({ text: 'x' });
    assert.equal((await test.arrived()).length, 1);
  });

  it('looks a variable up once, however often the template has it', async () => {
    const many = Array.from({ length: 2000 }, () => '<v>').join('');
    await test.rule('r', APP, template(`"${many}"`, { v: '$.detail.*.*.*.*.none' }));
    const wide = Array.from({ length: 50 }, () => Array.from({ length: 50 }, () => [[1]]));
    await test.put({ wide });
    assert.deepEqual(
      (await test.arrived()).map(({ body }) => body),
      ['""'],
    );
  });
});

describe('EventBridge events that a rule makes', () => {
  const bus = eventsArn('event-bus/mine');
  const made = (event: object) => ({ Input: JSON.stringify({ 'detail-type': 'T', detail: {}, ...event }) });
  const all = { 'detail-type': ['T'] };

  beforeEach(async () => {
    await test.call('CreateEventBus', { Name: 'mine' });
    await test.rule('all', all, {}, { EventBusName: 'mine' });
  });

  it('come from no service of AWS', async () => {
    const target = { Arn: bus, RoleArn: ROLE, DeadLetterConfig: { Arn: LETTERS } };
    await test.rule('forge', APP, { ...target, ...made({ source: 'aws.s3' }) });
    await test.put();
    const [letter, ...others] = await test.arrived();
    assert.deepEqual(others, []);
    assert.equal(letter!.target, LETTERS);
    assert.equal(letter!.delivery.parameters!.messageAttributes!.ERROR_CODE!.stringValue, 'NOT_AUTHORIZED_FOR_SOURCE');
  });

  it('come from the account of the rule, whatever they say', async () => {
    const forged = { source: 'app2', account: '999999999999', region: 'eu-west-1', id: '../'.repeat(1000) };
    await test.rule('forge', APP, { Arn: bus, RoleArn: ROLE, ...made(forged) });
    await test.put();
    const { event } = (await test.arrived())[0]!;
    assert.deepEqual([event.source, event.account, event.region], ['app2', ACCOUNT, REGION]);
    assert.match(event.id, /^[\w-]{1,64}$/);
  });

  it('do not go to other accounts', async () => {
    await test.call('PutRule', { Name: 'r', EventPattern: JSON.stringify(APP) });
    const Arn = `arn:aws:events:${REGION}:111122223333:event-bus/theirs`;
    for (const input of [made({ source: 'x' }), { InputPath: '$.detail' }, template('{"a":<aws.events.rule-arn>}')]) {
      const Targets = [{ Id: '1', Arn, RoleArn: ROLE, ...input }];
      await assert.rejects(test.call('PutTargets', { Rule: 'r', Targets }), {
        code: 'ValidationException',
        message: /is not supported for target 1: an event bus of another account/,
      });
    }
    await test.call('PutTargets', { Rule: 'r', Targets: [{ Id: '1', Arn, RoleArn: ROLE }] });
  });
});

describe('EventBridge log groups', () => {
  it('are of the account and Region of the rule', async () => {
    await test.call('PutRule', { Name: 'r', EventPattern: JSON.stringify(APP) });
    const put = (place: string) =>
      test.call('PutTargets', {
        Rule: 'r',
        Targets: [{ Id: '1', Arn: `arn:aws:logs:${place}:log-group:/aws/events/x` }],
      });
    for (const place of [`${REGION}:111122223333`, `eu-west-1:${ACCOUNT}`]) {
      await assert.rejects(put(place), { code: 'ValidationException', message: /account and Region of the rule/ });
    }
    await put(`${REGION}:${ACCOUNT}`);
  });
});

describe('EventBridge HTTP parameters', () => {
  const destination = eventsArn('api-destination/d/12345678-1234-1234-1234-123456789012');

  it('are checked when they are set: a wrong one does not end up in a rule that every event fails at', async () => {
    await test.rule('good', APP);
    await test.call('PutRule', { Name: 'bad', EventPattern: JSON.stringify(APP) });
    const put = (HttpParameters: object) =>
      test.call('PutTargets', { Rule: 'bad', Targets: [{ Id: '1', Arn: destination, RoleArn: ROLE, HttpParameters }] });
    const bad = [
      { HeaderParameters: { x: '$.[' } },
      { QueryStringParameters: { x: '$.a[' } },
      { PathParameterValues: ['$.a b'] },
      { HeaderParameters: { 'x\r\ny': '1' } },
      { HeaderParameters: { '': '1' } },
    ];
    for (const parameters of bad) {
      await assert.rejects(put(parameters), { code: 'ValidationException' }, JSON.stringify(parameters));
    }
    await put({ HeaderParameters: { x: '$.detail.x' } });
    assert.equal((await test.put()).ErrorCode, undefined);
    assert.ok((await test.arrived()).some(({ target }) => target === QUEUE));
  });

  it('end no header early, and do not say how the request is sent', () => {
    const record = { endpoint: 'https://example.com/x', method: 'POST', local: false } as DestinationRecord;
    const given = {
      HeaderParameters: {
        Host: 'elsewhere',
        'Transfer-Encoding': 'chunked',
        'Content-Length': '1',
        Connection: 'upgrade',
        'X-Name': 'a\r\nx-kobune-admin: 1\0\u20ac',
      },
    };
    const connection = {
      InvocationHttpParameters: { HeaderParameters: [{ Key: 'HOST', Value: 'x', IsValueSecret: false }] },
    };
    const { headers } = invocationRequest(record, given, connection, undefined, Buffer.from('{}'));
    assert.deepEqual(headers, {
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'Amazon/EventBridge/ApiDestinations',
      range: 'bytes=0-1048575',
      'x-name': 'a x-kobune-admin: 1 ',
    });
  });
});

describe('EventBridge rules that an earlier version took', () => {
  it('get no events when they cannot be read, and are in nobody’s way', async () => {
    await test.rule('good', APP);
    const key = ruleKey({ account: ACCOUNT, region: REGION, bus: 'default', rule: 'good' });
    const { value } = (await test.store.get<RuleRecord>(key))!;
    const odd = ruleKey({ account: ACCOUNT, region: REGION, bus: 'default', rule: 'odd' });
    await test.store.put(odd, { ...value, name: 'odd', pattern: '{"source":[{"new-operator":1}]}' });
    await test.stop();
    await test.start();
    assert.equal((await test.put()).ErrorCode, undefined);
    assert.equal((await test.arrived()).length, 1);
    assert.deepEqual(test.warnings, ['a rule or archive cannot be read, and gets no events']);
  });
});
