import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOCKER_20, DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';

for (const client of [DOCKER_28, DOCKER_20]) {
  describe(`containers with ${client === DOCKER_28 ? 'docker 28' : 'docker 20.10'}`, {
    skip: noDockerReason(client),
  }, () => {
    let docker: TestDocker;
    before(async () => {
      docker = await TestDocker.open(client);
    });
    after(() => docker[Symbol.asyncDispose]());

    it('run: what it prints, on both streams, and its exit code', async () => {
      const ran = await docker.run(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 42']);
      assert.deepEqual(ran, { status: 42, stdout: 'out\n', stderr: 'err\n' });
      assert.equal(await docker.ok('ps', '-aq'), '', '--rm removes it');
    });

    it('run -i: standard input reaches it, and its end, too', async () => {
      const input = 'x'.repeat(300_000);
      const ran = await docker.run(['run', '-i', '--rm', 'busybox', 'wc', '-c'], { input });
      assert.deepEqual(ran, { status: 0, stdout: '300000\n', stderr: '' });
    });

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

    it('run -it: a terminal, with line ends as terminals have them', async () => {
      const ran = await docker.terminal(
        ['run', '--rm', '-it', 'busybox', 'sh', '-c', 'tty; read a; echo "got $a"; exit 7'],
        'word\n',
      );
      assert.equal(ran.status, 7);
      assert.match(ran.stdout, /\/dev\/(pts\/0|console)\r\n/);
      assert.match(ran.stdout, /got word\r\n/);
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

    it('create, start -a, wait, inspect, rm', async () => {
      const id = await docker.ok(
        'create',
        '--name',
        'made',
        '-e',
        'A=b',
        '-l',
        'x=y',
        '-w',
        '/tmp',
        '-u',
        '1:1',
        'busybox',
        'sh',
        '-c',
        'echo $A; pwd; id -u',
      );
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal(
        await docker.ok('inspect', '-f', '{{.State.Status}} {{.Name}} {{.Config.Image}}', 'made'),
        'created /made busybox',
      );
      assert.equal(await docker.ok('start', '-a', 'made'), 'b\n/tmp\n1');
      assert.equal(await docker.ok('wait', 'made'), '0');
      const inspected = JSON.parse(await docker.ok('inspect', id.slice(0, 12)))[0];
      assert.equal(inspected.Id, id);
      assert.equal(inspected.State.Status, 'exited');
      assert.deepEqual(inspected.Config.Env, [
        'A=b',
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ]);
      assert.deepEqual(inspected.Config.Labels, { x: 'y' });
      assert.equal(inspected.Config.User, '1:1');
      assert.equal(inspected.Config.Hostname, id.slice(0, 12));
      assert.equal(inspected.Path, 'sh');
      assert.deepEqual(inspected.Args, ['-c', 'echo $A; pwd; id -u']);
      assert.equal(await docker.ok('rm', 'made'), 'made');
      const gone = await docker.run(['inspect', 'made']);
      assert.equal(gone.status, 1);
      assert.match(gone.stderr, /No such object: made/);
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
      assert.match(
        running.stderr,
        /container [0-9a-f]+ is running: stop the container before removing or force remove/,
      );
      await docker.ok('rm', '-f', 'taken');
      const missing = await docker.run(['start', 'taken']);
      assert.match(missing.stderr, /No such container: taken/);
    });

    it('logs: all, the last, with times, since a time, and followed to the end', async () => {
      await docker.ok(
        'run',
        '-d',
        '--name',
        'talker',
        'busybox',
        'sh',
        '-c',
        'for i in 1 2 3; do echo line $i; done; echo err >&2; sleep 0.3; echo last',
      );
      const followed = await docker.run(['logs', '-f', 'talker']);
      assert.equal(followed.stdout, 'line 1\nline 2\nline 3\nlast\n');
      assert.equal(followed.stderr, 'err\n');
      assert.equal(await docker.ok('logs', '--tail', '1', 'talker'), 'last');
      const timed = await docker.ok('logs', '-t', '--tail', '1', 'talker');
      assert.match(timed, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z last$/);
      const [time] = timed.split(' ');
      assert.equal(await docker.ok('logs', '--since', time!, 'talker'), 'last');
      assert.equal(
        (await docker.run(['logs', '--until', time!, 'talker'])).stdout.startsWith('line 1\nline 2\nline 3\n'),
        true,
      );
      await docker.ok('rm', 'talker');
    });

    it('exec: streams, exit code, user, directory, variables, a terminal, and detached', async () => {
      await docker.ok('run', '-d', '--name', 'host', 'busybox', 'sleep', '1000');
      const ran = await docker.run(
        [
          'exec',
          '-i',
          '-u',
          'nobody',
          '-w',
          '/tmp',
          '-e',
          'A=b',
          'host',
          'sh',
          '-c',
          'cat; echo $A; pwd; id -un; echo err >&2; exit 3',
        ],
        { input: 'in\n' },
      );
      assert.deepEqual(ran, { status: 3, stdout: 'in\nb\n/tmp\nnobody\n', stderr: 'err\n' });
      const typed = await docker.terminal(
        ['exec', '-it', 'host', 'sh', '-c', 'tty; read a; echo "got $a"; exit 5'],
        'word\n',
      );
      assert.equal(typed.status, 5);
      assert.match(typed.stdout, /got word\r\n/);
      assert.equal((await docker.run(['exec', 'host', 'nosuch'])).status, 127);
      await docker.ok('exec', '-d', 'host', 'sh', '-c', 'echo done > /tmp/mark');
      await docker.ok('exec', 'host', 'sh', '-c', 'until [ -s /tmp/mark ]; do sleep 0.02; done');
      await docker.ok('kill', 'host');
      const ended = await docker.run(['exec', 'host', 'true']);
      assert.equal(ended.status, 1);
      assert.match(ended.stderr, /is not running/);
      await docker.ok('rm', 'host');
    });

    it('attach: leaves with the detach keys, and the container goes on', async () => {
      await docker.ok('run', '-dit', '--name', 'kept', 'busybox', 'cat');
      const left = await docker.terminal(['attach', '--detach-keys', 'ctrl-x,x', 'kept'], 'hello\n\u0018x');
      assert.match(left.stdout, /hello/);
      assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'kept'), 'true');
      await docker.ok('rm', '-f', 'kept');
    });

    it('cp: both ways, files and directories, to what does not run and to a volume', async () => {
      await docker.ok(
        'create',
        '--name',
        'files',
        '-v',
        '/vol',
        'busybox',
        'sh',
        '-c',
        'cat /one /vol/two; ls -R /tree',
      );
      const archive = await docker.run([
        'run',
        '--rm',
        'busybox',
        'sh',
        '-c',
        'cd /tmp; mkdir -p tree/deep; echo deep > tree/deep/file; echo one > one; echo two > two; tar c one two tree | base64',
      ]);
      const bytes = Buffer.from(archive.stdout, 'base64');
      assert.equal((await docker.run(['cp', '-', 'files:/'], { input: bytes })).status, 0);
      assert.equal((await docker.run(['cp', '-', 'files:/vol'], { input: bytes })).status, 0);
      assert.equal(
        (await docker.run(['start', '-a', 'files'])).stdout,
        'one\ntwo\n/tree:\ndeep\n\n/tree/deep:\nfile\n',
      );
      await docker.ok('cp', 'files:/tree', 'copied');
      await docker.ok('cp', 'files:/tree/.', 'contents');
      await docker.ok('cp', 'files:/vol', 'volume');
      await docker.ok('cp', 'copied/deep/file', 'files:/vol/back');
      const read = (path: string) => docker.run([path], { client: 'cat' });
      assert.equal((await read('copied/deep/file')).stdout, 'deep\n');
      assert.equal((await read('contents/deep/file')).stdout, 'deep\n');
      assert.equal((await read('volume/two')).stdout, 'two\n');
      const back = await docker.run(['cp', 'files:/vol/back', '-']);
      assert.match(back.stdout, /^back\0[\s\S]*deep\n/);
      const missing = await docker.run(['cp', 'files:/nosuch', 'x']);
      assert.equal(missing.status, 1);
      assert.match(missing.stderr, /Could not find the file \/nosuch in container files/);
      await docker.ok('rm', '-v', 'files');
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
}
