import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, as, DEAD, FUNCTION, OTHER, QUEUE, TestSns, UNSIGNED } from './test-sns.ts';

let test: TestSns;
let topic: string;
beforeEach(async () => {
  test = new TestSns();
  await test.start();
  topic = await test.topic();
});
afterEach(() => test.close());

const URL_ = 'http://127.0.0.1:9/x';
const counts = async () => {
  const { Attributes } = await test.call('GetTopicAttributes', { TopicArn: topic });
  return [Attributes.SubscriptionsConfirmed, Attributes.SubscriptionsPending, Attributes.SubscriptionsDeleted];
};
const listed = async () => (await test.call('ListSubscriptionsByTopic', { TopicArn: topic })).Subscriptions;
const attributesOf = async (SubscriptionArn: string) =>
  (await test.call('GetSubscriptionAttributes', { SubscriptionArn })).Attributes;

describe('SNS Subscribe', () => {
  it('takes queues and functions of the own account at once', async () => {
    const arn = await test.subscribe(topic, 'sqs', QUEUE);
    assert.match(arn, new RegExp(`^${topic}:[\\da-f-]{36}$`));
    assert.deepEqual(await attributesOf(arn), {
      SubscriptionArn: arn,
      TopicArn: topic,
      Protocol: 'sqs',
      Endpoint: QUEUE,
      Owner: ACCOUNT,
      PendingConfirmation: 'false',
      ConfirmationWasAuthenticated: 'true',
      SubscriptionPrincipal: `arn:aws:iam::${ACCOUNT}:root`,
      RawMessageDelivery: 'false',
    });
    await test.subscribe(topic, 'lambda', FUNCTION);
    assert.deepEqual(await counts(), ['2', '0', '0']);
  });

  it('is the same subscription for the same endpoint, unless its attributes differ', async () => {
    const arn = await test.subscribe(topic, 'sqs', QUEUE, { RawMessageDelivery: 'true' });
    assert.equal(await test.subscribe(topic, 'sqs', QUEUE), arn);
    assert.equal(await test.subscribe(topic, 'sqs', QUEUE, { RawMessageDelivery: 'true' }), arn);
    await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, { RawMessageDelivery: 'false' }), {
      message: 'Invalid parameter: Attributes Reason: Subscription already exists with different attributes',
    });
    assert.deepEqual(await counts(), ['1', '0', '0']);
  });

  it('checks protocols and endpoints', async () => {
    for (const [protocol, endpoint, code, message] of [
      ['carrier-pigeon', 'x', 'InvalidParameter', /does not support this protocol string: carrier-pigeon/],
      ['firehose', 'x', 'NotImplemented', /firehose/],
      ['sqs', 'http://q', 'InvalidParameter', /^Invalid parameter: SQS endpoint ARN$/],
      ['lambda', QUEUE, 'InvalidParameter', /^Invalid parameter: Lambda endpoint ARN$/],
      ['http', 'https://x', 'InvalidParameter', /^Invalid parameter: Endpoint must match the specified protocol$/],
      ['email', 'nobody', 'InvalidParameter', /^Invalid parameter: Email address$/],
      ['sms', '12', 'InvalidParameter', /Invalid SMS endpoint: 12$/],
      ['sqs', `${QUEUE}.fifo`, 'InvalidParameter', /FIFO SQS Queues can not be subscribed to standard SNS topics$/],
      ['application', QUEUE, 'InvalidParameter', /Application endpoint arn invalid/],
    ] as const) {
      await assert.rejects(test.subscribe(topic, protocol, endpoint), { code, message }, protocol);
    }
    const fifo = await test.topic('t.fifo');
    await assert.rejects(test.subscribe(fifo, 'lambda', FUNCTION), { code: 'InvalidParameter' });
    await test.subscribe(fifo, 'sqs', QUEUE);
    await assert.rejects(test.subscribe(`${topic}x`, 'sqs', QUEUE), { code: 'NotFound' });
  });

  it('checks attributes', async () => {
    for (const [name, value, message] of [
      ['RawMessageDelivery', 'maybe', 'RawMessageDelivery: Invalid value [maybe]. Must be true or false.'],
      ['RedrivePolicy', '{', 'RedrivePolicy: failed to parse JSON.'],
      ['RedrivePolicy', '{"deadLetterTargetArn":"x"}', 'RedrivePolicy: deadLetterTargetArn is an invalid arn'],
      ['DeliveryPolicy', '{}', 'DeliveryPolicy: protocol sqs does not support delivery policies'],
      ['Nonsense', '1', 'AttributeName'],
    ] as const) {
      await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, { [name]: value }), {
        code: 'InvalidParameter',
        message: `Invalid parameter: Attributes Reason: ${message}`,
      });
    }
    for (const name of ['SubscriptionRoleArn', 'ReplayPolicy']) {
      await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, { [name]: 'x' }), { code: 'NotImplemented' });
    }
    await assert.rejects(test.subscribe(topic, 'lambda', FUNCTION, { RawMessageDelivery: 'true' }), {
      code: 'InvalidParameter',
    });
  });

  it('takes 100 subscriptions of a FIFO topic and 200 filter policies of a topic', async () => {
    const fifo = await test.topic('t.fifo');
    for (let index = 0; index < 100; index += 1) await test.subscribe(fifo, 'sqs', `${QUEUE}${index}`);
    await assert.rejects(test.subscribe(fifo, 'sqs', QUEUE), { code: 'SubscriptionLimitExceeded', status: 403 });
    const filter = { FilterPolicy: '{"a":["x"]}' };
    for (let index = 0; index < 200; index += 1) await test.subscribe(topic, 'sqs', `${QUEUE}${index}`, filter);
    await assert.rejects(test.subscribe(topic, 'sqs', QUEUE, filter), { code: 'FilterPolicyLimitExceeded' });
    const SubscriptionArn = await test.subscribe(topic, 'sqs', QUEUE);
    const change = { SubscriptionArn, AttributeName: 'FilterPolicy', AttributeValue: '{"a":["x"]}' };
    await assert.rejects(test.call('SetSubscriptionAttributes', change), { code: 'FilterPolicyLimitExceeded' });
  });
});

