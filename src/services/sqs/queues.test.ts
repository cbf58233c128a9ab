import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { arnOf, failure, START, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(() => {
  world = new TestSqs();
});
afterEach(() => world.close());

describe('SQS CreateQueue', () => {
  it('gives a queue the documented defaults', async () => {
    assert.equal(await world.create('orders'), 'http://127.0.0.1:4566/000000000000/orders');
    assert.deepEqual(await world.attributes('orders'), {
      QueueArn: arnOf('orders'),
      ApproximateNumberOfMessages: '0',
      ApproximateNumberOfMessagesNotVisible: '0',
      ApproximateNumberOfMessagesDelayed: '0',
      CreatedTimestamp: String(START / 1000),
      LastModifiedTimestamp: String(START / 1000),
      VisibilityTimeout: '30',
      MaximumMessageSize: '1048576',
      MessageRetentionPeriod: '345600',
      DelaySeconds: '0',
      ReceiveMessageWaitTimeSeconds: '0',
      SqsManagedSseEnabled: 'true',
    });
    await world.create('orders.fifo', { ContentBasedDeduplication: 'true' });
    const fifo = await world.attributes('orders.fifo');
    assert.equal(fifo.FifoQueue, 'true');
    assert.equal(fifo.ContentBasedDeduplication, 'true');
    assert.equal(fifo.DeduplicationScope, 'queue');
    assert.equal(fifo.FifoThroughputLimit, 'perQueue');
  });

  it('gives the queue that is there already when nothing differs', async () => {
    const url = await world.create('q', { DelaySeconds: '5', VisibilityTimeout: '7' });
    assert.equal(await world.create('q'), url);
    assert.equal(await world.create('q', { DelaySeconds: '5' }), url);
    await assert.rejects(
      world.create('q', { DelaySeconds: '6' }),
      failure(
        'QueueNameExists',
        'A queue already exists with the same name and a different value for attribute DelaySeconds',
      ),
    );
  });

  it('refuses names that are none', async () => {
    for (const name of ['', 'a b', 'ö', 'a'.repeat(81), 'a.fif', '.fifo']) {
      await assert.rejects(world.call('CreateQueue', { QueueName: name }), failure('InvalidParameterValue'), name);
    }
    const notFifo = { QueueName: 'plain', Attributes: { FifoQueue: 'true' } };
    await assert.rejects(world.call('CreateQueue', notFifo), failure('InvalidParameterValue'));
    await world.create('a'.repeat(80));
    // Only a FIFO queue says which kind it is.
    await assert.rejects(world.call('CreateQueue', { QueueName: 'a.fifo' }), failure('InvalidParameterValue'));
    await assert.rejects(world.create('a', { FifoQueue: 'false' }), failure('InvalidAttributeName', 'FifoQueue'));
  });

  it('refuses values outside of the documented ranges', async () => {
    const bad: readonly (readonly [string, string])[] = [
      ['DelaySeconds', '-1'],
      ['DelaySeconds', '901'],
      ['DelaySeconds', 'x'],
      ['MaximumMessageSize', '1023'],
      ['MaximumMessageSize', '1048577'],
      ['MessageRetentionPeriod', '59'],
      ['MessageRetentionPeriod', '1209601'],
      ['ReceiveMessageWaitTimeSeconds', '21'],
      ['VisibilityTimeout', '43201'],
      ['Policy', 'no JSON'],
      ['KmsDataKeyReusePeriodSeconds', '59'],
    ];
    for (const [name, value] of bad) {
      const created = world.create('bad', { [name]: value });
      await assert.rejects(created, failure('InvalidAttributeValue', name), `${name} ${value}`);
    }
    for (const name of ['Nonsense', 'QueueArn', 'ApproximateNumberOfMessages', 'ContentBasedDeduplication']) {
      await assert.rejects(world.create('bad', { [name]: 'true' }), failure('InvalidAttributeName'), name);
    }
  });

  it('refuses a name for 60 seconds after its queue was deleted', async () => {
    await world.create('again');
    await world.send('again', 'lost');
    await world.call('DeleteQueue', { QueueUrl: urlOf('again') });
    await assert.rejects(world.send('again', 'x'), failure('QueueDoesNotExist'));
    world.seconds(59.999);
    await assert.rejects(world.create('again'), failure('QueueDeletedRecently'));
    world.seconds(0.001);
    await world.create('again');
    assert.deepEqual(await world.bodies('again'), []);
  });
});

describe('SQS queue addresses', () => {
  it('takes any host in a queue URL, and the account of its path', async () => {
    await world.create('q');
    for (const QueueUrl of [
      'https://sqs.us-east-1.amazonaws.com/000000000000/q',
      'http://localhost/000000000000/q',
      'http://localhost:4566/queue/us-east-1/000000000000/q',
      'q',
    ]) {
      await world.call('SendMessage', { QueueUrl, MessageBody: 'x' });
    }
    assert.deepEqual(await world.counts('q'), [4, 0, 0]);
    const elsewhere = { QueueUrl: 'http://localhost/queue/eu-west-1/000000000000/q', MessageBody: 'x' };
    await assert.rejects(world.call('SendMessage', elsewhere), failure('QueueDoesNotExist'));
    const other = { QueueUrl: 'http://localhost/111111111111/q', MessageBody: 'x' };
    await assert.rejects(world.call('SendMessage', other), failure('QueueDoesNotExist'));
    const broken = { QueueUrl: 'http://localhost/a/b/c', MessageBody: 'x' };
    await assert.rejects(world.call('SendMessage', broken), failure('InvalidAddress'));
  });

  it('finds a queue by name, also of another account', async () => {
    await world.create('q');
    assert.equal((await world.call('GetQueueUrl', { QueueName: 'q' })).QueueUrl, urlOf('q'));
    const input = { QueueName: 'q', QueueOwnerAWSAccountId: '000000000000' };
    assert.equal((await world.call('GetQueueUrl', input, { account: '111111111111' })).QueueUrl, urlOf('q'));
    await assert.rejects(world.call('GetQueueUrl', { QueueName: 'none' }), failure('QueueDoesNotExist'));
    await assert.rejects(
      world.call('GetQueueUrl', { QueueName: 'q' }, { region: 'eu-west-1' }),
      failure('QueueDoesNotExist'),
    );
  });

  it('lists by prefix and in pages', async () => {
    for (const name of ['b2', 'a1', 'b1', 'b3']) await world.create(name);
    assert.deepEqual((await world.call('ListQueues')).QueueUrls, ['a1', 'b1', 'b2', 'b3'].map(urlOf));
    const first = await world.call('ListQueues', { QueueNamePrefix: 'b', MaxResults: 2 });
    assert.deepEqual(first.QueueUrls, [urlOf('b1'), urlOf('b2')]);
    const next = { QueueNamePrefix: 'b', MaxResults: 2, NextToken: first.NextToken };
    assert.deepEqual(await world.call('ListQueues', next), { QueueUrls: [urlOf('b3')] });
    assert.deepEqual(await world.call('ListQueues', { QueueNamePrefix: 'z' }), {});
    await assert.rejects(world.call('ListQueues', { MaxResults: 0 }), failure('InvalidParameterValue'));
    await assert.rejects(world.call('ListQueues', { NextToken: 'x' }), failure('InvalidParameterValue'));
  });
});

describe('SQS SetQueueAttributes', () => {
  const set = (queue: string, Attributes: object) =>
    world.call('SetQueueAttributes', { QueueUrl: urlOf(queue), Attributes });

  it('changes what is named, and when', async () => {
    await world.create('q', { DelaySeconds: '1' });
    world.seconds(10);
    await set('q', { VisibilityTimeout: '5', ReceiveMessageWaitTimeSeconds: '20' });
    const found = await world.attributes('q');
    assert.equal(found.VisibilityTimeout, '5');
    assert.equal(found.ReceiveMessageWaitTimeSeconds, '20');
    assert.equal(found.DelaySeconds, '1');
    assert.equal(found.CreatedTimestamp, String(START / 1000));
    assert.equal(found.LastModifiedTimestamp, String(START / 1000 + 10));
  });

  it('does not make one kind of queue into the other', async () => {
    await world.create('q');
    await assert.rejects(set('q', { FifoQueue: 'true' }), failure('InvalidAttributeName'));
    await assert.rejects(set('q', { DeduplicationScope: 'queue' }), failure('InvalidAttributeName'));
    await world.create('f.fifo');
    await assert.rejects(set('f.fifo', { FifoQueue: 'false' }), failure('InvalidAttributeValue'));
    await assert.rejects(
      set('f.fifo', { FifoThroughputLimit: 'perMessageGroupId' }),
      failure('InvalidParameterValue', 'DeduplicationScope'),
    );
    await set('f.fifo', { FifoThroughputLimit: 'perMessageGroupId', DeduplicationScope: 'messageGroup' });
  });

  it('has one kind of server-side encryption at a time', async () => {
    await world.create('q', { KmsMasterKeyId: 'alias/k' });
    const kms = await world.attributes('q', 'SqsManagedSseEnabled', 'KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds');
    assert.deepEqual(kms, {
      KmsMasterKeyId: 'alias/k',
      KmsDataKeyReusePeriodSeconds: '300',
      SqsManagedSseEnabled: 'false',
    });
    await assert.rejects(
      set('q', { KmsMasterKeyId: 'alias/k', SqsManagedSseEnabled: 'true' }),
      failure('InvalidAttributeName', 'You can use one type of server-side encryption (SSE) at one time.'),
    );
    await set('q', { SqsManagedSseEnabled: 'true' });
    assert.deepEqual(await world.attributes('q', 'SqsManagedSseEnabled', 'KmsMasterKeyId'), {
      SqsManagedSseEnabled: 'true',
    });
  });

  it('refuses to tell attributes that there are not', async () => {
    await world.create('q');
    await assert.rejects(world.attributes('q', 'Nope'), failure('InvalidAttributeName'));
    assert.deepEqual(await world.attributes('q', 'Policy'), {});
  });
});

describe('SQS PurgeQueue', () => {
  it('takes every message away, once in 60 seconds', async () => {
    await world.create('q');
    for (const body of ['a', 'b', 'c']) await world.send('q', body);
    const [taken] = await world.receive('q', { MaxNumberOfMessages: 1 });
    await world.call('PurgeQueue', { QueueUrl: urlOf('q') });
    assert.deepEqual(await world.counts('q'), [0, 0, 0]);
    await world.send('q', 'd');
    await assert.rejects(
      world.call('PurgeQueue', { QueueUrl: urlOf('q') }),
      failure('PurgeQueueInProgress', 'Only one PurgeQueue operation on q is allowed every 60 seconds.'),
    );
    await world.delete('q', taken.ReceiptHandle);
    assert.deepEqual(await world.bodies('q'), ['d']);
    world.restart();
    assert.deepEqual(await world.counts('q'), [0, 1, 0]);
    world.seconds(60);
    await world.call('PurgeQueue', { QueueUrl: urlOf('q') });
    assert.deepEqual(await world.counts('q'), [0, 0, 0]);
  });
});

describe('SQS tags', () => {
  it('sets, lists and removes them', async () => {
    await world.call('CreateQueue', { QueueName: 'q', tags: { team: 'a' } });
    await world.call('TagQueue', { QueueUrl: urlOf('q'), Tags: { team: 'b', cost: '1' } });
    assert.deepEqual(await world.call('ListQueueTags', { QueueUrl: urlOf('q') }), { Tags: { team: 'b', cost: '1' } });
    await world.call('UntagQueue', { QueueUrl: urlOf('q'), TagKeys: ['team', 'cost'] });
    assert.deepEqual(await world.call('ListQueueTags', { QueueUrl: urlOf('q') }), {});
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, '']));
    await assert.rejects(
      world.call('TagQueue', { QueueUrl: urlOf('q'), Tags: many }),
      failure('InvalidParameterValue'),
    );
  });
});

