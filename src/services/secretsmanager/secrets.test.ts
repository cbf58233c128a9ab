import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createKms, type Kms } from '../kms/index.ts';
import { context, startTestSecrets, type TestSecrets } from './test-secrets.ts';

const DAY = 86_400_000;

let test: TestSecrets;
let kms: Kms;
before(async () => {
  test = await startTestSecrets((parts) => {
    kms = createKms(parts);
    return kms.encryption;
  });
});
after(() => test[Symbol.asyncDispose]());

const create = (Name: string, SecretString?: string, more: object = {}) =>
  test.call('CreateSecret', { Name, SecretString, ...more });
const put = (SecretId: string, SecretString: string, more: object = {}) =>
  test.call('PutSecretValue', { SecretId, SecretString, ...more });
const get = (SecretId: string, more: object = {}) => test.call('GetSecretValue', { SecretId, ...more });
const describeSecret = (SecretId: string) => test.call('DescribeSecret', { SecretId });
const notFound = { code: 'ResourceNotFoundException', message: "Secrets Manager can't find the specified secret." };

describe('Secrets Manager CreateSecret', () => {
  it('makes a secret whose ARN ends with six characters', async () => {
    const { ARN, Name, VersionId } = await create('create/a', 'geheim', {
      Description: 'd',
      Tags: [{ Key: 'k', Value: 'v' }],
    });
    assert.match(ARN, /^arn:aws:secretsmanager:us-east-1:000000000000:secret:create\/a-[A-Za-z0-9]{6}$/);
    assert.deepEqual(await get('create/a'), {
      ARN,
      Name,
      VersionId,
      SecretString: 'geheim',
      VersionStages: ['AWSCURRENT'],
      CreatedDate: new Date(test.clock.now()),
    });
    const described = await describeSecret(ARN);
    assert.deepEqual(described.VersionIdsToStages, { [VersionId]: ['AWSCURRENT'] });
    assert.deepEqual([described.Description, described.Tags], ['d', [{ Key: 'k', Value: 'v' }]]);
    assert.deepEqual(described.LastAccessedDate, new Date('2026-01-01T00:00:00Z'));
    assert.equal(described.RotationEnabled, undefined);
  });

  it('answers the same request again as the first', async () => {
    const ClientRequestToken = test.token();
    const first = await create('create/again', 'x', { ClientRequestToken });
    assert.deepEqual(await create('create/again', 'x', { ClientRequestToken }), first);
    await assert.rejects(create('create/again', 'y', { ClientRequestToken }), {
      code: 'ResourceExistsException',
      message: 'The operation failed because the secret create/again already exists.',
    });
  });

  it('makes a secret without a value', async () => {
    assert.equal((await create('create/empty')).VersionId, undefined);
    await assert.rejects(get('create/empty'), {
      code: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    });
    await put('create/empty', 'first', { VersionStages: ['mine'] });
    assert.deepEqual((await get('create/empty')).VersionStages, ['mine', 'AWSCURRENT']);
  });

  it('keeps bytes as bytes, up to 64 KB', async () => {
    const bytes = Buffer.alloc(65_536, 7);
    await test.call('CreateSecret', { Name: 'create/bytes', SecretBinary: bytes });
    const { SecretBinary, SecretString } = await get('create/bytes');
    assert.deepEqual([Buffer.compare(SecretBinary, bytes), SecretString], [0, undefined]);
    await assert.rejects(create('create/large', 'x'.repeat(65_537)), {
      code: 'ValidationException',
      message: /at 'secretString' .* 65536$/,
    });
  });

  const refusals: readonly [string, object, string, RegExp][] = [
    ['a name with a space', { Name: 'a b' }, 'ValidationException', /-\/_\+=\.@!/],
    ['a long name', { Name: 'n'.repeat(513) }, 'ValidationException', /512/],
    [
      'both kinds of value',
      { SecretString: 'x', SecretBinary: Buffer.of(1) },
      'InvalidParameterException',
      /both a binary secret value/,
    ],
    ['a short token', { ClientRequestToken: 'short' }, 'ValidationException', /at 'clientRequestToken' .* 32$/],
    ['a key that is not there', { SecretString: 'x', KmsKeyId: 'alias/none' }, 'EncryptionFailure', /provided KMS key/],
    ['a reserved tag', { Tags: [{ Key: 'aws:x', Value: '' }] }, 'InvalidParameterException', /tag key/],
    [
      '51 tags',
      { Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' })) },
      'InvalidParameterException',
      /50/,
    ],
    ['a partner', { Type: 'Salesforce' }, 'NotImplemented', /Type/],
    [
      'its own region as a replica',
      { AddReplicaRegions: [{ Region: 'us-east-1' }] },
      'InvalidParameterException',
      /replica region/,
    ],
  ];
  for (const [what, input, code, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(create('create/refused', undefined, input), { code, message });
      await assert.rejects(describeSecret('create/refused'), notFound);
    });
  }
});

