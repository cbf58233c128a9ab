import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { KeyUser } from '../encryption.ts';
import { ACCOUNT, startTestKms, type TestKms } from './test-kms.ts';

const user: KeyUser = { service: 'ssm.amazonaws.com', account: ACCOUNT, region: 'us-east-1' };
const bytes = (text: string) => new TextEncoder().encode(text);
let test: TestKms;
beforeEach(() => {
  test = startTestKms();
});
afterEach(() => test.close());

describe('Encryption for other services', () => {
  it('makes the managed key when its alias is first used, once', async () => {
    const { encryption } = test.kms;
    const made = await Promise.all(
      ['a', 'b', 'c'].map((text) => encryption.encrypt('alias/aws/ssm', bytes(text), {}, user)),
    );
    assert.equal(new Set(made.map(({ keyArn }) => keyArn)).size, 1);
    assert.match(made[0]!.keyArn, /^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}$/);
    const other = await encryption.encrypt('alias/aws/ssm', bytes('a'), {}, { ...user, region: 'eu-west-1' });
    assert.notEqual(other.keyArn, made[0]!.keyArn);
  });

  it('decrypts with the same encryption context, in any order, and with no other', async () => {
    const { encryption } = test.kms;
    const { ciphertext } = await encryption.encrypt('alias/aws/ssm', bytes('secret'), { a: '1', b: '2' }, user);
    assert.equal(Buffer.from(await encryption.decrypt(ciphertext, { b: '2', a: '1' }, user)).toString(), 'secret');
    const others: Record<string, string>[] = [
      {},
      { a: '1' },
      { a: '1', b: '3' },
      { a: '1', b: '2', c: '3' },
      { a: '1b', '': '2' },
    ];
    for (const context of others) {
      await assert.rejects(encryption.decrypt(ciphertext, context, user), { code: 'InvalidCiphertextException' });
    }
  });

  it('gives data keys that come back by decryption', async () => {
    const { encryption } = test.kms;
    const key = await encryption.generateDataKey('alias/aws/sqs', { queue: 'q' }, user);
    assert.equal(key.plaintext.length, 32);
    assert.deepEqual(
      Buffer.from(await encryption.decrypt(key.ciphertext, { queue: 'q' }, user)),
      Buffer.from(key.plaintext),
    );
  });

  it('goes on after a restart', async () => {
    const { ciphertext } = await test.kms.encryption.encrypt('alias/aws/ssm', bytes('secret'), {}, user);
    test = await test.restart();
    assert.equal(Buffer.from(await test.kms.encryption.decrypt(ciphertext, {}, user)).toString(), 'secret');
  });

  it('refuses what is changed, foreign, unknown or too long', async () => {
    const { encryption } = test.kms;
    const { ciphertext } = await encryption.encrypt('alias/aws/ssm', bytes('secret'), {}, user);
    for (let position = 0; position < ciphertext.length; position++) {
      const changed = Uint8Array.from(ciphertext);
      changed[position]! ^= 1;
      await assert.rejects(
        encryption.decrypt(changed, {}, user),
        (error: { code: string }) => ['InvalidCiphertextException', 'AccessDeniedException'].includes(error.code),
        `byte ${position}`,
      );
    }
    await assert.rejects(encryption.decrypt(bytes('no ciphertext'), {}, user), { code: 'InvalidCiphertextException' });
    await assert.rejects(encryption.decrypt(ciphertext, {}, { ...user, region: 'eu-west-1' }), {
      code: 'AccessDeniedException',
    });
    await assert.rejects(encryption.encrypt('alias/missing', bytes('a'), {}, user), {
      code: 'NotFoundException',
      message: 'Alias arn:aws:kms:us-east-1:000000000000:alias/missing is not found.',
    });
    await assert.rejects(encryption.encrypt('alias/aws/nothing', bytes('a'), {}, user), { code: 'NotFoundException' });
    await assert.rejects(encryption.encrypt('alias/aws/ssm', new Uint8Array(4097), {}, user), {
      code: 'ValidationException',
    });
  });

  it('keeps nothing of a key in the clear in the store', async () => {
    await test.kms.encryption.encrypt('alias/aws/ssm', bytes('secret'), {}, user);
    const [entry] = await test.store.range<{ materials: { wrapped: Uint8Array }[] }>({ prefix: ['kms', 'key'] });
    // 12 bytes of IV and 16 of tag around 32 of material.
    assert.equal(entry!.value.materials[0]!.wrapped.length, 60);
  });
});
