import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, as, OTHER, QUEUE, TestSns } from './test-sns.ts';

let test: TestSns;
beforeEach(async () => {
  test = new TestSns();
  await test.start();
});
afterEach(() => test.close());

const ARN = `arn:aws:sns:us-east-1:${ACCOUNT}:t`;
const attributes = async (TopicArn: string) => (await test.call('GetTopicAttributes', { TopicArn })).Attributes;
const set = (AttributeName: string, AttributeValue: string, TopicArn = ARN) =>
  test.call('SetTopicAttributes', { TopicArn, AttributeName, AttributeValue });

describe('SNS CreateTopic', () => {
  it('makes a topic with defaults', async () => {
    assert.equal(await test.topic(), ARN);
    const { EffectiveDeliveryPolicy, Policy, ...rest } = await attributes(ARN);
    assert.deepEqual(rest, {
      Owner: ACCOUNT,
      TopicArn: ARN,
      DisplayName: '',
      SubscriptionsPending: '0',
      SubscriptionsConfirmed: '0',
      SubscriptionsDeleted: '0',
    });
    assert.deepEqual(JSON.parse(EffectiveDeliveryPolicy).http.defaultHealthyRetryPolicy, {
      minDelayTarget: 20,
      maxDelayTarget: 20,
      numRetries: 3,
      numMaxDelayRetries: 0,
      numNoDelayRetries: 0,
      numMinDelayRetries: 0,
      backoffFunction: 'linear',
    });
    const [statement] = JSON.parse(Policy).Statement;
    assert.deepEqual(statement.Condition, { StringEquals: { 'AWS:SourceOwner': ACCOUNT } });
    assert.equal(statement.Resource, ARN);
  });

  it('is idempotent for the same attributes and tags, and refuses others', async () => {
    const input = { Name: 't', Attributes: { DisplayName: 'T' }, Tags: [{ Key: 'a', Value: '1' }] };
    await test.call('CreateTopic', input);
    assert.equal((await test.call('CreateTopic', input)).TopicArn, ARN);
    assert.equal((await test.call('CreateTopic', { Name: 't' })).TopicArn, ARN);
    await assert.rejects(test.call('CreateTopic', { ...input, Attributes: { DisplayName: 'U' } }), {
      code: 'InvalidParameter',
      message: 'Invalid parameter: Attributes Reason: Topic already exists with different attributes',
    });
    await assert.rejects(test.call('CreateTopic', { ...input, Tags: [{ Key: 'a', Value: '2' }] }), {
      message: 'Invalid parameter: Tags Reason: Topic already exists with different tags',
    });
  });

  it('checks names', async () => {
    for (const Name of ['', 'a b', 'ü', 'x'.repeat(257), 'a.fifo']) {
      await assert.rejects(test.call('CreateTopic', { Name }), { message: 'Invalid parameter: Topic Name' }, Name);
    }
    await assert.rejects(test.call('CreateTopic', { Name: 'a', Attributes: { FifoTopic: 'true' } }), {
      message: /^Invalid parameter: Fifo Topic names must end with \.fifo/,
    });
    await test.call('CreateTopic', { Name: 'x'.repeat(256) });
  });

  it('refuses by name what is not served', async () => {
    for (const [name, value] of [
      ['ArchivePolicy', '{"MessageRetentionPeriod":"30"}'],
      ['SQSSuccessFeedbackRoleArn', 'arn:aws:iam::1:role/r'],
      ['TracingConfig', 'Active'],
    ]) {
      await assert.rejects(test.call('CreateTopic', { Name: 't', Attributes: { [name!]: value } }), (error: Error) => {
        assert.match(error.message, new RegExp(name!));
        assert.equal((error as Error & { code: string }).code, 'NotImplemented');
        return true;
      });
    }
    await assert.rejects(test.call('CreateTopic', { Name: 't', DataProtectionPolicy: '{}' }), {
      code: 'NotImplemented',
    });
    await assert.rejects(test.topic('t', { Nonsense: '1' }), { message: 'Invalid parameter: Attributes' });
  });

  it('makes FIFO topics with their attributes', async () => {
    const arn = await test.topic('t.fifo', { ContentBasedDeduplication: 'True' });
    const { ContentBasedDeduplication, FifoThroughputScope, FifoTopic } = await attributes(arn);
    assert.deepEqual([FifoTopic, ContentBasedDeduplication, FifoThroughputScope], ['true', 'true', 'Topic']);
    await assert.rejects(test.topic('s', { ContentBasedDeduplication: 'true' }), { code: 'InvalidParameter' });
  });
});

