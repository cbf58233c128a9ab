import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Arrival, BUS, FUNCTION, QUEUE, ROLE, TestScheduler, TOPIC } from './test-scheduler.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ARN = 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/s';
const AT = 'at(2026-01-01T10:05:00)';

let world: TestScheduler;
beforeEach(async () => {
  world = new TestScheduler();
  await world.start();
});
afterEach(() => world.close());

/** What a target gets from a schedule. */
async function invoke(target: object): Promise<Arrival> {
  await world.create('s', AT, {}, target);
  await world.advance(5 * MINUTE);
  assert.equal(world.arrivals.length, 1);
  return world.arrivals[0]!;
}

describe('Scheduler: what targets get', () => {
  it('the input as it was written, in the name of the role', async () => {
    const { body, caller, target } = await invoke({ Arn: FUNCTION, Input: '{ "a": 1 }' });
    assert.equal(body, '{ "a": 1 }');
    assert.equal(target, FUNCTION);
    assert.deepEqual(caller, {
      service: 'scheduler.amazonaws.com',
      sourceArn: 'arn:aws:scheduler:us-east-1:000000000000:schedule-group/default',
      sourceAccount: '000000000000',
      roleArn: ROLE,
    });
  });

  for (const Arn of [FUNCTION, QUEUE, TOPIC]) {
    it(`without an input, a default notification: ${Arn.split(':')[2]}`, async () => {
      const { body } = await invoke({ Arn, Input: undefined });
      const { id, ...event } = JSON.parse(body);
      assert.match(id, /^[0-9a-f-]{36}$/);
      assert.deepEqual(event, {
        version: '0',
        'detail-type': 'Scheduled Event',
        source: 'aws.scheduler',
        account: '000000000000',
        time: '2026-01-01T10:05:00Z',
        region: 'us-east-1',
        resources: [ARN],
        detail: '{}',
      });
    });
  }

  for (const [Input, detail] of [
    ['{"a":[1,"<aws.scheduler.scheduled-time>"]}', { a: [1, '2026-01-01T10:05:00Z'] }],
    [undefined, {}],
  ] as const) {
    it(`an event bus gets an event with the input as its detail: ${Input}`, async () => {
      const { body } = await invoke({
        Arn: BUS,
        Input,
        EventBridgeParameters: { DetailType: 'tick "1"', Source: 'my.clock' },
      });
      const { id, ...event } = JSON.parse(body);
      assert.match(id, /^[0-9a-f-]{36}$/);
      assert.deepEqual(event, {
        version: '0',
        'detail-type': 'tick "1"',
        source: 'my.clock',
        account: '000000000000',
        time: '2026-01-01T10:05:00Z',
        region: 'us-east-1',
        resources: [ARN],
        detail,
      });
    });
  }

  it('a FIFO queue gets the message group', async () => {
    const { delivery } = await invoke({ Arn: `${QUEUE}.fifo`, SqsParameters: { MessageGroupId: 'g' } });
    assert.deepEqual(delivery.parameters, { messageGroupId: 'g' });
  });

  it('keywords in the input are replaced, in each try anew', async () => {
    const Input = [
      '<aws.scheduler.schedule-arn>',
      '<aws.scheduler.scheduled-time>',
      '<aws.scheduler.execution-id>',
      '<aws.scheduler.attempt-number>',
      '<aws.scheduler.attempt-number>',
      '<aws.scheduler.other>',
    ].join(' ');
    world.answer = () => ({ type: 'failed', reason: 'not now' });
    await world.create('s', AT, {}, { Input, RetryPolicy: { MaximumRetryAttempts: 1 } });
    await world.advance(5 * MINUTE);
    await world.advance(MINUTE);
    const [first, second] = world.arrivals.map(({ body }) => body.split(' '));
    assert.deepEqual(
      [first![0], first![1], first![3], first![4], first![5]],
      [ARN, '2026-01-01T10:05:00Z', '1', '1', '<aws.scheduler.other>'],
    );
    assert.deepEqual([second![0], second![1], second![3], second![4]], [ARN, '2026-01-01T10:05:00Z', '2', '2']);
    assert.match(first![2]!, /^[0-9a-f]{16}$/);
    assert.match(second![2]!, /^[0-9a-f]{16}$/);
    assert.notEqual(first![2], second![2]);
  });

  it('what the schedule said when it came due, though it changes after', async () => {
    world.answer = () => ({ type: 'failed', reason: 'not now' });
    await world.create('s', AT);
    await world.advance(5 * MINUTE);
    await world.call('DeleteSchedule', { Name: 's' });
    world.answer = () => ({ type: 'delivered' });
    await world.advance(MINUTE);
    assert.deepEqual(
      world.arrivals.map(({ body }) => body),
      ['s', 's'],
    );
  });
});

