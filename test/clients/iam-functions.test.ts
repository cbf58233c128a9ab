import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as lambda from '@aws-sdk/client-lambda';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import * as sts from '@aws-sdk/client-sts';
import { ZipFile } from 'yazl';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';

const policyOf = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const TRUST = policyOf({ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' });

/** Gives away its credentials, so that the test can use them as the function would. */
const HANDLER = `
exports.handler = async () => ({
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
  sessionToken: process.env.AWS_SESSION_TOKEN,
});`;

describe("A function's execution role, enforced", () => {
  let server: RunningKobune;
  let admin: iam.IAMClient;
  let functions: lambda.LambdaClient;
  let code: Buffer;

  before(async () => {
    server = await runKobune({ iam: 'enforce' });
    admin = new iam.IAMClient(server.settings());
    functions = new lambda.LambdaClient(server.settings());
    const s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: 'photos' }));
    await s3.send(new PutObjectCommand({ Bucket: 'photos', Key: 'cat', Body: 'meow' }));
    s3.destroy();
    const archive = new ZipFile();
    archive.addBuffer(Buffer.from(HANDLER), 'index.js');
    archive.end();
    code = await buffer(archive.outputStream);
  });
  after(async () => {
    admin?.destroy();
    functions?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  async function makeRole(RoleName: string, AssumeRolePolicyDocument: string): Promise<string> {
    const { Role } = await admin.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
    return Role!.Arn!;
  }
  const makeFunction = (FunctionName: string, Role: string) =>
    functions.send(
      new lambda.CreateFunctionCommand({
        FunctionName,
        Role,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Code: { ZipFile: code },
      }),
    );

  it('is what the function may do, and no more', async () => {
    const Role = await makeRole('reader', TRUST);
    await admin.send(
      new iam.PutRolePolicyCommand({
        RoleName: 'reader',
        PolicyName: 'p',
        PolicyDocument: policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/*' }),
      }),
    );
    await makeFunction('giver', Role);
    await lambda.waitUntilFunctionActiveV2(
      { client: functions, maxWaitTime: 30, minDelay: 1 },
      { FunctionName: 'giver' },
    );
    const { Payload } = await functions.send(new lambda.InvokeCommand({ FunctionName: 'giver' }));
    const keys = JSON.parse(Payload!.transformToString()) as Keys;
    const identity = new sts.STSClient(server.settings(keys));
    const { Arn } = await identity.send(new sts.GetCallerIdentityCommand({}));
    identity.destroy();
    assert.equal(Arn, 'arn:aws:sts::000000000000:assumed-role/reader/giver');
    const s3 = new S3Client({ ...server.settings(keys), forcePathStyle: true });
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'photos', Key: 'cat' }));
    assert.equal(await Body?.transformToString(), 'meow');
    await assert.rejects(s3.send(new PutObjectCommand({ Bucket: 'photos', Key: 'dog', Body: 'x' })), {
      name: 'AccessDenied',
      message: /assumed-role\/reader\/giver is not authorized to perform: s3:PutObject/,
    });
    s3.destroy();
  });

  it('must trust Lambda', async () => {
    const Role = await makeRole(
      'stranger',
      policyOf({ Effect: 'Allow', Principal: { Service: 'ecs.amazonaws.com' }, Action: 'sts:AssumeRole' }),
    );
    await assert.rejects(makeFunction('stray', Role), {
      name: 'InvalidParameterValueException',
      message: /cannot be assumed by Lambda/,
    });
    await assert.rejects(makeFunction('stray', 'arn:aws:iam::000000000000:role/missing'), {
      name: 'InvalidParameterValueException',
    });
  });

  it('may be given to a function only by who may pass it', async () => {
    const Role = await makeRole('precious', TRUST);
    await admin.send(new iam.CreateUserCommand({ UserName: 'deployer' }));
    const allow = (...statements: object[]) =>
      admin.send(
        new iam.PutUserPolicyCommand({
          UserName: 'deployer',
          PolicyName: 'p',
          PolicyDocument: policyOf(...statements),
        }),
      );
    const createFunction = { Effect: 'Allow', Action: ['lambda:CreateFunction', 'lambda:GetFunction'], Resource: '*' };
    await allow(createFunction);
    const { AccessKey } = await admin.send(new iam.CreateAccessKeyCommand({ UserName: 'deployer' }));
    const deployer = new lambda.LambdaClient(
      server.settings({ accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! }),
    );
    const create = () =>
      deployer.send(
        new lambda.CreateFunctionCommand({
          FunctionName: 'mine',
          Role,
          Runtime: 'nodejs22.x',
          Handler: 'index.handler',
          Code: { ZipFile: code },
        }),
      );
    await assert.rejects(create(), { name: 'AccessDeniedException', message: /iam:PassRole/ });
    await allow(createFunction, { Effect: 'Allow', Action: 'iam:PassRole', Resource: Role });
    await create();
    deployer.destroy();
  });
});
