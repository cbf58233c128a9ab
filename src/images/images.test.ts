import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ServiceError } from '../base/errors.ts';
import type { Image, ImageEvent } from './images.ts';
import { addImage, makeArchive, noRootsReason, openTestImages, type TestImages } from './test-support.ts';

const layer = (name: string) => makeArchive([{ path: name, content: name }]);
const hex = ({ id }: Image) => id.slice('sha256:'.length);
const short = (image: Image) => hex(image).slice(0, 12);
const refused = (code: string, message: string | RegExp) => (error: unknown) =>
  error instanceof ServiceError &&
  error.code === code &&
  (typeof message === 'string' ? error.message === message : message.test(error.message));

describe('images', () => {
  it('are found by name, ID and the beginning of one', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', [layer('a')]);
    for (const reference of [
      'app',
      'app:latest',
      'docker.io/library/app',
      image.id,
      hex(image),
      short(image),
      `sha256:${short(image)}`,
    ]) {
      assert.equal((await at.images.find(reference))?.id, image.id, reference);
    }
    assert.deepEqual(image.tags, ['app:latest']);
    assert.equal(image.size, layer('a').length);
    assert.equal(await at.images.find('app:other'), undefined);
    await assert.rejects(at.images.get('app:other'), refused('ImageNotFound', 'No such image: app:other'));
    await assert.rejects(at.images.get('none'), refused('ImageNotFound', 'No such image: none:latest'));
    await assert.rejects(at.images.get('a'.repeat(64)), refused('ImageNotFound', `No such image: ${'a'.repeat(64)}`));
    await assert.rejects(at.images.get('NO'), refused('InvalidReference', /must be lowercase/));
  });

  it('are ambiguous when a beginning fits several', async () => {
    await using at = await openTestImages();
    const seen = new Map<string, string>();
    for (let i = 0; i < 40; i++) {
      const { id } = await addImage(at, undefined, [], { created: new Date(i).toISOString() });
      const first = id[7]!;
      if (seen.has(first)) {
        await assert.rejects(at.images.get(first), refused('AmbiguousId', /multiple IDs found/));
        return;
      }
      seen.set(first, id);
    }
    assert.fail('sixteen digits do not suffice for forty images');
  });

  it('have a name rather than the beginning of an ID', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, undefined, [layer('a')]);
    const other = await addImage(at, short(image), [layer('b')]);
    assert.equal((await at.images.get(short(image))).id, other.id);
  });

  it('are the same when their configuration is, and lose a name that another gets', async () => {
    await using at = await openTestImages();
    const first = await addImage(at, 'app', [layer('a')]);
    assert.equal((await addImage(at, 'again', [layer('a')])).id, first.id);
    const second = await addImage(at, 'app', [layer('b')]);
    assert.deepEqual((await at.images.get(first.id)).tags, ['again:latest']);
    assert.deepEqual(second.tags, ['app:latest']);
    assert.equal((await at.images.list()).length, 2);
  });

  it('are listed, the newest first', async () => {
    await using at = await openTestImages();
    await addImage(at, 'old', [], { created: '2020-01-01T00:00:00Z' });
    await addImage(at, 'new', [], { created: '2024-01-01T00:00:00Z' });
    assert.deepEqual(
      (await at.images.list()).flatMap(({ tags }) => tags),
      ['new:latest', 'old:latest'],
    );
  });

  it('get more names', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', []);
    const events: ImageEvent[] = [];
    const stop = at.images.onEvent((event) => events.push(event));
    await at.images.tag('app', 'localhost:5000/team/app:2');
    stop();
    await at.images.tag(image.id, 'third');
    assert.deepEqual((await at.images.get('third')).tags, ['app:latest', 'localhost:5000/team/app:2', 'third:latest']);
    assert.deepEqual(events, [{ action: 'tag', id: image.id, attributes: { name: 'localhost:5000/team/app:2' } }]);
    await assert.rejects(at.images.tag('none', 'x'), refused('ImageNotFound', 'No such image: none:latest'));
    await assert.rejects(
      at.images.tag('app', `x@sha256:${'a'.repeat(64)}`),
      refused('InvalidReference', /digest reference/),
    );
  });

  it('are refused when their layers are not those of their configuration', async () => {
    await using at = await openTestImages();
    const { config } = await addImage(at, undefined, [layer('a')]);
    await assert.rejects(at.images.add({ config, layers: [] }), refused('InvalidImage', /layers of the image/));
  });
});

