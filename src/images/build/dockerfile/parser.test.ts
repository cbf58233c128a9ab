// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DockerfileError, type Instruction, parseDockerfile, parseTrigger, type StageInstruction } from './index.ts';

const parse = (text: string) => parseDockerfile(text, { name: 'Dockerfile' });
/** The instructions after `FROM a`. */
const body = (text: string): readonly StageInstruction[] => parse(`FROM a\n${text}`).stages[0]!.instructions;
const one = <K extends Instruction['kind']>(kind: K, text: string): Extract<StageInstruction, { kind: K }> => {
  const [instruction, ...others] = body(text);
  assert.deepEqual(others, []);
  assert.equal(instruction?.kind, kind);
  return instruction as Extract<StageInstruction, { kind: K }>;
};
const problemOf = (text: string): DockerfileError => {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof DockerfileError, String(error));
    return error;
  }
  assert.fail(`parsed: ${text}`);
};

describe('the format of a Dockerfile', () => {
  it('takes # for a comment only at the beginning of a line', () => {
    assert.deepEqual(one('RUN', "# a\n  # b\nRUN echo 'some # of it'").command, {
      form: 'shell',
      command: "echo 'some # of it'",
    });
  });

  it('joins lines, keeps the spaces of those that follow, and leaves comments and empty lines out', () => {
    assert.equal(one('RUN', 'RUN echo hello \\\n# comment\nworld').text, 'RUN echo hello world');
    assert.equal(one('RUN', 'RUN echo "\\\n     hello\\\n     world"').text, 'RUN echo "     hello     world"');
    assert.equal(one('RUN', 'RUN a && \\\n\n  # x\n\\\n  b').text, 'RUN a &&   b');
    assert.equal(one('RUN', 'RUN a \\  \t\nb').text, 'RUN a b');
    assert.equal(one('RUN', 'RUN a \\').text, 'RUN a');
  });

  it('does not go on after an escape that is escaped', () => {
    assert.deepEqual(
      body('COPY a c:\\\\\nRUN b').map(({ text }) => text),
      ['COPY a c:\\\\', 'RUN b'],
    );
  });

  it('warns of empty lines inside an instruction', () => {
    assert.deepEqual(parse('FROM a\nRUN b \\\n\n  c\n').warnings, [
      { line: 3, message: 'an empty line inside an instruction. Remove it, or make it a comment' },
    ]);
    assert.deepEqual(parse('FROM a\nRUN b \\\n').warnings, []);
  });

  it('does not mind case, leading spaces, tabs, a byte order mark and carriage returns', () => {
    const { stages } = parse('\uFEFFfrom a\r\n\t run\techo hi \\\r\n  there\r\nCmd ["x"]\r\n');
    assert.deepEqual(
      stages[0]!.instructions.map(({ kind, text }) => [kind, text]),
      [
        ['RUN', 'run\techo hi   there'],
        ['CMD', 'Cmd ["x"]'],
      ],
    );
  });

  it('says where each instruction is, and how it stands there', () => {
    const text = '# c\nFROM a\n\nRUN x \\\n # c\n  y\nCOPY <<E /f\n1\nE\n';
    const { from, instructions } = parse(text).stages[0]!;
    assert.deepEqual(from.lines, { start: 2, end: 2 });
    assert.deepEqual(
      instructions.map(({ lines, excerpt }) => [lines.start, lines.end, excerpt]),
      [
        [4, 6, 'RUN x \\\n # c\n  y'],
        [7, 9, 'COPY <<E /f\n1\nE'],
      ],
    );
  });

  it('has no NUL characters', () => {
    const { problem, place } = problemOf('FROM a\nRUN b\0');
    assert.match(problem, /the file has a NUL character, .* Save it as UTF-8/);
    assert.equal(place.line, 2);
    assert.match(problemOf(Buffer.from('FROM a', 'utf16le').toString()).problem, /a NUL character/);
  });

  it('reads text of any language', () => {
    assert.equal(one('LABEL', 'LABEL 名前="値 あり"').pairs[0]!.value, '"値 あり"');
    assert.equal(one('RUN', 'RUN echo こんにちは　世界').command.form, 'shell');
  });
});

