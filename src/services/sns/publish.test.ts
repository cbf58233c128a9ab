import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, FUNCTION, QUEUE, TestSns } from './test-sns.ts';

let test: TestSns;
beforeEach(async () => {
  test = new TestSns();
  await test.start();
});
afterEach(() => test.close());

const messages = () => test.arrivals.map(({ body }) => JSON.parse(body).Message);

describe('SNS Publish', () => {
  let topic: string;
  beforeEach(async () => {
    topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE);
  });
  const publish = (more: object) => test.call('Publish', { TopicArn: topic, Message: 'm', ...more });

  it('takes a topic as TargetArn, too', async () => {
    await test.call('Publish', { TargetArn: topic, Message: 'm' });
    await test.settle();
    assert.deepEqual(messages(), ['m']);
  });

  it('checks what it is given', async () => {
    for (const [more, code, message] of [
      [{ Message: '' }, 'InvalidParameter', 'Invalid parameter: Empty message'],
      [{ Message: 'x'.repeat(262_145) }, 'InvalidParameter', 'Invalid parameter: Message too long'],
      [{ Subject: '' }, 'InvalidParameter', 'Invalid parameter: Subject'],
      [{ Subject: 'a\nb' }, 'InvalidParameter', 'Invalid parameter: Subject'],
      [{ Subject: 'x'.repeat(101) }, 'InvalidParameter', 'Invalid parameter: Subject'],
      [
        { TopicArn: undefined },
        'InvalidParameter',
        'Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter',
      ],
      [{ TopicArn: `${topic}x` }, 'NotFound', 'Topic does not exist'],
      [
        { MessageDeduplicationId: 'd' },
        'InvalidParameter',
        'Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type',
      ],
      [
        { MessageStructure: 'json', Message: '{' },
        'InvalidParameter',
        'Invalid parameter: Message Structure - JSON message body failed to parse',
      ],
      [
        { MessageStructure: 'json', Message: '{"sqs":"x"}' },
        'InvalidParameter',
        'Invalid parameter: Message Structure - No default entry in JSON message body',
      ],
    ] as const) {
      await assert.rejects(publish(more), { code, message }, message);
    }
    await publish({ Message: 'x'.repeat(262_144) });
  });

  it('checks attributes of messages', async () => {
    for (const [name, value, message] of [
      [
        'a',
        { DataType: 'Text', StringValue: 'x' },
        "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
      ],
      [
        'a',
        { DataType: 'String', StringValue: '' },
        "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'.",
      ],
      [
        'a',
        { DataType: 'Binary', StringValue: 'x' },
        "The message attribute 'a' with type 'Binary' must use field 'Binary'.",
      ],
      ['a', { DataType: 'Number', StringValue: 'x' }, "Could not cast message attribute 'a' value to number."],
      [
        '.a',
        { DataType: 'String', StringValue: 'x' },
        "Invalid message attribute name starting with character '.' was found.",
      ],
      [
        'a..b',
        { DataType: 'String', StringValue: 'x' },
        "Message attribute name can not have successive '.' character.",
      ],
      [
        'a b',
        { DataType: 'String', StringValue: 'x' },
        "Invalid non-alphanumeric character '#x20' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.",
      ],
    ] as const) {
      await assert.rejects(publish({ MessageAttributes: { [name]: value } }), {
        code: 'ParameterValueInvalid',
        message,
      });
    }
  });

  it('counts attributes as part of the message', async () => {
    await test.call('SetTopicAttributes', {
      TopicArn: topic,
      AttributeName: 'MaximumMessageSize',
      AttributeValue: '1024',
    });
    const MessageAttributes = { ab: { DataType: 'String', StringValue: 'xy' } };
    await publish({ Message: 'x'.repeat(1014), MessageAttributes });
    await assert.rejects(publish({ Message: 'x'.repeat(1015), MessageAttributes }), {
      message: 'Invalid parameter: Message too long',
    });
  });

  it('gives each protocol its own text with MessageStructure json', async () => {
    await test.subscribe(topic, 'lambda', FUNCTION);
    await test.publish(topic, JSON.stringify({ default: 'd', sqs: 'q', http: 5 }), { MessageStructure: 'json' });
    const bodies = test.arrivals.map(({ body }) => JSON.parse(body));
    assert.equal(bodies.find(({ Type }) => Type === 'Notification').Message, 'q');
    assert.equal(bodies.find(({ Records }) => Records).Records[0].Sns.Message, 'd');
  });
});

