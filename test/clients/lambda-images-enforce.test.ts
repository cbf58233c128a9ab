import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as ecr from '@aws-sdk/client-ecr';
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import * as lambda from '@aws-sdk/client-lambda';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { BASE, FunctionImages, REGISTRY } from '../support/function-images.ts';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';

const OTHER_ACCOUNT = '111122223333';
const DENIED = 'Lambda does not have permission to access the ECR image. Check the ECR permissions.';
const READ = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];

describe('Lambda functions from images where policies decide', {
  skip: noDockerReason(DOCKER_28),
  timeout: 240_000,
}, () => {
  let server: RunningKobune;
  let images: FunctionImages;
  let iam: IAMClient;
  let role: string;
  before(async () => {
    server = await runKobune({ iam: 'enforce' });
    const { scratch } = server;
    images = await FunctionImages.start({ dataDirectory: join(scratch, 'data'), scratch, settings: server.settings() });
    await images.login();
    iam = new IAMClient(server.settings());
    const AssumeRolePolicyDocument = policy({
      Principal: { Service: 'lambda.amazonaws.com' },
      Action: 'sts:AssumeRole',
    });
    const { Role } = await iam.send(new CreateRoleCommand({ RoleName: 'run', AssumeRolePolicyDocument }));
    role = Role!.Arn!;
  });
  after(async () => {
    images?.[Symbol.dispose]();
    iam?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  function policy(...statements: readonly object[]): string {
    return JSON.stringify({ Version: '2012-10-17', Statement: statements.map((one) => ({ Effect: 'Allow', ...one })) });
  }

  /** A user who may deploy functions, and what else is told. */
  async function deployer(UserName: string, ...statements: readonly object[]): Promise<lambda.LambdaClient> {
    await iam.send(new CreateUserCommand({ UserName }));
    const all = [{ Action: ['lambda:*', 'iam:PassRole'], Resource: '*' }, ...statements];
    await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument: policy(...all) }));
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    const keys: Keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
    return new lambda.LambdaClient(server.settings(keys));
  }

  const create = (client: lambda.LambdaClient, FunctionName: string, ImageUri: string) =>
    client.send(
      new lambda.CreateFunctionCommand({
        FunctionName,
        Role: role,
        PackageType: 'Image',
        Code: { ImageUri },
        Timeout: 20,
      }),
    );
  const denied = (call: Promise<unknown>) =>
    assert.rejects(call, (error: Error) => {
      assert.equal(error.name, 'AccessDeniedException', error.message);
      assert.equal(error.message, DENIED);
      return true;
    });
  const allowed = (repositoryName: string, ...statements: readonly object[]) =>
    images.ecr.send(new ecr.SetRepositoryPolicyCommand({ repositoryName, policyText: policy(...statements) }));
  const policyOf = async (repositoryName: string) => {
    const { policyText } = await images.ecr.send(new ecr.GetRepositoryPolicyCommand({ repositoryName }));
    return JSON.parse(policyText!);
  };

  it('are made by who has no rights to a repository only where its policy lets Lambda read', async () => {
    const uri = await images.push(BASE, 'guarded:1');
    using client = disposable(await deployer('plain'));
    await denied(create(client, 'plain', uri));
    const Condition = { StringLike: { 'aws:sourceArn': 'arn:aws:lambda:us-east-1:000000000000:function:other-*' } };
    const lambdaReads = { Principal: { Service: 'lambda.amazonaws.com' }, Action: READ };
    await allowed('guarded', { ...lambdaReads, Condition });
    await denied(create(client, 'plain', uri));
    await allowed('guarded', { ...lambdaReads, Action: 'ecr:BatchGetImage' });
    await denied(create(client, 'plain', uri));
    await allowed('guarded', lambdaReads);
    await create(client, 'plain', uri);
    await images.active('plain');
    assert.equal((await images.run('plain', 'echo works')).output, 'works\n');
    await allowed('guarded', lambdaReads, { ...lambdaReads, Effect: 'Deny' });
    await denied(client.send(new lambda.UpdateFunctionCodeCommand({ FunctionName: 'plain', ImageUri: uri })));
    assert.equal((await images.run('plain', 'echo still')).output, 'still\n');
  });

  it('have Lambda let in by who may set the policy of the repository', async () => {
    const uri = await images.push(BASE, 'open:1');
    await allowed('open', { Sid: 'kept', Principal: { AWS: `arn:aws:iam::${OTHER_ACCOUNT}:root` }, Action: READ });
    const Resource = 'arn:aws:ecr:us-east-1:000000000000:repository/open';
    using halfway = disposable(await deployer('halfway', { Action: 'ecr:GetRepositoryPolicy', Resource }));
    await denied(create(halfway, 'halfway', uri));
    using setter = disposable(
      await deployer('setter', { Action: ['ecr:GetRepositoryPolicy', 'ecr:SetRepositoryPolicy'], Resource }),
    );
    await create(setter, 'set', uri);
    const { Statement } = await policyOf('open');
    assert.deepEqual(
      Statement.map(({ Sid }: { Sid: string }) => Sid),
      ['kept', 'LambdaECRImageRetrievalPolicy'],
    );
    assert.deepEqual(Statement[1], {
      Sid: 'LambdaECRImageRetrievalPolicy',
      Effect: 'Allow',
      Principal: { Service: 'lambda.amazonaws.com' },
      Action: READ,
      Condition: { StringLike: { 'aws:sourceArn': 'arn:aws:lambda:us-east-1:000000000000:function:*' } },
    });
    await create(halfway, 'halfway', uri);
    await create(setter, 'again', uri);
    assert.equal((await policyOf('open')).Statement.length, 2);
  });

  it('are not made where a policy denies it, and that policy stays as it is', async () => {
    const uri = await images.push(BASE, 'denied:1');
    await allowed('denied', {
      Effect: 'Deny',
      Principal: { Service: 'lambda.amazonaws.com' },
      Action: 'ecr:BatchGetImage',
    });
    const before = await policyOf('denied');
    await denied(create(images.lambda, 'denied', uri));
    assert.deepEqual(await policyOf('denied'), before);
  });

  it('are not made by rights of the caller to read, nor of what is not there', async () => {
    const uri = await images.push(BASE, 'readable:1');
    using reader = disposable(await deployer('reader', { Action: READ, Resource: '*' }));
    await denied(create(reader, 'readable', uri));
    const missing = /does not exist\. Provide a valid source image/;
    await assert.rejects(create(reader, 'missing', `${REGISTRY}/nosuch:1`), missing);
    await assert.rejects(create(reader, 'missing', uri.replace('000000000000', '111122223333')), missing);
  });
});

function disposable(client: lambda.LambdaClient): lambda.LambdaClient & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}
