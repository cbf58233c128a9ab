import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Files, ScratchBuilder } from './testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from './testing/step-containers.ts';

const open = () => ScratchBuilder.open(stepContainers);

const TEXT = [
  'FROM busybox AS builder',
  'ARG SOURCE_DATE_EPOCH',
  'WORKDIR /w/x',
  'COPY . .',
  'RUN cat a b > out && mkdir -p d/e && echo $SOURCE_DATE_EPOCH > d/epoch && ln out d/hard && ln -s out d/soft',
  'FROM busybox',
  'COPY --from=builder --chown=app /w/x /app/',
  'COPY <<EOF /etc/conf',
  'a=b',
  'EOF',
  'RUN --mount=type=cache,target=/c touch /tmp/x /c/y && rm /etc/group',
  'CMD ["x"]',
].join('\n');
const FILES: Files = { a: 'A', b: 'B', 'deep/er/c': 'C' };

async function once(options: Parameters<ScratchBuilder['build']>[1], tags: readonly string[] = []) {
  await using scratch = await open();
  await scratch.busybox();
  const { image } = await scratch.build(TEXT, { files: FILES, tags, ...options });
  const times = new Set<number>();
  const root = await scratch.images.roots.create('look', image.layers, { readOnly: true });
  for (const path of ['app', 'app/a', 'app/d/e', 'app/d/hard', 'etc/conf', 'tmp/x', 'tmp', 'etc']) {
    times.add((await scratch.images.roots.stat(root, `/${path}`))!.modifiedAt);
  }
  await root.remove();
  return { image, times };
}

describe('SOURCE_DATE_EPOCH', { skip: noStepsReason }, () => {
  it('makes the same image on another machine at another time', async () => {
    const options = { buildArgs: { SOURCE_DATE_EPOCH: '1700000000' } };
    const first = await once(options);
    const second = await once(options, ['other:tag']);
    assert.equal(second.image.id, first.image.id);
    assert.equal(first.image.config.created, '2023-11-14T22:13:20.000Z');
    assert.ok(Math.max(...first.times) <= 1_700_000_000_000);
    for (const { created } of first.image.config.history!.slice(1))
      assert.ok(Date.parse(created!) <= 1_700_000_000_000);
  });

  it('as an option does the same; another one makes another image', async () => {
    const first = await once({ sourceDateEpoch: 1_700_000_000 });
    const second = await once({ sourceDateEpoch: 1_700_000_000 });
    const other = await once({ sourceDateEpoch: 1_600_000_000 });
    assert.equal(second.image.id, first.image.id);
    assert.notEqual(other.image.id, first.image.id);
    assert.equal(other.image.config.created, '2020-09-13T12:26:40.000Z');
  });

  it('results made without it are not taken for those with it', async () => {
    await using scratch = await open();
    await scratch.busybox();
    const text = 'FROM busybox\nRUN touch /x';
    await scratch.build(text, { tags: ['epoch'] });
    const { misses } = await scratch.build(text, { tags: ['epoch'], sourceDateEpoch: 1_700_000_000 });
    assert.deepEqual(misses, ['RUN touch /x: SOURCE_DATE_EPOCH changed']);
  });

  it('that is no time is refused', async () => {
    await using scratch = await open();
    await scratch.busybox();
    for (const epoch of ['yesterday', '-1', '1.5', '99999999999999']) {
      await assert.rejects(scratch.build('FROM busybox', { buildArgs: { SOURCE_DATE_EPOCH: epoch } }), {
        code: 'DockerfileError',
        message: /SOURCE_DATE_EPOCH must be/,
      });
    }
  });
});
