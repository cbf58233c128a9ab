import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ServiceError } from '../../../base/errors.ts';
import { ScratchBuilder } from '../testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from '../testing/step-containers.ts';

describe('instructions of a Dockerfile', { skip: noStepsReason }, () => {
  let scratch: ScratchBuilder;
  before(async () => {
    scratch = await ScratchBuilder.open(stepContainers);
    await scratch.busybox();
  });
  after(() => scratch[Symbol.asyncDispose]());

  const configOf = async (text: string, options: Parameters<ScratchBuilder['build']>[1] = {}) =>
    (await scratch.build(text, options)).image.config.config!;
  const fails = (text: string, pattern: RegExp, options: Parameters<ScratchBuilder['build']>[1] = {}) =>
    assert.rejects(scratch.build(text, options), (error: ServiceError) => {
      assert.match(error.message, pattern);
      return true;
    });

  describe('ENV and ARG', () => {
    it('each value sees the variables as they were before the instruction', async () => {
      const { Env } = await configOf('FROM busybox\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc');
      assert.deepEqual(Env, ['PATH=/bin', 'abc=bye', 'def=hello', 'ghi=bye']);
    });

    it('an environment without PATH gets the usual one', async () => {
      const { Env, WorkingDir } = await configOf('FROM scratch\nENV a=b');
      assert.deepEqual(Env, ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'a=b']);
      assert.equal(WorkingDir, '/');
    });

    it('an argument has its default, the build’s value, or that of a global ARG of the same name', async () => {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
      const text = 'ARG G=global\nFROM busybox\nARG A=default\nARG G\nARG U\nLABEL a=$A g=$G u=${U:-unset}';
      assert.deepEqual((await configOf(text)).Labels, { a: 'default', g: 'global', u: 'unset' });
      const given = { buildArgs: { A: 'given', G: 'given too', U: '' } };
      assert.deepEqual((await configOf(text, given)).Labels, { a: 'given', g: 'given too', u: 'unset' });
    });

    it('an argument counts from its line on, and not in the next stage', async () => {
      const text =
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
        'FROM busybox AS a\nLABEL before=${V:-none}\nARG V=1\nLABEL after=$V\nFROM busybox\nLABEL other=${V:-none}';
      assert.deepEqual((await configOf(text)).Labels, { other: 'none' });
      assert.deepEqual((await configOf(text, { target: 'a' })).Labels, { before: 'none', after: '1' });
    });

    it('a stage made from another inherits its arguments', async () => {
      assert.deepEqual((await configOf('FROM busybox AS a\nARG V=1\nFROM a\nLABEL v=$V')).Labels, { v: '1' });
    });

    it('ENV wins over ARG', async () => {
      const text = 'FROM busybox\nENV V=env\nARG V=arg\nLABEL v=$V\nRUN echo "is $V" > /out';
      const { image } = await scratch.build(text, { buildArgs: { V: 'build' } });
      assert.deepEqual(image.config.config!.Labels, { v: 'env' });
      assert.equal(await scratch.read(image, 'out'), 'is env\n');
    });

    it('global arguments are there for FROM', async () => {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
      const { image } = await scratch.build('ARG BASE=no\nARG TAG=latest\nFROM ${BASE}:${TAG}\nLABEL a=b', {
        buildArgs: { BASE: 'busybox' },
      });
      assert.deepEqual(image.config.config!.Labels, { a: 'b' });
      await fails('FROM $NOTHING', /^Dockerfile:1: FROM \$NOTHING names no image/);
    });

    it('platform arguments are global, and in a stage after an ARG', async () => {
      const text =
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
        'FROM busybox\nARG TARGETARCH\nARG BUILDOS\nLABEL arch=$TARGETARCH os=$BUILDOS none=${TARGETOS:-none}';
      const { Labels } = await configOf(text);
      assert.deepEqual(Labels, { arch: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux', none: 'none' });
    });

    it('a build argument that nobody asks for is warned about; proxies are for RUN and not in the history', async () => {
      const built = await scratch.build('FROM busybox\nRUN echo $HTTP_PROXY > /out', {
        buildArgs: { TYPO: '1', HTTP_PROXY: 'http://proxy' },
      });
      assert.deepEqual(built.warnings, ['the build argument TYPO was not used by any ARG']);
      assert.equal(await scratch.read(built.image, 'out'), 'http://proxy\n');
      assert.ok(!JSON.stringify(built.image.config).includes('http://proxy'));
    });
  });

  describe('CMD, ENTRYPOINT and SHELL', () => {
    it('the shell form goes through the SHELL, the exec form does not', async () => {
      assert.deepEqual((await configOf('FROM busybox\nCMD echo "hi"')).Cmd, ['/bin/sh', '-c', 'echo "hi"']);
      assert.deepEqual((await configOf('FROM busybox\nCMD ["echo", "hi"]')).Cmd, ['echo', 'hi']);
      const { Entrypoint, Shell } = await configOf('FROM busybox\nSHELL ["/bin/sh", "-ec"]\nENTRYPOINT run it');
      assert.deepEqual(Entrypoint, ['/bin/sh', '-ec', 'run it']);
      assert.deepEqual(Shell, ['/bin/sh', '-ec']);
    });

    it('ENTRYPOINT takes away a CMD of the base, but not one of the same stage', async () => {
      assert.equal((await configOf('FROM busybox\nENTRYPOINT ["a"]')).Cmd, undefined);
      assert.deepEqual((await configOf('FROM busybox\nCMD ["b"]\nENTRYPOINT ["a"]')).Cmd, ['b']);
      assert.equal((await configOf('FROM busybox AS x\nCMD ["b"]\nFROM x\nENTRYPOINT ["a"]')).Cmd, undefined);
    });
  });

  describe('metadata', () => {
    it('goes into the configuration', async () => {
      const { image } = await scratch.build(
        [
          'FROM busybox',
          'MAINTAINER Ada <ada@example.com>',
          'LABEL a=1 "b c"="d e"',
          'EXPOSE 80 53/udp 8000-8002',
          'VOLUME /data /x',
          'VOLUME ["/one", "/two"]',
          'USER app:staff',
          'STOPSIGNAL SIGQUIT',
          'HEALTHCHECK --interval=5s --timeout=1m --start-period=2s --start-interval=100ms --retries=4 CMD wget -q localhost',
          'ONBUILD RUN echo hi',
        ].join('\n'),
        { labels: { a: '2', z: '9' } },
      );
      const { author, config } = image.config;
      assert.equal(author, 'Ada <ada@example.com>');
      assert.deepEqual(config!.Labels, { a: '2', 'b c': 'd e', z: '9' });
      assert.deepEqual(Object.keys(config!.ExposedPorts!), ['53/udp', '80/tcp', '8000/tcp', '8001/tcp', '8002/tcp']);
      assert.deepEqual(Object.keys(config!.Volumes!), ['/data', '/one', '/two', '/x']);
      assert.equal(config!.User, 'app:staff');
      assert.equal(config!.StopSignal, 'SIGQUIT');
      assert.deepEqual(config!.OnBuild, ['RUN echo hi']);
      assert.deepEqual(config!.Healthcheck, {
        Test: ['CMD-SHELL', 'wget -q localhost'],
        Interval: 5e9,
        Timeout: 60e9,
        StartPeriod: 2e9,
        StartInterval: 1e8,
        Retries: 4,
      });
    });

    it('HEALTHCHECK NONE takes a check of the base away', async () => {
      assert.deepEqual((await configOf('FROM busybox\nHEALTHCHECK NONE')).Healthcheck, { Test: ['NONE'] });
    });

    it('what makes no sense is refused with its line', async () => {
      await fails('FROM busybox\nSTOPSIGNAL SIGNOPE', /^Dockerfile:2: unknown signal "SIGNOPE"/);
      await fails('FROM busybox\nUSER', /^Dockerfile:2: /);
      await fails(
        'FROM busybox\nRUN --security=insecure true',
        /^Dockerfile:2: RUN --security=insecure is not supported/,
      );
    });
  });

  describe('WORKDIR', () => {
    it('is relative to the one before, and made for the user of the stage', async () => {
      const { image } = await scratch.build('FROM busybox\nWORKDIR /a\nWORKDIR b\nUSER app\nWORKDIR ../c/$PATH/d');
      assert.equal(image.config.config!.WorkingDir, '/a/c/bin/d');
      const files = await scratch.list(image);
      assert.equal(files.get('a/b'), 'd 755 0:0');
      assert.equal(files.get('a/c/bin/d'), 'd 755 1001:1002');
    });

    it('follows links inside of the root only', async () => {
      await scratch.image('links', { link: '-> /target', up: '-> ../../../../../../outside' });
      const { image } = await scratch.build('FROM links\nWORKDIR /link/x\nWORKDIR /up/y');
      const files = await scratch.list(image);
      assert.equal(files.get('target/x'), 'd 755 0:0');
      assert.equal(files.get('outside/y'), 'd 755 0:0');
    });

    it('that is there already makes no layer', async () => {
      const { image } = await scratch.build('FROM busybox\nWORKDIR /tmp');
      assert.equal(image.layers.length, 1);
      assert.equal(image.config.history!.at(-1)!.empty_layer, true);
    });
  });

  describe('the history', () => {
    it('has an entry for each instruction, in the words that Docker uses', async () => {
      const { image } = await scratch.build(
        [
          'FROM busybox',
          'ARG V=1',
          'ENV A=b C="d e"',
          'WORKDIR /w',
          'COPY --chown=app a.txt b.txt ./',
          'RUN echo $V',
          'RUN ["true"]',
          'EXPOSE 80',
          'CMD echo hi',
        ].join('\n'),
        { files: { 'a.txt': '1', 'b.txt': '2' } },
      );
      const history = image.config.history!.slice(1);
      assert.deepEqual(
        history.map(({ created_by, empty_layer }) => [created_by, empty_layer === true]),
        [
          ['ARG V=1', true],
          ['ENV A=b C=d e', true],
          ['WORKDIR /w', false],
          ['COPY --chown=app a.txt b.txt ./', false],
          ['RUN |1 V=1 /bin/sh -c echo $V', false],
          ['RUN |1 V=1 true', true],
          ['EXPOSE [80]', true],
          ['CMD ["/bin/sh" "-c" "echo hi"]', true],
        ],
      );
      const layers = image.config.history!.filter(({ empty_layer }) => empty_layer !== true).length;
      assert.equal(layers, image.layers.length);
      assert.deepEqual(
        image.config.rootfs.diff_ids,
        image.layers.map(({ diffId }) => diffId),
      );
    });
  });
});
