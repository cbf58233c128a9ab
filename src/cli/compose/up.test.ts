import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../docker/testing/test-docker.ts';
import { TestCompose } from './testing/test-compose.ts';

/** A service that runs until it is killed. */
const SLEEPER = 'image: busybox, command: sleep 1000, stop_signal: SIGKILL';

describe('kobune compose up', { skip: noDockerReason(DOCKER_28), timeout: 120_000 }, () => {
  let compose: TestCompose;
  before(async () => {
    compose = await TestCompose.open();
  });
  after(() => compose[Symbol.asyncDispose]());

  const SHOP = `
services:
  web: {${SLEEPER}, depends_on: [api], networks: [front]}
  api: {${SLEEPER}, scale: 2, networks: [front, back]}
  db: {${SLEEPER}, volumes: ["data:/data"], networks: [back]}
networks: {front: , back: {internal: true}}
volumes: {data: }
`;

  it('makes containers, networks and volumes with the names and labels that other tools know', async () => {
    await using project = compose.project('labels', SHOP);
    await project.ok('up', '-d');
    assert.deepEqual(await project.states(), {
      'api-1': 'running',
      'api-2': 'running',
      'db-1': 'running',
      'web-1': 'running',
    });
    const [api] = await project.containers();
    const known = (label: string) => api!.labels[`com.docker.compose.${label}`];
    assert.deepEqual(
      ['project', 'service', 'container-number', 'oneoff', 'project.working_dir', 'project.config_files'].map(known),
      ['labels', 'api', '1', 'False', project.files.path, join(project.files.path, 'compose.yaml')],
    );
    assert.match(known('config-hash')!, /^[0-9a-f]{64}$/);
    assert.equal(known('image'), compose.docker.busybox.id);
    const web = (await project.containers()).at(-1)!;
    assert.equal(web.labels['com.docker.compose.depends_on'], 'api:service_started:false');
    const network = await project.client.json<{ Internal: boolean; Labels: Record<string, string> }>(
      'GET',
      '/networks/labels_back',
    );
    assert.deepEqual([network.Internal, network.Labels['com.docker.compose.network']], [true, 'back']);
    const volume = await project.client.json<{ Labels: Record<string, string> }>('GET', '/volumes/labels_data');
    assert.equal(volume.Labels['com.docker.compose.volume'], 'data');
    await project.ok('down', '-v');
    assert.deepEqual(await project.states(), {});
    assert.equal(await project.client.find('/networks/labels_back'), undefined);
    assert.equal(await project.client.find('/volumes/labels_data'), undefined);
  });

  it('does nothing the second time, and then only what changed', async () => {
    await using project = compose.project('again', SHOP);
    await project.ok('up', '-d');
    const ids = async () => Object.fromEntries((await project.containers()).map(({ name, id }) => [name, id]));
    const before = await ids();
    await project.ok('up', '-d');
    assert.deepEqual(await ids(), before);
    writeFileSync(join(project.files.path, 'compose.yaml'), SHOP.replace('scale: 2', 'scale: 2, hostname: other'));
    assert.deepEqual(
      (await project.json('up', '-d', '--dry-run')).map(
        ({ action, name }: { action: string; name: string }) => `${action} ${name}`,
      ),
      [
        'keep front',
        'keep back',
        'keep data',
        'recreate again-api-1',
        'recreate again-api-2',
        'keep again-web-1',
        'keep again-db-1',
      ],
    );
    await project.ok('up', '-d');
    const after = await ids();
    assert.deepEqual([after['web-1'], after['db-1']], [before['web-1'], before['db-1']]);
    assert.notEqual(after['api-1'], before['api-1']);
    assert.equal((await project.json('ps')).length, 4);
  });

  it('scales up and down, and takes away what the files no longer have', async () => {
    await using project = compose.project('scaled', `services: {a: {${SLEEPER}, scale: 2}, b: {${SLEEPER}}}`);
    await project.ok('up', '-d', '--scale', 'a=3');
    assert.deepEqual(Object.keys(await project.states()), ['a-1', 'a-2', 'a-3', 'b-1']);
    await project.ok('up', '-d');
    assert.deepEqual(Object.keys(await project.states()), ['a-1', 'a-2', 'b-1']);
    writeFileSync(join(project.files.path, 'compose.yaml'), `services: {a: {${SLEEPER}}}`);
    const { err } = await project.run('up', '-d');
    assert.match(err, /warning: the files no longer have the service of scaled-b-1; --remove-orphans removes that/);
    assert.deepEqual(Object.keys(await project.states()), ['a-1', 'b-1']);
    await project.ok('up', '-d', '--remove-orphans');
    assert.deepEqual(Object.keys(await project.states()), ['a-1']);
  });

  it('keeps what volumes hold when containers are made anew, anonymous ones too unless told', async () => {
    const text = (more = '') =>
      `services: {a: {${SLEEPER}, volumes: ["named:/named", "/anonymous"]${more}}}\nvolumes: {named: }`;
    await using project = compose.project('volumes', text());
    await project.ok('up', '-d');
    await project.ok('exec', '-T', 'a', 'sh', '-c', 'echo 1 > /named/f; echo 2 > /anonymous/f');
    writeFileSync(join(project.files.path, 'compose.yaml'), text(', hostname: other'));
    await project.ok('up', '-d');
    const { status } = await project.run('exec', '-T', 'a', 'sh', '-c', 'grep 1 /named/f && grep 2 /anonymous/f');
    assert.equal(status, 0);
    await project.ok('up', '-d', '--force-recreate', '-V');
    assert.equal(
      (await project.run('exec', '-T', 'a', 'sh', '-c', 'grep 1 /named/f && ! test -e /anonymous/f')).status,
      0,
    );
    // What has no anonymous volume any more gets none.
    writeFileSync(join(project.files.path, 'compose.yaml'), text().replace('"/anonymous"', '"/another"'));
    await project.ok('up', '-d');
    assert.deepEqual((await project.inspect('a-1')).Mounts.map(({ Destination }) => Destination).sort(), [
      '/another',
      '/named',
    ]);
    await project.ok('down', '-v');
  });

  it('makes a network anew that changed, with what is on it', async () => {
    const text = (internal: boolean) => `services: {a: {${SLEEPER}}}\nnetworks: {default: {internal: ${internal}}}`;
    await using project = compose.project('network', text(false));
    await project.ok('up', '-d');
    writeFileSync(join(project.files.path, 'compose.yaml'), text(true));
    await project.ok('up', '-d');
    assert.deepEqual(await project.states(), { 'a-1': 'running' });
    const { NetworkID: id } = (await project.inspect('a-1')).NetworkSettings.Networks!.network_default!;
    assert.equal(
      (await project.client.json<{ Id: string; Internal: boolean }>('GET', '/networks/network_default')).Internal,
      true,
    );
    assert.equal((await project.client.json<{ Id: string }>('GET', '/networks/network_default')).Id, id);
    await project.ok('down');
  });

  it('starts nothing with create, then starts it', async () => {
    await using project = compose.project('created', `services: {a: {${SLEEPER}, depends_on: [b]}, b: {${SLEEPER}}}`);
    await project.ok('create');
    assert.deepEqual(await project.states(), { 'a-1': 'created', 'b-1': 'created' });
    await project.ok('start');
    assert.deepEqual(await project.states(), { 'a-1': 'running', 'b-1': 'running' });
    await project.ok('up', '-d', 'b', '--force-recreate');
    assert.deepEqual(Object.keys(await project.states()), ['a-1', 'b-1']);
  });

  it('recreates what shares the namespace of a container that is made anew', async () => {
    const text = (more = '') => `services: {a: {${SLEEPER}${more}}, b: {${SLEEPER}, network_mode: "service:a"}}`;
    await using project = compose.project('shared', text());
    await project.ok('up', '-d');
    writeFileSync(join(project.files.path, 'compose.yaml'), text(', hostname: other'));
    await project.ok('up', '-d');
    const [a, b] = await Promise.all([project.inspect('a-1'), project.inspect('b-1')]);
    assert.equal(b.HostConfig.NetworkMode, `container:${a.Id}`);
    assert.deepEqual(await project.states(), { 'a-1': 'running', 'b-1': 'running' });
  });

  it('runs hooks after each start and before a stop', async () => {
    const hooks =
      'post_start: [{command: [sh, -c, "echo started >> /hooked/start"]}], pre_stop: [{command: [sh, -c, "echo stopping > /hooked/stop"]}]';
    await using project = compose.project(
      'hooks',
      `services: {a: {${SLEEPER}, volumes: ["./hooked:/hooked"], ${hooks}}}`,
    );
    await project.ok('up', '-d');
    assert.equal(await project.ok('exec', '-T', 'a', 'true'), '');
    await project.ok('restart');
    await project.ok('stop');
    const read = (name: string) => readFileSync(join(project.files.path, 'hooked', name), 'utf8').trim();
    assert.deepEqual([read('start'), read('stop')], ['started\nstarted', 'stopping']);
  });
});
