import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, failure, START, settled, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(async () => {
  world = new TestSqs();
  await world.create('q');
});
afterEach(() => world.close());

const text = (StringValue: string, DataType = 'String') => ({ DataType, StringValue });
const batch = (Entries: object[], queue = 'q') => world.call('SendMessageBatch', { QueueUrl: urlOf(queue), Entries });

describe('SQS SendMessage', () => {
  it('answers with digests that clients can check', async () => {
    // Known from the real service.
    const sent = await world.send('q', 'msg', {
      MessageAttributes: { General: text('Kenobi'), Hello: text('There'), 'Help.Me': text('Me') },
    });
    assert.equal(sent.MD5OfMessageBody, '6e2baaf3b97dbeef01c0043275f9a0e7');
    assert.equal(sent.MD5OfMessageAttributes, '4c360f3fdafd970e05fae2f149d997f5');
    assert.match(sent.MessageId, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/);
    assert.equal(sent.SequenceNumber, undefined);
    const binary = Buffer.from('traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01');
    const other = await world.send('q', 'test', {
      MessageAttributes: { attr1: { DataType: 'Binary', BinaryValue: binary } },
      MessageSystemAttributes: { AWSTraceHeader: text('Root=1-5759e988-bd862e3fe1be46a994272793') },
    });
    assert.equal(other.MD5OfMessageAttributes, '8cbe4db156db8a94db8b801b7addb984');
    assert.match(other.MD5OfMessageSystemAttributes, /^[\da-f]{32}$/);
  });

  it('takes characters that XML allows, and no others', async () => {
    for (const body of ['\t\n\r', ' \ud7ff\ue000\ufffd', '\u{10000}\u{10ffff}']) await world.send('q', body);
    for (const body of ['\0', 'a\x08', '\x0b', '\x1f', '\ufffe', '\uffff', '\ud800', 'a\udc00']) {
      await assert.rejects(world.send('q', body), failure('InvalidMessageContents'), JSON.stringify(body));
    }
    await assert.rejects(world.send('q', ''), failure('MissingParameter', 'MessageBody'));
  });

  it('takes up to 1 MiB, attributes included, or what the queue allows', async () => {
    await world.send('q', 'x'.repeat(1_048_576));
    const tooLong = 'One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.';
    await assert.rejects(world.send('q', 'x'.repeat(1_048_577)), failure('InvalidParameterValue', tooLong));
    const small = await world.create('small', { MaximumMessageSize: '1024' });
    const MessageAttributes = { ab: text('cd') };
    await world.call('SendMessage', { QueueUrl: small, MessageBody: 'ö'.repeat(507), MessageAttributes });
    await assert.rejects(
      world.call('SendMessage', { QueueUrl: small, MessageBody: 'ö'.repeat(508), MessageAttributes }),
      failure('InvalidParameterValue', 'Message must be shorter than 1024 bytes.'),
    );
  });

  it('refuses attributes that are none', async () => {
    const bad: Record<string, object>[] = [
      { 'AWS.x': text('a') },
      { 'amazon.x': text('a') },
      { '.x': text('a') },
      { 'x.': text('a') },
      { 'a..b': text('a') },
      { 'a b': text('a') },
      { x: text('') },
      { x: text('a', '') },
      { x: text('a', 'Boolean') },
      { x: text('a', 'Number') },
      // Gone through again and again, it would hold up everybody for minutes.
      { x: text(`${'1'.repeat(1_000_000)}x`, 'Number') },
      { x: { DataType: 'Binary', StringValue: 'a' } },
      { x: { DataType: 'String', StringListValues: ['a'] } },
      Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`a${index}`, text('x')])),
    ];
    for (const MessageAttributes of bad) {
      const sent = world.send('q', 'x', { MessageAttributes });
      await assert.rejects(sent, failure('InvalidParameterValue'), JSON.stringify(MessageAttributes));
    }
    await assert.rejects(
      world.send('q', 'x', { MessageAttributes: { x: text('\x01') } }),
      failure('InvalidMessageContents'),
    );
    await world.send('q', 'x', { MessageAttributes: { n: text('-1.5e10', 'Number.float'), s: text('a', 'String.x') } });
    await assert.rejects(
      world.send('q', 'x', { MessageSystemAttributes: { Other: text('a') } }),
      failure('InvalidParameterValue'),
    );
  });

  it('refuses what is for FIFO queues, but takes groups for fair queues', async () => {
    await assert.rejects(world.send('q', 'x', { MessageDeduplicationId: 'd' }), failure('InvalidParameterValue'));
    await world.send('q', 'x', { MessageGroupId: 'tenant-1' });
    assert.equal((await world.receive('q'))[0].Attributes.MessageGroupId, 'tenant-1');
  });

  it('takes the trace header of the request, unless the message has its own', async () => {
    const input = { QueueUrl: urlOf('q'), MessageBody: 'x' };
    const headers = { 'x-amzn-trace-id': 'Root=1-a;Lineage=b:1' };
    await world.call('SendMessage', input, { headers });
    const own = { MessageSystemAttributes: { AWSTraceHeader: text('Root=1-own') } };
    await world.call('SendMessage', { ...input, ...own }, { headers });
    const received = await world.receive('q');
    assert.deepEqual(
      received.map(({ Attributes }) => Attributes.AWSTraceHeader),
      ['Root=1-a;Lineage=b:1', 'Root=1-own'],
    );
  });
});