describe('SNS confirmation', () => {
  const pending = { TopicArn: '', Protocol: 'http', Endpoint: URL_ };
  const subscribe = () => test.call('Subscribe', { ...pending, TopicArn: topic });
  const token = () => JSON.parse(test.arrivals.at(-1)!.body).Token;

  it('is asked for by a message to the endpoint, and given by its address without a signature', async () => {
    assert.deepEqual(await subscribe(), { SubscriptionArn: 'pending confirmation' });
    await test.settle();
    assert.deepEqual(await counts(), ['0', '1', '0']);
    assert.equal((await listed())[0].SubscriptionArn, 'PendingConfirmation');
    const message = JSON.parse(test.arrivals[0]!.body);
    assert.equal(message.Type, 'SubscriptionConfirmation');
    assert.match(message.Token, /^[\da-f]{288}$/);
    assert.equal(
      message.SubscribeURL,
      `http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn=${topic}&Token=${message.Token}`,
    );
    const { headers } = test.arrivals[0]!.delivery.parameters!.http!;
    assert.equal(headers!['x-amz-sns-message-type'], 'SubscriptionConfirmation');
    assert.equal(headers!['x-amz-sns-subscription-arn'], undefined);

    await test.publish(topic, 'not yet');
    assert.equal(test.arrivals.length, 1);
    const input = { TopicArn: topic, Token: message.Token };
    const { SubscriptionArn } = await test.call('ConfirmSubscription', input, UNSIGNED);
    assert.deepEqual(await test.call('ConfirmSubscription', input, UNSIGNED), { SubscriptionArn });
    assert.equal((await attributesOf(SubscriptionArn)).ConfirmationWasAuthenticated, 'false');
    assert.deepEqual(await counts(), ['1', '0', '0']);
    await test.publish(topic, 'now');
    assert.equal(JSON.parse(test.arrivals[1]!.body).Message, 'now');
  });

  it('is asked for again by another Subscribe, and the newer token holds', async () => {
    await subscribe();
    await test.settle();
    const old = token();
    await subscribe();
    await test.settle();
    assert.notEqual(token(), old);
    assert.deepEqual(await counts(), ['0', '1', '0']);
    await assert.rejects(test.call('ConfirmSubscription', { TopicArn: topic, Token: old }), {
      message: 'Invalid parameter: Token',
    });
    await test.call('ConfirmSubscription', { TopicArn: topic, Token: token() });
  });

  it('has two days, also over a restart; then the subscription is gone', async () => {
    await subscribe();
    await test.settle();
    await test.advance(47 * 3_600_000);
    await test.stop();
    await test.run();
    assert.equal((await listed()).length, 1);
    await test.advance(3_600_000);
    assert.deepEqual(await listed(), []);
    assert.deepEqual(await counts(), ['0', '0', '1']);
    await assert.rejects(test.call('ConfirmSubscription', { TopicArn: topic, Token: token() }), {
      code: 'InvalidParameter',
    });
  });

  it('leaves a confirmed subscription alone when the time is over', async () => {
    await test.subscribeHttp(topic);
    await test.advance(72 * 3_600_000);
    assert.deepEqual(await counts(), ['1', '0', '0']);
  });

  it('is for the topic that the token is of', async () => {
    await subscribe();
    await test.settle();
    const other = await test.topic('other');
    await assert.rejects(test.call('ConfirmSubscription', { TopicArn: other, Token: token() }), {
      message: 'Invalid parameter: Token',
    });
    await assert.rejects(test.call('ConfirmSubscription', { TopicArn: topic, Token: 'x' }), {
      message: 'Invalid parameter: Token',
    });
  });

  it('is asked of a queue of another account by a message to it', async () => {
    const queue = `arn:aws:sqs:us-east-1:${OTHER}:q`;
    const input = { TopicArn: topic, Protocol: 'sqs', Endpoint: queue };
    assert.deepEqual(await test.call('Subscribe', input), { SubscriptionArn: 'pending confirmation' });
    await test.settle();
    assert.equal(test.arrivals[0]!.target, queue);
    assert.equal(JSON.parse(test.arrivals[0]!.body).Type, 'SubscriptionConfirmation');
    const { SubscriptionArn } = await test.call('Subscribe', { ...input, Endpoint: `${queue}2` }, as(OTHER));
    assert.notEqual(SubscriptionArn, 'pending confirmation');
  });

  it('is sent by e-mail into the outbox, with a link', async () => {
    await test.subscribe(topic, 'email', 'ada@example.com');
    await test.settle();
    const [mail] = await test.outbox();
    assert.deepEqual(
      [mail!.kind, mail!.to, mail!.subject],
      ['email', 'ada@example.com', 'AWS Notification - Subscription Confirmation'],
    );
    assert.ok(mail!.body.includes(mail!.confirmationUrl!));
    const { searchParams } = new URL(mail!.confirmationUrl!);
    const input = { TopicArn: searchParams.get('TopicArn'), Token: searchParams.get('Token') };
    await test.call('ConfirmSubscription', input, UNSIGNED);
    await test.publish(topic, 'news', { Subject: 'today' });
    const [, second] = await test.outbox();
    assert.equal(second!.subject, 'today');
    assert.match(second!.body, /^news\n/);
    assert.match(second!.unsubscribeUrl!, /Action=Unsubscribe/);
  });
});

