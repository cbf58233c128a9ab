import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DEAD, FUNCTION, QUEUE, TestSns } from './test-sns.ts';

let test: TestSns;
beforeEach(async () => {
  test = new TestSns();
  await test.start();
});
afterEach(() => test.close());

const times = () => test.arrivals.map(({ at }) => at);
const gaps = () => times().map((at, index, all) => at - (all[index - 1] ?? 0));
const DOWN = () => ({ type: 'failed', reason: 'down' }) as const;

describe('SNS delivery to queues and functions', () => {
  it('sends queues the envelope, and functions an event', async () => {
    const topic = await test.topic();
    const queue = await test.subscribe(topic, 'sqs', QUEUE);
    const invoked = await test.subscribe(topic, 'lambda', FUNCTION);
    const { MessageId } = await test.publish(topic, 'hello "ü"', {
      Subject: 'greeting',
      MessageAttributes: {
        kind: { DataType: 'String', StringValue: 'a' },
        raw: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
      },
    });
    const [toQueue, toFunction] = [QUEUE, FUNCTION].map((arn) => test.arrivals.find(({ target }) => target === arn)!);
    const envelope = JSON.parse(toQueue!.body);
    assert.deepEqual(Object.keys(envelope), [
      'Type',
      'MessageId',
      'TopicArn',
      'Subject',
      'Message',
      'Timestamp',
      'SignatureVersion',
      'Signature',
      'SigningCertURL',
      'UnsubscribeURL',
      'MessageAttributes',
    ]);
    const { Signature, SigningCertURL, ...rest } = envelope;
    assert.deepEqual(rest, {
      Type: 'Notification',
      MessageId,
      TopicArn: topic,
      Subject: 'greeting',
      Message: 'hello "ü"',
      Timestamp: '2026-01-01T10:00:00.000Z',
      SignatureVersion: '1',
      UnsubscribeURL: `http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn=${queue}`,
      MessageAttributes: { kind: { Type: 'String', Value: 'a' }, raw: { Type: 'Binary', Value: 'AQI=' } },
    });
    assert.match(toQueue!.body, /^\{\n {2}"Type" : "Notification",\n/);
    assert.match(
      SigningCertURL,
      /^https:\/\/sns\.us-east-1\.amazonaws\.com\/SimpleNotificationService-[\da-f]{32}\.pem$/,
    );
    const event = JSON.parse(toFunction!.body);
    assert.deepEqual(event, {
      Records: [
        {
          EventSource: 'aws:sns',
          EventVersion: '1.0',
          EventSubscriptionArn: invoked,
          Sns: {
            Type: 'Notification',
            MessageId,
            TopicArn: topic,
            Subject: 'greeting',
            Message: 'hello "ü"',
            Timestamp: '2026-01-01T10:00:00.000Z',
            SignatureVersion: '1',
            Signature,
            SigningCertUrl: SigningCertURL,
            UnsubscribeUrl: `http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn=${invoked}`,
            MessageAttributes: rest.MessageAttributes,
          },
        },
      ],
    });
    assert.deepEqual(toFunction!.delivery.caller, {
      service: 'sns.amazonaws.com',
      sourceArn: topic,
      sourceAccount: '000000000000',
    });
  });

  it('hands the trace header on', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'lambda', FUNCTION);
    await test.call('Publish', { TopicArn: topic, Message: 'm' }, { headers: { 'x-amzn-trace-id': 'Root=1-2-3' } });
    await test.settle();
    assert.equal(test.arrivals[0]!.delivery.traceHeader, 'Root=1-2-3');
  });

  it('sends the message alone when that is wished, with its attributes', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE, { RawMessageDelivery: 'TRUE' });
    await test.publish(topic, 'plain', { MessageAttributes: { n: { DataType: 'Number', StringValue: '1' } } });
    assert.equal(test.arrivals[0]!.body, 'plain');
    assert.deepEqual(test.arrivals[0]!.delivery.parameters, {
      messageAttributes: { n: { dataType: 'Number', stringValue: '1' } },
    });
  });

  it('discards a raw message with more than ten attributes', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE, { RawMessageDelivery: 'true' });
    const attributes = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`a${index}`, { DataType: 'String', StringValue: 'x' }]),
      );
    await test.publish(topic, 'eleven', { MessageAttributes: attributes(11) });
    await test.publish(topic, 'ten', { MessageAttributes: attributes(10) });
    assert.deepEqual(
      test.arrivals.map(({ body }) => body),
      ['ten'],
    );
  });

  it('tries a queue at once three times, then after 1 s twice, then from 1 s to 20 s ten times, then each 20 s', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE);
    test.answer = DOWN;
    await test.publish(topic, 'm');
    await test.advance(200_000);
    const found = gaps();
    assert.deepEqual(found.slice(0, 6), [0, 0, 0, 0, 1, 1]);
    assert.equal(found[6], 1);
    for (let index = 7; index < 16; index += 1) assert.ok(found[index]! > found[index - 1]!, `retry ${index}`);
    assert.equal(found[15], 20);
    assert.deepEqual(
      found.slice(16, 20).map((gap) => Math.round(gap * 1000)),
      [20_000, 20_000, 20_000, 20_000],
    );
  });

  it('gives a queue up after 23 days', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE, { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: DEAD }) });
    test.answer = ({ targetArn }) => (targetArn === QUEUE ? DOWN() : { type: 'delivered' });
    await test.publish(topic, 'm');
    test.clock.advance(23 * 86_400_000 - 1000);
    await test.settle();
    assert.equal(test.arrivals.filter(({ target }) => target === DEAD).length, 0);
    test.clock.advance(60_000);
    await test.settle();
    assert.equal(test.arrivals.filter(({ target }) => target === DEAD).length, 1);
  });
});

