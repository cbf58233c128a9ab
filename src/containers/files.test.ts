import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { readEntries } from '../images/test-support.ts';
import { noContainersReason, printed, TestEngine } from './testing/test-engine.ts';

describe('files of containers', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  it('tell what differs from the image, and nothing of what every container has', async () => {
    const { id } = await world.run('echo x > /new; rm /etc/passwd; mkdir -p /a/b; touch /a/b/c');
    const changes = await world.engine.changes(id);
    assert.deepEqual(changes.map(({ path, kind }) => `${kind} ${path}`).sort(), [
      'added /a',
      'added /a/b',
      'added /a/b/c',
      'added /new',
      'deleted /etc/passwd',
      'modified /etc',
    ]);
    const { id: same } = await world.run('true', { init: true });
    assert.deepEqual(await world.engine.changes(same), []);
  });

  it('become a new image, with the configuration as it was and as it is changed', async () => {
    const { id } = await world.run('echo kept > /file', { environment: ['A=1'], labels: { a: 'b' }, user: '0:7' });
    const image = await world.engine.commit(id, {
      reference: 'mine:1',
      author: 'somebody',
      comment: 'why',
      changes: ['CMD ["cat", "/file"]', 'ENV B=$A$A', 'LABEL c=d', 'WORKDIR /tmp', 'EXPOSE 80'],
      pause: true,
    });
    const { config } = image;
    assert.deepEqual(image.tags, ['mine:1']);
    assert.equal(config.author, 'somebody');
    assert.equal(config.history?.at(-1)?.comment, 'why');
    const { Cmd, Env, Labels, User, WorkingDir, ExposedPorts } = config.config!;
    assert.deepEqual([Cmd, User, WorkingDir], [['cat', '/file'], '0:7', '/tmp']);
    assert.ok(Env?.includes('A=1') && Env.includes('B=11'));
    assert.deepEqual([Labels, ExposedPorts], [{ a: 'b', c: 'd' }, { '80/tcp': {} }]);
    const again = await world.run('cat /file; ls /etc/hostname', { image: { reference: 'mine:1', id: image.id } });
    assert.match(again.stdout, /^kept\n/);
    const trigger = await world.engine.commit(id, { changes: ['ONBUILD RUN true'], pause: false });
    const upon = await world.create('true', { image: { reference: trigger.id, id: trigger.id } });
    const plain = await world.engine.commit(upon, { pause: false });
    assert.deepEqual([trigger.config.config?.OnBuild, plain.config.config?.OnBuild], [['RUN true'], undefined]);
    await assert.rejects(
      world.engine.commit(id, { changes: ['RUN x'], pause: false }),
      /RUN is not a valid change command/,
    );
    await assert.rejects(world.engine.commit(id, { changes: ['nonsense'], pause: false }), { status: 400 });
  });

  it('become an image while the container runs, which stands still meanwhile', async () => {
    const id = await world.start('echo ready; sleep 100');
    await printed(world.engine, id, 'ready');
    const events: string[] = [];
    const stop = world.engine.onEvent(({ action }) => events.push(action));
    await world.engine.commit(id, { reference: 'running:1', pause: true });
    stop();
    assert.deepEqual(events, ['commit']);
    assert.equal((await world.exec(id, ['echo', 'goes on'])).stdout, 'goes on\n');
    await world.engine.remove(id, { force: true });
  });

  it('are had as one archive', async () => {
    const { id } = await world.run('echo content > /in-the-archive');
    const entries = readEntries(await buffer(await world.engine.export(id)));
    const paths = entries.map(({ path }) => path);
    assert.ok(paths.includes('in-the-archive') && paths.includes('bin/busybox'), paths.slice(0, 20).join(' '));
    assert.deepEqual(
      paths.filter((path) => /^[./]/.test(path)),
      [],
    );
  });

  it('are counted', async () => {
    const { id } = await world.run('head -c 100000 /dev/zero > /zeros');
    const { written, root } = await world.engine.sizes(id);
    assert.ok(written >= 100_000 && written < 300_000, String(written));
    assert.ok(root > written + 1_000_000);
  });
});