describe('SNS topic attributes', () => {
  beforeEach(() => test.topic());

  it('are set one by one', async () => {
    await set('DisplayName', 'Orders');
    await set('SignatureVersion', '2');
    await set('MaximumMessageSize', '2048');
    const { DisplayName, MaximumMessageSize, SignatureVersion } = await attributes(ARN);
    assert.deepEqual([DisplayName, SignatureVersion, MaximumMessageSize], ['Orders', '2', '2048']);
    await set('MaximumMessageSize', '');
    assert.equal((await attributes(ARN)).MaximumMessageSize, undefined);
  });

  it('are checked', async () => {
    for (const [name, value, message] of [
      ['SignatureVersion', '3', 'Invalid parameter: SignatureVersion'],
      ['MaximumMessageSize', '1023', 'Invalid parameter: MaximumMessageSize'],
      ['DisplayName', 'x'.repeat(101), 'Invalid parameter: DisplayName'],
      ['FifoTopic', 'true', 'Invalid parameter: AttributeName'],
      ['Owner', 'me', 'Invalid parameter: AttributeName'],
      ['Policy', '{', 'Invalid parameter: Policy Error: null'],
      ['Policy', '{"Statement":[]}', 'Invalid parameter: Policy statement is missing'],
      [
        'Policy',
        '{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}}',
        'Invalid parameter: Policy statement action out of service scope!',
      ],
      ['DeliveryPolicy', '{"http":{"x":1}}', 'Invalid parameter: DeliveryPolicy: unexpected JSON member: http.x'],
      [
        'DeliveryPolicy',
        '{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}',
        'Invalid parameter: DeliveryPolicy: http.defaultHealthyRetryPolicy.numRetries must be less than or equal to 100',
      ],
      [
        'DeliveryPolicy',
        '{"http":{"defaultHealthyRetryPolicy":{"numRetries":100,"minDelayTarget":37,"maxDelayTarget":37}}}',
        'Invalid parameter: DeliveryPolicy: http.defaultHealthyRetryPolicy: the total retry time must be less than or equal to 3600 seconds',
      ],
    ] as const) {
      await assert.rejects(set(name, value), { code: 'InvalidParameter', message }, `${name} ${value}`);
    }
  });

  it('allow large messages only to queues and functions', async () => {
    await test.subscribe(ARN, 'sms', '+4915112345678');
    await assert.rejects(set('MaximumMessageSize', '262145'), { code: 'InvalidParameter' });
    const TopicArn = await test.topic('large', { MaximumMessageSize: '1048576' });
    await test.subscribe(TopicArn, 'sqs', QUEUE);
    await assert.rejects(test.subscribe(TopicArn, 'sms', '+4915112345678'), { code: 'InvalidParameter' });
    await test.publish(TopicArn, 'x'.repeat(1_048_576));
    await assert.rejects(test.publish(TopicArn, 'x'.repeat(1_048_577)), {
      message: 'Invalid parameter: Message too long',
    });
    assert.equal(test.arrivals.length, 1);
  });

  it('are of a topic that exists, in its own region', async () => {
    const TopicArn = `${ARN}x`;
    await assert.rejects(test.call('GetTopicAttributes', { TopicArn }), {
      code: 'NotFound',
      status: 404,
      message: 'Topic does not exist',
    });
    await assert.rejects(test.call('GetTopicAttributes', { TopicArn: ARN }, { region: 'eu-west-1' }), {
      message: 'Invalid parameter: TopicArn',
    });
    await assert.rejects(test.call('GetTopicAttributes', { TopicArn: 'a:b' }), {
      message: 'Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 2',
    });
  });
});

