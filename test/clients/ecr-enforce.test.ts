import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as ecr from '@aws-sdk/client-ecr';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { moveClock } from '../support/clock.ts';
import { run, without, writeLayout } from '../support/image-tools.ts';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';

const REGISTRY = '000000000000.dkr.ecr.us-east-1.amazonaws.com';
let server: RunningKobune;
let iam: IAMClient;
let root: ecr.ECRClient;
let layout: string;

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  iam = new IAMClient(server.settings());
  root = new ecr.ECRClient(server.settings());
  layout = join(server.scratch, 'layout');
  await writeLayout(layout, { 'etc/motd': 'hello' });
});
after(async () => {
  for (const client of [iam, root]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

/** A user whom a policy allows these actions on these resources. */
async function user(UserName: string, ...statements: { actions: string[]; resources: string[] }[]): Promise<Keys> {
  await iam.send(new CreateUserCommand({ UserName }));
  const Statement = statements.map(({ actions, resources }) => ({
    Effect: 'Allow',
    Action: actions,
    Resource: resources,
  }));
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  if (statements.length > 0) await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
}

async function password(keys: Keys): Promise<string> {
  const client = new ecr.ECRClient(server.settings(keys));
  const { authorizationData } = await client.send(new ecr.GetAuthorizationTokenCommand({}));
  client.destroy();
  return Buffer.from(authorizationData![0]!.authorizationToken!, 'base64').toString();
}

const image = (name: string) => `docker://localhost:${server.port}/${name}`;
const push = (name: string, credentials?: string) =>
  run('skopeo', [
    'copy',
    '--dest-tls-verify=false',
    ...(credentials === undefined ? ['--dest-no-creds'] : ['--dest-creds', credentials]),
    `oci:${layout}:v1`,
    image(name),
  ]);
const pull = (name: string, credentials: string) =>
  run('skopeo', ['inspect', '--tls-verify=false', '--creds', credentials, image(name)]);

const PUSH = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:InitiateLayerUpload',
  'ecr:UploadLayerPart',
  'ecr:CompleteLayerUpload',
  'ecr:PutImage',
];
const PULL = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability', 'ecr:ListImages'];
const LOGIN = { actions: ['ecr:GetAuthorizationToken'], resources: ['*'] };

describe('ECR and the registry where policies decide', { skip: without('skopeo'), timeout: 90_000 }, () => {
  it('let in who may push and pull, repository by repository', async () => {
    for (const repositoryName of ['team/app', 'other/app']) {
      await root.send(new ecr.CreateRepositoryCommand({ repositoryName }));
    }
    const arn = 'arn:aws:ecr:us-east-1:000000000000:repository/team/*';
    const pusher = await password(await user('pusher', LOGIN, { actions: [...PUSH, ...PULL], resources: [arn] }));
    const puller = await password(await user('puller', LOGIN, { actions: PULL, resources: [arn] }));
    await assert.rejects(push(`${REGISTRY}/team/app:v1`), /authentication required|unauthorized/);
    await assert.rejects(push(`${REGISTRY}/team/app:v1`, puller), /denied|unauthorized|authentication required/);
    await push(`${REGISTRY}/team/app:v1`, pusher);
    await assert.rejects(push(`${REGISTRY}/other/app:v1`, pusher), /denied|unauthorized|authentication required/);
    assert.match(await pull(`${REGISTRY}/team/app:v1`, puller), /"Digest"/);
    const nobody = await user('nobody');
    await assert.rejects(password(nobody), { name: 'AccessDeniedException' });
  });

  it("let in who a repository's policy names, and nobody by an expired password", async () => {
    await root.send(new ecr.CreateRepositoryCommand({ repositoryName: 'policy/app' }));
    await push(`${REGISTRY}/policy/app:v1`, await password(server.root));
    const guest = await password(await user('guest', LOGIN));
    await assert.rejects(pull(`${REGISTRY}/policy/app:v1`, guest));
    const policyText = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::000000000000:user/guest' }, Action: [...PULL] }],
    });
    await root.send(new ecr.SetRepositoryPolicyCommand({ repositoryName: 'policy/app', policyText }));
    assert.match(await pull(`${REGISTRY}/policy/app:v1`, guest), /"Digest"/);
    await moveClock(server, 12 * 3_600_000 + 1000);
    await assert.rejects(pull(`${REGISTRY}/policy/app:v1`, guest), /authentication required|unauthorized/);
  });

  it('let in to plain repositories who has an access key and may', async () => {
    const resources = ['arn:aws:ecr::000000000000:repository/plain/*'];
    const { accessKeyId, secretAccessKey } = await user('plain', { actions: [...PUSH, ...PULL], resources });
    const credentials = `${accessKeyId}:${secretAccessKey}`;
    await push('plain/app:v1', credentials);
    assert.match(await pull('plain/app:v1', credentials), /"Digest"/);
    await assert.rejects(push('private/app:v1', credentials), /denied|unauthorized|authentication required/);
    await assert.rejects(pull('plain/app:v1', `${accessKeyId}:wrong`), /unauthorized|authentication required/);
    const authfile = join(server.scratch, 'auth.json');
    const login = ['login', '--tls-verify=false', '--authfile', authfile, '-u', accessKeyId, '-p', secretAccessKey];
    assert.match(await run('skopeo', [...login, `localhost:${server.port}`]), /Login Succeeded/);
  });

  it('refuse by the API what policies are against', async () => {
    const keys = await user('reader', { actions: ['ecr:DescribeRepositories'], resources: ['*'] });
    const client = new ecr.ECRClient(server.settings(keys));
    await client.send(new ecr.DescribeRepositoriesCommand({}));
    const create = client.send(new ecr.CreateRepositoryCommand({ repositoryName: 'reader/app' }));
    await assert.rejects(create, { name: 'AccessDeniedException' });
    client.destroy();
  });
});