describe('SNS Unsubscribe', () => {
  it('ends a subscription of the owner, and succeeds again', async () => {
    const SubscriptionArn = await test.subscribe(topic, 'sqs', QUEUE);
    await test.call('Unsubscribe', { SubscriptionArn });
    await test.call('Unsubscribe', { SubscriptionArn });
    assert.deepEqual(await counts(), ['0', '0', '1']);
    await test.publish(topic, 'm');
    assert.deepEqual(test.arrivals, []);
  });

  it('by the address in a message tells the endpoint, which may come back', async () => {
    const SubscriptionArn = await test.subscribeHttp(topic);
    await test.call('Unsubscribe', { SubscriptionArn }, UNSIGNED);
    await test.settle();
    assert.deepEqual(await counts(), ['0', '0', '1']);
    const message = JSON.parse(test.arrivals[0]!.body);
    assert.equal(message.Type, 'UnsubscribeConfirmation');
    const { headers } = test.arrivals[0]!.delivery.parameters!.http!;
    assert.equal(headers!['x-amz-sns-subscription-arn'], SubscriptionArn);
    const input = { TopicArn: topic, Token: message.Token };
    assert.deepEqual(await test.call('ConfirmSubscription', input, UNSIGNED), { SubscriptionArn });
    await test.publish(topic, 'back');
    assert.equal(JSON.parse(test.arrivals[1]!.body).Message, 'back');
  });

  it('without a signature is refused when it was confirmed so', async () => {
    await test.call('Subscribe', { TopicArn: topic, Protocol: 'http', Endpoint: URL_ });
    await test.settle();
    const input = {
      TopicArn: topic,
      Token: JSON.parse(test.arrivals[0]!.body).Token,
      AuthenticateOnUnsubscribe: 'true',
    };
    await assert.rejects(test.call('ConfirmSubscription', input, UNSIGNED), { code: 'AuthorizationError' });
    const { SubscriptionArn } = await test.call('ConfirmSubscription', input);
    await assert.rejects(test.call('Unsubscribe', { SubscriptionArn }, UNSIGNED), { code: 'AuthorizationError' });
    await test.call('Unsubscribe', { SubscriptionArn });
  });

  it('is not for strangers', async () => {
    const SubscriptionArn = await test.subscribe(topic, 'sqs', QUEUE);
    await assert.rejects(test.call('Unsubscribe', { SubscriptionArn }, as(OTHER)), {
      code: 'AuthorizationError',
      status: 403,
    });
    await assert.rejects(test.call('GetSubscriptionAttributes', { SubscriptionArn }, as(OTHER)), {
      code: 'AuthorizationError',
    });
    await assert.rejects(test.call('Unsubscribe', { SubscriptionArn: 'x' }), {
      message: 'Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1',
    });
    await assert.rejects(test.call('Unsubscribe', { SubscriptionArn: topic }), {
      message: 'Invalid parameter: SubscriptionId',
    });
  });
});