describe('SNS PublishBatch', () => {
  let topic: string;
  beforeEach(async () => {
    topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE);
  });
  const batch = (entries: readonly object[], TopicArn = topic) =>
    test.call('PublishBatch', { TopicArn, PublishBatchRequestEntries: entries });

  it('publishes what is right and tells what is wrong', async () => {
    const { Failed, Successful } = await batch([
      { Id: 'a', Message: '1' },
      { Id: 'b', Message: '' },
      { Id: 'c', Message: '3', Subject: 's' },
    ]);
    await test.settle();
    assert.deepEqual(
      Successful.map(({ Id }: { Id: string }) => Id),
      ['a', 'c'],
    );
    assert.deepEqual(Failed, [
      { Id: 'b', Code: 'InvalidParameter', Message: 'Invalid parameter: Empty message', SenderFault: true },
    ]);
    assert.deepEqual(messages(), ['1', '3']);
  });

  it('has limits', async () => {
    const entry = (Id: string) => ({ Id, Message: 'm' });
    await assert.rejects(batch([]), { code: 'EmptyBatchRequest' });
    await assert.rejects(batch(Array.from({ length: 11 }, (_, index) => entry(`e${index}`))), {
      code: 'TooManyEntriesInBatchRequest',
    });
    await assert.rejects(batch([entry('a'), entry('a')]), { code: 'BatchEntryIdsNotDistinct' });
    await assert.rejects(batch([entry('a b')]), { code: 'InvalidBatchEntryId' });
    const half = 'x'.repeat(131_073);
    await assert.rejects(
      batch([
        { Id: 'a', Message: half },
        { Id: 'b', Message: half },
      ]),
      {
        code: 'BatchRequestTooLong',
      },
    );
    await assert.rejects(batch([entry('a')], `${topic}x`), { code: 'NotFound' });
  });
});

describe('SNS FIFO topics', () => {
  let topic: string;
  const fifo = `${QUEUE}.fifo`;
  beforeEach(async () => {
    topic = await test.topic('t.fifo', { ContentBasedDeduplication: 'true' });
    await test.subscribe(topic, 'sqs', fifo);
  });
  const publish = (Message: string, more: object = {}) =>
    test.call('Publish', { TopicArn: topic, Message, MessageGroupId: 'g', ...more });

  it('need a group, and an id when content does not tell', async () => {
    await assert.rejects(publish('m', { MessageGroupId: undefined }), {
      message: 'Invalid parameter: The MessageGroupId parameter is required for FIFO topics',
    });
    const TopicArn = await test.topic('other.fifo');
    await assert.rejects(publish('m', { TopicArn }), {
      message:
        'Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    });
    await assert.rejects(publish('m', { MessageGroupId: 'ü' }), { code: 'InvalidParameter' });
  });

  it('number messages and hand group, id and number on, without a signature', async () => {
    const first = await publish('a');
    const second = await publish('b');
    await test.settle();
    assert.match(first.SequenceNumber, /^1\d{19}$/);
    assert.ok(second.SequenceNumber > first.SequenceNumber);
    const envelope = JSON.parse(test.arrivals[0]!.body);
    assert.deepEqual(Object.keys(envelope), [
      'Type',
      'MessageId',
      'SequenceNumber',
      'TopicArn',
      'Message',
      'Timestamp',
      'UnsubscribeURL',
    ]);
    assert.equal(envelope.SequenceNumber, first.SequenceNumber);
    assert.deepEqual(test.arrivals[0]!.delivery.parameters, {
      messageGroupId: 'g',
      // SHA-256 of the body.
      messageDeduplicationId: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    });
  });

  it('drop the same message for five minutes', async () => {
    const first = await publish('a');
    const again = await publish('a', { MessageGroupId: 'h' });
    assert.deepEqual(again, first);
    await publish('a', { MessageDeduplicationId: 'other' });
    await test.advance(299_999);
    await publish('a');
    await test.settle();
    assert.deepEqual(messages(), ['a', 'a']);
    await test.advance(1);
    await publish('a');
    await test.settle();
    assert.equal(messages().length, 3);
  });

  it('tell groups apart with FifoThroughputScope MessageGroup', async () => {
    await test.call('SetTopicAttributes', {
      TopicArn: topic,
      AttributeName: 'FifoThroughputScope',
      AttributeValue: 'MessageGroup',
    });
    for (const MessageGroupId of ['g', 'h', 'g']) await publish('a', { MessageGroupId });
    await test.settle();
    assert.equal(messages().length, 2);
  });

  it('forget what they need no longer', async () => {
    for (let index = 0; index < 50; index += 1) await publish(`m${index}`);
    await test.advance(300_001);
    for (let index = 0; index < 20; index += 1) await publish(`n${index}`);
    const kept = await test.store.range({ prefix: ['sns', 'deduplication'] });
    assert.equal(kept.length, 20);
    assert.equal((await test.store.range({ prefix: ['sns', 'deduplication-end'] })).length, 20);
  });

  it('keep the order of a group while its queue is down, and let other groups pass', async () => {
    let down = true;
    test.answer = ({ parameters }) =>
      down && parameters?.messageGroupId === 'g' ? { type: 'failed', reason: 'down' } : { type: 'delivered' };
    for (const message of ['g1', 'g2', 'g3']) await publish(message);
    await publish('h1', { MessageGroupId: 'h' });
    await test.advance(5000);
    down = false;
    test.arrivals.length = 0;
    await test.advance(60_000);
    assert.deepEqual(messages(), ['g1', 'g2', 'g3']);
  });

  it('number concurrent messages in the order in which they arrive', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, index) => publish(`m${index}`)));
    await test.settle();
    const numbers = test.arrivals.map(({ body }) => JSON.parse(body).SequenceNumber);
    assert.equal(numbers.length, 30);
    assert.deepEqual(numbers, [...numbers].sort());
  });

  it('give standard queues the group but no deduplication id', async () => {
    await test.subscribe(topic, 'sqs', QUEUE);
    await publish('a');
    await test.settle();
    const { delivery } = test.arrivals.find(({ target }) => target === QUEUE)!;
    assert.deepEqual(delivery.parameters, { messageGroupId: 'g' });
  });
});

