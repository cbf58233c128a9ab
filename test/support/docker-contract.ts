/** What every one of Docker's clients must be able to do with containers. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { TestDocker } from '../../src/docker/testing/test-docker.ts';

/** The tests, each on the Docker API that `open` answers when it runs. */
export function containerTests(open: () => TestDocker): void {
  it('run: what it prints, on both streams, and its exit code', async () => {
    const docker = open();
    const ran = await docker.run(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 42']);
    assert.deepEqual(ran, { status: 42, stdout: 'out\n', stderr: 'err\n' });
    assert.equal(await docker.ok('ps', '-aq'), '', '--rm removes it');
  });

  it('run -i: standard input reaches it, and its end, too', async () => {
    const docker = open();
    const input = 'x'.repeat(300_000);
    const ran = await docker.run(['run', '-i', '--rm', 'busybox', 'wc', '-c'], { input });
    assert.deepEqual(ran, { status: 0, stdout: '300000\n', stderr: '' });
  });

  it('run -it: a terminal, with line ends as terminals have them', async () => {
    const docker = open();
    const ran = await docker.terminal(
      ['run', '--rm', '-it', 'busybox', 'sh', '-c', 'tty; read a; echo "got $a"; exit 7'],
      'word\n',
    );
    assert.equal(ran.status, 7);
    assert.match(ran.stdout, /\/dev\/(pts\/0|console)\r\n/);
    assert.match(ran.stdout, /got word\r\n/);
  });

  it('run -it and exec -it: the terminal has the size of the client’s', async () => {
    const docker = open();
    // The size comes right after the start: a process that asks at once may be quicker.
    const ask = ['sh', '-c', 'until [ "$(stty size)" = "33 77" ]; do sleep 0.02; done; stty size'];
    assert.match((await docker.terminal(['run', '--rm', '-it', 'busybox', ...ask], '')).stdout, /33 77\r\n/);
    await docker.ok('run', '-d', '--name', 'sized', 'busybox', 'sleep', '1000');
    assert.match((await docker.terminal(['exec', '-it', 'sized', ...ask], '')).stdout, /33 77\r\n/);
    await docker.ok('rm', '-f', 'sized');
  });

  it('create, start -a, wait, inspect, rm', async () => {
    const docker = open();
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

  it('logs: all, the last, with times, since a time, and followed to the end', async () => {
    const docker = open();
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
    const docker = open();
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

  it('cp: both ways, files and directories, to what does not run and to a volume', async () => {
    const docker = open();
    await docker.ok('create', '--name', 'files', '-v', '/vol', 'busybox', 'sh', '-c', 'cat /one /vol/two; ls -R /tree');
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
    assert.equal((await docker.run(['start', '-a', 'files'])).stdout, 'one\ntwo\n/tree:\ndeep\n\n/tree/deep:\nfile\n');
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
    assert.match(
      missing.stderr,
      /Could not find the file \/nosuch in container files|No such container:path: files:\/nosuch/,
    );
    await docker.ok('rm', '-v', 'files');
  });
}
