import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createKms } from '../kms/index.ts';
import { context, startTestSecrets, type TestSecrets } from './test-secrets.ts';

let test: TestSecrets;
before(async () => {
  test = await startTestSecrets((parts) => createKms(parts).encryption);
});
after(() => test[Symbol.asyncDispose]());

const EU = { region: 'eu-west-1' };
const create = (Name: string, more: object = {}, overrides: object = {}) =>
  test.call('CreateSecret', { Name, SecretString: Name, ...more }, overrides);
const statement = (more: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: '111111111111' },
        Action: 'secretsmanager:GetSecretValue',
        Resource: '*',
        ...more,
      },
    ],
  });

describe('Secrets Manager replication', () => {
  const inEurope = async (SecretId: string) => (await test.call('GetSecretValue', { SecretId }, EU)).SecretString;

  it('keeps replicas in other regions in step', async () => {
    const { ARN, ReplicationStatus } = await create('rep/a', {
      AddReplicaRegions: [{ Region: 'eu-west-1' }],
      Tags: [{ Key: 'k', Value: 'v' }],
    });
    assert.deepEqual(ReplicationStatus, [
      { Region: 'eu-west-1', KmsKeyId: 'alias/aws/secretsmanager', Status: 'InSync', StatusMessage: undefined },
    ]);
    assert.equal(await inEurope('rep/a'), 'rep/a');
    await test.call('PutSecretValue', { SecretId: 'rep/a', SecretString: 'two' });
    await test.call('TagResource', { SecretId: 'rep/a', Tags: [{ Key: 'l', Value: 'w' }] });
    await test.call('UpdateSecret', { SecretId: 'rep/a', Description: 'new' });
    assert.equal(await inEurope('rep/a'), 'two');
    const replica = await test.call('DescribeSecret', { SecretId: 'rep/a' }, EU);
    assert.equal(replica.ARN, ARN.replace('us-east-1', 'eu-west-1'));
    assert.deepEqual([replica.PrimaryRegion, replica.Description, replica.Tags.length], ['us-east-1', 'new', 2]);
    assert.deepEqual(Object.values(replica.VersionIdsToStages), [['AWSPREVIOUS'], ['AWSCURRENT']]);
    assert.equal((await test.call('DescribeSecret', { SecretId: 'rep/a' })).PrimaryRegion, 'us-east-1');
  });

  it('never puts an older state after a newer one', async () => {
    await create('rep/race', { AddReplicaRegions: [{ Region: 'eu-west-1' }] });
    const values = ['1', '2', '3', '4'];
    await Promise.all(
      values.map((SecretString) => test.call('PutSecretValue', { SecretId: 'rep/race', SecretString })),
    );
    const [here, there] = await Promise.all([
      test.call('DescribeSecret', { SecretId: 'rep/race' }),
      test.call('DescribeSecret', { SecretId: 'rep/race' }, EU),
    ]);
    assert.deepEqual(there.VersionIdsToStages, here.VersionIdsToStages);
  });

  it('brings replicas up to date at the next start', async () => {
    await create('rep/crash', { AddReplicaRegions: [{ Region: 'eu-west-1' }] });
    await test.call('PutSecretValue', { SecretId: 'rep/crash', SecretString: 'two' });
    // As if the process had ended between the primary and its replica.
    const replica = ['secretsmanager', 'secret', '000000000000', 'eu-west-1', 'rep/crash'];
    const entry = await test.store.get<{ versions: Record<string, { stages: string[] }> }>(replica);
    const [[first]] = Object.entries(entry!.value.versions).filter(([, { stages }]) => stages[0] === 'AWSPREVIOUS') as [
      [string, { stages: string[] }],
    ];
    await test.store.put(replica, {
      ...entry!.value,
      versions: { [first]: { created: 0, stages: ['AWSCURRENT'], keyArn: 'k' } },
    });
    assert.equal(await inEurope('rep/crash'), 'rep/crash');
    await test.restart();
    assert.equal(await inEurope('rep/crash'), 'two');
  });

  it('lets nobody change a replica, nor delete a primary that has some', async () => {
    await assert.rejects(test.call('PutSecretValue', { SecretId: 'rep/a', SecretString: 'x' }, EU), {
      code: 'InvalidRequestException',
      message: "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
    });
    await assert.rejects(test.call('DeleteSecret', { SecretId: 'rep/a' }, EU), { code: 'InvalidRequestException' });
    await assert.rejects(test.call('DeleteSecret', { SecretId: 'rep/a' }), {
      message: /replica regions \[eu-west-1\]/,
    });
  });

  it('fails where the name is taken, unless it is to overwrite', async () => {
    await create('rep/taken', {}, EU);
    await create('rep/taken');
    const replicate = (more: object = {}) =>
      test.call('ReplicateSecretToRegions', {
        SecretId: 'rep/taken',
        AddReplicaRegions: [{ Region: 'eu-west-1' }],
        ...more,
      });
    const [failed] = (await replicate()).ReplicationStatus;
    assert.deepEqual(
      [failed.Status, failed.StatusMessage],
      ['Failed', 'Secret with this name already exists in this region'],
    );
    const [done] = (await replicate({ ForceOverwriteReplicaSecret: true })).ReplicationStatus;
    assert.equal(done.Status, 'InSync');
    await assert.rejects(replicate(), { code: 'InvalidParameterException' });
  });

  it('makes a replica a secret of its own', async () => {
    await create('rep/promoted', { AddReplicaRegions: [{ Region: 'eu-west-1' }] });
    await assert.rejects(test.call('StopReplicationToReplica', { SecretId: 'rep/promoted' }), {
      code: 'InvalidRequestException',
    });
    await test.call('StopReplicationToReplica', { SecretId: 'rep/promoted' }, EU);
    await test.call('PutSecretValue', { SecretId: 'rep/promoted', SecretString: 'own' }, EU);
    assert.equal((await test.call('GetSecretValue', { SecretId: 'rep/promoted' })).SecretString, 'rep/promoted');
    assert.equal(await inEurope('rep/promoted'), 'own');
    assert.equal((await test.call('DescribeSecret', { SecretId: 'rep/promoted' })).ReplicationStatus, undefined);
  });

  it('removes replicas', async () => {
    await create('rep/removed', { AddReplicaRegions: [{ Region: 'eu-west-1' }, { Region: 'eu-west-2' }] });
    const remove = (...RemoveReplicaRegions: string[]) =>
      test.call('RemoveRegionsFromReplication', { SecretId: 'rep/removed', RemoveReplicaRegions });
    assert.deepEqual(
      (await remove('eu-west-1')).ReplicationStatus.map(({ Region }: { Region: string }) => Region),
      ['eu-west-2'],
    );
    await assert.rejects(inEurope('rep/removed'), { code: 'ResourceNotFoundException' });
    await assert.rejects(remove('eu-west-1'), { code: 'InvalidParameterException' });
  });
});

