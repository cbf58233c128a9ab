import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run, without, writeLayout } from '../support/image-tools.ts';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

describe('ECR by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());
  const ecr = (command: string, ...args: string[]) => server.cliJson(['ecr', command, ...args]);

  it('makes repositories and sets what they do', async () => {
    const { repository } = await ecr('create-repository', '--repository-name', 'cli/app', '--tags', 'Key=a,Value=1');
    assert.equal(repository.repositoryName, 'cli/app');
    const name = ['--repository-name', 'cli/app'];
    const policy = JSON.stringify({
      rules: [
        {
          rulePriority: 1,
          description: 'Keep the last ten images, whatever their tags are',
          selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 10 },
          action: { type: 'expire' },
        },
      ],
    });
    await ecr('put-lifecycle-policy', ...name, '--lifecycle-policy-text', policy);
    assert.equal((await ecr('get-lifecycle-policy', ...name)).lifecyclePolicyText, policy);
    await assert.rejects(ecr('create-repository', ...name), /RepositoryAlreadyExistsException/);
  });

  it('gives docker a password, with which an image is pushed', { skip: without('skopeo') }, async () => {
    const layout = join(server.scratch, 'layout');
    const { manifest } = await writeLayout(layout, { 'etc/motd': 'hello' });
    await ecr('create-repository', '--repository-name', 'cli/pushed');
    const password = await server.cli(['ecr', 'get-login-password']);
    const registry = `localhost:${server.port}`;
    const authfile = join(server.scratch, 'auth.json');
    const login = ['login', '--tls-verify=false', '--authfile', authfile, '-u', 'AWS', '--password-stdin', registry];
    assert.match(await run('skopeo', login, { input: password }), /Login Succeeded/);
    const target = `docker://${registry}/000000000000.dkr.ecr.us-east-1.amazonaws.com/cli/pushed:v1`;
    const copy = ['copy', '--dest-tls-verify=false', '--authfile', authfile, `oci:${layout}:v1`, target];
    await run('skopeo', copy);
    assert.deepEqual((await ecr('list-images', '--repository-name', 'cli/pushed')).imageIds, [
      { imageDigest: manifest, imageTag: 'v1' },
    ]);
    await ecr('delete-repository', '--repository-name', 'cli/pushed', '--force');
  });
});
