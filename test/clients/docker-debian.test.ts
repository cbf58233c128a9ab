import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOCKER_20, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';
import { containerTests } from '../support/docker-contract.ts';

describe('Debian’s docker 20.10', { skip: noDockerReason(DOCKER_20) }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open(DOCKER_20);
  });
  after(() => docker[Symbol.asyncDispose]());

  it('speaks its own version of the API', async () => {
    const { Client, Server } = JSON.parse(await docker.ok('version', '--format', '{{json .}}'));
    assert.equal(Client.ApiVersion, '1.41');
    assert.equal(Server.ApiVersion, '1.48');
    assert.equal(Server.MinAPIVersion, '1.24');
  });

  containerTests(() => docker);

  it('builds with the classic builder', async () => {
    const { status, stdout } = await docker.run(['build', '-t', 'built:1', '-'], {
      input: 'FROM busybox\nRUN echo hi > /hi\nCMD ["cat", "/hi"]\n',
    });
    assert.equal(status, 0);
    assert.match(stdout, /^Step 1\/3 : FROM busybox\n ---> [0-9a-f]{12}\nStep 2\/3 : RUN echo hi > \/hi\n/m);
    assert.match(stdout, /Successfully built [0-9a-f]{12}\nSuccessfully tagged built:1\n$/);
    assert.equal(await docker.ok('run', '--rm', 'built:1'), 'hi');
    assert.match(await docker.ok('images', 'built'), /^REPOSITORY[\s\S]*\nbuilt +1 +[0-9a-f]{12} /);
  });

  it('makes networks and volumes', async () => {
    await docker.ok('network', 'create', 'net');
    await docker.ok('volume', 'create', 'vol');
    assert.equal(await docker.ok('network', 'inspect', '-f', '{{.Name}} {{.Driver}}', 'net'), 'net bridge');
    assert.equal(
      await docker.ok(
        'run',
        '--rm',
        '--network',
        'net',
        '--network-alias',
        'self',
        '-v',
        'vol:/v',
        'busybox',
        'sh',
        '-c',
        'ping -c 1 -w 2 self > /dev/null && echo reached > /v/f && cat /v/f',
      ),
      'reached',
    );
    await docker.ok('network', 'rm', 'net');
    await docker.ok('volume', 'rm', 'vol');
  });
});
