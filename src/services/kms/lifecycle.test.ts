import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, startTestKms, type TestKms } from './test-kms.ts';

const DAY_MS = 86_400_000;
const message = Buffer.from('message');
let test: TestKms;
beforeEach(() => {
  test = startTestKms();
});
afterEach(() => test.close());

const create = async (input: object = {}): Promise<string> => (await test.call('CreateKey', input)).KeyMetadata.KeyId;
const stateOf = async (KeyId: string, region = 'us-east-1'): Promise<string> =>
  (await test.call('DescribeKey', { KeyId }, { region })).KeyMetadata.KeyState;
const told = () => test.events.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()));

describe('KMS key states', () => {
  it('let a disabled key be managed, not used', async () => {
    const KeyId = await create();
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: message });
    await test.call('DisableKey', { KeyId });
    const { Arn, Enabled } = (await test.call('DescribeKey', { KeyId })).KeyMetadata;
    assert.equal(Enabled, false);
    await assert.rejects(test.call('Decrypt', { CiphertextBlob }), {
      code: 'DisabledException',
      message: `${Arn} is disabled.`,
    });
    await test.call('UpdateKeyDescription', { KeyId, Description: 'off' });
    await test.call('EnableKey', { KeyId });
    assert.deepEqual((await test.call('Decrypt', { CiphertextBlob })).Plaintext, message);
  });
});

describe('KMS GetKeyLastUsage', () => {
  it('tells the last successful cryptographic operation, also after a restart', async () => {
    const KeyId = await create();
    const created = new Date(test.clock.now());
    const unused = { KeyId, KeyLastUsage: {}, TrackingStartDate: created, KeyCreationDate: created };
    assert.deepEqual(await test.call('GetKeyLastUsage', { KeyId }), unused);
    await assert.rejects(test.call('Encrypt', { KeyId, Plaintext: Buffer.alloc(5000) }));
    assert.deepEqual(await test.call('GetKeyLastUsage', { KeyId }), unused);
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: message });
    test.clock.advance(1000);
    await test.call('Decrypt', { CiphertextBlob });
    const used = { Operation: 'Decrypt', Timestamp: new Date(test.clock.now()), KmsRequestId: 'r' };
    assert.deepEqual((await test.call('GetKeyLastUsage', { KeyId })).KeyLastUsage, used);
    test = await test.restart();
    assert.deepEqual((await test.call('GetKeyLastUsage', { KeyId })).KeyLastUsage, used);
  });
});

describe('KMS ScheduleKeyDeletion', () => {
  it('makes the key unusable at once and deletes it, its aliases and grants when the time has come', async () => {
    const KeyId = await create();
    await test.call('CreateAlias', { AliasName: 'alias/gone', TargetKeyId: KeyId });
    await test.call('CreateGrant', {
      KeyId,
      GranteePrincipal: `arn:aws:iam::${ACCOUNT}:role/r`,
      RetiringPrincipal: `arn:aws:iam::${ACCOUNT}:role/r`,
      Operations: ['Decrypt'],
    });
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: message });
    const answer = await test.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    assert.equal(answer.KeyState, 'PendingDeletion');
    assert.equal(answer.DeletionDate.getTime(), test.clock.now() + 7 * DAY_MS);
    await assert.rejects(test.call('Decrypt', { CiphertextBlob }), {
      code: 'KMSInvalidStateException',
      message: `${answer.KeyId} is pending deletion.`,
    });
    await assert.rejects(test.call('ScheduleKeyDeletion', { KeyId }), { code: 'KMSInvalidStateException' });
    test.clock.advance(7 * DAY_MS - 1);
    assert.equal(await stateOf(KeyId), 'PendingDeletion');
    test.clock.advance(1);
    await assert.rejects(stateOf(KeyId), { code: 'NotFoundException' });
    await assert.rejects(test.call('Decrypt', { CiphertextBlob }), { code: 'AccessDeniedException' });
    assert.deepEqual((await test.call('ListAliases')).Aliases, []);
    const left = await test.store.range({ prefix: ['kms'] });
    assert.deepEqual(
      left.map(({ key }) => key),
      [['kms', 'root']],
    );
    const [event] = told();
    assert.deepEqual(
      [event['detail-type'], event.source, event.detail, event.resources],
      ['KMS CMK Deletion', 'aws.kms', { 'key-id': KeyId }, [answer.KeyId]],
    );
  });

  it('is cancelled: the key is disabled then', async () => {
    const KeyId = await create();
    await test.call('ScheduleKeyDeletion', { KeyId });
    test.clock.advance(29 * DAY_MS);
    await test.call('CancelKeyDeletion', { KeyId });
    assert.equal(await stateOf(KeyId), 'Disabled');
    test.clock.advance(365 * DAY_MS);
    assert.equal(await stateOf(KeyId), 'Disabled');
    await assert.rejects(test.call('CancelKeyDeletion', { KeyId }), { code: 'KMSInvalidStateException' });
  });

  it('takes 7 to 30 days', async () => {
    const KeyId = await create();
    for (const PendingWindowInDays of [6, 31]) {
      await assert.rejects(test.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays }), {
        code: 'ValidationException',
      });
    }
    assert.equal((await test.call('ScheduleKeyDeletion', { KeyId })).PendingWindowInDays, 30);
  });

  it('is done after a restart, too, without anybody asking', async () => {
    const KeyId = await create();
    await test.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    test = await test.restart();
    test.clock.advance(8 * DAY_MS);
    await test.kms.start();
    assert.deepEqual(await test.store.range({ prefix: ['kms', 'key'] }), []);
  });
});