describe('SNS dead-letter queues', () => {
  const redrive = { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: DEAD }) };
  const dead = () => test.arrivals.filter(({ target }) => target === DEAD);
  beforeEach(() => {
    test.answer = ({ targetArn }) =>
      targetArn === DEAD ? { type: 'delivered' } : { type: 'rejected', reason: 'gone', code: 'ResourceNotFound' };
  });

  it('get the envelope of what a function did not take', async () => {
    const topic = await test.topic();
    const arn = await test.subscribe(topic, 'lambda', FUNCTION, redrive);
    await test.publish(topic, 'lost');
    assert.equal(dead().length, 1);
    const envelope = JSON.parse(dead()[0]!.body);
    assert.equal(envelope.Message, 'lost');
    assert.ok(envelope.UnsubscribeURL.endsWith(arn));
    assert.equal(dead()[0]!.delivery.caller?.sourceArn, topic);
  });

  it('get a raw message with its attributes, and the group of a FIFO topic', async () => {
    const topic = await test.topic('t.fifo', { ContentBasedDeduplication: 'true' });
    await test.subscribe(topic, 'sqs', `${QUEUE}.fifo`, {
      RawMessageDelivery: 'true',
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: `${DEAD}.fifo` }),
    });
    test.answer = ({ targetArn }) =>
      targetArn === `${DEAD}.fifo` ? { type: 'delivered' } : { type: 'rejected', reason: 'gone' };
    await test.publish(topic, 'lost', {
      MessageGroupId: 'g',
      MessageAttributes: { a: { DataType: 'String', StringValue: 'x' } },
    });
    const { body, delivery } = test.arrivals.find(({ target }) => target === `${DEAD}.fifo`)!;
    assert.equal(body, 'lost');
    assert.equal(delivery.parameters?.messageGroupId, 'g');
    assert.equal(delivery.parameters?.messageDeduplicationId?.length, 64);
    assert.deepEqual(delivery.parameters?.messageAttributes, { a: { dataType: 'String', stringValue: 'x' } });
  });

  it('get what an endpoint refuses at once, without another try', async () => {
    const topic = await test.topic();
    test.answer = () => ({ type: 'delivered' });
    await test.subscribeHttp(topic, redrive);
    test.answer = ({ targetArn }) => (targetArn === DEAD ? { type: 'delivered' } : { type: 'rejected', reason: '404' });
    await test.publish(topic, 'lost');
    assert.deepEqual(
      test.arrivals.map(({ target }) => target),
      ['http://127.0.0.1:9/x', DEAD],
    );
    assert.equal(dead()[0]!.delivery.parameters?.http, undefined);
  });
});