describe('removing images', () => {
  it('takes one of several names away, and the image with the last', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', [layer('a')]);
    await at.images.tag('app', 'two');
    assert.deepEqual(await at.images.remove('app'), [{ untagged: 'app:latest' }]);
    assert.deepEqual(await at.images.remove('two'), [{ untagged: 'two:latest' }, { deleted: image.id }]);
    assert.deepEqual(await at.images.list(), []);
    await assert.rejects(at.images.remove('two'), refused('ImageNotFound', 'No such image: two:latest'));
    await at.content.collect();
    assert.deepEqual(await at.store.range({ prefix: [] }), [], 'nothing of it stays in the store');
  });

  it('refuses an ID with several names unless forced', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', []);
    await at.images.tag('app', 'two');
    const message = `conflict: unable to delete ${short(image)} (must be forced) - image is referenced in multiple repositories`;
    await assert.rejects(at.images.remove(short(image)), refused('ImageInUse', message));
    const removed = await at.images.remove(image.id, { force: true });
    assert.deepEqual(removed, [{ untagged: 'app:latest' }, { untagged: 'two:latest' }, { deleted: image.id }]);
  });

  it('refuses what containers use, running ones even by force', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', []);
    const holder = 'c0ffee'.repeat(10);
    await at.images.hold(image.id, holder);
    assert.deepEqual(await at.images.holders(image.id), [holder]);
    const named = `conflict: unable to remove repository reference "app" (must force) - container c0ffeec0ffee is using its referenced image ${short(image)}`;
    await assert.rejects(at.images.remove('app'), refused('ImageInUse', named));
    const stopped = `conflict: unable to delete ${short(image)} (must be forced) - image is being used by stopped container c0ffeec0ffee`;
    await assert.rejects(at.images.remove(image.id), refused('ImageInUse', stopped));
    at.images.tellRunning((id) => id === holder);
    const running = `conflict: unable to delete ${short(image)} (cannot be forced) - image is being used by running container c0ffeec0ffee`;
    await assert.rejects(at.images.remove(image.id, { force: true }), refused('ImageInUse', running));
    assert.deepEqual((await at.images.get('app')).tags, ['app:latest'], 'a refused removal has no effect');
    assert.deepEqual(await at.images.remove('app', { force: true }), [{ untagged: 'app:latest' }]);
    at.images.tellRunning(() => false);
    await at.images.remove(image.id, { force: true });
    assert.deepEqual(await at.images.list(), []);
    await assert.rejects(at.images.hold(image.id, 'x'), refused('ImageNotFound', /No such image/));
  });

  it('never deletes what others than containers use', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', []);
    await at.images.hold(image.id, 'lambda');
    assert.deepEqual(await at.images.heldBy('lambda'), [image.id]);
    assert.deepEqual(await at.images.heldBy('others'), []);
    const named = `conflict: unable to remove repository reference "app" (must force) - lambda is using its referenced image ${short(image)}`;
    await assert.rejects(at.images.remove('app'), refused('ImageInUse', named));
    assert.deepEqual(await at.images.remove('app', { force: true }), [{ untagged: 'app:latest' }]);
    const hard = `conflict: unable to delete ${short(image)} (cannot be forced) - image is being used by lambda`;
    await assert.rejects(at.images.remove(image.id, { force: true }), refused('ImageInUse', hard));
    assert.deepEqual((await at.images.prune({ all: true })).removed, []);
    await at.images.letGo(image.id, 'lambda');
    assert.deepEqual(await at.images.remove(image.id), [{ deleted: image.id }]);
  });

  it('keeps what others were built upon, and removes parents without a name on demand', async () => {
    await using at = await openTestImages();
    const base = await addImage(at, 'base', [layer('a')]);
    const middle = await addImage(at, undefined, [layer('a'), layer('b')], { parent: base.id });
    const top = await addImage(at, 'top', [layer('a'), layer('b'), layer('c')], { parent: middle.id });
    const message = `conflict: unable to delete ${short(middle)} (cannot be forced) - image has dependent child images`;
    await assert.rejects(at.images.remove(middle.id, { force: true }), refused('ImageInUse', message));
    assert.deepEqual(await at.images.remove('top'), [
      { untagged: 'top:latest' },
      { deleted: top.id },
      { deleted: middle.id },
    ]);
    assert.deepEqual(
      (await at.images.list()).map(({ id }) => id),
      [base.id],
    );
    const child = await addImage(at, 'child', [layer('a'), layer('x')], { parent: base.id });
    assert.deepEqual(await at.images.remove('base'), [{ untagged: 'base:latest' }]);
    assert.deepEqual(await at.images.remove('child', { prune: false }), [
      { untagged: 'child:latest' },
      { deleted: child.id },
    ]);
    assert.deepEqual(
      (await at.images.list()).map(({ id }) => id),
      [base.id],
    );
  });

  it('tells the events of it', async () => {
    await using at = await openTestImages();
    const image = await addImage(at, 'app', []);
    const events: string[] = [];
    at.images.onEvent(({ action, id }) => events.push(`${action} ${id === image.id}`));
    await at.images.remove('app');
    assert.deepEqual(events, ['untag true', 'delete true']);
  });

  it('deletes unpacked layers with the last image and root that have them', { skip: noRootsReason }, async () => {
    await using at = await openTestImages();
    const layers = () => readdir(join(at.directory, 'images/layers'));
    const one = await addImage(at, 'one', [layer('a'), layer('b')]);
    const two = await addImage(at, 'two', [layer('a'), layer('c')]);
    for (const { layers: own } of [one, two]) await at.images.roots.unpack(own);
    assert.equal((await layers()).length, 3);
    const removed = await at.images.remove('one');
    assert.equal(removed.length, 3, 'a name, the image and its layer');
    assert.equal((await layers()).length, 2);
    const root = await at.images.roots.create('r', two.layers);
    await at.images.remove('two');
    assert.equal((await layers()).length, 2, 'the root has them');
    await root.remove();
    assert.deepEqual(await layers(), []);
  });
});

