import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PendingDelivery } from '../../events/index.ts';
import { as, OTHER, TestSns } from './test-sns.ts';

let test: TestSns;
beforeEach(async () => {
  test = new TestSns();
  await test.start();
});
afterEach(() => test.close());

const CREDENTIALS = { PlatformCredential: 'the secret', PlatformPrincipal: 'p' };

describe('SNS platform applications and endpoints', () => {
  it('are their own account’s only: no policy could let others in', async () => {
    const application = { Name: 'app', Platform: 'GCM', Attributes: CREDENTIALS };
    const { PlatformApplicationArn } = await test.call('CreatePlatformApplication', application);
    const device = { PlatformApplicationArn, Token: 'device' };
    const { EndpointArn } = await test.call('CreatePlatformEndpoint', device);
    const requests: readonly (readonly [string, object])[] = [
      ['GetPlatformApplicationAttributes', { PlatformApplicationArn }],
      ['SetPlatformApplicationAttributes', { PlatformApplicationArn, Attributes: { Enabled: 'false' } }],
      ['ListEndpointsByPlatformApplication', { PlatformApplicationArn }],
      ['CreatePlatformEndpoint', { PlatformApplicationArn, Token: 'theirs' }],
      ['GetEndpointAttributes', { EndpointArn }],
      ['SetEndpointAttributes', { EndpointArn, Attributes: { Token: 'theirs' } }],
      ['DeleteEndpoint', { EndpointArn }],
      ['DeletePlatformApplication', { PlatformApplicationArn }],
    ];
    for (const [operation, input] of requests) {
      await assert.rejects(
        test.call(operation, input, as(OTHER)),
        { code: 'AuthorizationError', status: 403 },
        operation,
      );
    }
    await assert.rejects(test.call('Publish', { TargetArn: EndpointArn, Message: 'x' }, as(OTHER)), {
      code: 'InvalidParameter',
      message: /No endpoint found/,
    });
    const { TopicArn } = await test.call('CreateTopic', { Name: 'theirs' }, as(OTHER));
    const subscription = { TopicArn, Protocol: 'application', Endpoint: EndpointArn };
    await assert.rejects(test.call('Subscribe', subscription, as(OTHER)), {
      code: 'InvalidParameter',
      message: /Application endpoint arn invalid/,
    });
    const delivery: PendingDelivery = {
      source: 's3',
      id: 'd1',
      enqueuedAt: 0,
      attempts: 0,
      account: OTHER,
      region: 'us-east-1',
      targetArn: EndpointArn,
      payload: Buffer.from('x'),
    };
    await test.store.transact(async (transaction) => {
      const outcome = await test.sns.deliveryTarget.accept!(delivery, transaction);
      assert.deepEqual(
        [outcome?.type, outcome && 'code' in outcome && outcome.code],
        ['rejected', 'AuthorizationError'],
      );
    });
    assert.deepEqual((await test.call('GetEndpointAttributes', { EndpointArn })).Attributes, {
      Enabled: 'true',
      Token: 'device',
    });
    assert.deepEqual(await test.outbox(), []);
  });
});

describe('SNS message attributes', () => {
  it('of long numbers cost no time', async () => {
    const TopicArn = await test.topic();
    // Gone through again and again, it would hold up everybody for minutes.
    const MessageAttributes = { n: { DataType: 'Number', StringValue: `${'1'.repeat(250_000)}x` } };
    await assert.rejects(test.call('Publish', { TopicArn, Message: 'm', MessageAttributes }), {
      code: 'ParameterValueInvalid',
      message: /Could not cast/,
    });
  });
});

describe('SNS names that are very long', () => {
  it('are kept when they may be, and otherwise not there', async () => {
    const TopicArn = await test.topic();
    const Endpoint = `https://example.com/${'x'.repeat(2028)}`;
    const arn = await test.subscribe(TopicArn, 'https', Endpoint);
    assert.equal(await test.subscribe(TopicArn, 'https', Endpoint), arn);
    const application = { Name: 'app', Platform: 'GCM', Attributes: CREDENTIALS };
    const { PlatformApplicationArn } = await test.call('CreatePlatformApplication', application);
    const device = { PlatformApplicationArn, Token: 'x'.repeat(4096) };
    const { EndpointArn } = await test.call('CreatePlatformEndpoint', device);
    assert.equal((await test.call('CreatePlatformEndpoint', device)).EndpointArn, EndpointArn);
    await assert.rejects(test.call('ConfirmSubscription', { TopicArn, Token: 'x'.repeat(10_000) }), {
      code: 'InvalidParameter',
      message: 'Invalid parameter: Token',
    });
    const NextToken = Buffer.from(JSON.stringify(['x'.repeat(10_000)])).toString('base64url');
    assert.deepEqual(await test.call('ListTopics', { NextToken }), { Topics: [] });
  });
});