describe('Scheduler: targets that fail', () => {
  const DEAD = `${QUEUE}-dead`;
  const failing = (): void => {
    world.answer = ({ targetArn }) =>
      targetArn === DEAD ? { type: 'delivered' } : { type: 'failed', reason: 'it broke', code: 'SomeException' };
  };
  /** The dead letter, its attributes as plain text. */
  const letter = () => {
    const found = world.arrivals.find(({ target }) => target === DEAD)!;
    const attributes = Object.entries(found.delivery.parameters!.messageAttributes!);
    return {
      body: JSON.parse(found.body),
      caller: found.caller,
      attributes: Object.fromEntries(attributes.map(([name, { stringValue }]) => [name, stringValue])),
    };
  };

  it('are tried again as often as told, then the letter goes to the dead-letter queue', async () => {
    failing();
    await world.create('s', AT, {}, { RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Arn: DEAD } });
    await world.advance(5 * MINUTE);
    for (let minute = 0; minute < 5; minute += 1) await world.advance(MINUTE);
    assert.equal(world.arrivals.filter(({ target }) => target === QUEUE).length, 3);
    const { attributes, body, caller } = letter();
    const { EXECUTION_ID, ...rest } = attributes;
    assert.match(EXECUTION_ID!, /^[0-9a-f]{16}$/);
    assert.deepEqual(rest, {
      ERROR_CODE: 'SomeException',
      ERROR_MESSAGE: 'it broke',
      EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
      IS_PAYLOAD_TRUNCATED: 'false',
      RETRY_ATTEMPTS: '2',
      SCHEDULED_TIME: '2026-01-01T10:05:00Z',
      SCHEDULE_ARN: ARN,
      TARGET_ARN: QUEUE,
    });
    assert.deepEqual(body, {
      MessageBody: 's',
      QueueUrl: 'https://sqs.us-east-1.amazonaws.com/000000000000/q',
    });
    assert.equal(caller?.roleArn, ROLE);
  });

  it('are tried no longer than the age of an event', async () => {
    failing();
    await world.create(
      's',
      AT,
      {},
      {
        Arn: FUNCTION,
        Input: '{"try":"<aws.scheduler.attempt-number>"}',
        RetryPolicy: { MaximumEventAgeInSeconds: 60 },
        DeadLetterConfig: { Arn: DEAD },
      },
    );
    await world.advance(5 * MINUTE);
    for (let second = 0; second < 61; second += 1) await world.advance(1000);
    const { attributes, body } = letter();
    // After 0, 1, 3, 7, 15 and 31 seconds; the seventh would come after 63.
    assert.equal(world.arrivals.filter(({ target }) => target === FUNCTION).length, 6);
    assert.deepEqual(
      [attributes.EXHAUSTED_RETRY_CONDITION, attributes.RETRY_ATTEMPTS, attributes.ERROR_CODE],
      ['MaximumEventAgeInSeconds', '5', 'SomeException'],
    );
    assert.deepEqual(body, { FunctionName: FUNCTION, InvocationType: 'Event', Payload: '{"try":"6"}' });
  });

  it('and refuse are not tried again', async () => {
    world.answer = ({ targetArn }) =>
      targetArn === DEAD ? { type: 'delivered' } : { type: 'rejected', reason: 'no such topic', code: 'NotFound' };
    await world.create('s', AT, {}, { Arn: TOPIC, DeadLetterConfig: { Arn: DEAD } });
    await world.advance(5 * MINUTE);
    await world.advance(DAY);
    const { attributes, body } = letter();
    assert.equal(world.arrivals.filter(({ target }) => target === TOPIC).length, 1);
    assert.deepEqual(
      [attributes.EXHAUSTED_RETRY_CONDITION, attributes.RETRY_ATTEMPTS, attributes.ERROR_CODE],
      [undefined, '0', 'NotFound'],
    );
    assert.deepEqual(body, { Message: 's', TopicArn: TOPIC });
  });

  it('of an event bus: the letter is a request to put the event', async () => {
    failing();
    const target = {
      Arn: BUS,
      Input: '{"a":1}',
      EventBridgeParameters: { DetailType: 'd', Source: 's' },
      RetryPolicy: { MaximumRetryAttempts: 0 },
      DeadLetterConfig: { Arn: DEAD },
    };
    await world.create('s', AT, {}, target);
    await world.advance(5 * MINUTE);
    assert.deepEqual(letter().body, {
      Entries: [{ Detail: '{"a":1}', DetailType: 'd', Source: 's', EventBusName: BUS }],
    });
  });

  it('do not keep the schedule from going on', async () => {
    failing();
    await world.create('s', 'rate(1 minute)', {}, { RetryPolicy: { MaximumRetryAttempts: 0 } });
    await world.advance(3 * MINUTE);
    assert.equal(world.arrivals.length, 4);
  });

  it('are tried for most of a day by default', async () => {
    failing();
    await world.create('s', AT, {}, { DeadLetterConfig: { Arn: DEAD } });
    await world.advance(5 * MINUTE);
    for (let second = 0; second < 511; second += 1) await world.advance(1000);
    for (let retry = 0; retry < 176; retry += 1) await world.advance(8 * MINUTE);
    assert.equal(letter().attributes.RETRY_ATTEMPTS, '185');
  });
});
