import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { arnOf, failure, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
/** Calls of the key service. */
let calls: string[];
let problem: string | undefined;

beforeEach(() => {
  world = new TestSqs();
  calls = [];
  problem = undefined;
  const made = new Map<string, { readonly plaintext: Uint8Array; readonly context: string }>();
  const called = (what: string) => {
    calls.push(what);
    if (problem !== undefined) throw new ServiceError(problem, 'the key cannot be used');
  };
  world.encryption = {
    encrypt: () => Promise.reject(new Error('not used')),
    generateDataKey: async (keyId, context) => {
      called(`generate ${keyId} ${context['aws:sqs:arn']}`);
      const [plaintext, ciphertext] = [randomBytes(32), randomBytes(64)];
      made.set(ciphertext.toString('hex'), { plaintext, context: JSON.stringify(context) });
      return { plaintext, ciphertext, keyArn: keyId };
    },
    decrypt: async (ciphertext, context) => {
      called(`decrypt ${context['aws:sqs:arn']}`);
      const key = made.get(Buffer.from(ciphertext).toString('hex'));
      assert.equal(key?.context, JSON.stringify(context));
      return key.plaintext;
    },
  };
});
afterEach(() => world.close());

/** All that is kept of messages, as one text. */
const stored = async () =>
  (await world.store.range<{ readonly body: string | Uint8Array }>({ prefix: ['sqs', 'message'] })).map(({ value }) =>
    Buffer.from(value.body).toString('latin1'),
  );

describe('SQS encryption by a KMS key', () => {
  it('keeps bodies encrypted, with a data key that is used again for the period', async () => {
    await world.create('q', { KmsMasterKeyId: 'alias/k', KmsDataKeyReusePeriodSeconds: '60' });
    await world.send('q', 'secret');
    await world.send('q', 'secret');
    const [first, second] = await stored();
    assert.ok(!first?.includes('secret'));
    assert.notEqual(first, second);
    assert.deepEqual(calls, [`generate alias/k ${arnOf('q')}`]);
    world.seconds(60);
    await world.send('q', 'größe');
    assert.equal(calls.length, 2);
    world.restart();
    assert.deepEqual(await world.bodies('q', { VisibilityTimeout: 0 }), ['secret', 'secret', 'größe']);
    assert.deepEqual(calls.slice(2), [`decrypt ${arnOf('q')}`, `decrypt ${arnOf('q')}`]);
    await world.bodies('q', { VisibilityTimeout: 0 });
    assert.equal(calls.length, 4);
    world.seconds(60);
    await world.bodies('q');
    assert.equal(calls.length, 6);
  });

  it('stays with a message that is moved, and with those sent before it was switched off', async () => {
    await world.create('dead');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 1 });
    await world.create('q', { KmsMasterKeyId: 'alias/k', RedrivePolicy });
    await world.send('q', 'secret');
    await world.receive('q', { VisibilityTimeout: 0 });
    await world.receive('q');
    assert.ok(!(await stored())[0]?.includes('secret'));
    assert.deepEqual(await world.bodies('dead'), ['secret']);
    await world.send('q', 'before');
    const Attributes = { KmsMasterKeyId: '' };
    await world.call('SetQueueAttributes', { QueueUrl: urlOf('q'), Attributes });
    await world.send('q', 'after');
    assert.deepEqual(await world.bodies('q'), ['before', 'after']);
    assert.ok((await stored()).some((body) => body === 'after'));
  });

  it('tells problems of the key under the names of SQS, and leaves messages where they are', async () => {
    await world.create('q', { KmsMasterKeyId: 'alias/k' });
    const names: readonly (readonly [string, string])[] = [
      ['NotFoundException', 'KmsNotFound'],
      ['DisabledException', 'KmsDisabled'],
      ['AccessDeniedException', 'KmsAccessDenied'],
      ['KMSInvalidStateException', 'KmsInvalidState'],
      ['InvalidKeyUsageException', 'KmsInvalidKeyUsage'],
    ];
    for (const [theirs, ours] of names) {
      problem = theirs;
      await assert.rejects(world.send('q', 'x'), failure(ours));
    }
    problem = undefined;
    await world.send('q', 'kept');
    world.restart();
    problem = 'DisabledException';
    await assert.rejects(world.receive('q'), failure('KmsDisabled'));
    assert.deepEqual(await world.counts('q'), [1, 0, 0]);
    problem = undefined;
    assert.deepEqual(await world.bodies('q'), ['kept']);
  });
});

describe("SQS encryption by SQS's own key", () => {
  it('keeps bodies of new queues encrypted, and asks nobody for it', async () => {
    await world.create('q');
    await world.send('q', 'secret');
    await world.send('q', 'secret');
    const [first, second] = await stored();
    assert.ok(first && !first.includes('secret'));
    assert.notEqual(first, second);
    world.restart();
    assert.deepEqual(await world.bodies('q'), ['secret', 'secret']);
    assert.deepEqual(calls, []);
  });

  it('can be switched off, for messages that are sent from then on', async () => {
    await world.create('q');
    await world.send('q', 'before');
    await world.call('SetQueueAttributes', { QueueUrl: urlOf('q'), Attributes: { SqsManagedSseEnabled: 'false' } });
    await world.send('q', 'after');
    const kept = await stored();
    assert.ok(kept.includes('after') && !kept.includes('before'));
    assert.deepEqual(await world.bodies('q'), ['before', 'after']);
  });
});
