import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';

describe('images with docker 28', { skip: noDockerReason(DOCKER_28) }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open();
  });
  after(() => docker[Symbol.asyncDispose]());

  /** A directory with a Dockerfile and more. */
  async function context(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const directory = join(docker.directory, name);
    await mkdir(directory, { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(directory, file), text);
    return directory;
  }

  it('build: falls back to the classic builder, and shows its steps', async () => {
    const directory = await context('app', {
      Dockerfile:
        'FROM busybox AS one\nARG WHO=world\nRUN echo hello $WHO > /out\nFROM busybox\nCOPY --from=one /out /out\nCOPY file skipped* /\nLABEL a=b\nCMD cat /out /file\n',
      file: 'content\n',
      'skipped.log': 'x',
      '.dockerignore': '*.log\n',
    });
    const { status, stdout, stderr } = await docker.run([
      'build',
      '-t',
      'app:1',
      '-t',
      'app:latest',
      '--build-arg',
      'WHO=you',
      directory,
    ]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /The legacy builder is deprecated/);
    assert.match(stdout, /Step 3\/8 : RUN echo hello \$WHO > \/out\n/);
    assert.match(
      stdout,
      /Successfully built [0-9a-f]{12}\nSuccessfully tagged app:1\nSuccessfully tagged app:latest\n$/,
    );
    assert.equal(await docker.ok('run', '--rm', 'app'), 'hello you\ncontent');
    assert.equal(await docker.ok('run', '--rm', 'app', 'sh', '-c', 'ls /*.log 2>/dev/null | wc -l'), '0');
    const again = await docker.run(['build', '--build-arg', 'WHO=you', directory]);
    assert.match(again.stdout, / ---> Using cache\n/);
    assert.match(await docker.ok('build', '-q', '--build-arg', 'WHO=you', directory), /^sha256:[0-9a-f]{64}$/);
  });

  it('build: errors tell the step and the line', async () => {
    const failing = await docker.run(['build', '-'], { input: 'FROM busybox\nRUN echo before; exit 3\n' });
    assert.equal(failing.status, 3, 'the exit code of the command');
    assert.match(failing.stdout, /before/);
    assert.match(failing.stderr, /The command '\/bin\/sh -c echo before; exit 3' returned a non-zero code: 3/);
    const unknown = await docker.run(['build', '-'], { input: 'FROM busybox\nRUNN x\n' });
    assert.match(unknown.stderr, /unknown instruction: RUNN/i);
    const directory = await context('empty', { other: '' });
    const missing = await docker.run(['build', '-f', 'nosuch', directory]);
    assert.equal(missing.status, 1);
    const refused = await docker.run(['build', '--memory', '64m', '-'], { input: 'FROM busybox\n' });
    assert.match(refused.stderr, /parameter memory is not supported/);
    const kit = await docker.run(['build', '-'], { input: 'FROM busybox\n', environment: { DOCKER_BUILDKIT: '1' } });
    assert.match(kit.stderr, /BuildKit is enabled but the buildx component is missing/);
  });

  it('tag, images, inspect, history, rmi', async () => {
    await docker.ok('tag', 'busybox', 'localhost:5000/team/box:v1');
    assert.equal(
      await docker.ok('images', '--format', '{{.Repository}}:{{.Tag}}', 'localhost:5000/team/box'),
      'localhost:5000/team/box:v1',
    );
    assert.equal(
      await docker.ok('images', '--format', '{{.Repository}}', '-f', 'reference=*/team/*'),
      'localhost:5000/team/box',
    );
    const [image] = JSON.parse(await docker.ok('image', 'inspect', 'busybox'));
    assert.equal(image.Id, docker.busybox.id);
    assert.deepEqual(image.RepoTags, ['busybox:latest', 'localhost:5000/team/box:v1']);
    assert.deepEqual(image.Config.Cmd, ['sh']);
    assert.equal(image.RootFS.Layers.length, 1);
    assert.match(await docker.ok('history', 'busybox'), /IMAGE +CREATED +CREATED BY +SIZE/);
    assert.equal(await docker.ok('rmi', 'localhost:5000/team/box:v1'), 'Untagged: localhost:5000/team/box:v1');
    const missing = await docker.run(['rmi', 'nosuch']);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /No such image: nosuch/);
    const bad = await docker.run(['tag', 'busybox', 'UPPER:1']);
    assert.match(bad.stderr, /must be lowercase|invalid reference format/);
  });

  it('rmi of an image that a container has is refused', async () => {
    await docker.ok('tag', 'busybox', 'used:1');
    await docker.run(['build', '-t', 'used:2', '-'], { input: 'FROM busybox\nENV A=b\n' });
    await docker.ok('create', '--name', 'user', 'used:2');
    const refused = await docker.run(['rmi', 'used:2']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /conflict: unable to (?:remove repository reference "used:2"|delete)/);
    await docker.ok('rm', 'user');
    assert.match(await docker.ok('rmi', 'used:2'), /^Untagged: used:2\nDeleted: sha256:[0-9a-f]{64}/);
    await docker.ok('rmi', 'used:1');
  });

  it('save, load, export, import', async () => {
    await docker.run(['build', '-t', 'saved:1', '-'], {
      input: 'FROM busybox\nRUN echo kept > /kept\nCMD cat /kept\n',
    });
    await docker.ok('save', '-o', 'saved.tar', 'saved:1');
    const id = await docker.ok('image', 'inspect', '-f', '{{.Id}}', 'saved:1');
    await docker.ok('rmi', 'saved:1');
    assert.equal(await docker.ok('load', '-i', 'saved.tar'), 'Loaded image: saved:1');
    assert.equal(await docker.ok('image', 'inspect', '-f', '{{.Id}}', 'saved:1'), id);
    assert.equal(await docker.ok('run', '--rm', 'saved:1'), 'kept');
    await docker.ok('create', '--name', 'out', 'saved:1');
    await docker.ok('export', '-o', 'out.tar', 'out');
    assert.match(await docker.ok('import', '-m', 'brought', 'out.tar', 'brought:1'), /^sha256:[0-9a-f]{64}$/);
    assert.equal(await docker.ok('run', '--rm', 'brought:1', 'cat', '/kept'), 'kept');
    await docker.ok('rm', 'out');
    const broken = await docker.run(['load'], { input: 'this is no archive' });
    assert.equal(broken.status, 1);
  });

  it('commit and diff', async () => {
    await docker.ok('run', '--name', 'changed', 'busybox', 'sh', '-c', 'echo new > /new; rm /etc/group');
    const changes = (await docker.ok('diff', 'changed')).split('\n').sort();
    assert.deepEqual(changes, ['A /new', 'C /etc', 'D /etc/group']);
    assert.match(
      await docker.ok(
        'commit',
        '-a',
        'me',
        '-m',
        'why',
        '-c',
        'CMD ["cat", "/new"]',
        '-c',
        'ENV A=b',
        'changed',
        'changed:1',
      ),
      /^sha256:/,
    );
    assert.equal(await docker.ok('run', '--rm', 'changed:1'), 'new');
    assert.equal(await docker.ok('image', 'inspect', '-f', '{{.Author}} {{.Comment}}', 'changed:1'), 'me why');
    await docker.ok('rm', 'changed');
  });

  it('prune: images without a name, then those without a container', async () => {
    await docker.run(['build', '-t', 'moved:1', '-'], { input: 'FROM busybox\nENV MOVED=1\n' });
    await docker.run(['build', '-t', 'moved:1', '-'], { input: 'FROM busybox\nENV MOVED=2\n' });
    assert.notEqual(await docker.ok('images', '-q', '-f', 'dangling=true'), '');
    assert.match(await docker.ok('image', 'prune', '-f'), /Deleted Images:\n[\s\S]*Total reclaimed space: /);
    assert.equal(await docker.ok('images', '-q', '-f', 'dangling=true'), '');
    await docker.ok('create', '--name', 'keeper', 'busybox');
    await docker.ok('image', 'prune', '-af');
    assert.equal(await docker.ok('images', '--format', '{{.Repository}}:{{.Tag}}'), 'busybox:latest');
    await docker.ok('rm', 'keeper');
    assert.match(await docker.ok('builder', 'prune', '-af'), /Total reclaimed space: /);
  });

  it('refuses the search by name', async () => {
    const { status, stderr } = await docker.run(['search', 'busybox']);
    assert.equal(status, 1);
    assert.match(stderr, /GET \/v1\.48\/images\/search is not supported: the search of Docker Hub is not served/);
  });
});