describe('SQS SendMessageBatch', () => {
  it('sends the good ones, and says what is wrong with the others', async () => {
    const { Failed, Successful } = await batch([
      { Id: 'a', MessageBody: 'one' },
      { Id: 'b', MessageBody: '\x01' },
      { Id: 'c', MessageBody: 'three', DelaySeconds: 901 },
      { Id: 'd', MessageBody: 'four' },
    ]);
    assert.deepEqual(
      Successful.map(({ Id, MD5OfMessageBody }: Record<string, string>) => [Id, MD5OfMessageBody]),
      [
        ['a', 'f97c5d29941bfb1b2fdab0874906ab82'],
        ['d', '8cbad96aced40b3838dd9f07f6ef5772'],
      ],
    );
    assert.deepEqual(
      Failed.map(({ Code, Id, SenderFault }: Record<string, unknown>) => [Id, Code, SenderFault]),
      [
        ['b', 'InvalidMessageContents', true],
        ['c', 'InvalidParameterValue', true],
      ],
    );
    assert.deepEqual(await world.bodies('q'), ['one', 'four']);
  });

  it('refuses batches that are none', async () => {
    const entry = (Id: string) => ({ Id, MessageBody: 'x' });
    await assert.rejects(batch([]), failure('EmptyBatchRequest'));
    await assert.rejects(
      batch(Array.from({ length: 11 }, (_, index) => entry(String(index)))),
      failure('TooManyEntriesInBatchRequest', 'Maximum number of entries per request are 10. You have sent 11.'),
    );
    await assert.rejects(batch([entry('a'), entry('a')]), failure('BatchEntryIdsNotDistinct', 'Id a repeated.'));
    for (const id of ['', 'a:b', 'x'.repeat(81)])
      await assert.rejects(batch([entry(id)]), failure('InvalidBatchEntryId'));
    const half = { MessageBody: 'x'.repeat(524_288) };
    await batch([
      { Id: 'a', ...half },
      { Id: 'b', ...half },
    ]);
    await assert.rejects(
      batch([
        { Id: 'a', ...half },
        { Id: 'b', ...half },
        { Id: 'c', MessageBody: 'x' },
      ]),
      failure(
        'BatchRequestTooLong',
        'Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.',
      ),
    );
  });
});