describe('SNS subscription attributes', () => {
  it('are set and unset', async () => {
    const SubscriptionArn = await test.subscribe(topic, 'sqs', QUEUE);
    const set = (AttributeName: string, AttributeValue: string) =>
      test.call('SetSubscriptionAttributes', { SubscriptionArn, AttributeName, AttributeValue });
    await set('FilterPolicy', '{"a":["x"]}');
    await set('RawMessageDelivery', 'true');
    await set('RedrivePolicy', JSON.stringify({ deadLetterTargetArn: DEAD }));
    const { FilterPolicy, FilterPolicyScope, RawMessageDelivery, RedrivePolicy } = await attributesOf(SubscriptionArn);
    assert.deepEqual(
      [FilterPolicy, FilterPolicyScope, RawMessageDelivery, RedrivePolicy],
      ['{"a":["x"]}', 'MessageAttributes', 'true', JSON.stringify({ deadLetterTargetArn: DEAD })],
    );
    await set('RedrivePolicy', '');
    assert.equal((await attributesOf(SubscriptionArn)).RedrivePolicy, undefined);
    await assert.rejects(set('Endpoint', 'x'), { message: 'Invalid parameter: AttributeName' });
    await assert.rejects(set('FilterPolicy', 'x'), { code: 'InvalidParameter' });
  });

  it('tell what counts for an HTTP endpoint', async () => {
    const arn = await test.subscribeHttp(topic, {
      DeliveryPolicy: JSON.stringify({ throttlePolicy: { maxReceivesPerSecond: 7 } }),
    });
    const { EffectiveDeliveryPolicy } = await attributesOf(arn);
    const { healthyRetryPolicy, throttlePolicy } = JSON.parse(EffectiveDeliveryPolicy);
    assert.deepEqual(throttlePolicy, { maxReceivesPerSecond: 7 });
    assert.equal(healthyRetryPolicy.numRetries, 3);
  });
});

describe('SNS ListSubscriptions', () => {
  it('lists those of the caller, in pages of 100', async () => {
    for (let index = 0; index < 101; index += 1) await test.subscribe(topic, 'sqs', `${QUEUE}${index}`);
    await test.call(
      'Subscribe',
      { TopicArn: topic, Protocol: 'sqs', Endpoint: 'arn:aws:sqs:us-east-1:111111111111:q' },
      as(OTHER),
    );
    const first = await test.call('ListSubscriptions');
    assert.equal(first.Subscriptions.length, 100);
    const second = await test.call('ListSubscriptions', { NextToken: first.NextToken });
    assert.equal(second.Subscriptions.length, 1);
    assert.equal(second.NextToken, undefined);
    const theirs = await test.call('ListSubscriptions', {}, as(OTHER));
    assert.deepEqual(
      theirs.Subscriptions.map(({ Owner }: { Owner: string }) => Owner),
      [OTHER],
    );
  });
});
