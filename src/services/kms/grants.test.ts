import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { grantsFor } from './grants.ts';
import { ACCOUNT, startTestKms, type TestKms } from './test-kms.ts';

const ROLE = `arn:aws:iam::${ACCOUNT}:role/worker`;
let test: TestKms;
let KeyId: string;
beforeEach(async () => {
  test = startTestKms();
  KeyId = (await test.call('CreateKey')).KeyMetadata.KeyId;
});
afterEach(() => test.close());

describe('KMS grants', () => {
  it('are made once under a name, listed, and revoked', async () => {
    const input = { KeyId, GranteePrincipal: ROLE, Operations: ['Decrypt', 'Encrypt'], Name: 'n' };
    const one = await test.call('CreateGrant', input);
    const same = await test.call('CreateGrant', { ...input, Operations: ['Encrypt', 'Decrypt'] });
    assert.equal(same.GrantId, one.GrantId);
    const unnamed = { ...input, Name: undefined };
    const two = await test.call('CreateGrant', unnamed);
    assert.notEqual((await test.call('CreateGrant', unnamed)).GrantId, two.GrantId);
    assert.equal((await test.call('ListGrants', { KeyId })).Grants.length, 3);
    const [grant] = (await test.call('ListGrants', { KeyId, GrantId: one.GrantId })).Grants;
    assert.deepEqual(grant, {
      KeyId: `arn:aws:kms:us-east-1:${ACCOUNT}:key/${KeyId}`,
      GrantId: one.GrantId,
      Name: 'n',
      CreationDate: new Date(test.clock.now()),
      GranteePrincipal: ROLE,
      IssuingAccount: `arn:aws:iam::${ACCOUNT}:root`,
      Operations: ['Decrypt', 'Encrypt'],
    });
    await test.call('RevokeGrant', { KeyId, GrantId: one.GrantId });
    await assert.rejects(test.call('RevokeGrant', { KeyId, GrantId: one.GrantId }), {
      code: 'InvalidGrantIdException',
    });
    assert.equal((await test.call('ListGrants', { KeyId })).Grants.length, 2);
  });

  it('are retired by their token, or by key and id', async () => {
    const input = { KeyId, GranteePrincipal: ROLE, RetiringPrincipal: ROLE, Operations: ['Decrypt'] };
    const [one, two] = [await test.call('CreateGrant', input), await test.call('CreateGrant', input)];
    const retirable = { RetiringPrincipal: ROLE };
    assert.equal((await test.call('ListRetirableGrants', retirable)).Grants.length, 2);
    await assert.rejects(test.call('RetireGrant', { GrantToken: one.GrantToken, DryRun: true }), {
      code: 'DryRunOperationException',
    });
    await test.call('RetireGrant', { GrantToken: one.GrantToken });
    await test.call('RetireGrant', { KeyId, GrantId: two.GrantId });
    assert.deepEqual((await test.call('ListRetirableGrants', retirable)).Grants, []);
    await assert.rejects(test.call('RetireGrant', { GrantToken: one.GrantToken }), { code: 'InvalidGrantIdException' });
    await assert.rejects(test.call('RetireGrant', { GrantToken: 'forged' }), { code: 'InvalidGrantTokenException' });
    await assert.rejects(test.call('RetireGrant', { KeyId }), { code: 'ValidationException' });
  });

  it('allow what they say, with the encryption context they want, to whom they say', async () => {
    await test.call('CreateGrant', {
      KeyId,
      GranteePrincipal: ROLE,
      Operations: ['Decrypt', 'DescribeKey'],
      Constraints: { EncryptionContextSubset: { a: '1' } },
    });
    await test.call('CreateGrant', {
      KeyId,
      GranteePrincipal: ROLE,
      Operations: ['Encrypt'],
      Constraints: { EncryptionContextEquals: { a: '1' } },
    });
    const session = {
      type: 'AssumedRole',
      account: ACCOUNT,
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/worker/s`,
      roleArn: ROLE,
    } as const;
    const state = { store: test.store } as Parameters<typeof grantsFor>[0];
    const place = { account: ACCOUNT, region: 'us-east-1', id: KeyId };
    const count = async (operation: string, context?: Record<string, string>, user: object = session) =>
      (await grantsFor(state, place, operation, user as typeof session, context)).length;
    assert.equal(await count('Decrypt', { a: '1', b: '2' }), 1);
    assert.equal(await count('Decrypt', { a: '2' }), 0);
    assert.equal(await count('Decrypt'), 0);
    assert.equal(await count('DescribeKey'), 1, 'which has no encryption context');
    assert.equal(await count('Encrypt', { a: '1' }), 1);
    assert.equal(await count('Encrypt', { a: '1', b: '2' }), 0);
    assert.equal(await count('Decrypt', { a: '1' }, { ...session, arn: 'x', roleArn: 'y' }), 0);
  });

  it('to services may be for one resource only', async () => {
    const sourceArn = `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:g`;
    await test.call('CreateGrant', {
      KeyId,
      GranteeServicePrincipal: 'logs.amazonaws.com',
      Operations: ['Encrypt'],
      Constraints: { SourceArn: sourceArn },
    });
    const state = { store: test.store } as Parameters<typeof grantsFor>[0];
    const place = { account: ACCOUNT, region: 'us-east-1', id: KeyId };
    const service = { type: 'Service', account: ACCOUNT, arn: 'logs', service: 'logs.amazonaws.com' } as const;
    const count = async (user: object) =>
      (await grantsFor(state, place, 'Encrypt', { ...service, ...user }, undefined)).length;
    assert.equal(await count({ sourceArn }), 1);
    assert.equal(await count({ sourceArn: `${sourceArn}x` }), 0);
    assert.equal(await count({}), 0);
    assert.equal(await count({ sourceArn, service: 'sns.amazonaws.com' }), 0);
  });

  it('refuse operations that the key does not have, and principals that are none', async () => {
    const cases: [object, string][] = [
      [{ GranteePrincipal: ROLE, Operations: ['Sign'] }, 'ValidationException'],
      [{ GranteePrincipal: ROLE, Operations: [] }, 'ValidationException'],
      [{ GranteePrincipal: 'somebody', Operations: ['Decrypt'] }, 'InvalidArnException'],
      [{ Operations: ['Decrypt'] }, 'ValidationException'],
      [{ GranteePrincipal: ROLE, Operations: ['Decrypt'], Name: 'a b' }, 'ValidationException'],
    ];
    for (const [input, code] of cases) {
      await assert.rejects(test.call('CreateGrant', { KeyId, ...input }), { code }, JSON.stringify(input));
    }
  });
});
