import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, context, startTestKms, type TestKms } from './test-kms.ts';

let test: TestKms;
beforeEach(() => {
  test = startTestKms();
});
afterEach(() => test.close());

const create = async (input: object = {}) => (await test.call('CreateKey', input)).KeyMetadata;

describe('KMS CreateKey', () => {
  it('makes a symmetric encryption key unless told otherwise', async () => {
    const key = await create({ Description: 'mine', Tags: [{ TagKey: 'team', TagValue: 'a' }] });
    assert.match(key.KeyId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(key.Arn, `arn:aws:kms:us-east-1:${ACCOUNT}:key/${key.KeyId}`);
    const { Arn, KeyId, CreationDate, CurrentKeyMaterialId, ...rest } = key;
    assert.match(CurrentKeyMaterialId, /^[0-9a-f]{64}$/);
    assert.equal(CreationDate.getTime(), test.clock.now());
    assert.deepEqual(rest, {
      AWSAccountId: ACCOUNT,
      Enabled: true,
      Description: 'mine',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      KeySpec: 'SYMMETRIC_DEFAULT',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
    });
    assert.deepEqual((await test.call('DescribeKey', { KeyId: Arn })).KeyMetadata, key);
    assert.deepEqual((await test.call('ListResourceTags', { KeyId })).Tags, [{ TagKey: 'team', TagValue: 'a' }]);
  });

  it('refuses what does not go together', async () => {
    const cases: [object, string, RegExp?][] = [
      [{ KeySpec: 'RSA_2048' }, 'ValidationException', /^You must specify a KeyUsage value/],
      [
        { KeySpec: 'HMAC_256', KeyUsage: 'SIGN_VERIFY' },
        'ValidationException',
        /^KeyUsage SIGN_VERIFY is not compatible with KeySpec HMAC_256$/,
      ],
      [{ KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'KEY_AGREEMENT' }, 'ValidationException'],
      [{ KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' }, 'UnsupportedOperationException'],
      [{ KeySpec: 'AES', KeyUsage: 'SIGN_VERIFY' }, 'ValidationException', /at 'keySpec' failed to satisfy constraint/],
      [{ KeySpec: 'RSA_2048', CustomerMasterKeySpec: 'RSA_2048' }, 'ValidationException'],
      [{ Origin: 'AWS_CLOUDHSM' }, 'UnsupportedOperationException'],
      [{ CustomKeyStoreId: 'cks-1' }, 'CustomKeyStoreNotFoundException'],
      [{ Tags: [{ TagKey: 'aws:x', TagValue: '' }] }, 'TagException'],
      [{ Description: 'x'.repeat(8193) }, 'ValidationException'],
    ];
    for (const [input, code, message] of cases) {
      await assert.rejects(
        test.call('CreateKey', input),
        { code, ...(message ? { message } : {}) },
        JSON.stringify(input),
      );
    }
    assert.deepEqual((await test.call('ListKeys')).Keys, []);
  });

  it('refuses a policy that locks its author out, unless that is wanted', async () => {
    const policy = (statement: object) => JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const other = {
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::111122223333:root' },
      Action: 'kms:*',
      Resource: '*',
    };
    await assert.rejects(create({ Policy: policy(other) }), {
      code: 'MalformedPolicyDocumentException',
      message: 'The new key policy will not allow you to update the key policy in the future.',
    });
    const key = await create({ Policy: policy(other), BypassPolicyLockoutSafetyCheck: true });
    assert.equal((await test.call('GetKeyPolicy', { KeyId: key.KeyId })).Policy, policy(other));
    for (const Policy of [
      '{',
      'null',
      policy({ ...other, Effect: 'Maybe' }),
      policy({ ...other, Resource: undefined }),
    ]) {
      await assert.rejects(test.call('PutKeyPolicy', { KeyId: key.KeyId, Policy }), {
        code: 'MalformedPolicyDocumentException',
      });
    }
    const Policy = policy({ ...other, Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: ['kms:Put*'] });
    await test.call('PutKeyPolicy', { KeyId: key.KeyId, Policy });
    assert.deepEqual(await test.call('GetKeyPolicy', { KeyId: key.KeyId }), { Policy, PolicyName: 'default' });
  });
});

describe('KMS key identifiers', () => {
  it('finds a key by id, ARN, alias and alias ARN', async () => {
    const { KeyId, Arn } = await create();
    await test.call('CreateAlias', { AliasName: 'alias/app/main', TargetKeyId: KeyId });
    for (const name of [KeyId, Arn, 'alias/app/main', `arn:aws:kms:us-east-1:${ACCOUNT}:alias/app/main`]) {
      assert.equal((await test.call('DescribeKey', { KeyId: name })).KeyMetadata.KeyId, KeyId, name);
    }
  });

  it('tells what it does not find', async () => {
    const { KeyId } = await create();
    const missing = KeyId.replace(/.{4}$/, '0000');
    const cases: [string, string, string | RegExp][] = [
      [missing, 'NotFoundException', `Key 'arn:aws:kms:us-east-1:${ACCOUNT}:key/${missing}' does not exist`],
      ['nonsense', 'NotFoundException', "Invalid keyId 'nonsense'"],
      ['alias/none', 'NotFoundException', `Alias arn:aws:kms:us-east-1:${ACCOUNT}:alias/none is not found.`],
      [`arn:aws:kms:eu-west-1:${ACCOUNT}:key/${KeyId}`, 'NotFoundException', 'Invalid arn eu-west-1'],
      [`arn:aws:s3:us-east-1:${ACCOUNT}:key/${KeyId}`, 'InvalidArnException', /^Invalid arn/],
      ['', 'ValidationException', /greater than or equal to 1/],
    ];
    for (const [name, code, message] of cases) {
      await assert.rejects(test.call('DescribeKey', { KeyId: name }), { code, message }, name);
    }
    await assert.rejects(test.call('DescribeKey', { KeyId }, { region: 'eu-west-1' }), { code: 'NotFoundException' });
  });

  it('makes an AWS managed key when its alias is described, which nobody changes', async () => {
    const { KeyMetadata } = await test.call('DescribeKey', { KeyId: 'alias/aws/s3' });
    assert.equal(KeyMetadata.KeyManager, 'AWS');
    const { KeyId } = KeyMetadata;
    assert.equal((await test.call('GetKeyRotationStatus', { KeyId })).KeyRotationEnabled, true);
    for (const operation of ['DisableKey', 'ScheduleKeyDeletion', 'DisableKeyRotation', 'TagResource']) {
      await assert.rejects(test.call(operation, { KeyId, Tags: [] }), { code: 'AccessDeniedException' }, operation);
    }
    const { Aliases } = await test.call('ListAliases');
    assert.deepEqual(
      Aliases.map(({ AliasName, TargetKeyId }: Record<string, string>) => [AliasName, TargetKeyId]),
      [['alias/aws/s3', KeyId]],
    );
  });

  it("uses another account's key by its ARN, and lets only its owner manage it", async () => {
    const { Arn } = await create();
    const other = { account: '111122223333', principal: { ...context.principal, account: '111122223333' } };
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId: Arn, Plaintext: Buffer.from('x') }, other);
    assert.equal((await test.call('Decrypt', { CiphertextBlob }, other)).KeyId, Arn);
    await assert.rejects(test.call('DisableKey', { KeyId: Arn }, other), { code: 'AccessDeniedException' });
  });
});

describe('KMS aliases', () => {
  it('are made, moved, listed and deleted', async () => {
    const [one, two] = [await create(), await create()];
    await test.call('CreateAlias', { AliasName: 'alias/a', TargetKeyId: one.KeyId });
    await assert.rejects(test.call('CreateAlias', { AliasName: 'alias/a', TargetKeyId: two.KeyId }), {
      code: 'AlreadyExistsException',
      message: `An alias with the name arn:aws:kms:us-east-1:${ACCOUNT}:alias/a already exists`,
    });
    test.clock.advance(1000);
    await test.call('UpdateAlias', { AliasName: 'alias/a', TargetKeyId: two.Arn });
    assert.deepEqual((await test.call('ListAliases', { KeyId: one.KeyId })).Aliases, []);
    const [alias] = (await test.call('ListAliases', { KeyId: two.KeyId })).Aliases;
    assert.equal(alias.LastUpdatedDate - alias.CreationDate, 1000);
    await test.call('DeleteAlias', { AliasName: 'alias/a' });
    await assert.rejects(test.call('DeleteAlias', { AliasName: 'alias/a' }), { code: 'NotFoundException' });
  });

  it('do not move to a key of another kind, and are named as AWS wants', async () => {
    const one = await create();
    const mac = await create({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    await test.call('CreateAlias', { AliasName: 'alias/a', TargetKeyId: one.KeyId });
    const move = { AliasName: 'alias/a', TargetKeyId: mac.KeyId };
    await assert.rejects(test.call('UpdateAlias', move), { code: 'ValidationException' });
    const names: [string, string][] = [
      ['a', 'InvalidAliasNameException'],
      ['alias/', 'InvalidAliasNameException'],
      ['alias/a:b', 'InvalidAliasNameException'],
      ['alias/a b', 'ValidationException'],
      ['alias/aws/mine', 'NotAuthorizedException'],
      [`alias/${'x'.repeat(251)}`, 'ValidationException'],
    ];
    for (const [AliasName, code] of names) {
      await assert.rejects(test.call('CreateAlias', { AliasName, TargetKeyId: one.KeyId }), { code }, AliasName);
    }
    await assert.rejects(test.call('CreateAlias', { AliasName: 'alias/b', TargetKeyId: 'alias/a' }), {
      code: 'ValidationException',
    });
  });
});

describe('KMS lists', () => {
  it('come in pages', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, async () => (await create()).KeyId));
    const seen: string[] = [];
    let Marker: string | undefined;
    let pages = 0;
    do {
      const page = await test.call('ListKeys', { Limit: 2, Marker });
      seen.push(...page.Keys.map((key: { KeyId: string }) => key.KeyId));
      assert.equal(page.Truncated, page.NextMarker !== undefined);
      Marker = page.NextMarker;
      pages++;
    } while (Marker);
    assert.equal(pages, 3);
    assert.deepEqual(seen.sort(), ids.sort());
    for (const bad of ['!', Buffer.from('{}').toString('base64url'), Buffer.from('[1]').toString('base64url')]) {
      await assert.rejects(test.call('ListKeys', { Marker: bad }), { code: 'InvalidMarkerException' });
    }
    await assert.rejects(test.call('ListKeys', { Limit: 1001 }), { code: 'ValidationException' });
  });

  it('of aliases skip those of other keys and still fill their pages', async () => {
    const [one, two] = [await create(), await create()];
    for (let index = 0; index < 12; index++) {
      const TargetKeyId = index % 3 === 0 ? two.KeyId : one.KeyId;
      await test.call('CreateAlias', { AliasName: `alias/${String(index).padStart(2, '0')}`, TargetKeyId });
    }
    const first = await test.call('ListAliases', { KeyId: two.KeyId, Limit: 3 });
    const second = await test.call('ListAliases', { KeyId: two.KeyId, Limit: 3, Marker: first.NextMarker });
    const names = [...first.Aliases, ...second.Aliases].map(({ AliasName }) => AliasName);
    assert.deepEqual(names, ['alias/00', 'alias/03', 'alias/06', 'alias/09']);
    assert.equal(second.Truncated, false);
  });
});

describe('KMS tags', () => {
  it('are added, replaced and removed, fifty at most', async () => {
    const { KeyId } = await create({ Tags: [{ TagKey: 'a', TagValue: '1' }] });
    const Tags = [
      { TagKey: 'a', TagValue: '2' },
      { TagKey: 'b', TagValue: '' },
    ];
    await test.call('TagResource', { KeyId, Tags });
    await test.call('UntagResource', { KeyId, TagKeys: ['b', 'missing'] });
    assert.deepEqual((await test.call('ListResourceTags', { KeyId })).Tags, [{ TagKey: 'a', TagValue: '2' }]);
    const many = Array.from({ length: 50 }, (_, index) => ({ TagKey: `k${index}`, TagValue: '' }));
    await assert.rejects(test.call('TagResource', { KeyId, Tags: many }), { code: 'TagException' });
  });
});
