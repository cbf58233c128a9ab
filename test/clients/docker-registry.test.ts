import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOCKER_20, DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';
import {
  type Distribution,
  noDistributionReason,
  startDistribution,
} from '../../src/images/registry-client/test-distribution.ts';

const reason = noDockerReason(DOCKER_28) || noDistributionReason || noDockerReason(DOCKER_20);

describe('pushes and pulls of docker 28 with Debian’s docker-registry', { skip: reason }, () => {
  let docker: TestDocker;
  let registry: Distribution;
  let open: Distribution;
  before(async () => {
    [docker, registry, open] = await Promise.all([
      TestDocker.open(),
      startDistribution({ users: { ann: 'secret' } }),
      startDistribution(),
    ]);
  });
  after(async () => {
    await Promise.all([registry, open].map((one) => one[Symbol.asyncDispose]()));
    await docker[Symbol.asyncDispose]();
  });

  it('push tells its progress and the digest, by which the image is pulled again', async () => {
    const name = `${open.host}/team/box`;
    await docker.ok('tag', 'busybox', `${name}:v1`);
    const pushed = await docker.ok('push', `${name}:v1`);
    assert.match(pushed, new RegExp(`^The push refers to repository \\[${name}\\]\n[0-9a-f]{12}: `));
    const [, digest] = /v1: digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(pushed) ?? [];
    assert.match(await docker.ok('push', `${name}:v1`), /Layer already exists/);
    await docker.ok('rmi', `${name}:v1`);
    const pulled = await docker.ok('pull', `${name}@${digest}`);
    assert.match(pulled, new RegExp(`Digest: ${digest}\nStatus: Downloaded newer image for ${name}@${digest}`));
    assert.equal(await docker.ok('run', '--rm', `${name}@${digest}`, 'echo', 'pulled'), 'pulled');
    assert.match(await docker.ok('pull', `${name}:v1`), /Status: (?:Downloaded newer image|Image is up to date) for /);
    assert.equal(
      await docker.ok('image', 'inspect', '-f', '{{index .RepoDigests 0}}', `${name}:v1`),
      `${name}@${digest}`,
    );
  });

  it('run pulls what is not here', async () => {
    const name = `${open.host}/only/there:1`;
    await docker.ok('tag', 'busybox', name);
    await docker.ok('push', '-q', name);
    await docker.ok('rmi', name);
    const ran = await docker.run(['run', '--rm', name, 'echo', 'hi']);
    assert.equal(ran.stdout, 'hi\n');
    assert.match(ran.stderr, /Unable to find image '.*only\/there:1' locally\n1: Pulling from only\/there\n/);
  });

  it('push -a sends every tag, pull -a gets every tag', async () => {
    const name = `${open.host}/many`;
    for (const tag of ['one', 'two']) await docker.ok('tag', 'busybox', `${name}:${tag}`);
    const pushed = await docker.ok('push', '-a', name);
    assert.match(pushed, /one: digest: sha256:[\s\S]*two: digest: sha256:/);
    await docker.ok('rmi', `${name}:one`, `${name}:two`);
    await docker.ok('pull', '-a', name);
    assert.equal(
      await docker.ok('images', '--format', '{{.Tag}}', name).then((text) => text.split('\n').sort().join(' ')),
      'one two',
    );
  });

  it('login is checked with the registry, and pushes need it', async () => {
    const name = `${registry.host}/private:1`;
    await docker.ok('tag', 'busybox', name);
    const without = await docker.run(['push', name]);
    assert.equal(without.status, 1);
    assert.match(without.stderr, /no basic auth credentials/);
    const wrong = await docker.run(['login', '-u', 'ann', '--password-stdin', registry.host], { input: 'guess' });
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /401 Unauthorized|unauthorized/);
    const right = await docker.run(['login', '-u', 'ann', '--password-stdin', registry.host], { input: 'secret' });
    assert.match(right.stdout, /Login Succeeded/);
    assert.match(await docker.ok('push', name), /1: digest: sha256:/);
    await docker.ok('rmi', name);
    await docker.ok('pull', name);
    const built = await docker.run(['build', '--pull', '-'], { input: `FROM ${name}\nRUN true\n` });
    assert.equal(built.status, 0, built.stderr);
    await docker.ok('logout', registry.host);
    await docker.ok('rmi', name);
    const out = await docker.run(['pull', name]);
    assert.equal(out.status, 1);
    assert.match(
      out.stderr,
      /pull access denied for .*private.*, repository does not exist or may require 'docker login'/,
    );
  });

  it('tells what is wrong: no such tag, no such registry, nothing of that name here', async () => {
    const missing = await docker.run(['pull', `${open.host}/team/box:nosuch`]);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /manifest for .*team\/box:nosuch not found: manifest unknown/);
    const nobody = await docker.run(['pull', 'localhost:1/x']);
    assert.match(nobody.stderr, /cannot talk to the registry localhost:1/);
    const nothing = await docker.run(['push', `${open.host}/nothing:1`]);
    assert.match(nothing.stderr, /An image does not exist locally with the tag/);
    const malformed = await docker.run(['pull', 'UPPER']);
    assert.match(malformed.stderr, /must be lowercase/);
  });

  it('Debian’s client does the same', async () => {
    const name = `${open.host}/old/box:1`;
    const client = DOCKER_20;
    await docker.ok('tag', 'busybox', name);
    const pushed = await docker.run(['push', name], { client });
    assert.match(pushed.stdout, /1: digest: sha256:[0-9a-f]{64} size: \d+\n$/);
    await docker.ok('rmi', name);
    const pulled = await docker.run(['pull', name], { client });
    assert.match(pulled.stdout, /Status: Downloaded newer image for /);
    const login = await docker.run(['login', '-u', 'ann', '--password-stdin', registry.host], {
      client,
      input: 'secret',
    });
    assert.match(login.stdout, /Login Succeeded/);
  });

  it('manifests at a registry are told without pulling', async () => {
    const name = `${open.host}/team/box:v1`;
    const { stdout } = await docker.run(
      ['-s', '--unix-socket', docker.socket, `http://docker/v1.41/distribution/${name}/json`],
      { client: 'curl' },
    );
    const told = JSON.parse(stdout);
    assert.match(told.Descriptor.digest, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(
      told.Platforms.map(({ os }: { os: string }) => os),
      ['linux'],
    );
  });
});
