import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import Docker from 'dockerode';
import { noContainersReason } from '../../src/containers/testing/test-engine.ts';
import { TestDocker } from '../../src/docker/testing/test-docker.ts';
import { makeArchive } from '../../src/images/test-support.ts';

describe('dockerode', { skip: noContainersReason }, () => {
  let test: TestDocker;
  let docker: Docker;
  before(async () => {
    test = await TestDocker.open();
    docker = new Docker({ socketPath: test.socket });
  });
  after(() => test[Symbol.asyncDispose]());

  async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** What came on both streams of a multiplexed one. */
  async function demultiplexed(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
    const bytes: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => bytes.push(chunk));
    await once(stream, 'end');
    const all = Buffer.concat(bytes);
    const streams = { stdout: '', stderr: '' };
    for (let at = 0; at < all.length; ) {
      const length = all.readUInt32BE(at + 4);
      streams[all[at] === 2 ? 'stderr' : 'stdout'] += all.subarray(at + 8, at + 8 + length).toString('utf8');
      at += 8 + length;
    }
    return streams;
  }

  it('pings, and tells versions and the machine', async () => {
    assert.equal(String(await docker.ping()), 'OK');
    assert.equal((await docker.version()).ApiVersion, '1.48');
    assert.equal((await docker.info()).Name, 'test-host');
  });

  it('creates, attaches, starts, waits and removes', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      name: 'rode',
      Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 5'],
      HostConfig: { NetworkMode: 'none' },
    });
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const told = demultiplexed(stream);
    await container.start();
    assert.deepEqual(await container.wait(), { StatusCode: 5 });
    assert.deepEqual(await told, { stdout: 'out\n', stderr: 'err\n' });
    const { State } = await container.inspect();
    assert.equal(State.ExitCode, 5);
    await container.remove();
    await assert.rejects(container.inspect(), { statusCode: 404 });
  });

  for (const hijack of [true, false]) {
    it(`feeds standard input ${hijack ? 'through an upgraded' : 'after the body of an ordinary'} connection`, async () => {
      const container = await docker.createContainer({
        Image: 'busybox',
        Cmd: ['head', '-n', '1'],
        OpenStdin: true,
        StdinOnce: true,
      });
      const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack });
      const told = demultiplexed(stream);
      await container.start();
      stream.write('typed\nmore\n');
      assert.equal((await told).stdout, 'typed\n');
      await container.wait();
      await container.remove();
    });
  }

  it('runs with one call', async () => {
    const output = new PassThrough();
    const told = textOf(output);
    const [result, container] = await docker.run('busybox', ['echo', 'once'], output, {
      HostConfig: { AutoRemove: false },
    });
    assert.equal(result.StatusCode, 0);
    assert.equal(await told, 'once\r\n');
    await container.remove();
  });

  it('executes, with input and without', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'] });
    await container.start();
    const quiet = await container.exec({
      Cmd: ['sh', '-c', 'echo ran; exit 4'],
      AttachStdout: true,
      AttachStderr: true,
    });
    assert.equal((await demultiplexed(await quiet.start({}))).stdout, 'ran\n');
    assert.equal((await quiet.inspect()).ExitCode, 4);
    const fed = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const stream = await fed.start({ hijack: true, stdin: true });
    const told = demultiplexed(stream);
    stream.end('fed');
    assert.equal((await told).stdout, 'fed');
    await container.remove({ force: true });
  });

  it('streams statistics, in which time goes on', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', 'while :; do :; done'] });
    await container.start();
    const stream = await container.stats({ stream: true });
    let text = '';
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.split('\n').length > 2) break;
    }
    const [first, second] = text.split('\n').map((line) => (line === '' ? undefined : JSON.parse(line)));
    assert.equal(second.preread, first.read);
    assert.deepEqual(second.precpu_stats, first.cpu_stats);
    assert.ok(second.cpu_stats.cpu_usage.total_usage > first.cpu_stats.cpu_usage.total_usage);
    assert.ok(second.cpu_stats.system_cpu_usage > first.cpu_stats.system_cpu_usage);
    await container.remove({ force: true });
  });

  it('puts and gets archives', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['cat', '/there'] });
    await container.putArchive(makeArchive([{ path: 'there', content: 'put' }]), { path: '/' });
    assert.match(await textOf(await container.getArchive({ path: '/there' })), /^there\0[\s\S]*put/);
    await container.start();
    await container.wait();
    assert.match(String(await container.logs({ stdout: true, follow: false })), /put$/);
    await container.remove();
  });

  it('builds and follows the progress', async () => {
    const archive = makeArchive([
      { path: 'Dockerfile', content: 'FROM busybox\nCOPY file /file\n' },
      { path: 'file', content: 'x' },
    ]);
    const stream = await docker.buildImage(Readable.from([archive]), { t: 'rode:1' });
    const lines = await new Promise<{ readonly stream?: string }[]>((resolve, reject) => {
      docker.modem.followProgress(stream, (error, output) => (error ? reject(error) : resolve(output)));
    });
    assert.match(lines.map((line) => line.stream ?? '').join(''), /Successfully tagged rode:1\n$/);
    const image = await docker.getImage('rode:1').inspect();
    assert.equal(image.RepoTags[0], 'rode:1');
    await docker.getImage('rode:1').remove();
  });

  it('makes networks and volumes, and lists what there is', async () => {
    const network = await docker.createNetwork({ Name: 'rode-net', Labels: { a: 'b' } });
    const volume = await docker.createVolume({ Name: 'rode-vol' });
    const filtered = await docker.listNetworks({ filters: { label: ['a=b'] } });
    assert.deepEqual(
      filtered.map(({ Name }) => Name),
      ['rode-net'],
    );
    assert.deepEqual(
      (await docker.listVolumes()).Volumes.map(({ Name }) => Name),
      ['rode-vol'],
    );
    assert.deepEqual(
      (await docker.listImages()).flatMap(({ RepoTags }) => RepoTags),
      ['busybox:latest'],
    );
    await network.remove();
    await volume.remove();
  });

  it('gets dockerd’s codes and words for what cannot be', async () => {
    await assert.rejects(docker.createContainer({ Image: 'nosuch' }), {
      statusCode: 404,
      message: /No such image: nosuch/,
    });
    await assert.rejects(docker.getContainer('nosuch').start(), {
      statusCode: 404,
      message: /No such container: nosuch/,
    });
    await assert.rejects(docker.getVolume('nosuch').inspect(), { statusCode: 404 });
    await assert.rejects(docker.createContainer({ Image: 'busybox', HostConfig: { CgroupParent: '/x' } }), {
      statusCode: 400,
      message: /HostConfig\.CgroupParent is not supported/,
    });
    await assert.rejects(docker.createContainer({ Image: 'busybox', Cmd: [1] as unknown as string[] }), {
      statusCode: 400,
    });
  });
});