describe('SNS as a target of other services', () => {
  const send = async (targetArn: string, text: string, more: object = {}) => {
    await test.store.transact(async (transaction) => {
      test.delivery.enqueue(transaction, {
        source: 'other',
        targetArn,
        payload: Buffer.from(text),
        account: ACCOUNT,
        region: 'us-east-1',
        caller: { service: 'events.amazonaws.com', sourceArn: 'arn:aws:events:us-east-1:000000000000:rule/r' },
        ...more,
      });
    });
    await test.settle();
  };

  it('publishes with subject, attributes and trace', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE);
    await send(topic, 'from a rule', {
      traceHeader: 'Root=1-2-3',
      parameters: { subject: 's', messageAttributes: { a: { dataType: 'String', stringValue: 'x' } } },
    });
    const { Message, MessageAttributes, Subject } = JSON.parse(test.arrivals[0]!.body);
    assert.deepEqual(
      [Message, Subject, MessageAttributes],
      ['from a rule', 's', { a: { Type: 'String', Value: 'x' } }],
    );
    assert.equal(test.arrivals[0]!.delivery.traceHeader, 'Root=1-2-3');
  });

  it('asks the topic policy', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE);
    const asked: unknown[] = [];
    test.allows = async ({ action, caller, resource }) => {
      asked.push([action, resource, caller.service]);
      return false;
    };
    await send(topic, 'no');
    assert.deepEqual(asked, [['sns:Publish', topic, 'events.amazonaws.com']]);
    assert.deepEqual(test.arrivals, []);
    assert.equal(await test.delivery.permits(topic, { service: 'events.amazonaws.com' }), false);
    test.allows = async () => true;
    assert.equal(await test.delivery.permits(topic, { service: 'events.amazonaws.com' }), true);
    assert.equal(await test.delivery.permits(`${topic}x`, { service: 'events.amazonaws.com' }), false);
  });

  it('keeps e-mails and text messages of others in the outbox', async () => {
    await send('mailto:ada%40example.com', 'hello', { parameters: { subject: 's' } });
    await send('tel:+4915112345678', 'short');
    const found = (await test.outbox()).map(({ body, kind, subject, to }) => [kind, to, subject, body]);
    assert.deepEqual(found, [
      ['email', 'ada@example.com', 's', 'hello'],
      ['sms', '+4915112345678', undefined, 'short'],
    ]);
  });
});
