import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';

describe('docker cp and what is mounted', { skip: noDockerReason(DOCKER_28) }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open(DOCKER_28);
  });
  after(() => docker[Symbol.asyncDispose]());

  /** Names and contents in a directory of the test, with what is below. */
  const tree = (name: string) =>
    execFileSync('find', ['.', '-type', 'f', '-exec', 'grep', '-H', '', '{}', '+'], {
      cwd: join(docker.directory, name),
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
      .sort();
  const write = (path: string, text: string) => {
    mkdirSync(join(docker.directory, path, '..'), { recursive: true });
    writeFileSync(join(docker.directory, path), text);
  };
  const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8');
  /** Mount namespaces that are kept open, besides that of this process. */
  const views = () => readdirSync('/proc/self/fd').filter(isView).length;

  it('below a directory comes with it, from a container that runs, has ended or was never started', async () => {
    write('host/file', 'bind\n');
    const script = 'mkdir -p /d; echo own > /d/own; echo v > /d/vol/v; echo i > /d/vol/in/i';
    await docker.ok(
      ...['create', '--name', 'source', '-v', 'outer:/d/vol', '-v', 'inner:/d/vol/in'],
      ...['-v', `${docker.directory}/host:/d/host:ro`, '-v', `${docker.directory}/host/file:/d/one`],
      ...['busybox', 'sh', '-c', `${script}; sleep 1000`],
    );
    await docker.ok('cp', 'source:/d', 'created');
    assert.deepEqual(tree('created'), ['./host/file:bind', './one:bind']);
    const before = views();
    await docker.ok('start', 'source');
    while (!(await docker.run(['exec', 'source', 'cat', '/d/vol/in/i'])).stdout) assert.ok(true);
    const all = ['./host/file:bind', './one:bind', './own:own', './vol/in/i:i', './vol/v:v'];
    await docker.ok('cp', 'source:/d', 'running');
    assert.deepEqual(tree('running'), all);
    await docker.ok('kill', 'source');
    await docker.ok('cp', 'source:/d/.', 'ended');
    assert.deepEqual(tree('ended'), all);
    const exported = await docker.run(['export', 'source']);
    assert.ok(exported.stdout.includes('d/own') && !exported.stdout.includes('d/vol/v'));
    await docker.ok('rm', 'source');
    assert.equal(views(), before);
  });

  it('takes what is copied to a directory around it, unless it is only to be read', async () => {
    await docker.ok(
      ...['create', '--name', 'sink', '-v', 'filled:/new/vol', '-v', `${docker.directory}/host:/fixed:ro`],
      ...['busybox', 'cat', '/new/vol/file', '/new/file'],
    );
    write('in/new/vol/file', 'in the volume\n');
    write('in/new/file', 'in the root\n');
    await docker.ok('cp', 'in/.', 'sink:/');
    const read = await docker.ok('run', '--rm', '-v', 'filled:/v', 'busybox', 'cat', '/v/file');
    assert.equal(read, 'in the volume');
    assert.equal(await docker.ok('start', '-a', 'sink'), 'in the volume\nin the root');
    write('bad/fixed/file', 'changed\n');
    for (const [from, to] of [
      ['bad/.', 'sink:/'],
      ['bad/fixed/file', 'sink:/fixed/'],
    ] as const) {
      const { status, stderr } = await docker.run(['cp', from, to]);
      assert.deepEqual([status, /mounted volume is marked read-only/.test(stderr)], [1, true], stderr);
    }
    assert.equal(readFileSync(join(docker.directory, 'host/file'), 'utf8'), 'bind\n');
    await docker.ok('rm', 'sink');
  });

  it('is found through links, and shows no more than the container sees', async () => {
    await docker.ok(
      'run',
      '--rm',
      '-v',
      'parts:/v',
      'busybox',
      'sh',
      '-c',
      'mkdir /v/sub; echo s > /v/sub/s; echo o > /v/o',
    );
    await docker.ok('run', '--name', 'maker', 'busybox', 'sh', '-c', 'mkdir /real; ln -s /real /link');
    await docker.ok('commit', 'maker', 'linked');
    await docker.ok(
      ...['run', '-d', '--name', 'links', '--mount', 'type=volume,src=parts,dst=/link/part,volume-subpath=sub'],
      ...['--tmpfs', '/memory', 'linked', 'sh', '-c', 'echo m > /memory/m; ln -s /link/part /to; sleep 1000'],
    );
    while ((await docker.run(['exec', 'links', 'test', '-L', '/to'])).status !== 0) assert.ok(true);
    await docker.ok('cp', 'links:/real', 'real');
    assert.deepEqual(tree('real'), ['./part/s:s']);
    for (const [path, copy] of [
      ['/link/part', 'link-part'],
      ['/real/part', 'real-part'],
      ['/to/', 'to'],
    ] as const) {
      await docker.ok('cp', `links:${path}`, copy);
      assert.deepEqual(tree(copy), ['./s:s']);
    }
    await docker.ok('cp', 'links:/memory/m', 'm');
    assert.equal(readFileSync(join(docker.directory, 'm'), 'utf8'), 'm\n');
    const inherited = ['run', '--rm', '--volumes-from', 'links', 'linked', 'ls', '/link/part'];
    assert.equal(await docker.ok(...inherited), 's');
    await docker.ok('rm', '-f', 'links', 'maker');
  });

  it('is told as an event, as an export and a list of processes are', async () => {
    await docker.ok('run', '-d', '--name', 'told', '-l', 'a=b', 'busybox', 'sleep', '1000');
    const since = String(Date.now() / 1000);
    write('n', 'n');
    await docker.ok('cp', 'n', 'told:/n');
    await docker.ok('cp', 'told:/n', 'n');
    await docker.ok('top', 'told');
    await docker.ok('export', '-o', 'told.tar', 'told');
    const until = (Date.now() / 1000).toFixed(9);
    const format = '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.a}}';
    const events = await docker.ok('events', '--since', since, '--until', until, '-f', 'label=a=b', '--format', format);
    const expected = ['extract-to-dir', 'archive-path', 'top', 'export'];
    assert.deepEqual(
      events.split('\n'),
      expected.map((action) => `${action} told b`),
    );
    await docker.ok('rm', '-f', 'told');
  });

  it('keeps nobody from the rest when its place is a link to nothing', async () => {
    await docker.ok('run', '--name', 'cut', 'busybox', 'ln', '-s', '/nowhere', '/dangling');
    await docker.ok('commit', 'cut', 'cut');
    const mount = 'type=volume,src=parts,dst=/dangling/v,volume-subpath=sub';
    await docker.ok('create', '--name', 'half', '--mount', mount, 'cut');
    await docker.ok('cp', 'half:/bin/sh', 'sh');
    assert.match((await docker.run(['cp', 'half:/dangling/v', 'v'])).stderr, /Could not find the file/);
    await docker.ok('rm', '-v', 'cut', 'half');
  });

  it('from elsewhere whenever it is used is so for a copy, too', async () => {
    write('other/there', 'there\n');
    const device = ['-o', 'type=none', '-o', `device=${docker.directory}/other`, '-o', 'o=bind'];
    await docker.ok('volume', 'create', ...device, 'elsewhere');
    await docker.ok('create', '--name', 'user', '-v', 'elsewhere:/e', 'busybox');
    await docker.ok('cp', 'user:/e', 'e');
    assert.deepEqual(tree('e'), ['./there:there']);
    assert.equal(mounts().includes('elsewhere'), false);
    await docker.ok('rm', 'user');
  });
});

function isView(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('mnt:');
  } catch {
    return false;
  }
}