describe('parser directives', () => {
  it('are syntax, escape and check, whatever their case and spaces', () => {
    for (const line of ['#escape=`', '# escape =`', '#\tescape= `', '# escape = ` ', '#\t  eScApE=`']) {
      assert.equal(parse(`${line}\nFROM a`).directives.escape, '`', line);
    }
    assert.deepEqual(parse('# syntax=docker/dockerfile:1\n# check=skip=A;error=true\nFROM a').directives, {
      syntax: 'docker/dockerfile:1',
      escape: '\\',
      check: 'skip=A;error=true',
    });
  });

  it('are comments after a comment, an unknown directive, an empty line or an instruction', () => {
    for (const before of ['# About my dockerfile\n', '# unknown=value\n', '\n', 'ARG X\n', '# dir \\\n']) {
      assert.equal(parse(`${before}# escape=\`\nFROM a`).directives.escape, '\\', before);
    }
  });

  it('may be there once', () => {
    assert.match(problemOf('# escape=`\n# Escape=`\nFROM a').message, /^Dockerfile:2: .*escape is there twice/);
    assert.match(problemOf('# escape=x\nFROM a').problem, /must be \\ or `/);
  });

  it('check takes skip, error and experimental, and a build says that it does not fail for it', () => {
    for (const [value, problem] of [
      ['foo=bar', /the parser directive check has no option foo/],
      ['true', /has no option true/],
      ['error=maybe', /error of the parser directive check must be true or false, not maybe/],
    ] as const) {
      const error = problemOf(`# syntax=x\n# check=${value}\nFROM a`);
      assert.match(error.problem, problem, value);
      assert.equal(error.place.line, 2);
    }
    const warnings = (value: string) => parse(`# check=${value}\nFROM a`).warnings.map(({ message }) => message);
    assert.deepEqual(warnings('skip=all ; experimental=all;error=0;'), []);
    assert.deepEqual(warnings('skip=A, B;error=True'), [
      'check=error=true does not fail a build. Check the file with kobune lint',
    ]);
  });

  it('make a backtick the escape, so that Windows paths need none', () => {
    const { stages } = parse('# escape=`\nFROM a\nCOPY testfile.txt c:\\\nRUN dir `\n  c:\\\n');
    assert.deepEqual(
      stages[0]!.instructions.map(({ text }) => text),
      ['COPY testfile.txt c:\\', 'RUN dir   c:\\'],
    );
  });
});

describe('FROM', () => {
  it('begins stages, with names in lower case', () => {
    const { stages, globalArguments } = parse('ARG V=1\nFROM --platform=$BUILDPLATFORM a:$V as Build\nFROM build');
    assert.equal(globalArguments[0]!.parameters[0]!.name, 'V');
    assert.deepEqual(
      stages.map(({ index, name, from }) => [index, name, from.image, from.platform]),
      [
        [0, 'build', 'a:$V', '$BUILDPLATFORM'],
        [1, undefined, 'build', undefined],
      ],
    );
  });

  it('needs a name that begins with a letter', () => {
    for (const name of ['1a', 'a/b', 'é', '-a']) {
      assert.match(problemOf(`FROM a AS ${name}`).problem, /is no name for a stage/, name);
    }
    assert.equal(parse('FROM a AS a.b-c_1').stages[0]!.name, 'a.b-c_1');
  });

  it('must be there, before all but ARG', () => {
    assert.match(problemOf('').problem, /there is no FROM/);
    assert.match(problemOf('# only\nARG A').problem, /there is no FROM/);
    assert.match(problemOf('RUN a\nFROM b').message, /^Dockerfile:1: RUN is before the first FROM/);
    assert.match(problemOf('FROM').problem, /FROM takes an image/);
    assert.match(problemOf('FROM a # the base').problem, /A comment must be on a line of its own/);
  });
});