describe('SNS delivery to HTTP endpoints', () => {
  const policy = (retry: object, more: object = {}) => ({
    DeliveryPolicy: JSON.stringify({ healthyRetryPolicy: retry, ...more }),
  });

  it('says what it sends in headers', async () => {
    const topic = await test.topic();
    const arn = await test.subscribeHttp(topic);
    const { MessageId } = await test.publish(topic, 'm');
    assert.deepEqual(test.arrivals[0]!.delivery.parameters?.http, {
      local: true,
      headers: {
        'x-amz-sns-message-type': 'Notification',
        'x-amz-sns-message-id': MessageId,
        'x-amz-sns-topic-arn': topic,
        'x-amz-sns-subscription-arn': arn,
        'content-type': 'text/plain; charset=UTF-8',
        'user-agent': 'Amazon Simple Notification Service Agent',
      },
    });
  });

  it('sends a raw message under the content type of the policy', async () => {
    const topic = await test.topic();
    await test.subscribeHttp(topic, {
      RawMessageDelivery: 'true',
      DeliveryPolicy: JSON.stringify({ requestPolicy: { headerContentType: 'application/json' } }),
    });
    await test.publish(topic, '{"a":1}');
    const { body, delivery } = test.arrivals[0]!;
    assert.equal(body, '{"a":1}');
    assert.equal(delivery.parameters?.http?.headers?.['x-amz-sns-rawdelivery'], 'true');
    assert.equal(delivery.parameters?.http?.headers?.['content-type'], 'application/json');
  });

  it('tries three times more, 20 s apart, unless told otherwise', async () => {
    const topic = await test.topic();
    await test.subscribeHttp(topic);
    test.answer = DOWN;
    await test.publish(topic, 'm');
    await test.advance(3_600_000);
    assert.deepEqual(times(), [0, 20, 40, 60]);
  });

  it('goes through the phases of a policy', async () => {
    const topic = await test.topic();
    await test.subscribeHttp(
      topic,
      policy({
        minDelayTarget: 1,
        maxDelayTarget: 60,
        numRetries: 50,
        numNoDelayRetries: 3,
        numMinDelayRetries: 2,
        numMaxDelayRetries: 35,
        backoffFunction: 'exponential',
      }),
    );
    test.answer = DOWN;
    await test.publish(topic, 'm');
    await test.advance(3_600_000);
    assert.equal(times().length, 51);
    const found = gaps();
    assert.deepEqual(found.slice(0, 7), [0, 0, 0, 0, 1, 1, 1]);
    assert.equal(Math.round(found[15]!), 60);
    assert.deepEqual(new Set(found.slice(16).map(Math.round)), new Set([60]));
  });

  // The delay in the middle tells the functions apart.
  for (const [backoffFunction, middle] of [
    ['linear', 51.5],
    ['arithmetic', 31.7],
    ['geometric', 14.213],
    ['exponential', 21.8],
  ] as const) {
    it(`lets delays grow from the least to the most: ${backoffFunction}`, async () => {
      const topic = await test.topic();
      const retry = { minDelayTarget: 2, maxDelayTarget: 101, numRetries: 5, backoffFunction };
      await test.subscribeHttp(topic, policy(retry));
      test.answer = DOWN;
      await test.publish(topic, 'm');
      await test.advance(3_600_000);
      const found = gaps().map((gap) => Math.round(gap * 1000) / 1000);
      assert.deepEqual([found[1], found[3], found[5]], [2, middle, 101]);
    });
  }

  it('takes the policy of the topic, which may forbid others', async () => {
    const topic = await test.topic('t', {
      DeliveryPolicy: JSON.stringify({
        http: {
          defaultHealthyRetryPolicy: { minDelayTarget: 5, maxDelayTarget: 5, numRetries: 1 },
          disableSubscriptionOverrides: true,
        },
      }),
    });
    await test.subscribeHttp(topic, policy({ minDelayTarget: 1, maxDelayTarget: 1, numRetries: 9 }));
    test.answer = DOWN;
    await test.publish(topic, 'm');
    await test.advance(100_000);
    assert.deepEqual(times(), [0, 5]);
  });

  it('makes no more deliveries a second than the throttle policy says', async () => {
    const topic = await test.topic();
    await test.subscribeHttp(topic, policy({}, { throttlePolicy: { maxReceivesPerSecond: 2 } }));
    for (let index = 0; index < 5; index += 1) await test.publish(topic, `m${index}`);
    await test.advance(10_000);
    assert.deepEqual(times(), [0, 0.5, 1, 1.5, 2]);
  });

  it('is not told that its endpoint is on this machine when it was subscribed from elsewhere', async () => {
    const topic = await test.topic();
    const input = { TopicArn: topic, Protocol: 'http', Endpoint: 'http://127.0.0.1:9/x' };
    await test.call('Subscribe', input, { sourceIp: '10.0.0.7' });
    await test.settle();
    assert.equal(test.arrivals[0]!.delivery.parameters?.http?.local, false);
  });
});

