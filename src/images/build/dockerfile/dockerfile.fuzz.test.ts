// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { heredocMarks } from './heredoc.ts';
import {
  createIgnore,
  DockerfileError,
  expandInstruction,
  expandText,
  expandWord,
  expandWords,
  inspectDockerfile,
  PatternError,
  parseDockerfile,
  parseTrigger,
  pathPattern,
  SyntaxProblem,
} from './index.ts';
import { splitAtSpaces, splitQuoted } from './words.ts';

const SEED = { seed: 20260, numRuns: 400 };

/** Text of pieces that mean something in a Dockerfile, and of anything else. */
const pieces = fc.constantFrom(
  ...[
    'FROM a',
    'FROM a AS b\n',
    'RUN ',
    'COPY ',
    'ADD ',
    'ENV ',
    'LABEL ',
    'ARG ',
    'ONBUILD ',
    'HEALTHCHECK ',
    'CMD ',
    'SHELL ',
  ],
  ...[
    'EXPOSE ',
    'USER ',
    'VOLUME ',
    'WORKDIR ',
    '<<EOF',
    '<<-"E"',
    'EOF\n',
    '\tE\n',
    '--mount=',
    'type=cache,target=/c',
    '--from=x ',
  ],
  ...[
    '\n',
    '\n\n',
    '\\\n',
    '`\n',
    ' ',
    '\t',
    '\r\n',
    '# c\n',
    '# escape=`\n',
    '["a", "b"]',
    '["',
    '"]',
    '"',
    "'",
    '\\',
    '$a',
    '${a',
  ],
  ...[
    ':-',
    '#',
    '%',
    '/',
    '}',
    '=',
    '[',
    ']',
    '{',
    ',',
    '*',
    '**',
    '日本',
    '\uFEFF',
    '\u0000',
    '😀',
    '\ud800',
    '--',
    '-',
    '1',
    'x',
  ],
);
const texts = fc
  .array(fc.oneof({ weight: 12, arbitrary: pieces }, fc.string({ unit: 'binary', maxLength: 6 })), { maxLength: 40 })
  .map((parts) => parts.join(''));

const settings = { escape: '\\' as const, lookup: (name: string) => (name === 'a' ? 'b c"$a"' : undefined) };

function allowed(run: () => unknown, ...errors: (abstract new (...values: never[]) => Error)[]): void {
  try {
    run();
  } catch (error) {
    assert.ok(
      errors.some((kind) => error instanceof kind),
      `${error instanceof Error ? error.stack : error}`,
    );
  }
}

describe('any text as a Dockerfile', () => {
  it('is parsed, or refused with its own error at a line that is there', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const count = text.split('\n').length;
        const read = inspectDockerfile(text, { name: 'D' });
        for (const { place } of read.errors) assert.ok(place.line >= 1 && place.line <= count);
        let end = 0;
        for (const { lines } of read.statements.statements) {
          assert.ok(lines.start > end && lines.end >= lines.start && lines.end <= count);
          end = lines.end;
        }
        allowed(() => parseDockerfile(text, { name: 'D' }), DockerfileError);
        allowed(() => parseTrigger(text, { name: 'D' }), DockerfileError);
        for (const instruction of read.instructions) {
          allowed(() => expandInstruction(instruction, { ...settings, name: 'D' }), DockerfileError);
        }
      }),
      SEED,
    );
  });

  it('is told by the lines that it has: each excerpt stands in the text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const lines = text
          .replace(/^\uFEFF/, '')
          .split('\n')
          .map((line) => line.replace(/\r+$/, ''));
        for (const { lines: at, excerpt } of inspectDockerfile(text, { name: 'D' }).statements.statements) {
          assert.equal(excerpt, lines.slice(at.start - 1, at.end).join('\n'));
        }
      }),
      SEED,
    );
  });
});