describe('shell and exec form', () => {
  it('keep strings as JSON has them', () => {
    for (const [text, words] of [
      ['["a","b c"]', ['a', 'b c']],
      ['[ "echo", "$HOME" ]', ['echo', '$HOME']],
      ['["c:\\\\windows\\\\x.exe"]', ['c:\\windows\\x.exe']],
      ['["\\u0041\\n\\t\\"", ""]', ['A\n\t"', '']],
      ['["日本", "a,]"]', ['日本', 'a,]']],
      ['[]', []],
    ] as const) {
      assert.deepEqual(one('CMD', `CMD ${text}`).command, { form: 'exec', words }, text);
    }
  });

  it('take what is no JSON for shell form', () => {
    for (const text of ["['a', 'b']", '["c:\\windows"]', '["a"', '["a",]', '["a"] b', '[ -f x ] && y', 'x ["a"]']) {
      assert.deepEqual(one('CMD', `CMD ${text}`).command, { form: 'shell', command: text }, text);
    }
  });

  it('refuse an array of other things', () => {
    assert.match(problemOf('FROM a\nRUN ["a", 1]').problem, /takes strings only/);
    assert.match(problemOf('FROM a\nENTRYPOINT [["a"]]').problem, /takes strings only/);
  });

  it('need a command', () => {
    for (const kind of ['RUN', 'CMD', 'ENTRYPOINT'])
      assert.match(problemOf(`FROM a\n${kind}`).problem, /needs a command/);
    assert.match(problemOf('FROM a\nRUN []').problem, /needs a command/);
  });

  it('know where flags end', () => {
    assert.deepEqual(one('CMD', 'CMD -- --ignored').command, { form: 'shell', command: '--ignored' });
    assert.match(problemOf('FROM a\nCMD --help').problem, /unknown flag --help: CMD has no flags. Put -- before/);
  });
});

describe('ENV and LABEL', () => {
  it('have names and values, quotes and escapes kept for the expansion', () => {
    assert.deepEqual(one('ENV', 'ENV MY_NAME="John Doe" MY_DOG=Rex\\ The\\ Dog \\\n    MY_CAT=fluffy E=').pairs, [
      { key: 'MY_NAME', value: '"John Doe"' },
      { key: 'MY_DOG', value: 'Rex\\ The\\ Dog' },
      { key: 'MY_CAT', value: 'fluffy' },
      { key: 'E', value: '' },
    ]);
    assert.deepEqual(one('LABEL', 'LABEL "com.example.vendor"="ACME Incorporated" v=\'1 "0\'').pairs, [
      { key: '"com.example.vendor"', value: '"ACME Incorporated"' },
      { key: 'v', value: "'1 \"0'" },
    ]);
  });

  it('have an old form, whose value is the rest of the line', () => {
    assert.deepEqual(one('ENV', 'ENV ONE TWO= THREE=world').pairs, [{ key: 'ONE', value: 'TWO= THREE=world' }]);
    assert.deepEqual(one('LABEL', 'LABEL a \t "b  c"').pairs, [{ key: 'a', value: '"b  c"' }]);
  });

  it('refuse what has no name or no value', () => {
    for (const [text, problem] of [
      ['ENV', /ENV needs a name and a value/],
      ['ENV a', /ENV a has no value/],
      ['ENV a=1 b', /b has no =/],
      ['ENV =1', /no name before =/],
      ['LABEL a=1 =2', /no name before =/],
    ] as const) {
      assert.match(problemOf(`FROM x\n${text}`).problem, problem, text);
    }
  });
});

describe('ARG', () => {
  it('declares several, with defaults or without', () => {
    assert.deepEqual(one('ARG', 'ARG a b=1 c="x y" d=').parameters, [
      { name: 'a', value: undefined },
      { name: 'b', value: '1' },
      { name: 'c', value: '"x y"' },
      { name: 'd', value: '' },
    ]);
    assert.match(problemOf('FROM a\nARG').problem, /ARG needs a name/);
    assert.match(problemOf('FROM a\nARG =1').problem, /no name before =/);
  });
});

