import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createSystemRandom } from '../../../base/system-random.ts';
import { ScratchBuilder } from '../testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from '../testing/step-containers.ts';

const random = createSystemRandom();

describe('the build cache', { skip: noStepsReason }, () => {
  let scratch: ScratchBuilder;
  let directory: string;
  before(async () => {
    scratch = await ScratchBuilder.open(stepContainers);
    await scratch.busybox();
  });
  after(() => scratch[Symbol.asyncDispose]());
  beforeEach(async () => {
    directory = await scratch.context({ 'src/a.ts': 'A', 'src/b.ts': 'B', 'package.json': '{}', 'notes.md': '' });
    await scratch.builder.pruneCache({ all: true });
  });

  const TEXT = [
    'FROM busybox',
    'ARG VERSION=1',
    'COPY package.json /',
    'RUN echo $VERSION > /version',
    'COPY src /src',
    'RUN cat /src/* > /built',
    'CMD ["cat", "/built"]',
  ].join('\n');
  const build = (options: Parameters<ScratchBuilder['build']>[1] = {}, text = TEXT) =>
    scratch.build(text, { directory, tags: ['app:1'], ...options });

  it('has everything the second time, and makes the same image', async () => {
    const first = await build();
    assert.equal(first.misses.length, 4);
    const second = await build();
    assert.deepEqual(second.misses, []);
    assert.ok(
      second.steps.every((step) => step.endsWith(': cached')),
      second.steps.join('\n'),
    );
    assert.equal(second.image.id, first.image.id);
  });

  it('times of files do not count; contents, modes and names do', async () => {
    await build();
    await utimes(join(directory, 'src/a.ts'), 1, 1);
    assert.deepEqual((await build()).misses, []);

    await writeFile(join(directory, 'src/a.ts'), 'AA');
    assert.deepEqual((await build()).misses, [
      'COPY src /src: file src/a.ts changed',
      'RUN cat /src/* > /built: a parent step ran',
    ]);
    await chmod(join(directory, 'src/b.ts'), 0o755);
    assert.equal((await build()).misses[0], 'COPY src /src: file src/b.ts changed its mode');
    await rename(join(directory, 'src/b.ts'), join(directory, 'src/c.ts'));
    assert.equal((await build()).misses[0], 'COPY src /src: file src/c.ts was added, and 1 more');
    await rm(join(directory, 'src/c.ts'));
    assert.equal((await build()).misses[0], 'COPY src /src: file src/c.ts was removed');
    await writeFile(join(directory, 'notes.md'), 'not copied');
    assert.deepEqual((await build()).misses, []);
  });

  it('goes back to an earlier state without running anything', async () => {
    const first = await build();
    await writeFile(join(directory, 'src/a.ts'), 'other');
    await build();
    await writeFile(join(directory, 'src/a.ts'), 'A');
    const third = await build();
    assert.deepEqual(third.misses, []);
    assert.equal(third.image.id, first.image.id);
  });

  it('an argument counts for RUN from its ARG on', async () => {
    await build();
    assert.deepEqual((await build({ buildArgs: { VERSION: '2' } })).misses, [
      'RUN echo $VERSION > /version: the build argument VERSION changed',
      'COPY src /src: a parent step ran',
      'RUN cat /src/* > /built: the build argument VERSION changed',
    ]);
    assert.deepEqual((await build({ buildArgs: { VERSION: '1' } })).misses, []);
    await build({ buildArgs: { VERSION: '1' } }, TEXT.replace('ARG VERSION=1', 'ARG VERSION=1\nENV X=1'));
    const changed = await build({}, TEXT.replace('ARG VERSION=1', 'ARG VERSION=1\nENV X=2'));
    assert.equal(changed.misses[0], 'RUN echo $VERSION > /version: the variable X changed');
  });

  it('says when the instruction is another one, and when there is no earlier build', async () => {
    const first = await scratch.build('FROM busybox\nRUN echo 1 > /one', { tags: ['lonely'] });
    assert.deepEqual(first.misses, ['RUN echo 1 > /one: first build']);
    const second = await scratch.build('FROM busybox\nRUN echo 2 > /one\nRUN true', { tags: ['lonely'] });
    assert.deepEqual(second.misses, ['RUN echo 2 > /one: the instruction changed', 'RUN true: a parent step ran']);
    await scratch.builder.pruneCache();
    const third = await scratch.build('FROM busybox\nRUN echo 2 > /one\nRUN true', { tags: ['lonely'] });
    assert.equal(third.misses[0], 'RUN echo 2 > /one: its result is no longer in the cache');
  });

  it('labels and commands do not matter to steps that change files', async () => {
    await build();
    const changed = await build(
      { labels: { a: 'b' } },
      TEXT.replace('ARG', 'LABEL x=y\nEXPOSE 1\nARG').replace('CMD', 'ENTRYPOINT'),
    );
    assert.deepEqual(changed.misses, []);
  });

  it('noCache does everything anew, and then that is in the cache', async () => {
    const first = await build();
    const second = await build({ noCache: true });
    assert.equal(second.misses.length, 4);
    assert.match(second.misses[0]!, /asked not to use the cache/);
    assert.notEqual(second.image.id, first.image.id);
    const third = await build();
    assert.deepEqual(third.misses, []);
    assert.equal(third.image.id, second.image.id);
  });

  describe('of stages', () => {
    const STAGES = [
      'FROM busybox AS builder',
      'COPY src /src',
      'RUN mkdir /out && cat /src/a.ts > /out/app',
      'FROM busybox',
      'COPY --from=builder /out /app',
      'RUN cat /app/app > /copy',
    ].join('\n');

    it('what is taken from a stage counts by its contents', async () => {
      await build({}, STAGES);
      await writeFile(join(directory, 'src/b.ts'), 'does not get into /out');
      const second = await build({}, STAGES);
      assert.deepEqual(second.misses, [
        'COPY src /src: file src/b.ts changed',
        'RUN mkdir /out && cat /src/a.ts > /out/app: a parent step ran',
      ]);
      const third = await build({}, STAGES);
      assert.deepEqual(third.misses, []);
      assert.equal(third.image.id, second.image.id);
      await writeFile(join(directory, 'src/a.ts'), 'does');
      const fourth = await build({}, STAGES);
      assert.equal(fourth.misses.length, 4);
      assert.ok(fourth.misses.includes('COPY --from=builder /out /app: file out/app changed'));
    });

    it('a stage that only gave files which are cached is not looked at', async () => {
      await build({}, STAGES);
      const builders = (await scratch.builder.cacheUsage()).filter(({ description }) =>
        /mkdir|COPY src/.test(description),
      );
      assert.equal(builders.length, 2);
      const { StepRecords } = await import('./step-records.ts');
      const records = new StepRecords(scratch.store, scratch.content, random, () => 0);
      await records.remove(builders.map(({ id }) => id));
      const again = await build({}, STAGES);
      assert.deepEqual(again.misses, []);
      assert.ok(again.steps.includes('COPY src /src: cached'));
    });
  });

  describe('digests of files', () => {
    it('a file that has not changed is not read again, also not by the next program', async () => {
      const lasting = await mkdtemp(join(tmpdir(), 'kobune-build-'));
      try {
        // Files that nobody has touched just now: those of this test.
        const options = { directory: join(import.meta.dirname, '..'), ignore: '*\n!testing' };
        const text = 'FROM busybox\nCOPY testing /src';
        const once = async () => {
          await using builder = await ScratchBuilder.open(stepContainers, { directory: lasting });
          await builder.busybox();
          return (await builder.build(text, options)).misses;
        };
        assert.equal((await once()).length, 1);
        assert.deepEqual(await once(), []);
        // Another digest is taken as it is, so the file was not read.
        const kept = join(lasting, 'images/build/file-digests');
        const [name] = await readdir(kept);
        const digests = await readFile(join(kept, name!), 'utf8');
        await writeFile(join(kept, name!), digests.replace(/[0-9a-f]{64}/, 'f'.repeat(64)));
        assert.match((await once()).join(), /^COPY testing \/src: file testing\/.* changed$/);
      } finally {
        await rm(lasting, { recursive: true, force: true });
      }
    });
  });

  describe('its room', () => {
    it('is told for each step and each cache mount', async () => {
      await scratch.build(
        'FROM busybox\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/x bs=1k count=64; dd if=/dev/zero of=/y bs=1k count=10',
        {},
      );
      const usage = await scratch.builder.cacheUsage();
      const step = usage.find(({ type }) => type === 'regular')!;
      assert.ok(step.size >= 10_240 && step.size < 60_000, String(step.size));
      assert.match(step.description, /^RUN --mount/);
      assert.equal(step.inUse, false);
      const mount = usage.find(({ type }) => type === 'exec.cachemount')!;
      assert.equal(mount.size, 65_536);
      assert.equal(mount.uses, 1);
    });

    it('pruning forgets steps; cache mounts only when all is to go; images stay whole', async () => {
      const text = 'FROM busybox\nRUN --mount=type=cache,target=/c echo 1 > /c/x; echo 1 > /y';
      const { image } = await scratch.build(text, { tags: ['kept'] });
      const pruned = await scratch.builder.pruneCache();
      assert.equal(pruned.ids.length, 1);
      assert.deepEqual(
        (await scratch.builder.cacheUsage()).map(({ type }) => type),
        ['exec.cachemount'],
      );
      assert.equal(await scratch.read(image, 'y'), '1\n');
      await scratch.builder.pruneCache({ all: true });
      assert.deepEqual(await scratch.builder.cacheUsage(), []);
    });

    it('pruning deletes layers that nothing else has', async () => {
      const { image } = await scratch.build('FROM busybox\nRUN dd if=/dev/zero of=/big bs=1k count=500');
      const layer = image.layers.at(-1)!.descriptor.digest;
      await scratch.images.remove(image.id);
      assert.ok(await scratch.content.stat(layer));
      const { bytes } = await scratch.builder.pruneCache();
      assert.equal(await scratch.content.stat(layer), undefined);
      assert.ok(bytes > 500_000);
    });

    it('files of stages that no image has stay unpacked for the next build, until pruning', async () => {
      const text = (last: string) =>
        `FROM busybox AS made\nRUN echo 1 > /made\nFROM busybox\nCOPY --from=made /made /${last}\n`;
      const { image } = await scratch.build(text('first'));
      const unpacked = () => readdir(join(scratch.directory, 'images/layers'));
      const before = await unpacked();
      await scratch.build(text('second'));
      await scratch.builder.pruneCache();
      const after = await unpacked();
      const gone = before.filter((name) => !after.includes(name));
      assert.equal(gone.length, 1);
      await scratch.images.remove(image.id, { force: true });
      assert.ok((await unpacked()).length < after.length);
    });

    it('pruning leaves what was used last, as much as is asked for, and what is younger', async () => {
      const step = (n: number) => `FROM busybox\nRUN dd if=/dev/zero of=/f${n} bs=1k count=100`;
      for (const n of [1, 2, 3]) {
        await scratch.build(step(n));
        scratch.clock.advance(1000);
      }
      await scratch.build(step(1));
      await scratch.builder.pruneCache({ keepBytes: 250_000 });
      assert.deepEqual((await scratch.build(step(1))).misses, []);
      assert.deepEqual((await scratch.build(step(3))).misses, []);
      assert.equal((await scratch.build(step(2))).misses.length, 1);
      scratch.clock.advance(1000);
      const until = scratch.clock.now();
      await scratch.build(step(3));
      await scratch.builder.pruneCache({ until });
      assert.equal((await scratch.builder.cacheUsage()).length, 1);
    });

    it('is bounded', async () => {
      await using small = await ScratchBuilder.open(stepContainers, { maxCacheBytes: 400_000 });
      await small.busybox();
      for (const n of [1, 2, 3, 4, 5]) {
        await small.build(`FROM busybox\nRUN dd if=/dev/zero of=/f${n} bs=1k count=100`);
        small.clock.advance(1000);
        const total = (await small.builder.cacheUsage()).reduce((sum, { size }) => sum + size, 0);
        assert.ok(total <= 400_000, String(total));
      }
      assert.ok((await small.builder.cacheUsage()).length >= 2);
    });

    it('a layer that is gone is made anew', async () => {
      const text = 'FROM busybox\nRUN date +%N > /time';
      const { image } = await scratch.build(text);
      await scratch.images.remove(image.id);
      const layer = image.layers.at(-1)!.descriptor.digest;
      await rm(await scratch.content.path(layer));
      const again = await scratch.build(text);
      assert.equal(again.misses.length, 1);
      assert.ok(await scratch.read(again.image, 'time'));
    });
  });
});
