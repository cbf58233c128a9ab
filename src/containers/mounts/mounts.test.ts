import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { MountSpec } from '../container.ts';
import { noContainersReason, TestEngine } from '../testing/test-engine.ts';
import { isReadOnlyMount } from './mount-table.ts';

describe('mounts of containers', { skip: noContainersReason }, () => {
  let world: TestEngine;
  let directory: string;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-mounts-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const bind = (target: string, changes: object = {}): MountSpec => ({
    type: 'bind',
    source: directory,
    target,
    readOnly: false,
    createSource: false,
    ...changes,
  });
  const volume = (name: string, target: string, changes: object = {}): MountSpec => ({
    type: 'volume',
    volume: name,
    target,
    readOnly: false,
    noCopy: false,
    ...changes,
  });

  it('show a directory of the machine, to be written or only read', async () => {
    await writeFile(join(directory, 'in'), 'from outside\n');
    const { stdout } = await world.run('cat /data/in; echo from inside > /data/out', { mounts: [bind('/data')] });
    assert.equal(stdout, 'from outside\n');
    assert.equal(await readFile(join(directory, 'out'), 'utf8'), 'from inside\n');
    const { stderr } = await world.run('echo x > /data/in', { mounts: [bind('/data', { readOnly: true })] });
    assert.match(stderr, /Read-only file system/);
    const { stdout: file } = await world.run('cat /etc/some/file', {
      mounts: [bind('/etc/some/file', { source: join(directory, 'in'), readOnly: true })],
    });
    assert.equal(file, 'from outside\n');
  });

  it('of a source that is not there are refused, or the source is made', async () => {
    const source = join(directory, 'a/b');
    await assert.rejects(world.create('true', { mounts: [bind('/x', { source })] }), /bind source path does not exist/);
    await world.run('touch /x/y', { mounts: [bind('/x', { source, createSource: true })] });
    assert.ok(existsSync(join(source, 'y')));
  });

  it('are refused where they cannot be', async () => {
    for (const [mount, message] of [
      [bind('relative'), /must be absolute/],
      [bind('/x/..'), /destination can't be '\/'/],
      [bind('/proc'), /destination can't be '\/proc'/],
      [bind('/x', { source: 'relative' }), /must be absolute/],
      [bind('/x', { propagation: 'sideways' }), /invalid propagation/],
      [{ type: 'tmpfs', target: '/x', options: ['size=1m,exec,context=x'] }, /invalid tmpfs option/],
      [volume('../x', '/x'), /invalid characters/],
      [volume('v1', '/x', { driverOptions: { type: 'nfs', device: ':/x' } }), /volume type "nfs" is not supported/],
    ] as const) {
      await assert.rejects(world.create('true', { mounts: [mount] }), { code: 'InvalidContainer', message });
    }
    await assert.rejects(
      world.create('true', { mounts: [volume('half', '/v'), volume('', '/w'), bind('/x'), bind('/x/')] }),
      /Duplicate mount point/,
    );
    assert.deepEqual(await world.engine.volumes.list(), []);
  });

  it('put memory in place', async () => {
    const { stdout } = await world.run(
      'df -k /cache | tail -1; stat -c %a /cache; echo "#!/bin/sh" > /cache/x; chmod +x /cache/x; /cache/x',
      {
        mounts: [{ type: 'tmpfs', target: '/cache', sizeBytes: 1024 * 1024, mode: 0o700 }],
      },
    );
    assert.match(stdout, /^tmpfs +1024 .*\n700\n$/);
  });

  it('keep a volume from one container to the next', async () => {
    await world.run('echo kept > /data/file', { mounts: [volume('kept', '/data')] });
    const { id, stdout } = await world.run('cat /data/file', { mounts: [volume('kept', '/data', { readOnly: true })] });
    assert.equal(stdout, 'kept\n');
    const [point] = (await world.engine.get(id)).mounts;
    assert.deepEqual(point, {
      type: 'volume',
      name: 'kept',
      source: join(world.at.directory, 'docker/volumes/kept/_data'),
      destination: '/data',
      driver: 'local',
      readOnly: true,
      propagation: '',
    });
    await assert.rejects(world.engine.volumes.remove('kept'), { code: 'VolumeInUse', status: 409 });
    await world.engine.pruneContainers();
    await world.engine.volumes.remove('kept');
    await assert.rejects(world.engine.volumes.get('kept'), { code: 'VolumeNotFound', status: 404 });
    assert.equal(existsSync(point!.source), false);
  });

  it('fill a new volume with what the image has there, with owners, modes and links', async () => {
    const { stdout } = await world.run('stat -c "%a %u" /etc; ls /etc', {});
    const copied = await world.run('stat -c "%a %u" /etc; ls /etc', { mounts: [volume('etc', '/etc')] });
    const own = ['hosts', 'hostname', 'resolv.conf'];
    const without = (text: string) => text.split('\n').filter((line) => !own.includes(line));
    assert.deepEqual(without(copied.stdout), without(stdout));
    const plain = await world.run('ls /bin/sh /usr 2>&1', { mounts: [volume('empty', '/usr', { noCopy: true })] });
    assert.match(plain.stdout, /^\/bin\/sh\n\/usr:?\n*$|^\/bin\/sh/);
    // Only an empty one is filled.
    await world.run('rm -rf /data/*; touch /data/mine', { mounts: [volume('etc', '/data')] });
    const again = await world.run('ls /etc | grep -vE "hosts|hostname|resolv.conf"', {
      mounts: [volume('etc', '/etc')],
    });
    assert.equal(again.stdout, 'mine\n');
  });

  it('make volumes for what the image declares, which go with the container if asked', async () => {
    const { id } = await world.run('touch /data/x', { imageVolumes: ['/data'] });
    const { mounts } = await world.engine.get(id);
    assert.equal(mounts.length, 1);
    assert.equal((await world.engine.volumes.get(mounts[0]!.name!)).anonymous, true);
    const { stdout } = await world.run('ls /data', { volumesFrom: [`${id}:ro`] });
    assert.equal(stdout, 'x\n');
    await world.engine.pruneContainers(({ id: other }) => other !== id);
    await world.engine.remove(id, { volumes: true });
    await assert.rejects(world.engine.volumes.get(mounts[0]!.name!), { code: 'VolumeNotFound' });
    const kept = await world.run('true', { autoRemove: true, mounts: [volume('', '/a'), volume('named', '/b')] });
    await world.engine.wait(kept.id, 'removed').catch(() => {});
    assert.deepEqual(
      (await world.engine.volumes.list()).filter(({ anonymous }) => anonymous),
      [],
    );
    assert.ok(await world.engine.volumes.get('named'));
  });

  it('mount a volume from elsewhere as long as somebody uses it', async () => {
    await world.engine.volumes.create({
      name: 'memory',
      driverOptions: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=7' },
    });
    const { mountpoint } = await world.engine.volumes.get('memory');
    const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(mountpoint);
    const id = await world.start('echo x > /m/file; sleep 100', { mounts: [volume('memory', '/m')] });
    assert.ok(mounted());
    const { stdout } = await world.run('stat -c %u /m; df -k /m | tail -1', { mounts: [volume('memory', '/m')] });
    assert.match(stdout, /^7\ntmpfs +1024 /);
    assert.ok(mounted());
    await world.engine.remove(id, { force: true });
    assert.equal(mounted(), false);
    await world.engine.volumes.create({
      name: 'elsewhere',
      driverOptions: { type: 'none', device: directory, o: 'bind' },
    });
    await world.run('touch /m/there', { mounts: [volume('elsewhere', '/m')] });
    assert.ok(existsSync(join(directory, 'there')));
    for (const driverOptions of [
      { type: 'none', device: directory, o: 'bind,ro' },
      { type: 'tmpfs', device: 'tmpfs', o: 'noatime,ro' },
    ]) {
      const { name } = await world.engine.volumes.create({ driverOptions });
      const { stderr } = await world.run('touch /m/not', { mounts: [volume(name, '/m')] });
      assert.match(stderr, /Read-only file system/);
    }
  });

  it('that a kill has left in a volume are no part of it: what they show stays when it is removed', async () => {
    const { mountpoint } = await world.engine.volumes.create({
      name: 'left',
      driverOptions: { type: 'none', device: directory, o: 'bind' },
    });
    await writeFile(join(directory, 'precious'), 'x');
    execFileSync('mount', ['--bind', directory, mountpoint]);
    await world.engine.volumes.remove('left');
    assert.ok(existsSync(join(directory, 'precious')));
    assert.equal(existsSync(mountpoint), false);
  });

  it('of the machine are known to be read-only where nothing may be written through them', async () => {
    const [place, inside] = [join(directory, 'place'), join(directory, 'place/of files')];
    await mkdir(join(directory, 'source/of files'), { recursive: true });
    await mkdir(place);
    execFileSync('mount', ['--bind', join(directory, 'source'), place]);
    try {
      assert.equal(isReadOnlyMount(inside), false);
      execFileSync('mount', ['-o', 'remount,bind,ro', place]);
      await symlink(inside, join(directory, 'link'));
      assert.deepEqual([inside, place, join(directory, 'link'), directory].map(isReadOnlyMount), [
        true,
        true,
        true,
        false,
      ]);
    } finally {
      execFileSync('umount', [place]);
    }
  });

  it('show a part of a volume, through no link that leads out of it', async () => {
    const { mountpoint } = await world.engine.volumes.create({ name: 'parts' });
    await mkdir(join(mountpoint, 'sub'));
    await writeFile(join(mountpoint, 'sub/file'), 'part\n');
    await symlink('/../../../../../../etc', join(mountpoint, 'out'));
    const { stdout } = await world.run('cat /p/file; ls /p', { mounts: [volume('parts', '/p', { subpath: 'sub' })] });
    assert.equal(stdout, 'part\nfile\n');
    for (const [subpath, message] of [
      ['../x', /invalid subpath/],
      ['out', /has no out/],
      ['none', /has no none/],
    ] as const) {
      await assert.rejects(world.start('true', { mounts: [volume('parts', '/p', { subpath })] }), message);
    }
  });

  it('lead through no link of the image out of its root', async () => {
    const id = await world.create('cat /link/x', {
      mounts: [bind('/link/x', { source: join(directory, 'x') })].slice(0, 0),
    });
    const { path } = await world.engine.root(id);
    await symlink(directory, join(path, 'trap'));
    const { image } = (await world.engine.get(id)).spec;
    assert.equal(image.id, world.imageId);
    await writeFile(join(directory, 'x'), 'outside');
    const committed = await world.engine.commit(id, { pause: false });
    const inside = await world.run('cat /trap/y 2>&1; ls -d /trap/y', {
      image: { reference: committed.id, id: committed.id },
      mounts: [bind('/trap/y', { source: join(directory, 'x') })],
    });
    assert.match(inside.stdout, /^outside/);
    assert.deepEqual((await stat(directory)).isDirectory() && existsSync(join(directory, 'y')), false);
  });
});