describe('KMS rotation', () => {
  it('changes the material by the clock; older ciphertexts still decrypt', async () => {
    const KeyId = await create();
    await test.call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 });
    const start = test.clock.now();
    const before = await test.call('Encrypt', { KeyId, Plaintext: message });
    const status = await test.call('GetKeyRotationStatus', { KeyId });
    assert.deepEqual(status, {
      KeyId,
      KeyRotationEnabled: true,
      RotationPeriodInDays: 90,
      NextRotationDate: new Date(start + 90 * DAY_MS),
    });
    test.clock.advance(91 * DAY_MS);
    const after = await test.call('Encrypt', { KeyId, Plaintext: message });
    const [old, current] = await Promise.all(
      [before, after].map(({ CiphertextBlob }) => test.call('Decrypt', { CiphertextBlob })),
    );
    assert.deepEqual([old.Plaintext, current.Plaintext], [message, message]);
    assert.notEqual(old.KeyMaterialId, current.KeyMaterialId);
    const { Rotations } = await test.call('ListKeyRotations', { KeyId });
    assert.deepEqual(Rotations, [
      {
        KeyId,
        KeyMaterialId: current.KeyMaterialId,
        KeyMaterialState: 'CURRENT',
        RotationDate: new Date(start + 90 * DAY_MS),
        RotationType: 'AUTOMATIC',
      },
    ]);
    assert.equal(told()[0]['detail-type'], 'KMS CMK Rotation');
  });

  it('is made for each period that a jump of the clock passes', async () => {
    const KeyId = await create();
    await test.call('EnableKeyRotation', { KeyId });
    test.clock.advance(4 * 365 * DAY_MS);
    assert.equal((await test.call('ListKeyRotations', { KeyId })).Rotations.length, 4);
    const all = await test.call('ListKeyRotations', { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' });
    assert.equal(all.Rotations.length, 5);
    await test.call('DisableKeyRotation', { KeyId });
    test.clock.advance(4 * 365 * DAY_MS);
    assert.equal((await test.call('ListKeyRotations', { KeyId })).Rotations.length, 4);
  });

  it('on demand happens at once, 25 times at most, and moves no schedule', async () => {
    const KeyId = await create();
    await test.call('EnableKeyRotation', { KeyId });
    const { NextRotationDate } = await test.call('GetKeyRotationStatus', { KeyId });
    test.clock.advance(DAY_MS);
    for (let count = 0; count < 25; count++) await test.call('RotateKeyOnDemand', { KeyId });
    await assert.rejects(test.call('RotateKeyOnDemand', { KeyId }), { code: 'LimitExceededException' });
    assert.deepEqual((await test.call('GetKeyRotationStatus', { KeyId })).NextRotationDate, NextRotationDate);
    const { Rotations } = await test.call('ListKeyRotations', { KeyId });
    assert.equal(new Set(Rotations.map((entry: { KeyMaterialId: string }) => entry.KeyMaterialId)).size, 25);
  });

  it('is for symmetric encryption keys, enabled ones, and 90 to 2,560 days', async () => {
    const KeyId = await create();
    for (const RotationPeriodInDays of [89, 2561]) {
      await assert.rejects(test.call('EnableKeyRotation', { KeyId, RotationPeriodInDays }), {
        code: 'ValidationException',
      });
    }
    const mac = await create({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    for (const operation of ['EnableKeyRotation', 'GetKeyRotationStatus', 'RotateKeyOnDemand', 'ListKeyRotations']) {
      await assert.rejects(test.call(operation, { KeyId: mac }), { code: 'UnsupportedOperationException' }, operation);
    }
    await test.call('EnableKeyRotation', { KeyId });
    await test.call('DisableKey', { KeyId });
    test.clock.advance(400 * DAY_MS);
    assert.deepEqual((await test.call('ListKeyRotations', { KeyId })).Rotations, [], 'a disabled key is not rotated');
    await test.call('EnableKey', { KeyId });
    assert.equal((await test.call('ListKeyRotations', { KeyId })).Rotations.length, 1, 'but when it is enabled again');
  });
});

describe('KMS multi-Region keys', () => {
  const there = { region: 'eu-west-1' };

  it('decrypt in one region what another encrypted, through rotations', async () => {
    const KeyId = await create({ MultiRegion: true });
    assert.match(KeyId, /^mrk-[0-9a-f]{32}$/);
    const before = await test.call('Encrypt', { KeyId, Plaintext: message });
    await assert.rejects(test.call('Decrypt', { CiphertextBlob: before.CiphertextBlob }, there), {
      code: 'AccessDeniedException',
    });
    const made = await test.call('ReplicateKey', {
      KeyId,
      ReplicaRegion: 'eu-west-1',
      Tags: [{ TagKey: 'where', TagValue: 'eu' }],
    });
    assert.equal(made.ReplicaKeyMetadata.MultiRegionConfiguration.MultiRegionKeyType, 'REPLICA');
    assert.deepEqual(made.ReplicaTags, [{ TagKey: 'where', TagValue: 'eu' }]);
    assert.deepEqual((await test.call('Decrypt', { CiphertextBlob: before.CiphertextBlob }, there)).Plaintext, message);
    await test.call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 100 });
    test.clock.advance(100 * DAY_MS);
    await test.call('RotateKeyOnDemand', { KeyId });
    const after = await test.call('Encrypt', { KeyId, Plaintext: message }, there);
    assert.deepEqual((await test.call('Decrypt', { CiphertextBlob: after.CiphertextBlob })).Plaintext, message);
    const lists = await Promise.all([{}, there].map((where) => test.call('ListKeyRotations', { KeyId }, where)));
    assert.equal(lists[0].Rotations.length, 2);
    assert.deepEqual(lists[0], lists[1]);
    await assert.rejects(test.call('RotateKeyOnDemand', { KeyId }, there), { code: 'UnsupportedOperationException' });
  });

  it('change their primary region', async () => {
    const KeyId = await create({ MultiRegion: true });
    for (const ReplicaRegion of ['eu-west-1', 'eu-west-2']) await test.call('ReplicateKey', { KeyId, ReplicaRegion });
    await assert.rejects(test.call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-1' }), {
      code: 'AlreadyExistsException',
    });
    await test.call('UpdatePrimaryRegion', { KeyId, PrimaryRegion: 'eu-west-1' });
    for (const region of ['us-east-1', 'eu-west-1', 'eu-west-2']) {
      const { MultiRegionConfiguration } = (await test.call('DescribeKey', { KeyId }, { region })).KeyMetadata;
      assert.equal(MultiRegionConfiguration.PrimaryKey.Region, 'eu-west-1', region);
      assert.deepEqual(MultiRegionConfiguration.ReplicaKeys.map(({ Region }: { Region: string }) => Region).sort(), [
        'eu-west-2',
        'us-east-1',
      ]);
    }
    await assert.rejects(test.call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-3' }), {
      code: 'UnsupportedOperationException',
    });
    await assert.rejects(test.call('UpdatePrimaryRegion', { KeyId, PrimaryRegion: 'eu-west-3' }, there), {
      code: 'NotFoundException',
    });
  });

  it('are deleted when no replica is left, then after the waiting period', async () => {
    const KeyId = await create({ MultiRegion: true });
    await test.call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-1' });
    const answer = await test.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 10 });
    assert.deepEqual([answer.KeyState, answer.DeletionDate], ['PendingReplicaDeletion', undefined]);
    test.clock.advance(60 * DAY_MS);
    assert.equal(await stateOf(KeyId), 'PendingReplicaDeletion');
    await test.call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 }, there);
    test.clock.advance(7 * DAY_MS);
    await assert.rejects(stateOf(KeyId, 'eu-west-1'), { code: 'NotFoundException' });
    assert.equal(await stateOf(KeyId), 'PendingDeletion');
    test.clock.advance(10 * DAY_MS);
    await assert.rejects(stateOf(KeyId), { code: 'NotFoundException' });
  });

  it('are for keys made so, in regions that can be', async () => {
    const KeyId = await create();
    await assert.rejects(test.call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-1' }), {
      code: 'UnsupportedOperationException',
    });
    const multi = await create({ MultiRegion: true });
    for (const ReplicaRegion of ['', 'nowhere', 'us-east-1']) {
      await assert.rejects(test.call('ReplicateKey', { KeyId: multi, ReplicaRegion }), (error: { code: string }) =>
        ['ValidationException', 'AlreadyExistsException'].includes(error.code),
      );
    }
  });
});
