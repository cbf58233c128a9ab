import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as secrets from '@aws-sdk/client-secrets-manager';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('Secrets Manager by boto3', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('keeps, finds and deletes secrets', async () => {
    const output = await server.boto3(`
sm = client("secretsmanager")
arn = sm.create_secret(Name="boto/a", SecretString="one", Description="d")["ARN"]
sm.put_secret_value(SecretId=arn, SecretBinary=b"\\x00\\xff")
assert sm.get_secret_value(SecretId="boto/a")["SecretBinary"] == b"\\x00\\xff"
assert sm.get_secret_value(SecretId="boto/a", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
sm.create_secret(Name="boto/b")
pages = sm.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": ["boto/"]}], PaginationConfig={"PageSize": 1})
print([s["Name"] for page in pages for s in page["SecretList"]])
try:
    sm.get_secret_value(SecretId="boto/b")
except sm.exceptions.ResourceNotFoundException as error:
    print(error.response["Error"]["Message"])
print(len(sm.get_random_password(PasswordLength=20, ExcludeCharacters="'")["RandomPassword"]))
deleted = sm.delete_secret(SecretId="boto/b", RecoveryWindowInDays=7)
print((deleted["DeletionDate"] - sm.describe_secret(SecretId="boto/a")["CreatedDate"]).days)
sm.restore_secret(SecretId="boto/b")
sm.delete_secret(SecretId="boto/b", ForceDeleteWithoutRecovery=True)
try:
    sm.describe_secret(SecretId="boto/b")
except ClientError as error:
    print(error.response["Error"]["Code"])
`);
    assert.deepEqual(output.split('\n'), [
      "['boto/a', 'boto/b']",
      "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
      '20',
      '7',
      'ResourceNotFoundException',
    ]);
  });

  it('rotates by a function with boto3', { timeout: 60_000 }, async () => {
    await server.boto3(`
import io, zipfile
CODE = '''
import boto3
sm = boto3.client("secretsmanager")

def handler(event, context):
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = sm.describe_secret(SecretId=arn)["VersionIdsToStages"]
    if step == "createSecret":
        current = sm.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"]
        try:
            sm.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
        except sm.exceptions.ResourceNotFoundException:
            sm.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=current + "+", VersionStages=["AWSPENDING"])
    elif step == "finishSecret":
        old = next(v for v, s in stages.items() if "AWSCURRENT" in s)
        sm.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=old)
'''
package = io.BytesIO()
with zipfile.ZipFile(package, "w") as archive:
    archive.writestr("index.py", CODE)
functions = client("lambda")
made = functions.create_function(FunctionName="rotate", Runtime="python3.11", Role="arn:aws:iam::000000000000:role/r",
    Handler="index.handler", Timeout=30, Code={"ZipFile": package.getvalue()})
functions.get_waiter("function_active_v2").wait(FunctionName="rotate")
sm = client("secretsmanager")
sm.create_secret(Name="boto/rotated", SecretString="v")
sm.rotate_secret(SecretId="boto/rotated", RotationLambdaARN=made["FunctionArn"], RotationRules={"AutomaticallyAfterDays": 30})
`);
    const client = new secrets.SecretsManagerClient(server.settings());
    const secret = await eventually(async () => {
      const described = await client.send(new secrets.DescribeSecretCommand({ SecretId: 'boto/rotated' }));
      return described.LastRotatedDate && described;
    });
    assert.deepEqual(Object.values(secret.VersionIdsToStages!).sort(), [['AWSPENDING', 'AWSCURRENT'], ['AWSPREVIOUS']]);
    assert.deepEqual(secret.RotationRules, { AutomaticallyAfterDays: 30 });
    client.destroy();
    const value = 'print(client("secretsmanager").get_secret_value(SecretId="boto/rotated")["SecretString"])';
    assert.equal(await server.boto3(value), 'v+');
  });
});
