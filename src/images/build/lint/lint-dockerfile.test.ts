// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LINT_RULES, type LintOptions, lintDockerfile } from './index.ts';
import { FILE_RULES } from './lint-dockerfile.ts';
import { testRules } from './testing/rule-cases.ts';

const lint = (text: string, options: Partial<LintOptions> = {}) =>
  lintDockerfile(text, { name: 'Dockerfile', ...options }).findings;
const rulesIn = (text: string, options?: Partial<LintOptions>) => [
  ...new Set(lint(text, options).map(({ rule }) => rule)),
];

describe('rules about the whole file', () => {
  testRules(
    FILE_RULES,
    {
      DL1000: [['RUNN x', 'FROM', 'FROM a:1\nRUN <<E\n', '# empty'], ['RUN x']],
      DL1001: [['# hadolint ignore=DL3008\nRUN x'], ['# a comment\nRUN x']],
      DL3043: [['ONBUILD ONBUILD RUN x', 'ONBUILD FROM x', 'onbuild maintainer x'], ['ONBUILD RUN x']],
    },
    {
      DL1001: { severities: new Map([['DL1001', 'info']]) },
    },
  );
});

describe('lint rules', () => {
  it('are told in the documentation, with their severities', async () => {
    const text = await readFile(new URL('../../../../docs/compatibility/dockerfile.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| (DL\d+|KB\d+) +\| (\w+) +\| (.*?) *\|$/gm)].map(([, id, severity, about]) => ({
      id,
      severity,
      about,
    }));
    assert.deepEqual(
      rows,
      LINT_RULES.map(({ id, severity, about }) => ({ id, severity, about })),
    );
  });
});

describe('findings', () => {
  it('say where, how bad, what and what to do, by line', () => {
    assert.deepEqual(lint('FROM debian\n\nRUN sudo x'), [
      {
        rule: 'DL3006',
        severity: 'warning',
        file: 'Dockerfile',
        line: 1,
        message: 'debian is whatever is newest that day. Write a tag: debian:…',
      },
      {
        rule: 'DL3004',
        severity: 'error',
        file: 'Dockerfile',
        line: 3,
        message: 'sudo has no terminal and other rights here. Use USER, or gosu',
      },
    ]);
  });

  it('go on after what cannot be parsed', () => {
    assert.deepEqual(
      lint('FROM a:1\nCOPY x\nRUN [1]\nRUNN y\nWORKDIR z').map(({ rule, line }) => [rule, line]),
      [
        ['DL1000', 2],
        ['DL1000', 3],
        ['DL1000', 4],
        ['DL3000', 5],
      ],
    );
  });

  it('are none for a file that does all well', () => {
    const text = `# syntax=docker/dockerfile:1
FROM node:22.1-alpine AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
RUN npm run build
FROM node:22.1-alpine
WORKDIR /app
COPY --from=build /app/dist ./dist
USER node
HEALTHCHECK --interval=30s CMD node healthcheck.js
EXPOSE 3000
CMD ["node", "dist/server.js"]
`;
    assert.deepEqual(lint(text), []);
  });

  it('are ignored by comments above an instruction or among its lines, or in the whole file', () => {
    const where = (text: string) =>
      lint(text)
        .filter(({ rule }) => rule === 'DL3004')
        .map(({ line }) => line);
    assert.deepEqual(where('FROM a:1\n# hadolint ignore=DL3004\nRUN sudo a\nCOPY a /\nRUN sudo b'), [5]);
    assert.deepEqual(where('FROM a:1\n#kobune ignore=dl3001, DL3004 # we know\n\n# more\nRUN sudo a'), []);
    assert.deepEqual(where('FROM a:1\nRUN sudo a \\\n # hadolint ignore=DL3004\n b'), []);
    assert.deepEqual(where('# hadolint global ignore=DL3004\nFROM a:1\nRUN sudo a\nCOPY a /\nRUN sudo b'), []);
    assert.deepEqual(where('FROM a:1\n# hadolint ignore=DL3003\nRUN sudo a'), [3]);
  });

  it("are ignored by BuildKit's directive, for the checks that both have", () => {
    assert.deepEqual(rulesIn('# check=skip=JSONArgsRecommended;error=true\nFROM a:1\nCMD a'), []);
    assert.deepEqual(rulesIn('# check=skip=all\nFROM a:1\nCMD a\nMAINTAINER b\nRUN sudo c'), ['DL3004']);
    assert.equal(lintDockerfile('# check=error=true\nFROM a', { name: 'D' }).strict, true);
    assert.equal(lintDockerfile('FROM a', { name: 'D' }).strict, false);
  });

  it('have other severities when asked to', () => {
    const severities = new Map([['DL3006', 'error'] as const]);
    assert.equal(lint('FROM a', { severities })[0]!.severity, 'error');
    assert.deepEqual(lint('FROM a', { ignore: ['dl3006'] }), []);
  });

  it('are looked for in anything', () => {
    const pieces = fc.constantFrom(
      ...[
        'FROM a AS b\n',
        'RUN ',
        'apt-get install ',
        'pip install a ',
        '$(',
        ')',
        '`',
        '|',
        '&&',
        ';',
        '>',
        '<',
        '2>&1',
        '"',
        "'",
      ],
      ...[
        '\\',
        '\n',
        '# hadolint ignore=DL3008\n',
        'ENV a=$a b=',
        'LABEL a=',
        'COPY --from=b x y\n',
        'ONBUILD ',
        '((',
        '${',
        '}',
        'é',
      ],
      ...['<<E\n', 'E\n', 'for i in x; do ', 'case x in ', 'SHELL ["x"]\n', 'FROM $'],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        const text = parts.join('');
        for (const { line } of lint(text, { severities: new Map(LINT_RULES.map(({ id }) => [id, 'info'])) })) {
          assert.ok(line >= 1 && line <= text.split('\n').length);
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  it('take no more than the length of the file to find', { timeout: 60_000 }, () => {
    const times = 20_000;
    const big: readonly (readonly [string, readonly string[]])[] = [
      [`FROM a:1\n${'RUN apt-get install a | b\n'.repeat(times)}`, ['DL3008', 'DL3014', 'DL3015', 'DL4006', 'DL3059']],
      [`FROM a:1\n${'COPY a.tar /x\nRUN tar xf b.tar\n'.repeat(times)}`, []],
      [`FROM a:1\nENV ${'a=$b '.repeat(times * 5)}`, []],
      [`FROM a:1\nRUN ${'$('.repeat(times * 5)}`, []],
      [`FROM a:1\nRUN ${'`a "$(b '.repeat(times * 5)}`, []],
      [
        Array.from({ length: times }, (_, index) => `FROM s${index} AS s${index + 1}\nRUN a\n`).join(''),
        ['DL1000', 'DL3006'],
      ],
      [`FROM a:1\n${'# hadolint ignore=DL3008\nRUN x\n'.repeat(times)}`, ['DL3059']],
      [`FROM a:1\n${'LABEL a=b C=d\n'.repeat(times)}`, ['DL3048']],
    ];
    for (const [text, rules] of big) assert.deepEqual(rulesIn(text), rules);
  });
});