describe('Secrets Manager resource policies', () => {
  before(() => create('policy'));
  const put = (ResourcePolicy: string, more: object = {}) =>
    test.call('PutResourcePolicy', { SecretId: 'policy', ResourcePolicy, ...more });

  it('are put, told and deleted', async () => {
    await put(statement({}));
    assert.equal((await test.call('GetResourcePolicy', { SecretId: 'policy' })).ResourcePolicy, statement({}));
    await test.call('DeleteResourcePolicy', { SecretId: 'policy' });
    assert.equal((await test.call('GetResourcePolicy', { SecretId: 'policy' })).ResourcePolicy, undefined);
  });

  it('are validated', async () => {
    const validate = (ResourcePolicy: string) =>
      test.call('ValidateResourcePolicy', { SecretId: 'policy', ResourcePolicy });
    assert.deepEqual(await validate(statement({})), { PolicyValidationPassed: true, ValidationErrors: [] });
    const open = statement({ Principal: '*' });
    assert.equal((await validate(open)).ValidationErrors[0].CheckName, 'BlockPublicPolicy');
    await assert.rejects(put(open, { BlockPublicPolicy: true }), { code: 'PublicPolicyException' });
    const tied = statement({ Principal: '*', Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } });
    await put(tied, { BlockPublicPolicy: true });
    const wrong = [
      'x',
      '[]',
      '{}',
      statement({ Effect: 'Maybe' }),
      statement({ Principal: undefined }),
      statement({ Action: 's3:GetObject' }),
      statement({ Foo: 1 }),
      ' '.repeat(20_481),
    ];
    for (const policy of wrong) {
      await assert.rejects(put(policy), { code: 'MalformedPolicyDocumentException' });
      await assert.rejects(validate(policy), { code: 'MalformedPolicyDocumentException' });
    }
  });
});

