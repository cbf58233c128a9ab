// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DockerfileError,
  expandInstruction,
  expandMount,
  expandText,
  expandWord,
  expandWords,
  parseDockerfile,
  platformArguments,
  type RunMount,
  readPorts,
  runCommand,
  type StageInstruction,
  SyntaxProblem,
} from './index.ts';

const VARIABLES: Readonly<Record<string, string>> = {
  foo: '/bar',
  str: 'foobarbaz',
  empty: '',
  two: 'a b',
  _x1: 'u',
  path: '/a/b.tar.gz',
  star: 'a*b?c',
};
const options = { escape: '\\' as const, lookup: (name: string) => VARIABLES[name] };
const expand = (word: string) => expandWord(word, options);
const problemOf = (word: string): string => {
  try {
    return `no problem: ${expand(word)}`;
  } catch (error) {
    assert.ok(error instanceof SyntaxProblem, String(error));
    return error.message;
  }
};

describe('the expansion of words', () => {
  it('puts in variables', () => {
    for (const [word, value] of [
      ['$foo', '/bar'],
      ['${foo}_x', '/bar_x'],
      ['$foo_x', ''],
      ['$foo/x', '/bar/x'],
      ['a${foo}b$_x1', 'a/barbu'],
      ['$none', ''],
      ['${none}', ''],
      ['$', '$'],
      ['a$', 'a$'],
      ['$.', '$.'],
      ['$1x', 'x'],
      ['$$foo', 'foo'],
      ['日本$foo', '日本/bar'],
    ] as const) {
      assert.equal(expand(word), value, word);
    }
  });

  it('takes off quotes and escapes', () => {
    for (const [word, value] of [
      ["'$foo'", '$foo'],
      ['"$foo"', '/bar'],
      ['\\$foo', '$foo'],
      ['\\${foo}', '${foo}'],
      ['a\\ b', 'a b'],
      ['"a\\ b"', 'a\\ b'],
      ['"\\"\\$foo\\\\"', '"$foo\\'],
      ["'a\\'", 'a\\'],
      ['\\n', 'n'],
      ['"\\n"', '\\n'],
      ['a"b"\'c\'', 'abc'],
      ['""', ''],
      ['x\\', 'x'],
      ['"it\'s"', "it's"],
    ] as const) {
      assert.equal(expand(word), value, word);
    }
    assert.equal(expandWord('`$foo c:\\x', { ...options, escape: '`' }), '$foo c:\\x');
  });

  it('knows defaults, alternatives and what must be set', () => {
    for (const [word, value] of [
      ['${none:-word}', 'word'],
      ['${empty:-word}', 'word'],
      ['${foo:-word}', '/bar'],
      ['${none-word}', 'word'],
      ['${empty-word}', ''],
      ['${none:+word}', ''],
      ['${empty:+word}', ''],
      ['${foo:+word}', 'word'],
      ['${empty+word}', 'word'],
      ['${none+word}', ''],
      ['${none:-$foo}', '/bar'],
      ['${none:-${none:-${foo}x}y}', '/barxy'],
      ['${none:-"a } b"}', 'a } b'],
      ['${none:-a\\}b}', 'a}b'],
      ['${none:-}', ''],
      ['${foo:?x}', '/bar'],
      ['${empty?x}', ''],
    ] as const) {
      assert.equal(expand(word), value, word);
    }
    assert.equal(problemOf('${none:?set it}'), 'none: set it');
    assert.equal(problemOf('${none?}'), 'none: is not set');
    assert.equal(problemOf('${empty:?}'), 'empty: is empty');
  });

  it('takes off what matches a pattern, and replaces it', () => {
    for (const [word, value] of [
      ['${str#f*b}', 'arbaz'],
      ['${str##f*b}', 'az'],
      ['${str%b*}', 'foobar'],
      ['${str%%b*}', 'foo'],
      ['${str/ba/fo}', 'fooforbaz'],
      ['${str//ba/fo}', 'fooforfoz'],
      ['${str#x}', 'foobarbaz'],
      ['${str#?o}', 'obarbaz'],
      ['${str%a?}', 'foobarb'],
      ['${str##*}', ''],
      ['${str#*}', 'foobarbaz'],
      ['${path##*/}', 'b.tar.gz'],
      ['${path%.*}', '/a/b.tar'],
      ['${path%%.*}', '/a/b'],
      ['${path//\\//_}', '_a_b.tar.gz'],
      ['${path/\\/a/}', '/b.tar.gz'],
      ['${star#a\\*}', 'b?c'],
      ['${star//\\?/!}', 'a*b!c'],
      ['${star//?/x}', 'xxxxx'],
      ['${str/*/x}', 'x'],
      ['${str//o*a/_}', 'f_z'],
      ['${str/$none/x}', 'foobarbaz'],
      ['${str#$none}', 'foobarbaz'],
      ['${none#x}', ''],
      ['${none/x/y}', ''],
      ['${empty//*/y}', 'y'],
      ['${foo//[/]/x}', '/bar'],
    ] as const) {
      assert.equal(expand(word), value, word);
    }
    assert.match(problemOf('${str#\\a}'), /is no escape of a pattern/);
  });

  it('refuses what is not closed, nameless or unknown', () => {
    for (const [word, problem] of [
      ['${foo', /a } is missing after \$\{foo/],
      ['${foo:-x', /a } is missing/],
      ['${str/a', /a \/ is missing/],
      ['${str/a/b', /a } is missing/],
      ['${}', /no variable name/],
      ['${:-x}', /no variable name/],
      ['${{x}}', /no variable name/],
      ['${foo!}', /is not supported/],
      ['${foo:x}', /is not supported/],
      ['"a', /a closing " is missing/],
      ["'a", /a closing ' is missing/],
      ['${none:-"a}', /a closing " is missing/],
      [`${'${x:-'.repeat(200)}`, /nested too deeply/],
    ] as const) {
      assert.match(problemOf(word), problem, word);
    }
  });

  it('tells which variables were asked for', () => {
    const used: string[] = [];
    expandWord('$a ${b:-$c} ${d#e}', { ...options, onUse: (name) => used.push(name) });
    assert.deepEqual(used, ['a', 'c', 'b', 'd']);
  });

  it('bounds what small words can become', () => {
    const long = 'x'.repeat(600_000);
    const lookup = () => long;
    assert.throws(() => expandWord('$a$a', { ...options, lookup }), /the value is longer than 1048576/);
    assert.throws(() => expandWord('"$a$a"', { ...options, lookup }), SyntaxProblem);
    assert.throws(() => expandWord('${a//x/yy}', { ...options, lookup }), SyntaxProblem);
    assert.equal(expandWord('$a', { ...options, lookup }).length, 600_000);
  });

  it('cuts into words at spaces that are not quoted, variables included', () => {
    assert.deepEqual(expandWords('$two "$two" c\\ d  e ""', options), ['a', 'b', 'a b', 'c d', 'e']);
    assert.deepEqual(expandWords('$none', options), []);
  });

  it('leaves quotes in here-documents, and backslashes that escape nothing', () => {
    assert.equal(
      expandText('it\'s "$foo" \\$foo \\\\ \\n \\` a\\\nb ${none:-x}\n', { ...options, escape: '`' }),
      'it\'s "/bar" $foo \\ \\n ` ab x\n',
    );
  });
});

describe('the expansion of instructions', () => {
  const instructionsOf = (text: string) =>
    parseDockerfile(`FROM a\n${text}`, { name: 'Dockerfile' }).stages[0]!.instructions;
  const expanded = (text: string): StageInstruction =>
    expandInstruction(instructionsOf(text)[0]!, { ...options, name: 'Dockerfile' });
  const parts = (text: string, ...names: string[]) => {
    const instruction: Readonly<Record<string, unknown>> = { ...expanded(text) };
    return names.map((name) => instruction[name]);
  };

  it('happens where the reference says', () => {
    assert.deepEqual(parts('ENV abc=bye def=$foo', 'pairs'), [
      [
        { key: 'abc', value: 'bye' },
        { key: 'def', value: '/bar' },
      ],
    ]);
    assert.deepEqual(parts('LABEL "a $foo"="x y"', 'pairs'), [[{ key: 'a /bar', value: 'x y' }]]);
    assert.deepEqual(parts('ARG a=$foo b', 'parameters'), [
      [
        { name: 'a', value: '/bar' },
        { name: 'b', value: undefined },
      ],
    ]);
    assert.deepEqual(parts('WORKDIR ${foo}', 'path'), ['/bar']);
    assert.deepEqual(parts('USER ${none:-some_user}', 'user'), ['some_user']);
    assert.deepEqual(parts('EXPOSE $two 80', 'ports'), [['a', 'b', '80']]);
    assert.deepEqual(parts('VOLUME $foo', 'paths'), [['/bar']]);
    assert.deepEqual(parts('STOPSIGNAL ${none:-9}', 'signal'), ['9']);
    assert.deepEqual(parts('ADD . $foo', 'destination'), ['/bar']);
    assert.deepEqual(
      parts(
        'COPY --chown=$_x1 --chmod=${none:-644} --exclude=$_x1 \\$FOO /quux',
        'sources',
        'chown',
        'chmod',
        'exclude',
      ),
      [[{ kind: 'path', path: '$FOO' }], 'u', '644', ['u']],
    );
  });

  it('does not happen in RUN, CMD, ENTRYPOINT, HEALTHCHECK, SHELL and ONBUILD', () => {
    for (const text of [
      'RUN $foo',
      'CMD $foo',
      'ENTRYPOINT ["$foo"]',
      'HEALTHCHECK CMD $foo',
      'SHELL ["$foo"]',
      'ONBUILD ENV a=$foo',
    ]) {
      assert.deepEqual(expanded(text), instructionsOf(text)[0], text);
    }
  });

  it('happens in here-documents of COPY whose name is not quoted', () => {
    const contents = (text: string) => {
      const instruction = expanded(text);
      assert.equal(instruction.kind, 'COPY');
      return (
        instruction.kind === 'COPY' &&
        instruction.sources.map((source) => source.kind === 'heredoc' && source.heredoc.content)
      );
    };
    assert.deepEqual(contents('COPY <<A <<"B" /x/\n$foo\nA\n$foo\nB'), ['/bar\n', '$foo\n']);
  });

  it('fails with the place', () => {
    assert.throws(
      () => expanded('# c\nUSER ${none:?who}'),
      (error) => error instanceof DockerfileError && error.message === 'Dockerfile:3: none: who',
    );
  });

  it('fails for values with NUL characters, wherever they go', () => {
    const withNul = { ...options, name: 'Dockerfile', lookup: () => 'a\0b' };
    for (const text of ['WORKDIR $x', 'COPY a $x', 'EXPOSE $x', 'COPY <<E /f\n$x\nE']) {
      assert.throws(() => expandInstruction(instructionsOf(text)[0]!, withNul), /Dockerfile:2: .* NUL character/, text);
    }
    const [run] = instructionsOf('RUN --mount=target=$x x');
    assert.ok(run?.kind === 'RUN');
    assert.throws(() => expandMount(run, run.mounts[0]!, withNul), /Dockerfile:2: .* NUL character/);
  });

  it('fills in mounts', () => {
    const mount = (text: string): RunMount => {
      const [run] = instructionsOf(`RUN --mount=${text} x`);
      assert.equal(run?.kind, 'RUN');
      return expandMount(run, run.kind === 'RUN' ? run.mounts[0]! : assert.fail(), { ...options, name: 'Dockerfile' });
    };
    const owner = { uid: 0, gid: 0 };
    for (const [text, result] of [
      ['target=$foo', { type: 'bind', target: '/bar', from: undefined, source: '/', writable: false }],
      ['type=bind,dst=/a,src=b,from=c,rw', { type: 'bind', target: '/a', from: 'c', source: 'b', writable: true }],
      ['destination=/a,rw=false', { type: 'bind', target: '/a', from: undefined, source: '/', writable: false }],
      ['type=cache,target=/c/,sharing=PRIVATE,mode=0700,uid=5,gid=$_x1', undefined],
      [
        'type=cache,target=/c/,sharing=PRIVATE,mode=0700,uid=5',
        {
          type: 'cache',
          target: '/c/',
          id: '/c/',
          readOnly: false,
          sharing: 'private',
          from: undefined,
          source: '/',
          mode: 0o700,
          uid: 5,
          gid: 0,
        },
      ],
      ['type=tmpfs,target=/t,size=1.5k', { type: 'tmpfs', target: '/t', sizeBytes: 1536 }],
      [
        'type=secret,id=a/b',
        {
          type: 'secret',
          id: 'a/b',
          target: '/run/secrets/b',
          environment: undefined,
          required: false,
          mode: 0o400,
          ...owner,
        },
      ],
      [
        'type=secret,target=/x/y,required',
        { type: 'secret', id: 'y', target: '/x/y', environment: undefined, required: true, mode: 0o400, ...owner },
      ],
      [
        'type=secret,id=K,env=K',
        { type: 'secret', id: 'K', target: undefined, environment: 'K', required: false, mode: 0o400, ...owner },
      ],
      ['type=ssh', { type: 'ssh', id: 'default', target: undefined, required: false, mode: 0o600, ...owner }],
    ] as const) {
      if (result === undefined) assert.throws(() => mount(text), /gid of --mount must be a number, not u/);
      else assert.deepEqual(mount(text), result, text);
    }
    const [run] = instructionsOf(`RUN --mount='type=bind,"target=/a,b","source=a""b"' x`);
    assert.deepEqual(run?.kind === 'RUN' && run.mounts[0]!.options.map(({ value }) => value), ['bind', '/a,b', 'a"b']);
  });
});

describe('what RUN executes', () => {
  const command = (text: string) => {
    const [run] = parseDockerfile(`FROM a\n${text}`, { name: 'Dockerfile' }).stages[0]!.instructions;
    assert.ok(run?.kind === 'RUN');
    return runCommand(run, ['/bin/sh', '-c']);
  };

  it('is the words, or the shell with the line', () => {
    assert.deepEqual(command('RUN ["a", "b"]'), { words: ['a', 'b'], script: undefined });
    assert.deepEqual(command('RUN a  b'), { words: ['/bin/sh', '-c', 'a  b'], script: undefined });
  });

  it('is a here-document alone as a script of the shell', () => {
    assert.deepEqual(command('RUN <<-EOF\n\tmkdir -p $x\nEOF').words, ['/bin/sh', '-c', 'mkdir -p $x\n']);
  });

  it('is a file where the here-document names its interpreter', () => {
    assert.deepEqual(command('RUN <<EOT\n#!/usr/bin/env python\nprint(1)\nEOT'), {
      words: ['/dev/pipes/EOT'],
      script: { name: 'EOT', content: '#!/usr/bin/env python\nprint(1)\n' },
    });
    assert.deepEqual(command('RUN <<"../x"\n#!/bin/sh\n../x').words, ['/dev/pipes/__x']);
  });

  it('gives the shell the here-documents of other commands', () => {
    assert.deepEqual(command('RUN <<-A cat > a && <<"B" cat > b\n\t1\n\tA\n2\nB').words, [
      '/bin/sh',
      '-c',
      '<<-A cat > a && <<"B" cat > b\n\t1\nA\n2\nB',
    ]);
    for (const line of ['<<EOT bash', '<<-"EOT" cat > /a', '<<EOT | tee /a']) {
      assert.deepEqual(command(`RUN ${line}\nset -ex\nEOT`).words, ['/bin/sh', '-c', `${line}\nset -ex\nEOT`]);
    }
  });
});

describe('ports of EXPOSE', () => {
  it('have a protocol, and may be ranges', () => {
    assert.deepEqual(readPorts('80'), ['80/tcp']);
    assert.deepEqual(readPorts('53/UDP'), ['53/udp']);
    assert.deepEqual(readPorts('8000-8002/sctp'), ['8000/sctp', '8001/sctp', '8002/sctp']);
    for (const word of ['8080:80', '127.0.0.1:8080:80/tcp', '127.0.0.1::80', ':80', '[::1]:8080:80', '8080-8081:80']) {
      assert.deepEqual(readPorts(word), ['80/tcp'], word);
    }
    for (const word of ['', 'x', '70000', '80/xyz', '9-8', '-1', '80:', 'x:80', '1:2:80', '80:x', '::80']) {
      assert.throws(() => readPorts(word), SyntaxProblem, word);
    }
  });
});

describe('platform arguments', () => {
  it('tell both platforms and their parts', () => {
    const built = platformArguments(
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    );
    assert.equal(built.BUILDPLATFORM, 'linux/amd64');
    assert.equal(built.TARGETPLATFORM, 'linux/arm/v7');
    assert.equal(built.TARGETVARIANT, 'v7');
    assert.equal(built.BUILDVARIANT, '');
  });
});