describe('SNS permissions', () => {
  beforeEach(() => test.topic());
  const statements = async () => JSON.parse((await attributes(ARN)).Policy).Statement;

  it('are added to the policy and removed from it', async () => {
    const input = { TopicArn: ARN, Label: 'give', AWSAccountId: [OTHER], ActionName: ['Publish', 'Subscribe'] };
    await test.call('AddPermission', input);
    assert.deepEqual((await statements())[1], {
      Sid: 'give',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${OTHER}:root` },
      Action: ['SNS:Publish', 'SNS:Subscribe'],
      Resource: ARN,
    });
    await assert.rejects(test.call('AddPermission', input), {
      message: 'Invalid parameter: Statement already exists',
    });
    await test.call('RemovePermission', { TopicArn: ARN, Label: 'give' });
    assert.equal((await statements()).length, 1);
  });

  it('are checked', async () => {
    const input = { TopicArn: ARN, Label: 'l', AWSAccountId: [OTHER], ActionName: ['Nonsense'] };
    await assert.rejects(test.call('AddPermission', input), {
      message: 'Invalid parameter: Policy statement action out of service scope!',
    });
    await assert.rejects(test.call('AddPermission', { ...input, ActionName: ['Publish'], AWSAccountId: ['x'] }), {
      code: 'InvalidParameter',
    });
  });
});

describe('SNS tags', () => {
  const tags = async () => (await test.call('ListTagsForResource', { ResourceArn: ARN })).Tags;
  beforeEach(() => test.topic());

  it('are added, replaced and removed', async () => {
    await test.call('TagResource', {
      ResourceArn: ARN,
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
    });
    await test.call('TagResource', { ResourceArn: ARN, Tags: [{ Key: 'a', Value: '3' }] });
    await test.call('UntagResource', { ResourceArn: ARN, TagKeys: ['b', 'c'] });
    assert.deepEqual(await tags(), [{ Key: 'a', Value: '3' }]);
  });

  it('are at most 50, each key once', async () => {
    const many = Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: '' }));
    await assert.rejects(test.call('TagResource', { ResourceArn: ARN, Tags: many }), { code: 'TagLimitExceeded' });
    const twice = [
      { Key: 'a', Value: '1' },
      { Key: 'a', Value: '2' },
    ];
    await assert.rejects(test.call('TagResource', { ResourceArn: ARN, Tags: twice }), {
      message: 'Invalid parameter: Duplicated keys are not allowed.',
    });
    await assert.rejects(test.call('ListTagsForResource', { ResourceArn: `${ARN}x` }), { code: 'ResourceNotFound' });
  });
});

describe('SNS DeleteTopic', () => {
  it('takes the subscriptions along, and succeeds for what is not there', async () => {
    await test.topic();
    await test.subscribe(ARN, 'sqs', QUEUE);
    await test.subscribe(ARN, 'email', 'a@example.com');
    await test.call('DeleteTopic', { TopicArn: ARN });
    await test.call('DeleteTopic', { TopicArn: ARN });
    await test.settle();
    assert.deepEqual((await test.call('ListSubscriptions')).Subscriptions, []);
    await assert.rejects(test.publish(ARN, 'm'), { code: 'NotFound' });
    await test.topic();
    assert.equal((await attributes(ARN)).SubscriptionsConfirmed, '0');
    await test.publish(ARN, 'm');
    assert.deepEqual(test.arrivals, []);
    const kept = await test.store.range({ prefix: ['sns'] });
    assert.deepEqual(kept.map(({ key }) => key[1]).sort(), ['outbox', 'signing-key', 'topic', 'topic-count']);
  });
});

describe('SNS ListTopics', () => {
  it('lists the topics of an account and region in pages of 100', async () => {
    for (let index = 0; index < 101; index += 1) await test.topic(`t${String(index).padStart(3, '0')}`);
    await test.call('CreateTopic', { Name: 'other' }, as(OTHER));
    const first = await test.call('ListTopics');
    assert.equal(first.Topics.length, 100);
    const second = await test.call('ListTopics', { NextToken: first.NextToken });
    assert.deepEqual(second, { Topics: [{ TopicArn: `${ARN}100` }] });
    await assert.rejects(test.call('ListTopics', { NextToken: 'x' }), { message: 'Invalid parameter: NextToken' });
  });
});
