import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as ecr from '@aws-sdk/client-ecr';
import { run, without, writeLayout } from '../support/image-tools.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const REGISTRY = '000000000000.dkr.ecr.us-east-1.amazonaws.com';
const unprivileged = process.getuid?.() === 0 ? false : 'needs root, to unpack layers';
const skip = unprivileged || without('docker', 'docker.io') || without('skopeo');

describe('ECR by the docker CLI, without a daemon', { skip, timeout: 90_000 }, () => {
  let server: RunningKobune;
  let client: ecr.ECRClient;
  before(async () => {
    server = await runKobune({ ephemeral: false });
    client = new ecr.ECRClient(server.settings());
  });
  after(async () => {
    client?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  const docker = (args: readonly string[], input?: string) =>
    run('docker', args, {
      ...(input === undefined ? {} : { input }),
      env: {
        ...process.env,
        DOCKER_HOST: `unix://${join(server.scratch, 'data', 'docker.sock')}`,
        DOCKER_CONFIG: join(server.scratch, 'docker'),
      },
    });

  it('logs in, pushes by the registry’s own name and pulls by both', async () => {
    const layout = join(server.scratch, 'layout');
    const { manifest } = await writeLayout(layout, { 'etc/motd': 'hello' });
    const local = `localhost:${server.port}`;
    await run('skopeo', ['copy', '--dest-tls-verify=false', `oci:${layout}:v1`, `docker://${local}/plain/app:v1`]);
    await client.send(new ecr.CreateRepositoryCommand({ repositoryName: 'team/app' }));
    const { authorizationData } = await client.send(new ecr.GetAuthorizationTokenCommand({}));
    const credentials = Buffer.from(authorizationData![0]!.authorizationToken!, 'base64').toString();
    const login = ['login', '-u', 'AWS', '--password-stdin', REGISTRY];
    assert.match(await docker(login, credentials.slice('AWS:'.length)), /Login Succeeded/);
    await docker(['pull', '-q', `${local}/plain/app:v1`]);
    await docker(['tag', `${local}/plain/app:v1`, `${REGISTRY}/team/app:v1`]);
    assert.match(await docker(['push', `${REGISTRY}/team/app:v1`]), new RegExp(`digest: ${manifest}`));
    const { imageIds } = await client.send(new ecr.ListImagesCommand({ repositoryName: 'team/app' }));
    assert.deepEqual(imageIds, [{ imageDigest: manifest, imageTag: 'v1' }]);
    for (const name of [`${REGISTRY}/team/app:v1`, `${local}/${REGISTRY}/team/app:v1`]) {
      await docker(['rmi', '-f', name]).catch(() => {});
      assert.match(await docker(['pull', name]), new RegExp(`Digest: ${manifest}`));
    }
    await docker(['tag', `${local}/plain/app:v1`, `${REGISTRY}/team/none:v1`]);
    await assert.rejects(docker(['push', `${REGISTRY}/team/none:v1`]), /not known to registry|does not exist/);
  });
});
