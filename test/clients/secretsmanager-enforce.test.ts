import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as lambda from '@aws-sdk/client-lambda';
import * as secrets from '@aws-sdk/client-secrets-manager';
import * as ssm from '@aws-sdk/client-ssm';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/refusals.ts';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

const ACCOUNT = '000000000000';
const ADA = `arn:aws:iam::${ACCOUNT}:user/ada`;
const ROTATE = `
const sm = require('@aws-sdk/client-secrets-manager');
const client = new sm.SecretsManagerClient({});
exports.handler = async ({ Step, SecretId, ClientRequestToken }) => {
  if (Step === 'createSecret')
    await client.send(new sm.PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString: 'rotated', VersionStages: ['AWSPENDING'] }));
  if (Step !== 'finishSecret') return;
  const { VersionId } = await client.send(new sm.GetSecretValueCommand({ SecretId }));
  await client.send(new sm.UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId: ClientRequestToken, RemoveFromVersionId: VersionId }));
};`;

let server: RunningKobune;
let identities: iam.IAMClient;
let root: secrets.SecretsManagerClient;
let keys: kms.KMSClient;
let ada: secrets.SecretsManagerClient;
let parameters: ssm.SSMClient;
let adasParameters: ssm.SSMClient;

const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const allow = (...statements: object[]) =>
  identities.send(
    new iam.PutUserPolicyCommand({
      UserName: 'ada',
      PolicyName: 'p',
      PolicyDocument: document(...statements.map((more) => ({ Effect: 'Allow', Resource: '*', ...more }))),
    }),
  );
const create = async (Name: string, more: Partial<secrets.CreateSecretCommandInput> = {}) =>
  (await root.send(new secrets.CreateSecretCommand({ Name, SecretString: Name, ...more }))).ARN!;
const read = (client: secrets.SecretsManagerClient, SecretId: string, more: object = {}) =>
  client.send(new secrets.GetSecretValueCommand({ SecretId, ...more }));
