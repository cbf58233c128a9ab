import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';

describe('networks and volumes with docker 28', { skip: noDockerReason(DOCKER_28) }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open();
  });
  after(() => docker[Symbol.asyncDispose]());

  it('network: create, inspect, find each other by name and alias, connect, disconnect, rm', async () => {
    assert.match(
      await docker.ok(
        'network',
        'create',
        '--subnet',
        '10.213.7.0/24',
        '--gateway',
        '10.213.7.254',
        '--label',
        'a=b',
        'front',
      ),
      /^[0-9a-f]{64}$/,
    );
    const [network] = JSON.parse(await docker.ok('network', 'inspect', 'front'));
    assert.deepEqual(network.IPAM.Config, [{ Subnet: '10.213.7.0/24', Gateway: '10.213.7.254' }]);
    assert.deepEqual(network.Labels, { a: 'b' });
    assert.equal(network.Scope, 'local');
    await docker.ok(
      'run',
      '-d',
      '--name',
      'server',
      '--network',
      'front',
      '--network-alias',
      'web',
      '--ip',
      '10.213.7.9',
      'busybox',
      'sleep',
      '1000',
    );
    assert.match(
      await docker.ok(
        'run',
        '--rm',
        '--network',
        'front',
        'busybox',
        'sh',
        '-c',
        'nslookup server >/dev/null 2>&1; ping -c 1 -w 3 web',
      ),
      /10\.213\.7\.9/,
    );
    const [connected] = JSON.parse(await docker.ok('network', 'inspect', 'front'));
    const [container] = Object.values(connected.Containers) as { Name: string; IPv4Address: string }[];
    assert.equal(container!.Name, 'server');
    assert.equal(container!.IPv4Address, '10.213.7.9/24');
    await docker.ok('network', 'create', 'back');
    await docker.ok('network', 'connect', '--alias', 'db', 'back', 'server');
    assert.equal(
      await docker.ok('inspect', '-f', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', 'server'),
      'back front ',
    );
    const used = await docker.run(['network', 'rm', 'front']);
    assert.equal(used.status, 1);
    assert.match(used.stderr, /has active endpoints/);
    await docker.ok('network', 'disconnect', 'front', 'server');
    assert.equal(
      await docker.ok('inspect', '-f', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', 'server'),
      'back ',
    );
    await docker.ok('rm', '-f', 'server');
    await docker.ok('network', 'rm', 'front', 'back');
  });

  it('network: what is refused, and why', async () => {
    await docker.ok('network', 'create', '--subnet', '10.213.8.0/24', 'one');
    const refusals: readonly (readonly [string[], RegExp])[] = [
      [['network', 'create', 'one'], /network with name one already exists/],
      [['network', 'create', '--subnet', '10.213.8.0/25', 'two'], /overlaps/],
      [['network', 'create', '-d', 'overlay', 'three'], /plugin "overlay" not found: networks are of driver bridge/],
      [['network', 'rm', 'bridge'], /bridge is a pre-defined network and cannot be removed/],
      [['network', 'inspect', 'nosuch'], /network nosuch not found/],
      [['run', '--rm', '--network', 'nosuch', 'busybox', 'true'], /network nosuch not found/],
      [
        ['run', '--rm', '--ip', '172.17.0.99', 'busybox', 'true'],
        /user specified IP address is supported on user defined networks only/,
      ],
    ];
    for (const [words, message] of refusals) {
      const { status, stderr } = await docker.run(words);
      assert.notEqual(status, 0, words.join(' '));
      assert.match(stderr, message);
    }
    await docker.ok('network', 'rm', 'one');
  });

  it('network: ls with filters, prune', async () => {
    await docker.ok('network', 'create', '--label', 'temp', 'unused');
    assert.equal(
      await docker
        .ok('network', 'ls', '-f', 'type=builtin', '--format', '{{.Name}}')
        .then((text) => text.split('\n').sort().join(' ')),
      'bridge host none',
    );
    assert.equal(
      await docker.ok('network', 'ls', '-f', 'label=temp', '--format', '{{.Name}} {{.Driver}}'),
      'unused bridge',
    );
    assert.match(await docker.ok('network', 'prune', '-f'), /Deleted Networks:\nunused/);
  });

  it('the host’s network, none, and another container’s', async () => {
    assert.match(
      await docker.ok('run', '--rm', '--network', 'host', 'busybox', 'sh', '-c', 'cat /proc/net/dev'),
      /lo:/,
    );
    assert.equal(await docker.ok('run', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'ls /sys/class/net'), 'lo');
    await docker.ok('run', '-d', '--name', 'owner', 'busybox', 'sleep', '1000');
    const address = await docker.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'owner');
    assert.match(
      await docker.ok('run', '--rm', '--network', 'container:owner', 'busybox', 'ip', 'addr'),
      new RegExp(`inet ${address.replaceAll('.', '\\.')}/`),
    );
    await docker.ok('rm', '-f', 'owner');
  });

  it('published ports answer on this machine', async () => {
    await docker.ok(
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '8080',
      'busybox',
      'sh',
      '-c',
      'echo hello > /index.html; exec httpd -f -h / -p 8080',
    );
    const address = (await docker.ok('port', 'web', '8080/tcp')).split('\n')[0];
    const { stdout } = await docker.run(
      ['-s', '--retry', '20', '--retry-connrefused', '--retry-delay', '0', `http://${address}/`],
      { client: 'curl' },
    );
    assert.equal(stdout, 'hello\n');
    assert.match(await docker.ok('ps', '--format', '{{.Ports}}'), /127\.0\.0\.1:\d+->8080\/tcp/);
    await docker.ok('rm', '-f', 'web');
  });

  it('volume: create, inspect, shared between containers, in use, rm, prune', async () => {
    assert.equal(await docker.ok('volume', 'create', '--label', 'a=b', 'data'), 'data');
    const [volume] = JSON.parse(await docker.ok('volume', 'inspect', 'data'));
    assert.equal(volume.Driver, 'local');
    assert.equal(volume.Mountpoint, `${docker.directory}/docker/volumes/data/_data`);
    assert.deepEqual(volume.Labels, { a: 'b' });
    await docker.ok(
      'run',
      '--name',
      'writer',
      '-v',
      'data:/d',
      '-v',
      '/anonymous',
      'busybox',
      'sh',
      '-c',
      'echo kept > /d/file',
    );
    assert.equal(
      await docker.ok(
        'run',
        '--rm',
        '--mount',
        'type=volume,src=data,dst=/other,readonly',
        'busybox',
        'cat',
        '/other/file',
      ),
      'kept',
    );
    const readOnly = await docker.run(['run', '--rm', '-v', 'data:/d:ro', 'busybox', 'touch', '/d/x']);
    assert.match(readOnly.stderr, /Read-only file system/);
    const used = await docker.run(['volume', 'rm', 'data']);
    assert.equal(used.status, 1);
    assert.match(used.stderr, /volume is in use/);
    assert.equal(await docker.ok('volume', 'ls', '-q', '-f', 'dangling=true'), '');
    await docker.ok('rm', 'writer');
    assert.match(await docker.ok('volume', 'prune', '-f'), /Deleted Volumes:\n[0-9a-f]{64}\n/);
    assert.equal(await docker.ok('volume', 'ls', '-q'), 'data');
    assert.match(await docker.ok('volume', 'prune', '-af'), /Deleted Volumes:\ndata\n/);
    const missing = await docker.run(['volume', 'inspect', 'data']);
    assert.match(missing.stderr, /no such volume/);
  });

  it('bind mounts: a missing source is made by -v and refused by --mount', async () => {
    const source = `${docker.directory}/made`;
    await docker.ok('run', '--rm', '-v', `${source}:/in`, 'busybox', 'sh', '-c', 'echo out > /in/file');
    assert.equal((await docker.run([`${source}/file`], { client: 'cat' })).stdout, 'out\n');
    const refused = await docker.run([
      'run',
      '--rm',
      '--mount',
      `type=bind,src=${source}/nosuch,dst=/in`,
      'busybox',
      'true',
    ]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /bind source path does not exist/);
    const memory = await docker.ok(
      'run',
      '--rm',
      '--tmpfs',
      '/t:size=1m',
      '--read-only',
      'busybox',
      'sh',
      '-c',
      'df -k /t | tail -1; touch /x 2>&1 || true',
    );
    assert.match(memory, /tmpfs +1024[\s\S]*Read-only file system/);
  });
});