describe('Secrets Manager ListSecrets', () => {
  const WEST = { region: 'us-west-2' };
  const list = async (more: object = {}) => {
    const answer = await test.call('ListSecrets', more, WEST);
    return { ...answer, names: answer.SecretList.map(({ Name }: { Name: string }) => Name) };
  };
  const filtered = async (Key: string, ...Values: string[]) => (await list({ Filters: [{ Key, Values }] })).names;
  before(async () => {
    await create('db/prod', { Description: 'Main database', Tags: [{ Key: 'Team', Value: 'red' }] }, WEST);
    await test.advance(1000);
    await create('api/key', { Description: 'Key of the API', Tags: [{ Key: 'Owner', Value: 'Blue' }] }, WEST);
    await test.advance(1000);
    await create('db/test', {}, WEST);
  });

  it('filters', async () => {
    assert.deepEqual(await filtered('name', 'db/'), ['db/prod', 'db/test']);
    assert.deepEqual(await filtered('name', 'DB/'), []);
    assert.deepEqual(await filtered('name', '!db/'), ['api/key']);
    assert.deepEqual(await filtered('name', 'api', 'db/t'), ['api/key', 'db/test']);
    assert.deepEqual(await filtered('description', 'main'), ['db/prod']);
    assert.deepEqual(await filtered('tag-key', 'Own'), ['api/key']);
    assert.deepEqual(await filtered('tag-value', 'r'), ['db/prod']);
    assert.deepEqual(await filtered('all', 'blue'), ['api/key']);
    assert.deepEqual(await filtered('owning-service', 'rds'), []);
    const both = [
      { Key: 'name', Values: ['db'] },
      { Key: 'tag-key', Values: ['Team'] },
    ];
    assert.deepEqual((await list({ Filters: both })).names, ['db/prod']);
    await assert.rejects(filtered('colour', 'x'), { code: 'ValidationException' });
    await assert.rejects(filtered('name', 'ü'), { code: 'InvalidParameterException' });
  });

  it('sorts and pages', async () => {
    assert.deepEqual((await list()).names, ['db/prod', 'api/key', 'db/test']);
    assert.deepEqual((await list({ SortOrder: 'desc' })).names, ['db/test', 'api/key', 'db/prod']);
    assert.deepEqual((await list({ SortBy: 'name' })).names, ['api/key', 'db/prod', 'db/test']);
    const first = await list({ MaxResults: 2 });
    const second = await list({ MaxResults: 2, NextToken: first.NextToken });
    assert.deepEqual([second.names, second.NextToken], [['db/test'], undefined]);
    await assert.rejects(list({ MaxResults: 101 }), { code: 'ValidationException' });
    await assert.rejects(list({ SortBy: 'size' }), { code: 'ValidationException' });
  });

  it('hides what is marked for deletion unless asked', async () => {
    await create('db/going', {}, WEST);
    await test.call('DeleteSecret', { SecretId: 'db/going' }, WEST);
    assert.deepEqual(await filtered('name', 'db/go'), []);
    const all = await list({ IncludePlannedDeletion: true, Filters: [{ Key: 'name', Values: ['db/go'] }] });
    assert.ok(all.SecretList[0].DeletedDate instanceof Date);
  });

  it('has its values read at once', async () => {
    const batch = (input: object) => test.call('BatchGetSecretValue', input, WEST);
    const listed = await batch({ SecretIdList: ['db/prod', 'none', 'db/going'] });
    assert.deepEqual(
      listed.SecretValues.map(({ SecretString }: { SecretString: string }) => SecretString),
      ['db/prod'],
    );
    assert.deepEqual(
      listed.Errors.map(({ SecretId, ErrorCode }: { SecretId: string; ErrorCode: string }) => [SecretId, ErrorCode]),
      [
        ['none', 'ResourceNotFoundException'],
        ['db/going', 'InvalidRequestException'],
      ],
    );
    const Filters = [{ Key: 'name', Values: ['db/'] }];
    const first = await batch({ Filters, MaxResults: 1 });
    const second = await batch({ Filters, MaxResults: 1, NextToken: first.NextToken });
    assert.deepEqual(
      [first.SecretValues[0].Name, second.SecretValues[0].Name, second.NextToken],
      ['db/prod', 'db/test', undefined],
    );
    await assert.rejects(batch({}), { code: 'InvalidParameterException' });
    await assert.rejects(batch({ Filters, SecretIdList: ['a'] }), { code: 'InvalidParameterException' });
    await assert.rejects(batch({ SecretIdList: Array.from({ length: 21 }, () => 'a') }), {
      code: 'ValidationException',
    });
  });
});

