import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DEAD, FUNCTION, QUEUE, TestSns } from './test-sns.ts';

let test: TestSns;
let topic: string;
const down = () => ({ type: 'failed', reason: 'down' }) as const;
const redrive = { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: DEAD }) };
/** Everything that the store keeps of deliveries. */
const kept = async () => {
  const entries = await test.store.range({ prefix: ['delivery'] });
  return entries.map(({ value }) => Buffer.from(JSON.stringify(value, bytesAsText)).toString()).join();
};
const bytesAsText = (_name: string, value: unknown) =>
  value !== null && typeof value === 'object' && 'type' in value && value.type === 'Buffer'
    ? Buffer.from((value as unknown as { data: number[] }).data).toString('latin1')
    : value;

beforeEach(async () => {
  test = new TestSns();
  await test.start();
  topic = await test.topic('t', { KmsMasterKeyId: 'alias/aws/sns' });
});
afterEach(() => test.close());

describe('SNS topics with a KMS key', () => {
  it('tell which', async () => {
    const { Attributes } = await test.call('GetTopicAttributes', { TopicArn: topic });
    assert.equal(Attributes.KmsMasterKeyId, 'alias/aws/sns');
  });

  it('keep messages encrypted until they are delivered, with one data key for five minutes', async () => {
    await test.subscribe(topic, 'lambda', FUNCTION, redrive);
    test.answer = down;
    await test.publish(topic, 'a secret');
    await test.publish(topic, 'another');
    assert.equal(test.keyUsers.length, 1);
    assert.deepEqual(test.keyUsers[0]!.principal?.arn, 'arn:aws:iam::000000000000:root');
    assert.equal(test.keyUsers[0]!.service, 'sns.amazonaws.com');
    assert.equal((await kept()).includes('a secret'), false);
    assert.equal(JSON.parse(test.arrivals[0]!.body).Records[0].Sns.Message, 'a secret');
    await test.advance(300_000);
    await test.publish(topic, 'later');
    assert.equal(test.keyUsers.length, 2);
  });

  it('go on after a restart, and dead letters are readable', async () => {
    await test.subscribe(topic, 'lambda', FUNCTION, redrive);
    test.answer = down;
    await test.publish(topic, 'a secret');
    await test.stop();
    test.arrivals.length = 0;
    test.answer = ({ targetArn }) =>
      targetArn === DEAD ? { type: 'delivered' } : { type: 'rejected', reason: 'gone' };
    await test.run();
    await test.advance(60_000);
    assert.equal(JSON.parse(test.arrivals[0]!.body).Records[0].Sns.Message, 'a secret');
    const [dead] = test.arrivals.filter(({ target }) => target === DEAD);
    assert.equal(JSON.parse(dead!.body).Message, 'a secret');
  });

  it('wait for a key that cannot be used for a while', async () => {
    await test.subscribe(topic, 'sqs', QUEUE);
    test.answer = down;
    await test.publish(topic, 'm');
    await test.stop();
    test.keyProblem = 'DisabledException';
    test.arrivals.length = 0;
    await test.run();
    await test.advance(60_000);
    assert.deepEqual(test.arrivals, []);
    test.keyProblem = undefined;
    test.answer = () => ({ type: 'delivered' });
    await test.advance(60_000);
    assert.equal(test.arrivals.length, 1);
  });

  it('refuse messages when the key cannot be used', async () => {
    for (const [problem, code] of [
      ['NotFoundException', 'KMSNotFound'],
      ['DisabledException', 'KMSDisabled'],
      ['AccessDeniedException', 'KMSAccessDenied'],
      ['KMSInvalidStateException', 'KMSInvalidState'],
    ]) {
      test.keyProblem = problem;
      await assert.rejects(test.publish(topic, 'm'), { code, status: 400 });
    }
  });
});