describe('SQS ReceiveMessage', () => {
  it('tells the attributes that are asked for', async () => {
    await world.send('q', 'msg', {
      MessageAttributes: { General: text('Kenobi'), Hello: text('There'), 'Help.Me': text('Me') },
    });
    const look = async (more: object) => {
      const [message] = await world.receive('q', {
        VisibilityTimeout: 0,
        MessageSystemAttributeNames: [],
        MessageAttributeNames: [],
        ...more,
      });
      return [message.Attributes, Object.keys(message.MessageAttributes ?? {}), message.MD5OfMessageAttributes];
    };
    world.seconds(3);
    assert.deepEqual(await look({}), [undefined, [], undefined]);
    assert.deepEqual(await look({ AttributeNames: ['SenderId', 'Policy'] }), [{ SenderId: ACCOUNT }, [], undefined]);
    assert.deepEqual(await look({ MessageSystemAttributeNames: ['All'] }), [
      {
        SenderId: ACCOUNT,
        ApproximateFirstReceiveTimestamp: String(START + 3000),
        ApproximateReceiveCount: '3',
        SentTimestamp: String(START),
      },
      [],
      undefined,
    ]);
    // Digests of those that are shown, as the real service was seen to give them.
    const names = (...MessageAttributeNames: string[]) => look({ MessageAttributeNames });
    assert.deepEqual(await names('Hello', 'None'), [undefined, ['Hello'], 'a311262e065454b75da111d535b8dacd']);
    assert.deepEqual(await names('Hel.*'), [undefined, ['Hello', 'Help.Me'], '83fee93c1bcd8b9a5a923ffacdc636c7']);
    for (const all of ['All', '.*']) {
      assert.deepEqual((await names(all))[2], '4c360f3fdafd970e05fae2f149d997f5');
    }
    assert.deepEqual(await names('hello'), [undefined, [], undefined]);
    await assert.rejects(look({ AttributeNames: ['Nope'] }), failure('InvalidAttributeName'));
  });

  it('gives up to ten of the oldest', async () => {
    for (let n = 1; n <= 12; n += 1) await world.send('q', String(n));
    assert.deepEqual(await world.bodies('q', { MaxNumberOfMessages: 1 }), ['1']);
    assert.deepEqual(await world.bodies('q'), ['2', '3', '4', '5', '6', '7', '8', '9', '10', '11']);
    assert.deepEqual(await world.bodies('q'), ['12']);
    assert.deepEqual(await world.counts('q'), [0, 12, 0]);
  });

  it('refuses values outside of their ranges', async () => {
    for (const bad of [
      { MaxNumberOfMessages: 0 },
      { MaxNumberOfMessages: 11 },
      { WaitTimeSeconds: 21 },
      { WaitTimeSeconds: -1 },
      { VisibilityTimeout: 43_201 },
      { ReceiveRequestAttemptId: 'x' },
    ]) {
      await assert.rejects(world.receive('q', bad), failure('InvalidParameterValue'), JSON.stringify(bad));
    }
  });

  it('waits for a message to be sent, one for each that waits', async () => {
    const waiting = [world.bodies('q', { WaitTimeSeconds: 20 }), world.bodies('q', { WaitTimeSeconds: 20 })];
    await settled();
    await world.send('q', 'a');
    await world.send('q', 'b');
    assert.deepEqual(await Promise.all(waiting), [['a'], ['b']]);
  });

  it('waits for a hidden message to be shown', async () => {
    await world.send('q', 'late', { DelaySeconds: 5 });
    const waiting = world.bodies('q', { WaitTimeSeconds: 20 });
    await settled();
    world.seconds(5);
    assert.deepEqual(await waiting, ['late']);
    const again = world.bodies('q', { WaitTimeSeconds: 20, VisibilityTimeout: 100 });
    const [received] = await world.receive('q');
    assert.equal(received, undefined);
    await settled();
    world.seconds(19);
    await settled();
    world.seconds(1);
    assert.deepEqual(await again, []);
  });

  it('waits no longer than it was told, the queue says, or the client is there', async () => {
    await world.create('slow', { ReceiveMessageWaitTimeSeconds: '3' });
    const waiting = world.bodies('slow');
    await settled();
    let over = false;
    void waiting.then(() => {
      over = true;
    });
    world.seconds(2.999);
    await settled();
    assert.equal(over, false);
    world.seconds(0.001);
    assert.deepEqual(await waiting, []);
    assert.deepEqual(await world.bodies('slow', { WaitTimeSeconds: 0 }), []);
    const gone = new AbortController();
    const left = world.call('ReceiveMessage', { QueueUrl: urlOf('slow') }, { signal: gone.signal });
    await settled();
    gone.abort();
    assert.deepEqual(await left, {});
    await world.send('slow', 'kept');
    assert.deepEqual(await world.bodies('slow'), ['kept']);
  });

  it('ends when the queue is deleted', async () => {
    const waiting = world.bodies('q', { WaitTimeSeconds: 20 });
    const ended = assert.rejects(waiting, failure('QueueDoesNotExist'));
    await settled();
    await world.call('DeleteQueue', { QueueUrl: urlOf('q') });
    await ended;
  });
});
