import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import * as secrets from '@aws-sdk/client-secrets-manager';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

/** A rotation function as the templates of AWS have it: nothing tells it where it runs. */
const ROTATE = `
const sm = require('@aws-sdk/client-secrets-manager');
const client = new sm.SecretsManagerClient({});
exports.handler = async ({ Step, SecretId, ClientRequestToken, RotationToken }) => {
  const { VersionIdsToStages: stages, RotationEnabled } = await client.send(new sm.DescribeSecretCommand({ SecretId }));
  if (!RotationEnabled) throw new Error('rotation is not enabled');
  if (!stages[ClientRequestToken]?.includes('AWSPENDING')) throw new Error('not set as AWSPENDING');
  const pending = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' };
  if (Step === 'createSecret') {
    const { SecretString } = await client.send(new sm.GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }));
    try {
      await client.send(new sm.GetSecretValueCommand(pending));
    } catch (error) {
      if (!(error instanceof sm.ResourceNotFoundException)) throw error;
      const { RandomPassword } = await client.send(new sm.GetRandomPasswordCommand({ ExcludePunctuation: true }));
      const value = JSON.stringify({ ...JSON.parse(SecretString), password: RandomPassword });
      await client.send(new sm.PutSecretValueCommand({ SecretId, ClientRequestToken, RotationToken, SecretString: value, VersionStages: ['AWSPENDING'] }));
    }
  }
  if (Step === 'testSecret') JSON.parse((await client.send(new sm.GetSecretValueCommand(pending))).SecretString);
  if (Step === 'finishSecret') {
    const current = Object.keys(stages).find((id) => stages[id].includes('AWSCURRENT'));
    await client.send(new sm.UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId: ClientRequestToken, RemoveFromVersionId: current }));
    await client.send(new sm.UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSPENDING', RemoveFromVersionId: ClientRequestToken }));
  }
};`;

let server: RunningKobune;
let client: secrets.SecretsManagerClient;
let functions: lambda.LambdaClient;

before(async () => {
  server = await runKobune();
  client = new secrets.SecretsManagerClient(server.settings());
  functions = new lambda.LambdaClient(server.settings());
});
after(async () => {
  client?.destroy();
  functions?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const get = (SecretId: string, more: object = {}) =>
  client.send(new secrets.GetSecretValueCommand({ SecretId, ...more }));

describe('Secrets Manager by the AWS SDK', () => {
  it('keeps strings and bytes in versions', async () => {
    const { ARN } = await client.send(
      new secrets.CreateSecretCommand({
        Name: 'sdk/a',
        SecretString: '{"user":"größe"}',
        Tags: [{ Key: 'k', Value: 'v' }],
      }),
    );
    assert.equal((await get(ARN!)).SecretString, '{"user":"größe"}');
    const SecretBinary = Uint8Array.of(0, 255, 128);
    const { VersionId } = await client.send(new secrets.PutSecretValueCommand({ SecretId: 'sdk/a', SecretBinary }));
    const read = await get(ARN!.slice(0, -7));
    assert.deepEqual(
      [read.SecretBinary, read.VersionId, read.VersionStages],
      [SecretBinary, VersionId, ['AWSCURRENT']],
    );
    assert.ok(read.CreatedDate instanceof Date);
    const ids: (string | undefined)[] = [];
    for await (const page of secrets.paginateListSecretVersionIds({ client, pageSize: 1 }, { SecretId: 'sdk/a' })) {
      ids.push(...(page.Versions ?? []).flatMap(({ VersionStages }) => VersionStages ?? []));
    }
    assert.deepEqual(ids.sort(), ['AWSCURRENT', 'AWSPREVIOUS']);
  });

  it('gets errors as the SDK knows them', async () => {
    await assert.rejects(get('none'), secrets.ResourceNotFoundException);
    await refused(
      client.send(new secrets.CreateSecretCommand({ Name: 'sdk/a', SecretString: 'x' })),
      'ResourceExistsException',
      400,
    );
    await refused(
      client.send(new secrets.DeleteSecretCommand({ SecretId: 'sdk/a', RecoveryWindowInDays: 1 })),
      'InvalidParameterException',
      400,
    );
    const policy = { SecretId: 'sdk/a', ResourcePolicy: '{' };
    await assert.rejects(
      client.send(new secrets.PutResourcePolicyCommand(policy)),
      secrets.MalformedPolicyDocumentException,
    );
  });

  it('deletes when the recovery window is over', async () => {
    await client.send(new secrets.CreateSecretCommand({ Name: 'sdk/deleted', SecretString: 'x' }));
    await client.send(new secrets.DeleteSecretCommand({ SecretId: 'sdk/deleted', RecoveryWindowInDays: 7 }));
    await refused(get('sdk/deleted'), 'InvalidRequestException', 400);
    await moveClock(server, 7 * 86_400_000);
    await eventually(async () =>
      client.send(new secrets.CreateSecretCommand({ Name: 'sdk/deleted' })).catch((error: Error) => {
        assert.match(error.message, /already scheduled for deletion/);
        return undefined;
      }),
    );
  });
});

describe('Secrets Manager rotation by a function', { timeout: 60_000 }, () => {
  const passwordOf = async () => JSON.parse((await get('db')).SecretString!).password as string;
  const changed = (from: string) => eventually(async () => ((await passwordOf()) === from ? undefined : passwordOf()));

  it('really rotates: at once, and again by its schedule', async () => {
    const { FunctionArn } = await functions.send(
      new lambda.CreateFunctionCommand({
        FunctionName: 'rotate',
        Runtime: 'nodejs22.x',
        Role: 'arn:aws:iam::000000000000:role/rotate',
        Handler: 'index.handler',
        Timeout: 30,
        Code: { ZipFile: await zipOf({ 'index.js': ROTATE }) },
      }),
    );
    const SecretString = JSON.stringify({ username: 'admin', password: 'first' });
    await client.send(new secrets.CreateSecretCommand({ Name: 'db', SecretString }));
    const { VersionId } = await client.send(
      new secrets.RotateSecretCommand({
        SecretId: 'db',
        RotationLambdaARN: FunctionArn,
        RotationRules: { ScheduleExpression: 'rate(4 hours)' },
      }),
    );
    const second = await changed('first');
    assert.match(second, /^[a-zA-Z0-9]{32}$/);
    const read = await eventually(async () => {
      const secret = await client.send(new secrets.DescribeSecretCommand({ SecretId: 'db' }));
      return secret.LastRotatedDate && secret;
    });
    assert.deepEqual(read.VersionIdsToStages?.[VersionId!], ['AWSCURRENT']);
    assert.deepEqual(JSON.parse((await get('db', { VersionStage: 'AWSPREVIOUS' })).SecretString!).password, 'first');
    await moveClock(server, 4 * 3_600_000);
    assert.notEqual(await changed(second), second);
  });

  it('refuses a function that is not there', async () => {
    const RotationLambdaARN = 'arn:aws:lambda:us-east-1:000000000000:function:none';
    const error = await refused(
      client.send(new secrets.RotateSecretCommand({ SecretId: 'sdk/a', RotationLambdaARN })),
      'AccessDeniedException',
      400,
    );
    assert.match(error.message, /^Secrets Manager cannot invoke the specified Lambda function\./);
  });
});