const denied = (call: Promise<unknown>) => refused(call, 'AccessDeniedException', 400);

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  const settings = server.settings();
  identities = new iam.IAMClient(settings);
  root = new secrets.SecretsManagerClient(settings);
  keys = new kms.KMSClient(settings);
  parameters = new ssm.SSMClient(settings);
  await identities.send(new iam.CreateUserCommand({ UserName: 'ada' }));
  const { AccessKey } = await identities.send(new iam.CreateAccessKeyCommand({ UserName: 'ada' }));
  const adas: Keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  ada = new secrets.SecretsManagerClient(server.settings(adas));
  adasParameters = new ssm.SSMClient(server.settings(adas));
});
after(async () => {
  for (const client of [identities, root, keys, ada, parameters, adasParameters]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

describe('Secrets Manager when policies are enforced', () => {
  it('asks identity policies about the ARN, tags and stages', async () => {
    const arn = await create('team/a', { Tags: [{ Key: 'team', Value: 'red' }] });
    await create('team/b');
    await denied(read(ada, arn));
    await allow({
      Action: 'secretsmanager:GetSecretValue',
      Resource: `arn:aws:secretsmanager:us-east-1:${ACCOUNT}:secret:team/a-??????`,
      Condition: { StringEquals: { 'secretsmanager:VersionStage': 'AWSCURRENT' } },
    });
    assert.equal((await read(ada, 'team/a')).SecretString, 'team/a');
    await denied(read(ada, 'team/b'));
    await denied(read(ada, 'team/a', { VersionStage: 'AWSPREVIOUS' }));
    await allow({
      Action: ['secretsmanager:GetSecretValue', 'secretsmanager:BatchGetSecretValue'],
      Condition: { StringEqualsIfExists: { 'secretsmanager:ResourceTag/team': 'red' } },
    });
    assert.equal((await read(ada, 'team/a')).SecretString, 'team/a');
    const batch = new secrets.BatchGetSecretValueCommand({ SecretIdList: ['team/a', 'team/c'] });
    await create('team/c', { Tags: [{ Key: 'team', Value: 'blue' }] });
    const { SecretValues, Errors } = await ada.send(batch);
    assert.equal(SecretValues?.[0]?.SecretString, 'team/a');
    assert.deepEqual(
      Errors?.map(({ SecretId, ErrorCode }) => [SecretId, ErrorCode]),
      [['team/c', 'AccessDeniedException']],
    );
  });

  it('asks the resource policy, too', async () => {
    await allow({ Action: 's3:ListAllMyBuckets' });
    const arn = await create('shared');
    await denied(read(ada, arn));
    const ResourcePolicy = document({
      Effect: 'Allow',
      Principal: { AWS: ADA },
      Action: 'secretsmanager:GetSecretValue',
      Resource: '*',
    });
    await root.send(
      new secrets.PutResourcePolicyCommand({ SecretId: 'shared', ResourcePolicy, BlockPublicPolicy: true }),
    );
    assert.equal((await read(ada, arn)).SecretString, 'shared');
  });

  it('asks for the right to the key', async () => {
    const Policy = document({
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
      Action: 'kms:*',
      Resource: '*',
    });
    const { KeyMetadata } = await keys.send(new kms.CreateKeyCommand({ Policy }));
    await create('own-key', { KmsKeyId: KeyMetadata!.Arn! });
    await allow({ Action: 'secretsmanager:*' });
    assert.match((await denied(read(ada, 'own-key'))).message, /Access to KMS is not allowed/);
    await allow(
      { Action: 'secretsmanager:*' },
      {
        Action: 'kms:Decrypt',
        Resource: KeyMetadata!.Arn!,
        Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com' } },
      },
    );
    assert.equal((await read(ada, 'own-key')).SecretString, 'own-key');
  });

  it('rotates by a function that lets it in, with the rights of the function', { timeout: 60_000 }, async () => {
    const functions = new lambda.LambdaClient(server.settings());
    const trust = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
    const { Role } = await identities.send(
      new iam.CreateRoleCommand({ RoleName: 'rotate', AssumeRolePolicyDocument: document(trust) }),
    );
    const arn = await create('rotated');
    await identities.send(
      new iam.PutRolePolicyCommand({
        RoleName: 'rotate',
        PolicyName: 'p',
        PolicyDocument: document({ Effect: 'Allow', Action: 'secretsmanager:*', Resource: arn }),
      }),
    );
    const { FunctionArn } = await functions.send(
      new lambda.CreateFunctionCommand({
        FunctionName: 'rotate',
        Runtime: 'nodejs22.x',
        Role: Role!.Arn!,
        Handler: 'index.handler',
        Timeout: 30,
        Code: { ZipFile: await zipOf({ 'index.js': ROTATE }) },
      }),
    );
    const rotate = new secrets.RotateSecretCommand({ SecretId: arn, RotationLambdaARN: FunctionArn! });
    const error = await denied(root.send(rotate));
    assert.match(error.message, /function policy grants access to the principal secretsmanager\.amazonaws\.com/);
    await functions.send(
      new lambda.AddPermissionCommand({
        FunctionName: 'rotate',
        StatementId: 's',
        Action: 'lambda:InvokeFunction',
        Principal: 'secretsmanager.amazonaws.com',
        SourceAccount: ACCOUNT,
      }),
    );
    await root.send(rotate);
    await eventually(async () => ((await read(root, arn)).SecretString === 'rotated' ? true : undefined));
    functions.destroy();
  });
});

describe('SSM when policies are enforced', () => {
  const put = (client: ssm.SSMClient, Name: string, more: Partial<ssm.PutParameterCommandInput> = {}) =>
    client.send(new ssm.PutParameterCommand({ Name, Value: Name, Type: 'String', ...more }));
  const get = async (Name: string) =>
    (await adasParameters.send(new ssm.GetParameterCommand({ Name, WithDecryption: true }))).Parameter?.Value;
  const arn = (path: string) => `arn:aws:ssm:us-east-1:${ACCOUNT}:parameter${path}`;

  it('asks about the paths of parameters', async () => {
    await put(parameters, '/ada/a');
    await put(parameters, '/bob/a');
    await allow({ Action: ['ssm:GetParameter', 'ssm:GetParametersByPath'], Resource: arn('/ada*') });
    assert.equal(await get('/ada/a'), '/ada/a');
    await denied(get('/bob/a'));
    await denied(adasParameters.send(new ssm.GetParametersCommand({ Names: ['/ada/a'] })));
    const below = await adasParameters.send(new ssm.GetParametersByPathCommand({ Path: '/ada' }));
    assert.equal(below.Parameters?.length, 1);
    await denied(adasParameters.send(new ssm.GetParametersByPathCommand({ Path: '/' })));
  });

  it('asks whether it may overwrite', async () => {
    await allow({ Action: 'ssm:PutParameter', Condition: { StringEquals: { 'ssm:Overwrite': 'false' } } });
    await put(adasParameters, '/ada/new');
    await denied(put(adasParameters, '/ada/new', { Overwrite: true }));
  });

  it('asks for the right to the key of a SecureString', async () => {
    const { KeyMetadata } = await keys.send(new kms.CreateKeyCommand({}));
    await put(parameters, '/ada/secure', { Type: 'SecureString', KeyId: KeyMetadata!.KeyId! });
    await allow({ Action: 'ssm:GetParameter' });
    await denied(get('/ada/secure'));
    await allow(
      { Action: 'ssm:GetParameter' },
      {
        Action: 'kms:Decrypt',
        Condition: { StringEquals: { 'kms:EncryptionContext:PARAMETER_ARN': arn('/ada/secure') } },
      },
    );
    assert.equal(await get('/ada/secure'), '/ada/secure');
  });
});
