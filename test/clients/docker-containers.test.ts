import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';
import { containerTests } from '../support/docker-contract.ts';

describe('containers with docker 28', { skip: noDockerReason(DOCKER_28) }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open(DOCKER_28);
  });
  after(() => docker[Symbol.asyncDispose]());

  containerTests(() => docker);

  it('run: large output arrives whole', async () => {
    const ran = await docker.run([
      'run',
      '--rm',
      'busybox',
      'sh',
      '-c',
      'dd if=/dev/zero bs=1M count=16 2>/dev/null | tr "\\0" x',
    ]);
    assert.equal(ran.stdout.length, 16 * 1024 * 1024);
    assert.equal(ran.status, 0);
  });

  it('run -it and exec -it: the terminal has the size of the client’s when the process starts', async () => {
    // `script`, which gives the client its terminal, shows the end of its own input there (`^@`) when it gets to it.
    const size = /^(\^@)?33 77\r$/m;
    assert.match((await docker.terminal(['run', '--rm', '-it', 'busybox', 'stty', 'size'], '')).stdout, size);
    await docker.ok('run', '-d', '--name', 'asked', 'busybox', 'sleep', '1000');
    assert.match((await docker.terminal(['exec', '-it', 'asked', 'stty', 'size'], '')).stdout, size);
    await docker.ok('rm', '-f', 'asked');
  });

  it('run of a command that is not there: 127, and of one that is no program: 126', async () => {
    const missing = await docker.run(['run', '--rm', 'busybox', 'nosuch']);
    assert.equal(missing.status, 127);
    assert.match(missing.stderr, /executable file not found in \$PATH/);
    const directory = await docker.run(['run', '--rm', 'busybox', '/etc']);
    assert.equal(directory.status, 126);
  });

  it('run of an image that is not there asks for it, and tells why it cannot be had', async () => {
    const { status, stderr } = await docker.run(['run', '--rm', 'localhost:1/nosuch']);
    assert.equal(status, 125);
    assert.match(stderr, /Unable to find image 'localhost:1\/nosuch:latest' locally/);
  });

  it('run -d, ps, stop, start again, restart, kill', async () => {
    const id = await docker.ok(
      'run',
      '-d',
      '--name',
      'long',
      '--stop-timeout',
      '1',
      'busybox',
      'sh',
      '-c',
      'trap "exit 9" TERM; while :; do sleep 0.05; done',
    );
    assert.match(
      await docker.ok('ps', '--format', '{{.ID}} {{.Image}} {{.Names}} {{.Status}}'),
      new RegExp(`^${id.slice(0, 12)} busybox long Up `),
    );
    assert.equal(await docker.ok('stop', 'long'), 'long');
    assert.match(await docker.ok('ps', '-a', '--filter', 'name=long', '--format', '{{.Status}}'), /^Exited \(9\) /);
    await docker.ok('start', 'long');
    await docker.ok('restart', '-t', '1', 'long');
    assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'long'), 'true');
    await docker.ok('kill', 'long');
    assert.equal(await docker.ok('wait', 'long'), '137');
    const again = await docker.run(['kill', 'long']);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /is not running/);
    await docker.ok('stop', 'long');
    await docker.ok('rm', '-f', 'long');
  });

  it('a name that is taken, a name that is none, a removal of what runs', async () => {
    await docker.ok('run', '-d', '--name', 'taken', 'busybox', 'sleep', '1000');
    const second = await docker.run(['run', '--name', 'taken', 'busybox', 'true']);
    assert.equal(second.status, 125);
    assert.match(
      second.stderr,
      /Conflict\. The container name "\/taken" is already in use by container "?[0-9a-f]{64}"?\. You have to remove \(or rename\) that container/,
    );
    const bad = await docker.run(['create', '--name', '-bad', 'busybox']);
    assert.match(bad.stderr, /Invalid container name \(-bad\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/);
    const running = await docker.run(['rm', 'taken']);
    assert.equal(running.status, 1);
    assert.match(running.stderr, /container [0-9a-f]+ is running: stop the container before removing or force remove/);
    await docker.ok('rm', '-f', 'taken');
    const missing = await docker.run(['start', 'taken']);
    assert.match(missing.stderr, /No such container: taken/);
  });

  it('attach: leaves with the detach keys, and the container goes on', async () => {
    await docker.ok('run', '-dit', '--name', 'kept', 'busybox', 'cat');
    const left = await docker.terminal(['attach', '--detach-keys', 'ctrl-x,x', 'kept'], 'hello\n\u0018x');
    assert.match(left.stdout, /hello/);
    assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'kept'), 'true');
    await docker.ok('rm', '-f', 'kept');
  });

  it('ps: filters, the newest ones, formats and sizes', async () => {
    await docker.ok('run', '-d', '--name', 'f-one', '-l', 'app=web', '--expose', '99', 'busybox', 'sleep', '1000');
    await docker.ok('create', '--name', 'f-two', '-l', 'app=db', 'busybox', 'true');
    const names = (...filters: string[]) => docker.ok('ps', ...filters, '--format', '{{.Names}}');
    assert.equal(await names(), 'f-one');
    assert.equal(await names('-a'), 'f-two\nf-one');
    assert.equal(await names('-a', '-f', 'label=app=db'), 'f-two');
    assert.equal(await names('-a', '-f', 'status=created'), 'f-two');
    assert.equal(await names('-a', '-f', 'name=^/f-o'), 'f-one');
    assert.equal(await names('-a', '-f', 'ancestor=busybox:latest', '-f', 'label=app'), 'f-two\nf-one');
    assert.equal(await names('-a', '-f', 'since=f-one'), 'f-two');
    assert.equal(await names('-a', '-f', 'expose=99'), 'f-one');
    assert.equal(await names('-a', '-f', 'volume=/nosuch'), '');
    assert.equal(await names('-n', '1'), 'f-two');
    const wrong = await docker.run(['ps', '-f', 'status=sleeping']);
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /invalid filter 'status=sleeping'/);
    await docker.ok('rm', '-f', 'f-one', 'f-two');
  });

  it('refuses by name what it cannot do, and a port that is taken', async () => {
    const refused = await docker.run(['run', '--rm', '--cgroup-parent', '/x', 'busybox', 'true']);
    assert.equal(refused.status, 125);
    assert.match(
      refused.stderr,
      /HostConfig\.CgroupParent is not supported: every container has a control group of its own/,
    );
    await docker.ok('run', '-d', '--name', 'port', '-p', '127.0.0.1::80', 'busybox', 'sleep', '1000');
    const address = await docker.ok('port', 'port', '80');
    const taken = await docker.run(['run', '-d', '--name', 'second', '-p', `${address}:80`, 'busybox', 'true']);
    assert.equal(taken.status, 125);
    assert.match(taken.stderr, /port is already allocated/);
    await docker.ok('rm', '-f', 'port', 'second');
  });
});