describe('Secrets Manager secret ids', () => {
  it('are names, ARNs and ARNs without the six characters', async () => {
    const { ARN } = await create('ids/name', 'x');
    for (const id of ['ids/name', ARN, ARN.slice(0, -7)]) assert.equal((await get(id)).ARN, ARN);
    const others = [
      `${ARN.slice(0, -6)}AAAAAA`,
      ARN.slice(0, -3),
      ARN.replace('us-east-1', 'eu-west-1'),
      'ids',
      'arn:aws:s3:::x',
    ];
    for (const id of others) await assert.rejects(get(id), notFound);
    await assert.rejects(get('x'.repeat(2049)), { code: 'ValidationException' });
  });

  it('are by account and region; another account needs the ARN', async () => {
    const { ARN } = await create('ids/where', 'x');
    await assert.rejects(test.call('GetSecretValue', { SecretId: 'ids/where' }, { region: 'eu-west-1' }), notFound);
    const other = { account: '111111111111' };
    await assert.rejects(test.call('GetSecretValue', { SecretId: 'ids/where' }, other), notFound);
    assert.equal((await test.call('GetSecretValue', { SecretId: ARN }, other)).SecretString, 'x');
  });
});

describe('Secrets Manager PutSecretValue', () => {
  it('moves AWSCURRENT and AWSPREVIOUS', async () => {
    const first = (await create('put/a', 'one')).VersionId;
    const second = (await put('put/a', 'two')).VersionId;
    const third = await put('put/a', 'three');
    assert.deepEqual(third.VersionStages, ['AWSCURRENT']);
    assert.deepEqual((await describeSecret('put/a')).VersionIdsToStages, {
      [second]: ['AWSPREVIOUS'],
      [third.VersionId]: ['AWSCURRENT'],
    });
    assert.equal((await get('put/a', { VersionStage: 'AWSPREVIOUS' })).SecretString, 'two');
    assert.equal((await get('put/a', { VersionId: first })).SecretString, 'one');
    await assert.rejects(get('put/a', { VersionId: first, VersionStage: 'AWSCURRENT' }), {
      code: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
    });
    const VersionId = test.token();
    await assert.rejects(get('put/a', { VersionId }), {
      message: `Secrets Manager can't find the specified secret value for VersionId: ${VersionId}`,
    });
    await assert.rejects(get('put/a', { VersionId: 'short' }), { code: 'ValidationException' });
  });

  it('takes a token once', async () => {
    await create('put/token', 'one');
    const ClientRequestToken = test.token();
    const staged = { ClientRequestToken, VersionStages: ['blue'] };
    assert.equal((await put('put/token', 'two', staged)).VersionId, ClientRequestToken);
    assert.deepEqual((await put('put/token', 'two', staged)).VersionStages, ['blue']);
    await assert.rejects(put('put/token', 'three', staged), {
      code: 'ResourceExistsException',
      message: /You can't use ClientRequestToken .* already in use for a version of secret arn:/,
    });
    assert.equal((await get('put/token')).SecretString, 'one');
  });

  it('takes the same request at the same time as one', async () => {
    const ClientRequestToken = test.token();
    const made = await Promise.all([1, 2, 3].map(() => create('put/race', 'x', { ClientRequestToken })));
    assert.deepEqual(made[1], made[0]);
    const next = { ClientRequestToken: test.token() };
    const answers = await Promise.all([1, 2, 3].map(() => put('put/race', 'y', next)));
    assert.deepEqual(answers[2], answers[0]);
    const { Versions } = await test.call('ListSecretVersionIds', { SecretId: 'put/race', IncludeDeprecated: true });
    assert.equal(Versions.length, 2);
  });

  it('refuses no value, too many labels and a secret that is not there', async () => {
    await assert.rejects(test.call('PutSecretValue', { SecretId: 'put/a' }), { code: 'InvalidRequestException' });
    const VersionStages = Array.from({ length: 21 }, (_, index) => `s${index}`);
    await assert.rejects(put('put/a', 'x', { VersionStages }), { code: 'ValidationException' });
    await assert.rejects(put('none', 'x'), notFound);
    await assert.rejects(put('put/a', 'x', { RotationToken: 'x' }), { code: 'InvalidParameterException' });
  });

  it('removes versions without a label when there are more than 100 and they are a day old', async () => {
    const first = (await create('put/many', '0')).VersionId;
    for (let count = 1; count < 100; count++) await put('put/many', String(count));
    await assert.rejects(put('put/many', '100'), { code: 'LimitExceededException' });
    await test.advance(DAY);
    await put('put/many', '100');
    await assert.rejects(get('put/many', { VersionId: first }), { code: 'ResourceNotFoundException' });
    const { Versions } = await test.call('ListSecretVersionIds', { SecretId: 'put/many', IncludeDeprecated: true });
    assert.equal(Versions.length, 100);
  });
});