describe('any text as a word', () => {
  it('is expanded, or refused with its own error', () => {
    fc.assert(
      fc.property(texts, (text) => {
        for (const expand of [expandWord, expandWords, expandText])
          allowed(() => expand(text, settings), SyntaxProblem);
        heredocMarks(text);
      }),
      SEED,
    );
  });

  it('comes out of quotes as it went in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(expandWord(`"${text.replace(/[\\"$]/g, '\\$&')}"`, settings), text);
        if (!text.includes("'")) assert.equal(expandWord(`'${text}'`, settings), text);
        const escaped = [...text].map((character) => `\\${character}`).join('');
        assert.equal(expandWord(escaped, settings), text);
      }),
      SEED,
    );
  });

  it('is the variable where it is one, and cutting keeps all but the spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const lookup = () => value;
        assert.equal(expandWord('$v', { escape: '\\', lookup }), value);
        assert.equal(expandWord('${v}', { escape: '\\', lookup }), value);
        assert.equal(expandWord('${v#}${v%}', { escape: '\\', lookup }), value + value);
        const words = expandWords('$v', { escape: '\\', lookup });
        assert.equal(
          words.join(''),
          value.replace(/[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g, ''),
        );
      }),
      SEED,
    );
  });

  it('has patterns that mean what a regular expression says', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(letters, patterns, (value, pattern) => {
        const as = (star: string) => pattern.replace(/[*?]/g, (one) => (one === '*' ? star : '.'));
        const results = ['#', '##', '%', '%%'].map((operator) =>
          expandWord(`\${v${operator}${pattern}}`, { escape: '\\', lookup: () => value }),
        );
        const prefix = (star: string) => value.replace(new RegExp(`^${as(star)}`), '');
        const suffixes = Array.from({ length: value.length + 1 }, (_, start) => start).filter((start) =>
          new RegExp(`^${as('.*')}$`).test(value.slice(start)),
        );
        assert.deepEqual(results, [
          prefix('.*?'),
          prefix('.*'),
          value.slice(0, suffixes[suffixes.length - 1] ?? value.length),
          value.slice(0, suffixes[0] ?? value.length),
        ]);
        const first = expandWord(`\${v/${pattern}/-}`, { escape: '\\', lookup: () => value });
        assert.equal(first, value.replace(new RegExp(as('.*')), '-'));
      }),
      { ...SEED, numRuns: 2000 },
    );
  });
});

describe('any text as a pattern of paths', () => {
  const parts = fc.constantFrom('a', 'b', '/', '*', '**', '**/', '?', '[ab]', '[^a]', '.', '\\a', '[', '!', '\n');
  const patterns = fc.array(parts, { maxLength: 8 }).map((found) => found.join(''));
  const paths = fc.array(fc.constantFrom('a', 'b', 'ab', 'a.b', 'ba'), { minLength: 1, maxLength: 4 });

  it('is read, or refused with its own error', () => {
    fc.assert(
      fc.property(fc.oneof(patterns, texts), (text) => {
        allowed(() => createIgnore(text).excludes('a/b'), PatternError);
        allowed(() => pathPattern(text, { doubleStar: false }).matches('a/b'), PatternError);
      }),
      SEED,
    );
  });

  it('never says that a directory needs no walk when something below it is let in', () => {
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 4 }), paths, (lines, names) => {
        let ignore: ReturnType<typeof createIgnore>;
        try {
          ignore = createIgnore(lines.join('\n'));
        } catch {
          return;
        }
        const path = names.join('/');
        if (ignore.excludes(path)) return;
        for (let depth = 1; depth < names.length; depth++) {
          assert.equal(ignore.prunes(names.slice(0, depth).join('/')), false, `${lines.join(' | ')}: ${path}`);
        }
      }),
      { ...SEED, numRuns: 3000 },
    );
  });
});

describe('what was parsed', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', 'B', '0', '.', '/', '_', '-', '$', '{', '}', 'é', '語'),
    minLength: 1,
    maxLength: 8,
  });
  const quotable = fc.string({
    unit: fc.constantFrom('a', ' ', '"', '\\', '\n', '\t', '語', '$', ',', '[', '\u0001'),
    maxLength: 8,
  });

  it('is the same when its instructions are written again', () => {
    const instructions = fc.oneof(
      fc.array(quotable, { minLength: 1, maxLength: 4 }).map((words) => `CMD ${JSON.stringify(words)}`),
      fc.array(quotable, { minLength: 2, maxLength: 4 }).map((words) => `COPY ${JSON.stringify(words)}`),
      fc.tuple(word, word).map(([source, destination]) => `ADD --chown=1:2 ${source} ${destination}`),
      fc
        .tuple(word, quotable)
        .map(([value, more]) => `ENV a=${value} b="${more.replace(/[\\"]/g, '\\$&').replace(/\n/g, '')}"`),
      fc.tuple(word, quotable).map(([name, content]) => `COPY <<E ${name}\n${content}\nE`),
      fc.array(word, { minLength: 1, maxLength: 3 }).map((paths) => `RUN  x ${paths.join(' \\\n# c\n ')}`),
    );
    fc.assert(
      fc.property(fc.array(instructions, { maxLength: 6 }), (lines) => {
        const parsed = parseDockerfile(['FROM x', ...lines].join('\n'), { name: 'D' }).stages[0]!;
        assert.equal(parsed.instructions.length, lines.length);
        const again = parsed.instructions.map((instruction) => {
          const documents =
            'sources' in instruction
              ? instruction.sources.flatMap((source) => (source.kind === 'heredoc' ? [source.heredoc] : []))
              : [];
          return instruction.text + documents.map(({ raw, name }) => `\n${raw}${name}`).join('');
        });
        const meaning = (text: string) =>
          JSON.stringify(parseDockerfile(text, { name: 'D' }).stages[0]!.instructions, (key, value) =>
            ['lines', 'excerpt'].includes(key) ? undefined : value,
          );
        assert.equal(meaning(['FROM x', ...again].join('\n')), meaning(['FROM x', ...lines].join('\n')));
      }),
      SEED,
    );
  });

  it('has words that are what was joined', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), (words) => {
        assert.deepEqual(splitAtSpaces(` ${words.join(' \t ')}\t`), words);
        assert.deepEqual(splitQuoted(` ${words.join(' \t ')}\t`, '\\'), words);
      }),
      SEED,
    );
  });
});