describe('pruning images', () => {
  const tagsOf = async (at: TestImages) =>
    (await at.images.list()).flatMap(({ id, tags }) => (tags.length > 0 ? tags : [id])).sort();

  it('removes those without a name that nobody uses', async () => {
    await using at = await openTestImages();
    await addImage(at, 'kept', [layer('a')]);
    const old = await addImage(at, 'moved', [layer('b')]);
    await addImage(at, 'moved', [layer('c')]);
    const used = await addImage(at, undefined, [layer('d')]);
    await at.images.hold(used.id, 'container');
    const parent = await addImage(at, undefined, [layer('e')]);
    await addImage(at, 'child', [layer('e'), layer('f')], { parent: parent.id });
    const { removed, bytes } = await at.images.prune();
    assert.deepEqual(removed, [{ deleted: old.id }]);
    assert.equal(bytes, layer('b').length);
    assert.deepEqual(await tagsOf(at), ['child:latest', 'kept:latest', 'moved:latest', parent.id, used.id].sort());
  });

  it('removes all that no container has, older than told and of a label', async () => {
    await using at = await openTestImages();
    const used = await addImage(at, 'used', [layer('a')]);
    await at.images.hold(used.id, 'container');
    await addImage(at, 'old', [layer('b')], { created: '2020-01-01T00:00:00Z' });
    await addImage(at, 'new', [layer('c')], { created: '2024-01-01T00:00:00Z' });
    await addImage(at, 'labelled', [layer('d')], { created: '2020-01-01T00:00:00Z', config: { Labels: { keep: '' } } });
    const until = Date.parse('2022-01-01T00:00:00Z');
    const { removed } = await at.images.prune({ all: true, until, matches: ({ config }) => !config.config?.Labels });
    assert.deepEqual(removed[0], { untagged: 'old:latest' });
    assert.deepEqual(await tagsOf(at), ['labelled:latest', 'new:latest', 'used:latest']);
    await at.images.prune({ all: true });
    assert.deepEqual(await tagsOf(at), ['used:latest']);
  });

  it('tells what layers take, and what images share', async () => {
    await using at = await openTestImages();
    const one = await addImage(at, 'one', [layer('a'), layer('b')]);
    const two = await addImage(at, 'two', [layer('a'), layer('c')]);
    const size = layer('a').length;
    assert.deepEqual(await at.images.usage(), {
      layersSize: 3 * size,
      shared: new Map([
        [one.id, size],
        [two.id, size],
      ]),
    });
  });
});