describe('Secrets Manager ListSecretVersionIds', () => {
  it('tells versions with labels, or all, in pages', async () => {
    await create('list/versions', 'a');
    for (const value of ['b', 'c', 'd']) {
      await test.advance(1000);
      await put('list/versions', value);
    }
    const list = (more: object = {}) => test.call('ListSecretVersionIds', { SecretId: 'list/versions', ...more });
    assert.deepEqual(
      (await list()).Versions.map((each: { VersionStages: string[] }) => each.VersionStages),
      [['AWSPREVIOUS'], ['AWSCURRENT']],
    );
    const first = await list({ IncludeDeprecated: true, MaxResults: 3 });
    const second = await list({ IncludeDeprecated: true, MaxResults: 3, NextToken: first.NextToken });
    assert.deepEqual([first.Versions.length, second.Versions.length, second.NextToken], [3, 1, undefined]);
    assert.deepEqual(first.Versions[0].KmsKeyIds, ['DefaultEncryptionKey']);
    await assert.rejects(list({ NextToken: 'x' }), { code: 'InvalidNextTokenException' });
  });
});

describe('Secrets Manager UpdateSecret', () => {
  it('changes what is named, and the value', async () => {
    const first = (await create('update/a', 'one', { Description: 'old' })).VersionId;
    assert.equal((await test.call('UpdateSecret', { SecretId: 'update/a', Description: 'new' })).VersionId, undefined);
    const { VersionId } = await test.call('UpdateSecret', { SecretId: 'update/a', SecretString: 'two' });
    const described = await describeSecret('update/a');
    assert.equal(described.Description, 'new');
    assert.deepEqual(described.VersionIdsToStages, { [first]: ['AWSPREVIOUS'], [VersionId]: ['AWSCURRENT'] });
  });

  it('encrypts what has a label again with another key', async () => {
    await create('update/key', 'one');
    await test.call('UpdateSecret', { SecretId: 'update/key', KmsKeyId: 'alias/aws/ssm' });
    assert.equal((await get('update/key')).SecretString, 'one');
    assert.equal((await describeSecret('update/key')).KmsKeyId, 'alias/aws/ssm');
    const { Versions } = await test.call('ListSecretVersionIds', { SecretId: 'update/key' });
    assert.match(Versions[0].KmsKeyIds[0], /^arn:aws:kms:us-east-1:000000000000:key\//);
    await test.call('UpdateSecret', { SecretId: 'update/key', KmsKeyId: '', SecretString: 'two' });
    assert.equal((await describeSecret('update/key')).KmsKeyId, undefined);
    assert.equal((await get('update/key', { VersionStage: 'AWSPREVIOUS' })).SecretString, 'one');
  });
});

describe('Secrets Manager and a key that is disabled', () => {
  it('neither reads nor writes values', async () => {
    const onKey = (operation: string, input: object) =>
      kms.service.operations[operation]!(input as never, context) as Promise<{ KeyMetadata: { KeyId: string } }>;
    const { KeyId } = (await onKey('CreateKey', {})).KeyMetadata;
    await create('key/disabled', 'x', { KmsKeyId: KeyId });
    await onKey('DisableKey', { KeyId });
    await assert.rejects(get('key/disabled'), {
      code: 'DecryptionFailure',
      message: /Check that the KMS key is available/,
    });
    await assert.rejects(put('key/disabled', 'y'), { code: 'EncryptionFailure' });
    await onKey('EnableKey', { KeyId });
    assert.equal((await get('key/disabled')).SecretString, 'x');
  });
});

describe('Secrets Manager UpdateSecretVersionStage', () => {
  it('moves, adds and removes labels', async () => {
    const first = (await create('stage/a', 'one')).VersionId;
    const second = (await put('stage/a', 'two')).VersionId;
    const stage = (VersionStage: string, more: object) =>
      test.call('UpdateSecretVersionStage', { SecretId: 'stage/a', VersionStage, ...more });
    await stage('AWSCURRENT', { MoveToVersionId: first, RemoveFromVersionId: second });
    await stage('live', { MoveToVersionId: first });
    assert.deepEqual((await describeSecret('stage/a')).VersionIdsToStages, {
      [first]: ['AWSCURRENT', 'live'],
      [second]: ['AWSPREVIOUS'],
    });
    await stage('live', { RemoveFromVersionId: first });
    assert.deepEqual((await get('stage/a')).VersionStages, ['AWSCURRENT']);
    await assert.rejects(stage('AWSCURRENT', { MoveToVersionId: second }), {
      code: 'InvalidParameterException',
      message: `The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version ${first}, so you must explicitly reference that version in RemoveFromVersionId.`,
    });
    await assert.rejects(stage('AWSCURRENT', { RemoveFromVersionId: first }), {
      message: /can’t be completely removed/,
    });
    await assert.rejects(stage('AWSPREVIOUS', { RemoveFromVersionId: first }), { code: 'InvalidParameterException' });
    await assert.rejects(stage('x', { MoveToVersionId: 'none' }), { code: 'ResourceNotFoundException' });
    await assert.rejects(stage('x', {}), { code: 'InvalidParameterException' });
  });
});

describe('Secrets Manager DeleteSecret', () => {
  it('deletes when the recovery window is over', async () => {
    const { ARN } = await create('delete/a', 'x');
    const { DeletionDate } = await test.call('DeleteSecret', { SecretId: 'delete/a', RecoveryWindowInDays: 7 });
    assert.deepEqual(DeletionDate, new Date(test.clock.now() + 7 * DAY));
    const marked = {
      code: 'InvalidRequestException',
      message: "You can't perform this operation on the secret because it was marked for deletion.",
    };
    await assert.rejects(get('delete/a'), marked);
    await assert.rejects(put('delete/a', 'y'), marked);
    await assert.rejects(create('delete/a', 'y'), { message: /already scheduled for deletion/ });
    await assert.rejects(test.call('DeleteSecret', { SecretId: ARN }), { message: /already scheduled for deletion/ });
    assert.deepEqual((await describeSecret(ARN)).DeletedDate, DeletionDate);
    await test.advance(7 * DAY - 1);
    await describeSecret(ARN);
    await test.advance(1);
    await assert.rejects(describeSecret(ARN), notFound);
    assert.deepEqual(await test.store.range({ prefix: ['secretsmanager', 'value', ARN] }), []);
    assert.notEqual((await create('delete/a', 'y')).ARN, ARN);
  });

  it('deletes what became due while nothing ran', async () => {
    await create('delete/restart', 'x');
    await test.call('DeleteSecret', { SecretId: 'delete/restart' });
    await test.manager.close();
    test.clock.advance(30 * DAY);
    await test.restart();
    await test.advance(0);
    await assert.rejects(describeSecret('delete/restart'), notFound);
  });

  it('restores', async () => {
    await create('delete/restored', 'x');
    await test.call('DeleteSecret', { SecretId: 'delete/restored' });
    await test.call('RestoreSecret', { SecretId: 'delete/restored' });
    await test.advance(31 * DAY);
    assert.equal((await get('delete/restored')).SecretString, 'x');
  });

  it('deletes at once by force, also what is not there', async () => {
    await create('delete/forced', 'x');
    const force = { SecretId: 'delete/forced', ForceDeleteWithoutRecovery: true };
    await test.call('DeleteSecret', force);
    await assert.rejects(describeSecret('delete/forced'), notFound);
    assert.equal((await test.call('DeleteSecret', force)).Name, 'delete/forced');
    await assert.rejects(test.call('DeleteSecret', { SecretId: 'delete/forced' }), notFound);
    await assert.rejects(test.call('DeleteSecret', { ...force, RecoveryWindowInDays: 7 }), {
      code: 'InvalidParameterException',
      message: "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    });
    for (const RecoveryWindowInDays of [6, 31]) {
      await assert.rejects(test.call('DeleteSecret', { SecretId: 'put/a', RecoveryWindowInDays }), {
        code: 'InvalidParameterException',
        message: 'The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).',
      });
    }
  });
});

describe('Secrets Manager GetRandomPassword', () => {
  const password = async (input: object = {}): Promise<string> =>
    (await test.call('GetRandomPassword', input)).RandomPassword;

  it('has 32 characters of each kind unless told', async () => {
    const text = await password();
    assert.equal(text.length, 32);
    for (const kind of [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z0-9]/]) assert.match(text, kind);
    assert.notEqual(await password(), text);
  });

  it('leaves out what is excluded', async () => {
    assert.match(
      await password({ ExcludePunctuation: true, ExcludeNumbers: true, PasswordLength: 200 }),
      /^[a-zA-Z]{200}$/,
    );
    const digits = { ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true };
    assert.match(
      await password({ ...digits, ExcludeCharacters: '01', IncludeSpace: true, PasswordLength: 4096 }),
      /^[2-9 ]{4096}$/,
    );
    assert.match(await password({ ...digits, PasswordLength: 1 }), /^\d$/);
  });

  it('refuses what cannot be', async () => {
    await assert.rejects(password({ PasswordLength: 3 }), {
      code: 'InvalidParameterException',
      message: 'Password length is too short based on the required types.',
    });
    assert.equal((await password({ PasswordLength: 3, RequireEachIncludedType: false })).length, 3);
    await assert.rejects(password({ PasswordLength: 4097 }), { code: 'ValidationException' });
    await assert.rejects(password({ PasswordLength: 0 }), { code: 'ValidationException' });
    await assert.rejects(password({ ExcludeCharacters: '0123456789' }), { code: 'InvalidParameterException' });
    const nothing = { ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true, ExcludeNumbers: true };
    await assert.rejects(password(nothing), { code: 'InvalidParameterException' });
  });
});

describe('Secrets Manager operations', () => {
  it('are all served', async () => {
    const sdk = await import('@aws-sdk/client-secrets-manager');
    const known = Object.keys(sdk).flatMap((name) =>
      /^\w+Command$/.test(name) ? [name.slice(0, -'Command'.length)] : [],
    );
    assert.deepEqual(Object.keys(test.manager.service.operations).sort(), known.filter((name) => name !== '').sort());
  });
});
