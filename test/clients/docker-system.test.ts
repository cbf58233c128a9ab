import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
}

describe('running containers with docker 28', { skip: noDockerReason(DOCKER_28) }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open();
  });
  after(() => docker[Symbol.asyncDispose]());

  it('version and info', async () => {
    assert.equal(await docker.ok('version', '-f', '{{.Server.Platform.Name}} {{.Server.APIVersion}}'), 'Kobune 1.48');
    const info = JSON.parse(await docker.ok('info', '-f', '{{json .}}'));
    assert.equal(info.Name, 'test-host');
    assert.equal(info.OSType, 'linux');
    assert.equal(info.Swarm.LocalNodeState, 'inactive');
    assert.equal(info.Images, 1);
    assert.equal(info.ServerErrors, undefined);
  });

  it('events: those of a container’s life, live and since', async () => {
    const watcher = docker.spawn(['events', '-f', 'label=watched', '--format', '{{json .}}']);
    let lines = '';
    watcher.stdout.on('data', (chunk) => {
      lines += chunk;
    });
    // Something happens until the watcher tells: only then it listens.
    while (lines === '') {
      await docker.ok('create', '--name', 'probe', '-l', 'watched', 'busybox');
      await docker.ok('rm', 'probe');
    }
    lines = '';
    await docker.run(['run', '--name', 'lived', '-l', 'watched', '-l', 'x=y', 'busybox', 'sh', '-c', 'exit 3']);
    await docker.ok('rename', 'lived', 'lived-on');
    await docker.ok('rm', 'lived-on');
    while (!/lived-on[^\n]*\n$/.test(lines) || !/"destroy"[^\n]*lived-on/.test(lines))
      await once(watcher.stdout, 'data');
    watcher.kill();
    const events = lines
      .trim()
      .split('\n')
      .map((line): Event => JSON.parse(line));
    const ofContainer = events
      .filter(({ Actor }) => Actor.Attributes.name?.startsWith('lived'))
      .map(({ Action }) => Action);
    assert.deepEqual(
      ofContainer.filter((action) => action !== 'attach'),
      ['create', 'start', 'die', 'rename', 'destroy'],
    );
    const died = events.find(({ Action }) => Action === 'die')!;
    assert.equal(died.Actor.Attributes.exitCode, '3');
    assert.equal(died.Actor.Attributes.image, 'busybox');
    assert.equal(died.Actor.Attributes.x, 'y');
    const past = await docker.ok(
      'events',
      '--since',
      '1h',
      '--until',
      (Date.now() / 1000).toFixed(9),
      '-f',
      'event=die',
      '--format',
      '{{.Actor.Attributes.exitCode}}',
    );
    assert.match(past, /(?:^|\n)3$/);
  });

  it('rename, update, pause, top, stats', async () => {
    await docker.ok('run', '-d', '--name', 'first', '-m', '64m', 'busybox', 'sh', '-c', 'while :; do sleep 0.1; done');
    await docker.ok('rename', 'first', 'second');
    assert.equal(
      await docker.ok('inspect', '-f', '{{.Name}} {{.HostConfig.Memory}}', 'second'),
      `/second ${64 * 1024 ** 2}`,
    );
    await docker.ok('update', '-m', '32m', '--memory-swap', '64m', '--restart', 'on-failure:2', 'second');
    assert.equal(
      await docker.ok(
        'inspect',
        '-f',
        '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}',
        'second',
      ),
      `${32 * 1024 ** 2} on-failure 2`,
    );
    assert.match(await docker.ok('top', 'second'), /^(?:UID|PID)[\s\S]*while :/);
    assert.match(await docker.ok('top', 'second', '-o', 'pid,comm'), /^ *PID +COMMAND/);
    const stats = JSON.parse(await docker.ok('stats', '--no-stream', '--format', '{{json .}}', 'second'));
    assert.equal(stats.Name, 'second');
    assert.match(stats.MemUsage, /^[\d.]+[KM]iB \/ 32MiB$/);
    assert.notEqual(stats.PIDs, '0');
    await docker.ok('pause', 'second');
    assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /\(Paused\)$/);
    const attached = await docker.run(['attach', 'second']);
    assert.match(attached.stderr, /paused/i);
    await docker.ok('unpause', 'second');
    await docker.ok('rm', '-f', 'second');
  });

  it('health: starting, healthy, unhealthy', async () => {
    const health = ['--health-interval', '100ms', '--health-retries', '1', '--health-timeout', '5s'];
    await docker.ok(
      'run',
      '-d',
      '--name',
      'checked',
      '--health-cmd',
      'test -e /ok',
      ...health,
      'busybox',
      'sh',
      '-c',
      'touch /ok; sleep 1000',
    );
    const status = () => docker.ok('inspect', '-f', '{{.State.Health.Status}}', 'checked');
    while ((await status()) !== 'healthy');
    assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /\(healthy\)/);
    await docker.ok('exec', 'checked', 'rm', '/ok');
    while ((await status()) !== 'unhealthy');
    assert.equal(await docker.ok('ps', '-q', '--filter', 'health=unhealthy').then((text) => text.length), 12);
    await docker.ok('rm', '-f', 'checked');
  });

  it('restart policies: again after a failure, as often as it says', async () => {
    await docker.ok(
      'run',
      '-d',
      '--name',
      'failing',
      '--restart',
      'on-failure:2',
      'busybox',
      'sh',
      '-c',
      'echo tried; exit 1',
    );
    const state = () => docker.ok('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'failing');
    while ((await state()) !== '2 exited');
    assert.equal(await docker.ok('logs', 'failing'), 'tried\ntried\ntried');
    await docker.ok('rm', 'failing');
  });

  it('system df and prune', async () => {
    await docker.ok(
      'run',
      '--name',
      'ended',
      'busybox',
      'sh',
      '-c',
      'dd if=/dev/zero of=/big bs=1M count=1 2>/dev/null',
    );
    assert.match(await docker.ok('system', 'df'), /TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +1 +1 +/);
    assert.match(await docker.ok('ps', '-as', '--format', '{{.Names}} {{.Size}}'), /^ended 1\.\d+MB \(virtual /);
    assert.match(await docker.ok('system', 'df', '-v'), /ended/);
    assert.match(
      await docker.ok('container', 'prune', '-f'),
      /Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 1\.\d+MB/,
    );
    const since = String(Date.now() / 1000);
    await docker.ok('volume', 'prune', '-f');
    assert.match(await docker.ok('system', 'prune', '-f'), /Total reclaimed space: /);
    const until = (Date.now() / 1000).toFixed(9);
    const told = ['events', '--since', since, '--until', until, '-f', 'event=prune', '--format', '{{.Type}}'];
    const types = (await docker.ok(...told)).split('\n').sort();
    assert.deepEqual(types, ['builder', 'container', 'image', 'network', 'volume']);
  });

  it('what a container has is as it was asked for', async () => {
    const script =
      'id -u; hostname; ulimit -n; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep host.own /etc/hosts; cat /proc/1/comm; grep CapEff /proc/self/status';
    const words = [
      '--user',
      '7',
      '--hostname',
      'named',
      '--ulimit',
      'nofile=99:99',
      '--sysctl',
      'net.ipv4.ip_unprivileged_port_start=7',
      '--add-host',
      'host.own:1.2.3.4',
      '--cap-drop',
      'ALL',
    ];
    const output = await docker.ok('run', '--rm', ...words, 'busybox', 'sh', '-c', script);
    assert.deepEqual(
      output.split('\n').map((line) => line.replaceAll('\t', ' ')),
      ['7', 'named', '99', '7', '1.2.3.4 host.own', 'sh', 'CapEff: 0000000000000000'],
    );
    assert.match(
      await docker.ok('run', '--rm', '--init', 'busybox', 'cat', '/proc/1/comm'),
      /^(?:tini|docker-init|init)/,
    );
  });

  it('inspect: what is in memory is told where it was asked for, and nothing as null', async () => {
    await docker.ok(
      ...['create', '--name', 'memory', '--tmpfs', '/a', '--mount', 'type=tmpfs,dst=/b', '-v', '/v', 'busybox'],
    );
    const [told] = JSON.parse(await docker.ok('inspect', 'memory'));
    const destinations = told.Mounts.map(({ Destination }: { Destination: string }) => Destination);
    assert.deepEqual([destinations.sort(), told.HostConfig.Tmpfs], [['/b', '/v'], { '/a': '' }]);
    await docker.ok('create', '--name', 'bare', 'busybox');
    assert.equal(await docker.ok('inspect', 'bare', '-f', '{{json .Config.Volumes}}'), 'null');
    const image = await docker.ok('commit', 'bare');
    assert.equal(await docker.ok('inspect', image, '-f', '{{.Config.StopSignal}}'), '');
    await docker.ok('rm', '-v', 'memory', 'bare');
  });

  it('run --rm of what cannot be started says so once', async () => {
    const { status, stderr } = await docker.run(['run', '--rm', 'busybox', '/nosuch']);
    assert.equal(status, 127);
    assert.match(stderr, /\/nosuch: no such file/);
    assert.doesNotMatch(stderr, /Error waiting/);
  });
});