describe('Secrets Manager authorization', () => {
  const questions = (operation: string, input: object, overrides: object = {}) =>
    test.manager.service.authorization!(operation, input as never, { ...context, ...overrides });

  it('asks about the secret, with its policy, tags and owner', async () => {
    const { ARN } = await create('auth', { Tags: [{ Key: 'k', Value: 'v' }] });
    await test.call('PutResourcePolicy', { SecretId: 'auth', ResourcePolicy: statement({}) });
    const [asked] = await questions('GetSecretValue', { SecretId: ARN }, { account: '111111111111' });
    assert.deepEqual(asked, {
      action: 'secretsmanager:GetSecretValue',
      resource: ARN,
      conditions: {
        'secretsmanager:SecretId': [ARN],
        'secretsmanager:SecretPrimaryRegion': ['us-east-1'],
        'aws:ResourceTag/k': ['v'],
        'secretsmanager:ResourceTag/k': ['v'],
        'secretsmanager:VersionStage': ['AWSCURRENT'],
      },
      resourcePolicy: statement({}),
      resourceAccount: '000000000000',
    });
  });

  it('asks whether who names a rotation function may call it', async () => {
    await create('turning');
    const RotationLambdaARN = 'arn:aws:lambda:us-east-1:000000000000:function:f';
    const asked = await questions('RotateSecret', { SecretId: 'turning', RotationLambdaARN });
    assert.deepEqual(
      asked.map(({ action }) => action),
      ['secretsmanager:RotateSecret', 'lambda:InvokeFunction'],
    );
    assert.deepEqual(asked[1], { action: 'lambda:InvokeFunction', resource: RotationLambdaARN });
    assert.equal((await questions('RotateSecret', { SecretId: 'turning' })).length, 1);
  });

  it('asks about what is to be made, and a batch as such', async () => {
    const make = await questions('CreateSecret', { Name: 'n', Tags: [{ Key: 'a', Value: 'b' }] });
    assert.deepEqual(
      make.map(({ action, resource }) => [action, resource]),
      [
        ['secretsmanager:CreateSecret', 'arn:aws:secretsmanager:us-east-1:000000000000:secret:n-??????'],
        ['secretsmanager:TagResource', 'arn:aws:secretsmanager:us-east-1:000000000000:secret:n-??????'],
      ],
    );
    const batch = await questions('BatchGetSecretValue', { SecretIdList: ['auth', 'none'] });
    assert.deepEqual(batch, [{ action: 'secretsmanager:BatchGetSecretValue', resource: '*', conditions: {} }]);
  });
});