describe('a megabyte of anything', () => {
  const MEGABYTE = 1024 * 1024;
  /** A megabyte takes milliseconds; what grows with the square of the size would take many minutes. */
  const bounded = { timeout: 60_000 };
  const big: readonly (readonly [string, string])[] = [
    ['continuations', `FROM a\nRUN x${' \\\n y'.repeat(MEGABYTE / 4)}`],
    ['comments in a continuation', `FROM a\nRUN x \\\n${'# \n'.repeat(MEGABYTE / 3)}y`],
    ['spaces', `FROM a\nRUN${' '.repeat(MEGABYTE)}x${' '.repeat(MEGABYTE)}\\`],
    ['carriage returns', `FROM a\nRUN x${'\r'.repeat(MEGABYTE)}y`],
    ['a directive with spaces', `#${' '.repeat(MEGABYTE)}escape=${' '.repeat(MEGABYTE)}x`],
    ['here-documents', `FROM a\nRUN ${'<<E '.repeat(MEGABYTE / 8)}\n${'E\n'.repeat(MEGABYTE / 8)}`],
    ['a here-document that does not end', `FROM a\nRUN <<E\n${'\t'.repeat(MEGABYTE)}E \n`],
    ['digits before <<', `FROM a\nRUN ${'1'.repeat(MEGABYTE)}<<`],
    ['flags', `FROM a\nCOPY ${'--exclude=a '.repeat(MEGABYTE / 12)} b c`],
    ['a quote that does not end', `FROM a\nENV a="${'b '.repeat(MEGABYTE / 2)}`],
    ['pairs', `FROM a\nENV ${'a=b '.repeat(MEGABYTE / 4)}`],
    ['brackets', `FROM a\nCMD ${'['.repeat(MEGABYTE)}`],
    ['a mount', `FROM a\nRUN --mount=${'target=a,'.repeat(MEGABYTE / 9)}ro x`],
    ['a size', `FROM a\nRUN --mount=type=tmpfs,target=/a,size=${'1'.repeat(MEGABYTE)} x`],
    ['a duration', `FROM a\nHEALTHCHECK --interval=${'1m'.repeat(MEGABYTE / 2)}x CMD y`],
    ['instructions', `FROM a\n${'RUN x\n'.repeat(MEGABYTE / 6)}`],
    ['unknown instructions', `FROM a\n${'X\n'.repeat(MEGABYTE / 2)}`],
    ['one long keyword', 'R'.repeat(MEGABYTE)],
    ['ports', `FROM a\nEXPOSE ${'$a '.repeat(MEGABYTE / 3)}`],
    ['nested variables', `FROM a\nUSER ${'${a:-'.repeat(MEGABYTE / 5)}`],
    ['dollars', `FROM a\nUSER ${'$'.repeat(MEGABYTE)}`],
    ['stars of a removal', `FROM a\nUSER \${big##${'*a'.repeat(500)}b}`],
    ['stars of a replacement', `FROM a\nUSER \${big//${'a?'.repeat(500)}b/c}`],
  ];
  const value = 'a'.repeat(MEGABYTE / 2);
  for (const [name, text] of big) {
    it(name, bounded, () => {
      const { instructions, errors } = inspectDockerfile(text, { name: 'D' });
      assert.ok(instructions.length + errors.length > 0);
      for (const instruction of instructions) {
        allowed(
          () => expandInstruction(instruction, { escape: '\\', name: 'D', lookup: () => value }),
          DockerfileError,
        );
      }
    });
  }

  it('of .dockerignore', bounded, () => {
    const ignore = createIgnore('*a\n'.repeat(MEGABYTE / 30));
    assert.equal(ignore.excludes('x/y/z'), false);
    const stars = createIgnore('**/a*'.repeat(800));
    assert.equal(stars.excludes(`${'a/'.repeat(2000)}a`), true);
  });
});