describe('SQS AddPermission', () => {
  const add = (Label: string, AWSAccountIds: string[], Actions: string[]) =>
    world.call('AddPermission', { QueueUrl: urlOf('q'), Label, AWSAccountIds, Actions });
  const remove = (Label: string) => world.call('RemovePermission', { QueueUrl: urlOf('q'), Label });
  const statement = (Sid: string, AWS: unknown, Action: unknown) => ({
    Sid,
    Effect: 'Allow',
    Principal: { AWS },
    Action,
    Resource: arnOf('q'),
  });

  it('writes statements into the policy and takes them out', async () => {
    await world.create('q');
    await add('one', ['111111111111'], ['SendMessage']);
    await add('two', ['111111111111', '222222222222'], ['SendMessage', 'ReceiveMessage']);
    const { Policy } = await world.attributes('q', 'Policy');
    assert.deepEqual(JSON.parse(Policy!), {
      Version: '2008-10-17',
      Id: `${arnOf('q')}/SQSDefaultPolicy`,
      Statement: [
        statement('one', 'arn:aws:iam::111111111111:root', 'SQS:SendMessage'),
        statement(
          'two',
          ['arn:aws:iam::111111111111:root', 'arn:aws:iam::222222222222:root'],
          ['SQS:SendMessage', 'SQS:ReceiveMessage'],
        ),
      ],
    });
    await assert.rejects(
      add('one', ['111111111111'], ['SendMessage']),
      failure('InvalidParameterValue', 'Value one for parameter Label is invalid. Reason: Already exists.'),
    );
    await remove('one');
    await remove('two');
    assert.deepEqual(await world.attributes('q', 'Policy'), {});
    await assert.rejects(
      remove('two'),
      failure('InvalidParameterValue', "Value two for parameter Label is invalid. Reason: can't find label."),
    );
  });

  it('refuses what it cannot allow', async () => {
    await world.create('q');
    await assert.rejects(add('x', ['12'], ['SendMessage']), failure('InvalidParameterValue'));
    await assert.rejects(add('x', ['111111111111'], ['CreateQueue']), failure('InvalidParameterValue'));
    await assert.rejects(add('x', ['111111111111'], []), failure('MissingParameter'));
    await assert.rejects(add('a b', ['111111111111'], ['*']), failure('InvalidParameterValue'));
    const many = Array.from({ length: 300 }, (_, index) => String(100_000_000_000 + index));
    await assert.rejects(add('x', many, ['*']), failure('OverLimit', '8192 bytes'));
  });
});

describe('SQS policies', () => {
  it('are refused when they are none', async () => {
    await world.create('q');
    const statement = { Effect: 'Allow', Principal: '*', Action: 'sqs:SendMessage', Resource: arnOf('q') };
    const set = (policy: unknown) =>
      world.call('SetQueueAttributes', {
        QueueUrl: urlOf('q'),
        Attributes: { Policy: typeof policy === 'string' ? policy : JSON.stringify(policy) },
      });
    await set({ Version: '2012-10-17', Statement: statement });
    const { Principal: _, ...withoutPrincipal } = statement;
    const bad = [
      '{',
      '[]',
      { Version: '2012-10-17' },
      { Statement: null },
      { Statement: [] },
      { Statement: [null] },
      { Statement: ['Allow'] },
      { Statement: [withoutPrincipal] },
      { Statement: { ...statement, Effect: 'allow' } },
      { Statement: [statement], Id: 'x'.repeat(8192) },
    ];
    for (const policy of bad) {
      const message = 'Invalid value for the parameter Policy.';
      await assert.rejects(set(policy), failure('InvalidAttributeValue', message), JSON.stringify(policy));
    }
  });
});