describe('COPY and ADD', () => {
  it('take sources and a destination, in JSON where there are spaces', () => {
    const { sources, destination } = one('COPY', 'COPY a b* /c/');
    assert.deepEqual(sources, [
      { kind: 'path', path: 'a' },
      { kind: 'path', path: 'b*' },
    ]);
    assert.equal(destination, '/c/');
    const json = one('ADD', 'ADD ["a b", "c d"]');
    assert.deepEqual([json.sources, json.destination], [[{ kind: 'path', path: 'a b' }], 'c d']);
    for (const text of ['COPY', 'COPY a', 'ADD ["a"]', 'ADD []']) {
      assert.match(problemOf(`FROM x\n${text}`).problem, /needs a source and a destination/, text);
    }
  });

  it('have their flags', () => {
    const copy = one(
      'COPY',
      'COPY --from=build --chown=$U:g --chmod="u=rw X" --link --parents=false --exclude=*.md --exclude=a\\ b x y',
    );
    assert.deepEqual(
      [copy.from, copy.chown, copy.chmod, copy.link, copy.parents, copy.exclude],
      ['build', '$U:g', 'u=rw X', true, false, ['*.md', 'a b']],
    );
    const add = one('ADD', 'ADD --keep-git-dir=true --checksum=sha256:ab --unpack=FALSE https://x/y /z');
    assert.deepEqual([add.keepGitDirectory, add.checksum, add.unpack, add.link], [true, 'sha256:ab', false, false]);
    assert.equal(one('ADD', 'ADD a b').unpack, undefined);
  });

  it('refuse other flags by name', () => {
    for (const [text, problem] of [
      ['COPY --form=x a b', /unknown flag --form: COPY has --from.*Did you mean --from\?/],
      ['ADD --from=x a b', /unknown flag --from: ADD has/],
      ['COPY --link=maybe a b', /--link must be true or false, not maybe/],
      ['COPY --from a b', /--from needs a value/],
      ['COPY --chown=1 --chown=2 a b', /--chown is there twice/],
      ['COPY --from=$x a b', /--from takes no variables/],
      ['WORKDIR --x /a', /unknown flag --x: WORKDIR has no flags/],
    ] as const) {
      assert.match(problemOf(`FROM x\n${text}`).problem, problem, text);
    }
  });
});

describe('here-documents', () => {
  it('are sources of COPY and ADD', () => {
    const { sources } = one('COPY', 'COPY <<a.txt b.txt <<-"c.txt" /d/\nx $y\na.txt\n\t\tz\n\t\n\tc.txt');
    assert.deepEqual(sources, [
      {
        kind: 'heredoc',
        heredoc: {
          name: 'a.txt',
          expand: true,
          content: 'x $y\n',
          raw: 'x $y\n',
          lines: { start: 3, end: 4 },
        },
      },
      { kind: 'path', path: 'b.txt' },
      {
        kind: 'heredoc',
        heredoc: {
          name: 'c.txt',
          expand: false,
          content: 'z\n\n',
          raw: '\t\tz\n\t\n',
          lines: { start: 5, end: 7 },
        },
      },
    ]);
  });

  it('begin at words of their own that are not quoted', () => {
    for (const [command, names] of [
      ['cat <<EOF', ['EOF']],
      ['<<A cat > a && <<B cat > b', ['A', 'B']],
      ['python3 3<<EOF', ['EOF']],
      ["cat <<'a b'", ['a b']],
      ['cat <<E\\OF', ['EOF']],
      ['cat "<<EOF"', []],
      ["cat '<<EOF'", []],
      ['cat <<<word', []],
      ['cat <<< word', []],
      ['cat<<EOF', []],
      ['echo $((1 << 2))', []],
      ['["cat", "<<EOF"]', []],
    ] as const) {
      const text = `RUN ${command}\n${names.map((name) => `body\n${name}\n`).join('')}`;
      assert.deepEqual(
        one('RUN', text).heredocs.map(({ name }) => name),
        names,
        command,
      );
    }
  });

  it('hold comments, continuations and instructions as they are, also with carriage returns', () => {
    const [run, user] = body('RUN <<EOF\n# c\na \\\n\n  FROM b\nEOF\nUSER x');
    assert.equal(run?.kind === 'RUN' && run.heredocs[0]!.content, '# c\na \\\n\n  FROM b\n');
    assert.equal(user?.kind, 'USER');
    assert.equal(one('RUN', 'RUN <<EOF\r\na\r\nEOF\r\n').heredocs[0]!.content, 'a\r\n');
    assert.equal(one('RUN', 'RUN <<EOF\nEOF').heredocs[0]!.content, '');
  });

  it('must end, and be sources', () => {
    assert.match(
      problemOf('FROM a\nRUN <<EOF\nx\n EOF\n').message,
      /^Dockerfile:2: the here-document <<EOF does not end/,
    );
    assert.match(problemOf('FROM a\nCOPY x <<EOF\nEOF').problem, /must be a source of COPY/);
    assert.match(problemOf('FROM a\nUSER <<EOF\nEOF').message, /^Dockerfile:3: unknown instruction: EOF/);
  });
});

