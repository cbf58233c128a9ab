import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { ScratchBuilder } from '../testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from '../testing/step-containers.ts';

describe('stages', { skip: noStepsReason }, () => {
  let scratch: ScratchBuilder;
  before(async () => {
    scratch = await ScratchBuilder.open(stepContainers);
    await scratch.busybox();
  });
  after(() => scratch[Symbol.asyncDispose]());

  it('that are not needed are skipped, also their bases', async () => {
    const text = [
      'FROM no-such-image AS unused',
      'RUN false',
      'FROM busybox AS wanted',
      'RUN echo 1 > /one',
      'FROM wanted',
      'RUN false',
    ].join('\n');
    const built = await scratch.build(text, { target: 'WANTED' });
    assert.deepEqual(
      built.events.flatMap((event) =>
        event.kind === 'step' && event.state === 'done'
          ? [[event.step.number, event.step.total, event.step.stage]]
          : [],
      ),
      [
        [1, 2, 'wanted'],
        [2, 2, 'wanted'],
      ],
    );
    assert.equal(await scratch.read(built.image, 'one'), '1\n');
    assert.equal((await scratch.build(text, { target: '1' })).image.id, built.image.id);
    await assert.rejects(
      scratch.build(text, { target: 'none' }),
      /target stage "none" could not be found; there are unused, wanted/,
    );
  });

  it('that do not need each other are built at the same time', async () => {
    // Each waits for the other: one after the other they would never end.
    const stage = (me: string, other: string) => [
      `FROM busybox AS ${me}`,
      `RUN --mount=type=cache,id=meet,target=/c touch /c/${me}; for i in $(seq 600); do test -e /c/${other} && break; sleep 0.05; done; test -e /c/${other} && touch /${me}`,
    ];
    const text = [
      ...stage('a', 'b'),
      ...stage('b', 'a'),
      'FROM scratch',
      'COPY --from=a /a /',
      'COPY --from=b /b /',
    ].join('\n');
    const { image } = await scratch.build(text);
    assert.deepEqual([...(await scratch.list(image)).keys()].sort(), ['a', 'b']);
  });

  it('the same step of two builds, or of two stages, is carried out once', async () => {
    const text = 'FROM busybox\nRUN sleep 0.2; date +%s%N > /when';
    const [a, b] = await Promise.all([scratch.build(text), scratch.build(text)]);
    assert.equal(a.image.id, b.image.id);
    assert.deepEqual([...a.misses, ...b.misses].length, 1);
    const stages = ['a', 'b'].map((stage) => `${text.replace('busybox', `busybox AS ${stage}`).replace('0.2', '0.1')}`);
    const { image, misses } = await scratch.build(
      [...stages, 'FROM scratch', 'COPY --from=a /when /a', 'COPY --from=b /when /b'].join('\n'),
    );
    assert.equal(misses.filter((miss) => miss.startsWith('RUN')).length, 1);
    assert.equal(await scratch.read(image, 'a'), await scratch.read(image, 'b'));
  });

  it('a step that is waited for and fails is tried by who waits', async () => {
    const controller = new AbortController();
    const begun = Promise.withResolvers<void>();
    const text = 'FROM busybox\nRUN echo begun; sleep 0.3; echo x > /x';
    const first = scratch.build(text, {
      signal: controller.signal,
      onProgress: (event) => {
        if (event.kind === 'output') begun.resolve();
      },
    });
    await begun.promise;
    const second = scratch.build(text);
    controller.abort();
    await assert.rejects(first, { code: 'BuildCanceled' });
    assert.equal(await scratch.read((await second).image, 'x'), 'x\n');
  });

  it('when one fails the others are ended', async () => {
    const text = [
      'FROM busybox AS slow',
      'RUN echo slow; sleep 1000',
      'FROM busybox AS failing',
      'RUN sleep 0.2; exit 3',
      'FROM scratch',
      'COPY --from=slow / /a',
      'COPY --from=failing / /b',
    ].join('\n');
    await assert.rejects(scratch.build(text), /Dockerfile:4: .*non-zero code: 3/);
    assert.deepEqual(await scratch.images.roots.list(), []);
  });

  it('the first error is told, not those of what was ended because of it', async () => {
    const text = [
      'FROM busybox AS a',
      'RUN sleep 1000',
      'FROM busybox AS b',
      'RUN exit 5',
      'FROM a',
      'COPY --from=b / /',
    ];
    await assert.rejects(scratch.build(text.join('\n')), { code: 'BuildFailed', message: /Dockerfile:4:/ });
  });

  it('two names of one stage of the same name: the last one', async () => {
    const text = 'FROM busybox AS x\nRUN echo 1 > /n\nFROM busybox AS x\nRUN echo 2 > /n\nFROM x\nRUN cat /n';
    assert.equal((await scratch.build(text)).output, '2\n');
  });

  it('what is missing is said with its line', async () => {
    await assert.rejects(scratch.build('FROM busybox\nCOPY --from=registry.invalid:1/none / /'), /Dockerfile:2: /);
    await assert.rejects(scratch.build('\nFROM registry.invalid:1/none'), /Dockerfile:2: /);
    await assert.rejects(scratch.build('FROM Bad:::Name'), /Dockerfile:1: /);
    await assert.rejects(scratch.build('FROM --platform=what busybox'), /Dockerfile:1: "what" is not a platform/);
  });

  it('a base that is deleted meanwhile is still there for the build', async () => {
    await scratch.image('fleeting', { ...{ 'a/file': 'of the base' }, 'bin/sh': await readFile('/bin/busybox') });
    const removals: Promise<unknown>[] = [];
    const { image } = await scratch.build(
      'FROM fleeting\nRUN echo now; while read x; do :; done < /a/file\nCOPY b /b',
      {
        files: { b: 'B' },
        onProgress: (event) => {
          if (event.kind === 'output') removals.push(scratch.images.remove('fleeting'));
        },
      },
    );
    assert.equal((await Promise.all(removals)).length, 1);
    assert.equal(await scratch.images.find('fleeting'), undefined);
    assert.equal(await scratch.read(image, 'a/file'), 'of the base');
    assert.equal(await scratch.read(image, 'b'), 'B');
  });

  it('an image is found by its digest or its ID', async () => {
    const { id } = await scratch.images.get('busybox');
    const { image } = await scratch.build(`FROM ${id}\nLABEL a=b`);
    assert.equal(image.layers.length, 1);
  });

  describe('ONBUILD', () => {
    it('is carried out by the next stage, at its FROM, and is then gone', async () => {
      const base =
        'FROM busybox\nONBUILD COPY a.txt /\nONBUILD RUN cat /a.txt > /b.txt\nONBUILD ENV X=1\nRUN echo base > /c';
      const files = { 'a.txt': 'A' };
      const { image } = await scratch.build(base, { tags: ['onbuild'], files });
      assert.equal(await scratch.read(image, 'a.txt'), undefined);
      const built = await scratch.build('FROM onbuild\nRUN echo $X', { files });
      assert.equal(await scratch.read(built.image, 'b.txt'), 'A');
      assert.equal(built.output, '1\n');
      assert.equal(built.image.config.config!.OnBuild, undefined);
      assert.deepEqual(built.steps, ['FROM onbuild: cached', 'RUN echo $X: first build']);
      assert.deepEqual(
        built.image.config.history!.slice(-4).map(({ created_by }) => created_by),
        ['COPY a.txt /', 'RUN /bin/sh -c cat /a.txt > /b.txt', 'ENV X=1', 'RUN /bin/sh -c echo $X'],
      );
      const stages = await scratch.build(
        `${base.replace('FROM busybox', 'FROM busybox AS x')}\nFROM x\nRUN cat /b.txt`,
        { files },
      );
      assert.equal(stages.output, 'A');
    });

    it('errors of it are at the FROM', async () => {
      await scratch.build('FROM busybox\nONBUILD COPY gone.txt /', { tags: ['onbuild-missing'] });
      await assert.rejects(scratch.build('\n\nFROM onbuild-missing'), /Dockerfile:3: "gone.txt" is not found/);
    });
  });

  it('the whole of it: a build stage, a small image, a user of its own', async () => {
    await scratch.busybox('node:16-alpine', {
      'bin/npm':
        '#!/bin/sh\ncase $1 in ci) mkdir -p node_modules/x && cp package-lock.json node_modules/x/;; run) mkdir -p dist && cp src/server.js dist/;; esac\n',
      'bin/apk': '#!/bin/sh\necho "apk $@ as $(id -u)"\n',
      'sbin/tini': 'tini',
      'bin/addgroup': '#!/bin/sh\necho "nodejs:x:1001:" >> /etc/group\n',
      'bin/adduser': '#!/bin/sh\necho "nodejs:x:1001:1001::/home/nodejs:/bin/sh" >> /etc/passwd\n',
    });
    const text = [
      '# 1: build',
      'FROM node:16-alpine AS builder',
      'WORKDIR /app',
      'COPY package*.json ./',
      'RUN npm ci --only=production',
      'COPY . .',
      'RUN npm run build',
      'FROM node:16-alpine',
      'RUN addgroup -g 1001 -S nodejs',
      'RUN adduser -S nodejs -u 1001',
      'WORKDIR /app',
      'COPY --from=builder --chown=nodejs:nodejs /app/dist ./dist',
      'COPY --from=builder --chown=nodejs:nodejs /app/node_modules ./node_modules',
      'COPY --from=builder --chown=nodejs:nodejs /app/package*.json ./',
      'USER nodejs',
      'EXPOSE 3000',
      'HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \\',
      '  CMD node healthcheck.js',
      'RUN apk add --no-cache tini',
      'ENTRYPOINT ["/sbin/tini", "--"]',
      'CMD ["node", "dist/server.js"]',
    ].join('\n');
    const directory = await scratch.context({
      'package.json': '{}',
      'package-lock.json': 'lock',
      'src/server.js': 'serve()',
      'README.md': 'read me',
    });
    const built = await scratch.build(text, { directory, tags: ['web:1', 'web:latest'] });
    const list = await scratch.list(built.image);
    assert.equal(list.get('app/dist/server.js'), 'f 644 1001:1001');
    assert.equal(list.get('app/node_modules/x/package-lock.json'), 'f 644 1001:1001');
    assert.equal(list.get('app/package.json'), 'f 644 1001:1001');
    assert.equal(list.get('app/README.md'), undefined);
    assert.equal(built.output, 'apk add --no-cache tini as 1001\n');
    assert.deepEqual(built.image.config.config!.Entrypoint, ['/sbin/tini', '--']);
    assert.deepEqual((await scratch.images.get('web')).tags, ['web:1', 'web:latest']);
    const { writeFile } = await import('node:fs/promises');
    await writeFile(`${directory}/src/server.js`, 'serve(2)');
    const second = await scratch.build(text, { directory, tags: ['web:2'] });
    assert.deepEqual(second.misses, [
      'COPY . .: file src/server.js changed',
      'RUN npm run build: a parent step ran',
      'COPY --from=builder --chown=nodejs:nodejs /app/dist ./dist: file app/dist/server.js changed',
      'COPY --from=builder --chown=nodejs:nodejs /app/node_modules ./node_modules: a parent step ran',
      'COPY --from=builder --chown=nodejs:nodejs /app/package*.json ./: a parent step ran',
      'RUN apk add --no-cache tini: a parent step ran',
    ]);
  });
});