describe('SNS filter policies', () => {
  const filtered = (policy: object, scope?: string) => ({
    FilterPolicy: JSON.stringify(policy),
    ...(scope === undefined ? {} : { FilterPolicyScope: scope }),
  });
  const bodies = () => test.arrivals.map(({ body }) => JSON.parse(body).Message);

  it('look at attributes', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE, filtered({ colour: ['red', { prefix: 'bl' }] }));
    const colour = (StringValue: string, DataType = 'String') => ({
      MessageAttributes: { colour: { DataType, StringValue } },
    });
    await test.publish(topic, 'red', colour('red'));
    await test.publish(topic, 'green', colour('green'));
    await test.publish(topic, 'blue', colour('blue'));
    await test.publish(topic, 'none');
    await test.publish(topic, 'several', colour('["green","red"]', 'String.Array'));
    assert.deepEqual(bodies(), ['red', 'blue', 'several']);
  });

  it('look at the body, which is JSON then', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE, filtered({ order: { total: [{ numeric: ['>', 100] }] } }, 'MessageBody'));
    for (const body of ['{"order":{"total":101}}', '{"order":{"total":100}}', 'no JSON'])
      await test.publish(topic, body);
    assert.deepEqual(bodies(), ['{"order":{"total":101}}']);
  });

  it('count from the next message on when they are changed', async () => {
    const topic = await test.topic();
    const arn = await test.subscribe(topic, 'sqs', QUEUE, filtered({ a: ['x'] }));
    await test.publish(topic, 'before');
    const change = (AttributeValue: string) =>
      test.call('SetSubscriptionAttributes', {
        SubscriptionArn: arn,
        AttributeName: 'FilterPolicy',
        AttributeValue,
      });
    await change('{}');
    await test.publish(topic, 'after');
    await change('{"a":["y"]}');
    await test.publish(topic, 'never');
    assert.deepEqual(bodies(), ['after']);
  });

  it('are refused when they are wrong', async () => {
    const topic = await test.topic();
    await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, { FilterPolicy: '{"a":"x"}' }), {
      code: 'InvalidParameter',
      message: /^Invalid parameter: Attributes Reason: FilterPolicy: /,
    });
    await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, { FilterPolicy: '{' }), { code: 'InvalidParameter' });
    await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, { FilterPolicyScope: 'Both' }), {
      message:
        'Invalid parameter: Attributes Reason: FilterPolicyScope: Invalid value [Both]. Please use either MessageBody or MessageAttributes',
    });
  });
});
