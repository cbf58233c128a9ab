import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import * as secrets from '@aws-sdk/client-secrets-manager';
import * as ssm from '@aws-sdk/client-ssm';
import { eventually } from '../support/eventually.ts';
import { KillableKobune } from '../support/killable-kobune.ts';
import { zipOf } from '../support/zip.ts';

/** Waits in its first step until the secret `gate` is open. */
const ROTATE = `
const sm = require('@aws-sdk/client-secrets-manager');
const client = new sm.SecretsManagerClient({});
const gate = async () => (await client.send(new sm.GetSecretValueCommand({ SecretId: 'gate' }))).SecretString;
exports.handler = async ({ Step, SecretId, ClientRequestToken }) => {
  if (Step === 'createSecret') {
    while ((await gate()) === 'closed') await new Promise((resolve) => setTimeout(resolve, 50));
    await client.send(new sm.PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString: 'new', VersionStages: ['AWSPENDING'] }));
  }
  if (Step !== 'finishSecret') return;
  const { VersionId } = await client.send(new sm.GetSecretValueCommand({ SecretId }));
  await client.send(new sm.UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId: ClientRequestToken, RemoveFromVersionId: VersionId }));
};`;

describe('Secrets Manager and Parameter Store when Kobune is killed', () => {
  it('still have what was acknowledged, and go on with a rotation', { timeout: 60_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-secrets-crash-'));
    let server = await KillableKobune.start(directory);
    try {
      const functions = new lambda.LambdaClient(server.settings());
      let client = new secrets.SecretsManagerClient(server.settings());
      const parameters = new ssm.SSMClient(server.settings());
      await client.send(new secrets.CreateSecretCommand({ Name: 'gate', SecretString: 'closed' }));
      await client.send(new secrets.CreateSecretCommand({ Name: 'db', SecretString: 'old' }));
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
      const { VersionId } = await client.send(
        new secrets.RotateSecretCommand({ SecretId: 'db', RotationLambdaARN: FunctionArn! }),
      );
      await eventually(
        async () => (await client.send(new secrets.DescribeSecretCommand({ SecretId: 'gate' }))).LastAccessedDate,
      );
      const put = (index: number) =>
        parameters.send(new ssm.PutParameterCommand({ Name: `/kill/${index}`, Value: 'geheim', Type: 'SecureString' }));
      await Promise.all(Array.from({ length: 20 }, (_, index) => put(index)));
      for (const each of [client, functions, parameters]) each.destroy();
      await server.kill();

      server = await KillableKobune.start(directory);
      client = new secrets.SecretsManagerClient(server.settings());
      await client.send(new secrets.PutSecretValueCommand({ SecretId: 'gate', SecretString: 'open' }));
      const rotated = await eventually(async () => {
        const secret = await client.send(new secrets.DescribeSecretCommand({ SecretId: 'db' }));
        return secret.LastRotatedDate && secret;
      });
      assert.ok(rotated.VersionIdsToStages?.[VersionId!]?.includes('AWSCURRENT'));
      const { SecretString } = await client.send(new secrets.GetSecretValueCommand({ SecretId: 'db' }));
      assert.equal(SecretString, 'new');
      const again = new ssm.SSMClient(server.settings());
      for (let index = 0; index < 20; index++) {
        const get = new ssm.GetParameterCommand({ Name: `/kill/${index}`, WithDecryption: true });
        assert.equal((await again.send(get)).Parameter?.Value, 'geheim');
      }
      for (const each of [client, again]) each.destroy();
    } finally {
      await server.kill();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