describe('RUN --mount', () => {
  it('is read at once where it has no variables', () => {
    const { mounts, network, security } = one(
      'RUN',
      'RUN --mount=type=cache,target=/root/.cache,sharing=locked --mount=from=b,dst=$D --network=none --security=insecure x',
    );
    assert.deepEqual(
      mounts.map(({ options }) => options),
      [
        [
          { name: 'type', value: 'cache' },
          { name: 'target', value: '/root/.cache' },
          { name: 'sharing', value: 'locked' },
        ],
        [
          { name: 'from', value: 'b' },
          { name: 'target', value: '$D' },
        ],
      ],
    );
    assert.deepEqual([network, security], ['none', 'insecure']);
  });

  it('refuses what is wrong by name', () => {
    for (const [flag, problem] of [
      ['--mount=type=cahce,target=/x', /type of --mount must be .*, not cahce. Did you mean cache\?/],
      ['--mount=type=cache', /--mount=type=cache needs target=/],
      ['--mount=typ=cache', /unknown option typ of --mount. Did you mean type\?/],
      ['--mount=constructor=x', /unknown option constructor of --mount/],
      ['--mount=type=tmpfs,target=/x,sharing=locked', /--mount=type=tmpfs has no option sharing/],
      ['--mount=type=tmpfs,target=/x,size=big', /size of --mount/],
      ['--mount=type=secret', /needs id= or target=/],
      ['--mount=type=secret,id=a,mode=9', /mode of --mount must be an octal number, not 9/],
      ['--mount=type=secret,id=a,required=maybe', /required of --mount must be true or false/],
      ['--mount=target=/x,from=$y', /takes no variables/],
      ['--mount=target', /target of --mount needs a value/],
      ["--mount='type=bind,\"target=/x'", /a quote in --mount is not closed/],
      ["--mount='target=/x\"'", /an option of --mount that holds a quote must begin with one/],
      ['--network=some', /--network must be default, none, host, not some/],
      ['--device=x', /RUN --device \(CDI devices\) is not supported/],
    ] as const) {
      assert.match(problemOf(`FROM a\nRUN ${flag} x`).problem, problem, flag);
    }
  });
});

describe('HEALTHCHECK', () => {
  it('has a command and times', () => {
    const text =
      'HEALTHCHECK --interval=1m30s --timeout=3s --start-period=0.5h --start-interval=100ms --retries=2 \\\n  CMD curl -f x || exit 1';
    assert.deepEqual(one('HEALTHCHECK', text).check, {
      command: { form: 'shell', command: 'curl -f x || exit 1' },
      interval: 90e9,
      timeout: 3e9,
      startPeriod: 1800e9,
      startInterval: 100e6,
      retries: 2,
    });
    const { check } = one('HEALTHCHECK', 'HEALTHCHECK cmd ["a", "b"]');
    assert.deepEqual(check !== 'none' && check.command, { form: 'exec', words: ['a', 'b'] });
    assert.equal(one('HEALTHCHECK', 'HEALTHCHECK none').check, 'none');
  });

  it('refuses what is wrong', () => {
    for (const [text, problem] of [
      ['HEALTHCHECK', /needs CMD and a command, or NONE/],
      ['HEALTHCHECK curl x', /needs CMD and a command, or NONE, not curl/],
      ['HEALTHCHECK CMD', /the command after HEALTHCHECK CMD is missing/],
      ['HEALTHCHECK CMD []', /the command after HEALTHCHECK CMD is missing/],
      ['HEALTHCHECK NONE x', /takes no arguments/],
      ['HEALTHCHECK --interval=5 CMD x', /--interval must be a duration/],
      ['HEALTHCHECK --timeout=1us CMD x', /--timeout must be 1ms or longer/],
      ['HEALTHCHECK --retries=-1 CMD x', /--retries must be a number/],
      ['HEALTHCHECK --retry=1 CMD x', /unknown flag --retry/],
      ['HEALTHCHECK --interval=5s NONE', /unknown flag --interval/],
    ] as const) {
      assert.match(problemOf(`FROM a\n${text}`).problem, problem, text);
    }
  });
});

