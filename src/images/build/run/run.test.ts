import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ServiceError } from '../../../base/errors.ts';
import type { BuildErrorPlace } from '../builder.ts';
import { ScratchBuilder } from '../testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from '../testing/step-containers.ts';

describe('RUN', { skip: noStepsReason }, () => {
  let scratch: ScratchBuilder;
  before(async () => {
    scratch = await ScratchBuilder.open(stepContainers);
    await scratch.busybox();
  });
  after(() => scratch[Symbol.asyncDispose]());

  type Options = Parameters<ScratchBuilder['build']>[1];
  const run = async (lines: string, options: Options = {}) => await scratch.build(`FROM busybox\n${lines}`, options);
  const outputOf = async (lines: string, options: Options = {}) => (await run(lines, options)).output;
  /** Paths that the last layer adds to the base. */
  const added = async (lines: string, options: Options = {}) => {
    const { image } = await run(lines, options);
    const before = await scratch.list(await scratch.images.get('busybox'));
    return [...(await scratch.list(image)).keys()].filter((path) => !before.has(path)).sort();
  };
  /** What runc makes in a root that has none. */
  const ALWAYS = ['dev', 'proc', 'sys'];

  describe('forms', () => {
    it('the shell form goes through the SHELL', async () => {
      assert.equal(await outputOf('RUN echo "a  b" && echo c'), 'a  b\nc\n');
      assert.equal(await outputOf('SHELL ["/bin/echo", "-n"]\nRUN x  y'), 'x  y');
    });

    it('the exec form does not', async () => {
      assert.equal(await outputOf('RUN ["echo", "$PATH", "a b"]'), '$PATH a b\n');
    });

    it('here-documents are scripts, with an interpreter of their own if they name one', async () => {
      assert.equal(await outputOf('RUN <<EOF\necho one\necho two\nEOF'), 'one\ntwo\n');
      assert.equal(await outputOf('RUN <<EOF\n#!/bin/cat\nhello\nEOF'), '#!/bin/cat\nhello\n');
      assert.equal(await outputOf('RUN cat <<A && cat <<B\nfirst\nA\nsecond\nB'), 'first\nsecond\n');
      assert.equal(await outputOf('RUN <<EOF cat\necho $PATH\nEOF'), 'echo /bin\n');
      assert.deepEqual(await added('RUN <<EOF\n#!/bin/sh\ntouch /made\nEOF'), [...ALWAYS, 'made'].sort());
    });

    it('runs as the user, in the working directory, with the environment', async () => {
      const lines = 'ENV A=1\nARG B=2\nWORKDIR /w\nUSER app\nRUN id -u; id -g; pwd; echo $A $B $HOME';
      assert.equal(await outputOf(lines), '1001\n1002\n/w\n1 2 /home/app\n');
    });

    it('that changes nothing makes no layer', async () => {
      const { image } = await run('RUN true\nRUN --mount=type=tmpfs,target=/etc/x/y/z true 2\nRUN chmod 700 /etc');
      // The first has made the directories that a container needs.
      assert.deepEqual(
        image.config.history!.slice(1).map(({ empty_layer }) => empty_layer ?? false),
        [false, true, false],
      );
      assert.equal((await scratch.list(image)).get('etc'), 'd 700 0:0');
    });

    it('changes are kept, deletions too, and nothing that was only mounted', async () => {
      const { image } = await run('RUN rm /etc/group && mkdir -p /x/y && ln -s y /x/l && chown 3:4 /x/y');
      const list = await scratch.list(image);
      assert.equal(list.get('etc/group'), undefined);
      assert.equal(list.get('x/y'), 'd 755 3:4');
      assert.equal(list.get('x/l'), 'l 777 0:0 y');
      for (const path of ['etc/hosts', 'etc/resolv.conf', 'etc/hostname', 'dev/null', 'proc/self']) {
        assert.equal(list.get(path), undefined, path);
      }
    });
  });

  describe('that fails', () => {
    it('says the exit code, the command and the place; what came before is cached, nothing else is left', async () => {
      const text = 'FROM busybox\nRUN echo fine > /fine\nRUN echo oops >&2; \\\n  exit 7\nRUN echo never';
      const build = scratch.build(text);
      await assert.rejects(build, (error: ServiceError) => {
        assert.equal(error.code, 'BuildFailed');
        assert.match(
          error.message,
          /^Dockerfile:3: The command '\/bin\/sh -c echo oops .*' returned a non-zero code: 7$/,
        );
        const place = error.members.place as BuildErrorPlace;
        assert.equal(place.exitCode, 7);
        assert.equal(place.line, 3);
        assert.equal(place.excerpt, 'RUN echo oops >&2; \\\n  exit 7');
        return true;
      });
      assert.deepEqual(await scratch.images.roots.list(), []);
      const again = await scratch.build(text.split('\n').slice(0, 2).join('\n'));
      assert.deepEqual(again.misses, []);
    });

    it('a command that is not there, a user that is not there', async () => {
      await assert.rejects(run('RUN ["nope"]'), /Dockerfile:2: .*nope/);
      await assert.rejects(run('USER nobody\nRUN true'), /Dockerfile:3: .*nobody/);
      assert.deepEqual(await scratch.images.roots.list(), []);
    });

    it('is ended when the build is canceled', async () => {
      const controller = new AbortController();
      const build = run('RUN echo started; sleep 1000', {
        signal: controller.signal,
        onProgress: (event) => {
          if (event.kind === 'output') controller.abort();
        },
      });
      await assert.rejects(build, { code: 'BuildCanceled' });
      assert.deepEqual(await scratch.images.roots.list(), []);
    });

    it('for another platform, by name; FROM and COPY do without running anything', async () => {
      const platform = { os: 'linux', architecture: 'riscv64' };
      const text = 'FROM --platform=linux/riscv64 scratch\nCOPY a /\n';
      const { image } = await scratch.build(text, { files: { a: 'A' } });
      assert.equal(image.config.architecture, 'riscv64');
      await assert.rejects(
        scratch.build(`${text}RUN ["/a"]`, { files: { a: 'A' }, platform }),
        /^ServiceError.*|Dockerfile:3: RUN needs a machine of linux\/riscv64/,
      );
      await scratch.image('foreign', { a: '' }, {}, 'riscv64');
      await assert.rejects(
        scratch.build('FROM foreign\nRUN true'),
        /Dockerfile:2: RUN needs a machine of linux\/riscv64/,
      );
    });
  });

  describe('--network', () => {
    it('none has only the loopback', async () => {
      assert.equal(await outputOf('RUN --network=none cat /proc/net/dev | grep -c :'), '1\n');
    });

    it('host is the machine’s own', async () => {
      const mine = (await outputOf('RUN --network=host readlink /proc/self/ns/net')).trim();
      const { readlinkSync } = await import('node:fs');
      assert.equal(mine, readlinkSync('/proc/self/ns/net'));
    });
  });

  describe('--mount=type=bind', () => {
    const files = { 'src/a': 'A', 'src/secret': 'S', '.dockerignore': 'src/secret' };

    it('shows files of the context, without what is ignored, and leaves no trace', async () => {
      const built = await run('RUN --mount=target=/mnt/ctx,source=src ls /mnt/ctx; cat /mnt/ctx/a', { files });
      assert.equal(built.output, 'a\nA');
      assert.deepEqual(await added('RUN --mount=target=/mnt/ctx,source=src true', { files }), ALWAYS);
    });

    it('one file, relative to the working directory', async () => {
      assert.equal(await outputOf('WORKDIR /w\nRUN --mount=target=x,source=src/a cat /w/x', { files }), 'A');
    });

    it('is read-only unless told, and then what is written is gone', async () => {
      await assert.rejects(run('RUN --mount=target=/m,source=src touch /m/new', { files }), /non-zero code/);
      const lines = 'RUN --mount=target=/m,source=src,rw touch /m/new && rm /m/a && ls /m';
      const directory = await scratch.context(files);
      assert.equal(await outputOf(lines, { directory }), 'new\n');
      assert.equal(await outputOf('RUN --mount=target=/m,source=src cat /m/a', { directory }), 'A');
    });

    it('shows a stage or an image', async () => {
      const text = [
        'FROM busybox AS made',
        'RUN echo M > /file',
        'FROM busybox',
        'RUN --mount=from=made,target=/m cat /m/file',
        'RUN --mount=from=made,target=/m,source=/file,rw echo W > /m && cat /m',
        'RUN --mount=from=busybox,target=/b ls /b/etc/passwd',
      ].join('\n');
      const built = await scratch.build(text);
      assert.equal(built.output, 'M\nW\n/b/etc/passwd\n');
      assert.deepEqual((await scratch.list(built.image)).get('m'), undefined);
    });

    it('does not lead out of the root after the step, whatever that has put in the way', async () => {
      const outside = await scratch.context({ 'victim/': '', file: '' });
      const before = await stat(outside, { bigint: true });
      const away = `mv /x /y && ln -s ${outside} /x`;
      await run(`RUN --mount=type=tmpfs,target=/x/victim --mount=source=a,target=/x/file ${away}`, {
        files: { a: 'A' },
      });
      assert.deepEqual((await readdir(outside)).sort(), ['file', 'victim']);
      assert.equal((await stat(outside, { bigint: true })).mtimeNs, before.mtimeNs);
    });

    it('does not lead out of the context', async () => {
      const outside = { l: '-> /etc', ...files };
      await assert.rejects(
        run('RUN --mount=target=/m,source=l true', { files: outside }),
        /Dockerfile:2: "l" is not found/,
      );
      await assert.rejects(run('RUN --mount=target=/m,source=../../etc true', { files }), /is not found in the build/);
      for (const type of ['bind,source=src', 'cache', 'tmpfs']) {
        const lines = `RUN --mount=type=${type},target=/ true`;
        await assert.rejects(run(lines, { files }), /Dockerfile:2: nothing can be mounted on \//);
      }
    });
  });

  describe('--mount=type=cache', () => {
    it('outlives builds and is in no layer', async () => {
      const lines =
        'RUN --mount=type=cache,target=/root/.cache/x echo more >> /root/.cache/x/log; wc -l < /root/.cache/x/log';
      assert.equal(await outputOf(lines), '1\n');
      assert.equal(await outputOf(lines, { noCache: true }), '2\n');
      assert.deepEqual(await added(lines, { noCache: true }), ALWAYS);
    });

    it('is told apart by its ID, and has owner and mode', async () => {
      const lines = (id: string) =>
        `RUN --mount=type=cache,id=${id},target=/c,uid=5,gid=6,mode=750 touch /c/${id}; ls /c; stat -c '%u %g %a' /c`;
      assert.equal(await outputOf(lines('one')), 'one\n5 6 750\n');
      assert.equal(await outputOf(lines('two')), 'two\n5 6 750\n');
    });

    it('begins with files of a stage', async () => {
      const text = [
        'FROM busybox AS seed',
        'RUN mkdir /s && echo seed > /s/f',
        'FROM busybox',
        'RUN --mount=type=cache,target=/c,from=seed,source=/s cat /c/f; echo x > /c/g',
        'RUN --mount=type=cache,target=/c,from=seed,source=/s ls /c',
      ].join('\n');
      assert.equal((await scratch.build(text)).output, 'seed\nf\ng\n');
    });

    /** Two stages whose steps use a cache at the same time, if they may. */
    const pair = async (sharing: string, command: (me: string, other: string) => string) => {
      const stage = (me: string, other: string) => [
        `FROM busybox AS ${me}`,
        `RUN --mount=type=cache,id=${sharing},target=/c,sharing=${sharing} ${command(me, other)}; cp /c/log /log-${me}`,
      ];
      const copies = ['a', 'b'].map((me) => `COPY --from=${me} /log-${me} /`);
      const text = [...stage('a', 'b'), ...stage('b', 'a'), 'FROM scratch', ...copies].join('\n');
      const { image } = await scratch.build(text);
      return [await scratch.read(image, 'log-a'), await scratch.read(image, 'log-b')].sort();
    };
    const inAndOut = () => 'echo in >> /c/log; sleep 0.1; echo out >> /c/log';

    it('locked: one step at a time', async () => {
      assert.deepEqual(await pair('locked', inAndOut), ['in\nout\n', 'in\nout\nin\nout\n']);
    });

    it('private: one of its own while another step has it', async () => {
      // Each would wait for ever for a turn in the other's directory.
      const logs = await pair('private', (me) => `ls /c; echo ${me} > /c/log; sleep 0.1`);
      assert.deepEqual(logs, ['a\n', 'b\n']);
    });

    it('shared: both at the same time', async () => {
      const logs = await pair('shared', (me, other) => {
        return `touch /c/${me}; for i in $(seq 600); do test -e /c/${other} && break; sleep 0.05; done; test -e /c/${other} && echo met > /c/log`;
      });
      assert.deepEqual(logs, ['met\n', 'met\n']);
    });

    it('in two places of one step is one directory, whatever its sharing', { timeout: 60_000 }, async () => {
      for (const [first, second] of [
        ['locked', 'locked'],
        ['shared', 'locked'],
        ['private', 'private'],
      ]) {
        const mount = (target: string, sharing?: string) =>
          `--mount=type=cache,id=twice,target=${target},sharing=${sharing}`;
        const lines = `RUN ${mount('/c', first)} ${mount('/d', second)} echo ${first} > /c/x; cat /d/x`;
        assert.equal(await outputOf(lines), `${first}\n`);
      }
    });

    it('that begins with files of a stage does not keep the stage from being made', { timeout: 60_000 }, async () => {
      const users = Array.from({ length: availableParallelism() + 1 }, (_, n) => `user${n}`);
      const text = [
        'FROM busybox AS seed',
        ...[1, 2, 3].map((n) => `RUN mkdir -p /s && echo ${n} > /s/f && sleep 0.1`),
        ...users.flatMap((name) => [
          `FROM busybox AS ${name}`,
          `RUN --mount=type=cache,id=${name},target=/c,from=seed,source=/s cp /c/f /${name}`,
        ]),
        'FROM scratch',
        ...users.map((name) => `COPY --from=${name} /${name} /`),
      ].join('\n');
      const { image } = await scratch.build(text);
      for (const name of users) assert.equal(await scratch.read(image, name), '3\n');
    });

    it('read-only cannot be written', async () => {
      await assert.rejects(run('RUN --mount=type=cache,target=/c,ro touch /c/x'), /non-zero code/);
    });
  });

  describe('--mount=type=tmpfs', () => {
    it('is empty, of the size that is asked for, and gone', async () => {
      const lines = "RUN --mount=type=tmpfs,target=/t,size=1m df -k /t | tail -n 1 | sed 's/  */ /g'; touch /t/x";
      assert.match(await outputOf(lines), /^tmpfs 1024 /);
      assert.deepEqual(await added(lines, { noCache: true }), ALWAYS);
    });
  });

  describe('--mount=type=secret', () => {
    const secrets = new Map([['token', Buffer.from('TOP-SECRET-VALUE')]]);

    it('is a file or a variable, with owner and mode', async () => {
      const lines = [
        "RUN --mount=type=secret,id=token cat /run/secrets/token; stat -c ' %u %a' /run/secrets/token",
        'RUN --mount=type=secret,id=token,target=/s,uid=1001,mode=0440 stat -c "%u %a" /s',
        'RUN --mount=type=secret,id=token,env=TOKEN echo $TOKEN; ls /run/secrets 2>/dev/null || echo none',
      ].join('\n');
      const output = await outputOf(lines, { secrets });
      assert.equal(output, 'TOP-SECRET-VALUE 0 400\n1001 440\nTOP-SECRET-VALUE\nnone\n');
    });

    it('is in no layer, no configuration, no cache key and no file of the builder', async () => {
      const lines =
        'RUN --mount=type=secret,id=token,target=/x/s --mount=type=secret,id=token,env=T test -n "$T" && test -s /x/s';
      const { image } = await run(lines, { secrets });
      assert.deepEqual(await added(lines, { secrets }), ALWAYS);
      const { execFileSync } = await import('node:child_process');
      const found = execFileSync('sh', [
        '-c',
        `grep -rsl TOP-SECRET-VALUE ${scratch.directory} /dev/shm/kobune-* || true`,
      ]);
      assert.equal(found.toString(), '');
      assert.ok(!JSON.stringify(await scratch.store.range({ prefix: ['build-cache'] })).includes('TOP-SECRET'));
      // Another value is no reason to run it again.
      const other = await run(lines, { secrets: new Map([['token', Buffer.from('another')]]) });
      assert.equal(other.image.id, image.id);
    });

    it('that is not given is left out, unless it is required', async () => {
      assert.equal(
        await outputOf('RUN --mount=type=secret,id=none ls /run/secrets 2>/dev/null || echo nothing'),
        'nothing\n',
      );
      await assert.rejects(
        run('RUN --mount=type=secret,id=none,required true'),
        /Dockerfile:2: the secret none is required/,
      );
    });
  });

  describe('--mount=type=ssh', () => {
    it('leads to the agent, with owner and mode', async () => {
      const path = join(scratch.directory, 'agent.sock');
      const agent = createServer((socket) => socket.end('hello from the agent\n'));
      await new Promise<void>((resolve) => agent.listen(path, resolve));
      try {
        const lines = 'USER app\nRUN --mount=type=ssh,uid=1001,mode=0600 stat -c "%F %u %a" $SSH_AUTH_SOCK';
        assert.equal(await outputOf(lines, { ssh: new Map([['default', path]]) }), 'socket 1001 600\n');
      } finally {
        agent.close();
      }
    });

    it('that is not given is left out, unless it is required', async () => {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
      assert.equal(await outputOf('RUN --mount=type=ssh echo ${SSH_AUTH_SOCK:-none}'), 'none\n');
      await assert.rejects(run('RUN --mount=type=ssh,required true'), /the SSH agent default is required/);
    });
  });
});
