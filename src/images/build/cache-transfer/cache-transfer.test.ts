import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { noDistributionReason, startDistribution } from '../../registry-client/test-distribution.ts';
import type { CacheLocation } from '../builder.ts';
import { ScratchBuilder } from '../testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from '../testing/step-containers.ts';

const TEXT = [
  'FROM busybox AS builder',
  'COPY src /src',
  'RUN cat /src/a > /built && date +%N > /when',
  'FROM busybox',
  'WORKDIR /w',
  'COPY --from=builder /built .',
  'RUN cp built copy',
  'RUN true',
].join('\n');
const FILES = { 'src/a': 'A' };

describe('a build cache that is taken elsewhere', { skip: noStepsReason }, () => {
  const open: ScratchBuilder[] = [];
  /** Another machine: nothing of it is shared. */
  const machine = async () => {
    const scratch = await ScratchBuilder.open(stepContainers);
    open.push(scratch);
    await scratch.busybox();
    return scratch;
  };
  afterEach(async () => {
    for (const scratch of open.splice(0)) await scratch[Symbol.asyncDispose]();
  });

  const rules = (place: () => CacheLocation) => {
    it('min has the result, max also what it was made from', async () => {
      const first = await machine();
      const built = await first.build(TEXT, { files: FILES, cacheTo: [place()] });
      const second = await machine();
      const again = await second.build(TEXT, { files: FILES, cacheFrom: [place()] });
      assert.deepEqual(again.misses, []);
      assert.equal(again.image.id, built.image.id);
      assert.deepEqual(again.warnings, []);
      assert.equal(await second.read(again.image, 'w/copy'), 'A');
      // What came is this machine's own from now on.
      assert.deepEqual((await second.build(TEXT, { files: FILES })).misses, []);
      const other = 'FROM busybox AS builder\nCOPY src /src\nRUN cat /src/a > /built && date +%N > /when';
      assert.equal((await second.build(other, { files: FILES, cacheFrom: [place()] })).misses.length, 2);

      await first.build(TEXT, { files: FILES, cacheTo: [{ ...place(), mode: 'max' }] });
      const third = await machine();
      assert.deepEqual((await third.build(other, { files: FILES, cacheFrom: [place()] })).misses, []);
      await writeFile(join(await third.context({}), 'x'), '');
      const changed = await third.build(TEXT, { files: { 'src/a': 'B' }, cacheFrom: [place()] });
      assert.equal(await third.read(changed.image, 'w/copy'), 'B');
    });

    it('that is not there is warned about, and one that is damaged too', async () => {
      const first = await machine();
      const built = await first.build(TEXT, { files: FILES, cacheFrom: [place()] });
      assert.equal(built.warnings.length, 1);
      assert.match(built.warnings[0]!, /^the build cache of .* is not used: /);
      assert.equal(built.misses.length, 6);
    });
  };

  describe('in a folder', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kobune-cache-'));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));
    const place = (): CacheLocation => ({ type: 'local', target: folder });
    rules(place);

    it('is an OCI layout, and keeps nothing of the cache before', async () => {
      const first = await machine();
      await first.build(TEXT, { files: FILES, cacheTo: [{ ...place(), mode: 'max' }] });
      const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
        manifests: { digest: string }[];
      };
      const blob = async (digest: string) =>
        JSON.parse(await readFile(join(folder, 'blobs/sha256', digest.slice(7)), 'utf8'));
      const manifest = await blob(index.manifests[0]!.digest);
      assert.equal(manifest.artifactType, 'application/vnd.kobune.build-cache.v1');
      const blobs = await readdir(join(folder, 'blobs/sha256'));
      assert.equal(blobs.length, manifest.layers.length + 2);
      await first.build('FROM busybox\nCOPY <<EOF /x\ny\nEOF', { cacheTo: [place()] });
      assert.equal((await readdir(join(folder, 'blobs/sha256'))).length, 3);
      assert.deepEqual((await readdir(folder)).sort(), ['blobs', 'index.json', 'oci-layout']);
    });

    it('that holds something else is left alone', async () => {
      const first = await machine();
      await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ digest: 'x' }] }));
      await assert.rejects(
        first.build(TEXT, { files: FILES, cacheTo: [place()] }),
        /holds something else than a build cache/,
      );
      assert.deepEqual(await readdir(folder), ['index.json']);
      await rm(join(folder, 'index.json'));
      await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
      await writeFile(join(folder, 'blobs/sha256/theirs'), '');
      await assert.rejects(first.build(TEXT, { files: FILES, cacheTo: [place()] }), /holds something else/);
      assert.deepEqual(await readdir(folder, { recursive: true }), ['blobs', 'blobs/sha256', 'blobs/sha256/theirs']);
      await assert.rejects(
        first.build(TEXT, { files: FILES, cacheTo: [{ type: 'local', target: 'relative' }] }),
        /must be absolute/,
      );
    });

    it('that is damaged anywhere is warned about', async () => {
      const first = await machine();
      await first.build(TEXT, { files: FILES, cacheTo: [place()] });
      const index = await readFile(join(folder, 'index.json'), 'utf8');
      for (const text of ['null', '{', '{"manifests":[null]}', '{"manifests":[{"artifactType":1}]}']) {
        await writeFile(join(folder, 'index.json'), text);
        const { warnings } = await first.build(TEXT, { files: FILES, cacheFrom: [place()] });
        assert.match(warnings[0]!, /^the build cache of .* is not used: .*(damaged|something else)/, text);
      }
      await writeFile(join(folder, 'index.json'), index);
      const manifest = join(folder, 'blobs/sha256', JSON.parse(index).manifests[0].digest.slice(7));
      await rm(manifest);
      execFileSync('mkfifo', [manifest]);
      const { warnings } = await first.build(TEXT, { files: FILES, cacheFrom: [place()] });
      assert.match(warnings[0]!, /is not used: the build cache in .* is damaged/);
    });

    it('with a layer that is damaged is not used', async () => {
      const first = await machine();
      await first.build(TEXT, { files: FILES, cacheTo: [{ ...place(), mode: 'max' }] });
      for (const name of await readdir(join(folder, 'blobs/sha256'))) {
        const path = join(folder, 'blobs/sha256', name);
        const bytes = await readFile(path);
        if (bytes[0] !== 0x1f) continue;
        bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
        await writeFile(path, bytes);
      }
      const second = await machine();
      const built = await second.build(TEXT, { files: FILES, cacheFrom: [place()] });
      assert.equal(await second.read(built.image, 'w/copy'), 'A');
      assert.ok(built.warnings.some((warning) => /a step of the build cache of .* is not used/.test(warning)));
    });
  });

  describe('in a registry', { skip: noDistributionReason ?? false }, () => {
    let registry: Awaited<ReturnType<typeof startDistribution>>;
    let count = 0;
    before(async () => {
      registry = await startDistribution({ users: { ada: 'secret' } });
    });
    after(() => registry[Symbol.asyncDispose]());
    beforeEach(() => {
      count += 1;
    });
    const place = (): CacheLocation => ({ type: 'registry', target: `${registry.host}/app/cache-${count}:main` });
    const auth = () => ({ username: 'ada', password: 'secret' });

    it('min has the result', async () => {
      const first = await machine();
      const built = await first.build(TEXT, { files: FILES, cacheTo: [place()], auth });
      const second = await machine();
      const again = await second.build(TEXT, { files: FILES, cacheFrom: [place()], auth });
      assert.deepEqual(again.misses, []);
      assert.equal(again.image.id, built.image.id);
      assert.equal(await second.read(again.image, 'w/copy'), 'A');
    });

    it('that is not there, that may not be read, or that is an image is warned about', async () => {
      const first = await machine();
      const absent = await first.build(TEXT, { files: FILES, cacheFrom: [place()], auth });
      assert.match(absent.warnings[0]!, /is not used: there is none/);
      const refused = await first.build(TEXT, { files: FILES, cacheFrom: [place()] });
      assert.match(refused.warnings[0]!, /is not used: .*/);
      await first.images.tag('busybox', place().target);
      await first.images.push(place().target, { auth: auth() });
      const image = await first.build(TEXT, { files: FILES, cacheFrom: [place()], auth });
      assert.match(image.warnings[0]!, /is not used: it is something else, such as an image/);
      await assert.rejects(first.build(TEXT, { files: FILES, cacheTo: [place()] }), { name: 'ServiceError' });
    });
  });
});