describe('the other instructions', () => {
  it('are read as they stand', () => {
    assert.deepEqual(one('EXPOSE', 'EXPOSE 80 53/udp $P').ports, ['80', '53/udp', '$P']);
    assert.deepEqual(one('VOLUME', 'VOLUME /a /b').paths, ['/a', '/b']);
    assert.deepEqual(one('VOLUME', 'VOLUME ["/a b"]').paths, ['/a b']);
    assert.equal(one('USER', 'USER a:b').user, 'a:b');
    assert.equal(one('WORKDIR', 'WORKDIR /a b').path, '/a b');
    assert.equal(one('STOPSIGNAL', 'STOPSIGNAL SIGKILL').signal, 'SIGKILL');
    assert.equal(one('MAINTAINER', 'MAINTAINER A <a@b.c>').author, 'A <a@b.c>');
    assert.deepEqual(one('SHELL', 'SHELL ["powershell", "-command"]').words, ['powershell', '-command']);
  });

  it('warn of what EXPOSE does not do', () => {
    const { warnings } = parse('FROM a\nEXPOSE 80 8080:80 $P:80 ${P:-80}');
    assert.deepEqual(
      warnings.map(({ line, message }) => [line, message.split(' maps ')[0]]),
      [
        [2, 'EXPOSE 8080:80'],
        [2, 'EXPOSE $P:80'],
      ],
    );
  });

  it('warn of MAINTAINER', () => {
    assert.match(parse('FROM a\nMAINTAINER b').warnings[0]!.message, /MAINTAINER is deprecated/);
  });

  it('need their arguments', () => {
    for (const [text, problem] of [
      ['EXPOSE', /EXPOSE needs a port/],
      ['VOLUME', /VOLUME needs a path/],
      ['VOLUME ["", "/a"]', /a path of VOLUME is empty/],
      ['USER', /USER needs a user/],
      ['WORKDIR', /WORKDIR needs a path/],
      ['STOPSIGNAL', /STOPSIGNAL needs a signal/],
      ['SHELL /bin/sh -c', /SHELL must be in JSON form/],
      ['SHELL []', /SHELL needs a program/],
      ['MAINTAINER', /MAINTAINER needs a name/],
    ] as const) {
      assert.match(problemOf(`FROM a\n${text}`).problem, problem, text);
    }
  });

  it('that are unknown are named, with what may be meant', () => {
    assert.equal(problemOf('FROM a\nRUNN x').message, 'Dockerfile:2: unknown instruction: RUNN. Did you mean RUN?');
    assert.equal(problemOf('FROM a\nworkdri /x').problem, 'unknown instruction: workdri. Did you mean WORKDIR?');
    assert.equal(problemOf('FROM a\nFROBNICATE').problem, 'unknown instruction: FROBNICATE.');
    assert.deepEqual(problemOf('FROM a\n\nRUNN \\\n x').place, {
      file: 'Dockerfile',
      line: 3,
      excerpt: 'RUNN \\\n x',
    });
  });
});

describe('ONBUILD', () => {
  it('keeps the instruction for later, with its here-documents', () => {
    const { trigger, instruction } = one('ONBUILD', 'ONBUILD RUN --mount=target=/m <<EOF \\\n cat\n\thi\nEOF');
    assert.equal(trigger, 'RUN --mount=target=/m <<EOF  cat\n\thi\nEOF');
    assert.equal(instruction.kind, 'RUN');
    const again = parseTrigger(trigger, { name: 'base' });
    assert.deepEqual(again.kind === 'RUN' && again.heredocs[0]!.content, '\thi\n');
    assert.deepEqual(again.kind === 'RUN' && again.mounts, instruction.kind === 'RUN' && instruction.mounts);
  });

  it('refuses ONBUILD, FROM, MAINTAINER and what is wrong by itself', () => {
    for (const [text, problem] of [
      ['ONBUILD', /ONBUILD needs an instruction/],
      ['ONBUILD ONBUILD RUN x', /ONBUILD ONBUILD is not allowed/],
      ['ONBUILD FROM x', /FROM is not allowed after ONBUILD/],
      ['ONBUILD maintainer x', /MAINTAINER is not allowed after ONBUILD/],
      ['ONBUILD COPY x', /COPY needs a source and a destination/],
      ['ONBUILD RUNN x', /unknown instruction: RUNN/],
    ] as const) {
      assert.match(problemOf(`FROM a\n${text}`).problem, problem, text);
    }
    for (const trigger of ['', 'FROM x', 'RUN a\nRUN b', 'ONBUILD RUN x', '# c']) {
      assert.throws(() => parseTrigger(trigger, { name: 'base' }), DockerfileError, trigger);
    }
  });
});
