// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LINT_RULES, type LintOptions, lintDockerfile } from './index.ts';

const lint = (text: string, options: Partial<LintOptions> = {}) =>
  lintDockerfile(text, { name: 'Dockerfile', ...options }).findings;
const rulesIn = (text: string, options?: Partial<LintOptions>) => [
  ...new Set(lint(text, options).map(({ rule }) => rule)),
];

/** Options under which a rule can find something. */
const OPTIONS: Readonly<Record<string, Partial<LintOptions>>> = {
  DL1001: { severities: new Map([['DL1001', 'info']]) },
  DL3057: { severities: new Map([['DL3057', 'warning']]) },
  DL3026: { registries: ['docker.io', '*.example.com', 'localhost:5000'] },
  DL3049: { labels: new Map([['v', 'text']]) },
  DL3050: { labels: new Map([['v', 'text']]), strictLabels: true },
  DL3051: { labels: new Map([['v', 'semver']]) },
  DL3052: { labels: new Map([['v', 'url']]) },
  DL3053: { labels: new Map([['v', 'rfc3339']]) },
  DL3054: { labels: new Map([['v', 'spdx']]) },
  DL3055: { labels: new Map([['v', 'hash']]) },
  DL3056: { labels: new Map([['v', 'semver']]) },
  DL3058: { labels: new Map([['v', 'email']]) },
};

/** Of each rule: what it finds something in, and what not. `FROM a:1` is put before what has no FROM. */
const CASES: Readonly<Record<string, readonly [bad: readonly string[], good: readonly string[]]>> = {
  DL1000: [['RUNN x', 'FROM', 'FROM a:1\nRUN <<E\n', '# empty'], ['RUN x']],
  DL1001: [['# hadolint ignore=DL3008\nRUN x'], ['# a comment\nRUN x']],
  DL3000: [
    ['WORKDIR a', 'WORKDIR "a"'],
    ['WORKDIR /a', 'WORKDIR "/a"', 'WORKDIR $A', 'WORKDIR c:\\x'],
  ],
  DL3001: [
    ['RUN ssh x', 'RUN a && top', 'RUN ["/usr/bin/vim"]'],
    ['RUN echo ssh', 'RUN apt-get install vim'],
  ],
  DL3002: [
    ['USER root', 'USER a\nUSER 0:0', 'FROM a:1\nUSER a\nFROM a:1\nUSER root'],
    ['USER a', 'USER root\nRUN x\nUSER a', 'FROM a:1\nUSER root\nFROM a:1\nUSER a', 'USER rooted'],
  ],
  DL3003: [
    ['RUN cd /a && b', 'RUN <<E\ncd /a\nE'],
    ['RUN echo cd', 'WORKDIR /a\nRUN b'],
  ],
  DL3004: [['RUN sudo x', 'RUN a; sudo b'], ['RUN apt-get install sudo']],
  DL3006: [
    ['FROM a', 'FROM reg.io:5000/a', 'FROM --platform=$BUILDPLATFORM a'],
    [
      'FROM a:1',
      'FROM a@sha256:1',
      'FROM scratch',
      'FROM a:1 AS b\nFROM b',
      'ARG V=a:1\nFROM $V',
      'FROM reg.io:5000/a:1',
    ],
  ],
  DL3007: [['FROM a:latest'], ['FROM a:1', 'FROM a:latest@sha256:1', 'FROM a:1 AS b\nFROM b']],
  DL3008: [
    [
      'RUN apt-get install -y a',
      'RUN apt-get -y install a=1 b',
      'RUN x && DEBIAN_FRONTEND=y apt-get install -y a \\\n b',
    ],
    [
      'RUN apt-get install -y a=1',
      'RUN apt-get install -y ./a.deb',
      'RUN apt-get install -y -t sid a=1',
      'RUN apt-get install -y $P',
      'RUN apt-get install a/sid',
      'RUN apt-get update',
    ],
  ],
  DL3009: [
    ['RUN apt-get update && apt-get install -y a=1', 'FROM a:1 AS b\nRUN apt-get update\nFROM b'],
    [
      'RUN apt-get update && apt-get install a=1 && rm -rf /var/lib/apt/lists/*',
      'RUN --mount=type=cache,target=/var/lib/apt apt-get update',
      'FROM a:1 AS b\nRUN apt-get update\nFROM a:1',
    ],
  ],
  DL3010: [
    ['COPY a.tar.gz /x/\nRUN tar -xzf /x/a.tar.gz', 'COPY b/a.tgz /x\nRUN y && tar xf a.tgz'],
    [
      'COPY a.tar.gz /x',
      'ADD a.tar.gz /x',
      'COPY --from=b a.tar.gz /x\nRUN tar xf /x/a.tar.gz',
      'COPY a.tar /x\nRUN tar cf b.tar',
    ],
  ],
  DL3011: [
    ['EXPOSE 80000', 'EXPOSE 1-70000/udp'],
    ['EXPOSE 80 65535/udp', 'EXPOSE $P'],
  ],
  DL3012: [
    ['HEALTHCHECK CMD a\nHEALTHCHECK CMD b'],
    ['HEALTHCHECK CMD a', 'FROM a:1\nHEALTHCHECK CMD a\nFROM b:1\nHEALTHCHECK CMD a'],
  ],
  DL3013: [
    ['RUN pip install a', 'RUN python3 -m pip install a', 'RUN pip3 install --no-cache-dir a==1 b'],
    [
      'RUN pip install a==1 "b>=2" c~=1',
      'RUN pip install -r r.txt',
      'RUN pip install .',
      'RUN pip install ./a',
      'RUN pip install a@git+https://x/y@1',
      'RUN pip install -c c.txt a',
      'RUN pip install a.whl',
      'RUN pip list',
    ],
  ],
  DL3014: [
    ['RUN apt-get install a', 'RUN apt-get install --no-install-recommends a'],
    [
      'RUN apt-get install -y a',
      'RUN apt-get -yq install a',
      'RUN apt-get install --yes a',
      'RUN apt-get -qq install a',
      'RUN apt-get install --assume-yes a',
    ],
  ],
  DL3015: [
    ['RUN apt-get install -y a'],
    ['RUN apt-get install --no-install-recommends a', 'RUN apt-get -o APT::Install-Recommends=false install a'],
  ],
  DL3016: [
    ['RUN npm install -g a', 'RUN npm i a@1 @b/c'],
    [
      'RUN npm install',
      'RUN npm ci',
      'RUN npm install -g a@1 @b/c@2',
      'RUN npm install ./a',
      'RUN npm i git+ssh://x/y',
      'RUN npm install a/b',
      'RUN npm i a.tgz',
      'RUN npm install --prefix /x',
    ],
  ],
  DL3018: [
    ['RUN apk add a', 'RUN apk add --no-cache a=1 b', 'RUN apk --no-cache add a'],
    [
      'RUN apk add a=1',
      'RUN apk add "a>1" b~2',
      'RUN apk add --virtual .build a=1',
      'RUN apk add -t x a=1',
      'RUN apk add ./a.apk',
      'RUN apk del a',
    ],
  ],
  DL3019: [
    ['RUN apk add a=1', 'RUN apk add --update a'],
    ['RUN apk add --no-cache a', 'RUN apk --no-cache add a', 'RUN --mount=type=cache,target=/var/cache/apk apk add a'],
  ],
  DL3020: [
    ['ADD a /b', 'ADD . /b', 'ADD <<E /b\nx\nE'],
    ['ADD a.tar.gz /b', 'ADD https://x/y /b', 'ADD git@x:y /b', 'ADD $A /b', 'COPY a /b', 'ADD https://x/y.git#v1 /b'],
  ],
  DL3021: [
    ['COPY a b /c', 'COPY ["a", "b", "c"]'],
    ['COPY a b /c/', 'COPY a b .', 'COPY a b ./', 'COPY a /c', 'COPY a b $C'],
  ],
  DL3022: [
    ['COPY --from=b x y', 'FROM a:1 AS b\nCOPY --from=1 x y', 'FROM a:1\nCOPY --from=b x y\nFROM a:1 AS b'],
    [
      'FROM a:1 AS b\nFROM c:1\nCOPY --from=b x y',
      'COPY --from=b:1 x y',
      'FROM a:1\nFROM b:1\nCOPY --from=0 x y',
      'COPY --from=x.io/b x y',
    ],
  ],
  DL3023: [['FROM a:1 AS b\nCOPY --from=b x y'], ['FROM a:1 AS b\nFROM c:1 AS d\nCOPY --from=b x y']],
  DL3024: [['FROM a:1 AS b\nFROM c:1 AS B'], ['FROM a:1 AS b\nFROM c:1 AS d\nFROM e:1']],
  DL3025: [
    ['CMD a b', 'ENTRYPOINT a'],
    ['CMD ["a"]', 'ENTRYPOINT []', 'HEALTHCHECK CMD a', 'RUN a'],
  ],
  DL3026: [
    ['FROM quay.io/a:1', 'FROM example.com/a:1'],
    [
      'FROM a:1',
      'FROM b/a:1',
      'FROM r.example.com/a:1',
      'FROM localhost:5000/a:1',
      'FROM a:1 AS b\nFROM b',
      'FROM scratch',
    ],
  ],
  DL3027: [
    ['RUN apt install a', 'RUN apt update'],
    ['RUN apt-get install a', 'RUN apt-cache x'],
  ],
  DL3028: [
    ['RUN gem install a', 'RUN gem install a:1 b'],
    ['RUN gem install a:1', 'RUN gem install a -v 1', 'RUN gem install --version=1 a', 'RUN gem list'],
  ],
  DL3029: [['FROM --platform=linux/amd64 a:1'], ['FROM --platform=$BUILDPLATFORM a:1', 'FROM a:1']],
  DL3030: [
    ['RUN yum install a-1'],
    ['RUN yum install -y a-1', 'RUN yum -y install a', 'RUN yum install --assumeyes a'],
  ],
  DL3032: [
    ['RUN yum install -y a-1'],
    [
      'RUN yum install -y a && yum clean all',
      'RUN yum install -y a && rm -rf /var/cache/yum/*',
      'RUN yum -y clean all',
    ],
  ],
  DL3033: [
    ['RUN yum install -y a', 'RUN yum install -y a-b'],
    ['RUN yum install -y a-1.2', 'RUN yum install -y a.rpm', 'RUN yum install -y @x'],
  ],
  DL3034: [
    ['RUN zypper install a=1', 'RUN zypper remove a'],
    ['RUN zypper install -y a=1', 'RUN zypper -n install a=1', 'RUN zypper --non-interactive in a=1'],
  ],
  DL3035: [['RUN zypper dist-upgrade', 'RUN zypper -n dup'], ['RUN zypper update']],
  DL3036: [
    ['RUN zypper install -y a=1'],
    ['RUN zypper install -y a=1 && zypper clean', 'RUN zypper in -y a && zypper cc -a'],
  ],
  DL3037: [
    ['RUN zypper install -y a'],
    ['RUN zypper install -y a=1', "RUN zypper in -y 'a>=1'", 'RUN zypper in -y a.rpm'],
  ],
  DL3038: [['RUN dnf install a-1', 'RUN microdnf install a-1'], ['RUN dnf install -y a-1']],
  DL3040: [
    ['RUN dnf install -y a-1'],
    ['RUN dnf install -y a && dnf clean all', 'RUN --mount=type=cache,target=/var/cache/dnf dnf install -y a'],
  ],
  DL3041: [['RUN dnf install -y a'], ['RUN dnf install -y a-1', 'RUN dnf install -y --setopt install_weak_deps=0 a-1']],
  DL3042: [
    ['RUN pip install a==1', 'RUN pip install -r r.txt'],
    [
      'RUN pip install --no-cache-dir a==1',
      'ENV PIP_NO_CACHE_DIR=1\nRUN pip install a==1',
      'RUN PIP_NO_CACHE_DIR=1 pip install a==1',
      'RUN export PIP_NO_CACHE_DIR=1; pip install a==1',
      'RUN --mount=type=cache,target=/root/.cache/pip pip install a==1',
      'FROM a:1 AS b\nENV PIP_NO_CACHE_DIR=1\nFROM b\nRUN pip install a==1',
    ],
  ],
  DL3043: [['ONBUILD ONBUILD RUN x', 'ONBUILD FROM x', 'onbuild maintainer x'], ['ONBUILD RUN x']],
  DL3044: [
    ['ENV A=1 B=$A', 'ENV A=1 B="${A}x"'],
    [
      'ENV A=1\nENV A=2 B=$A',
      'ENV A=$A:x',
      'ENV PATH=/x:$PATH B=$PATH',
      'ENV A=1 B=$AB',
      'ARG A\nENV A=1 B=$A',
      'FROM a:1 AS b\nENV A=1\nFROM b\nENV A=2 B=$A',
      'ENV A=1 B=\\$A',
    ],
  ],
  DL3045: [
    ['COPY a b', 'COPY a .', 'FROM a:1 AS b\nWORKDIR /x\nFROM c:1\nCOPY a b'],
    ['WORKDIR /x\nCOPY a b', 'COPY a /b', 'COPY a $B', 'FROM a:1 AS b\nWORKDIR /x\nFROM b\nCOPY a c', 'COPY a "/b"'],
  ],
  DL3046: [
    ['RUN useradd -u 123456 a', 'RUN useradd --uid=1234567 a'],
    ['RUN useradd -l -u 123456 a', 'RUN useradd -u 12345 a', 'RUN useradd --no-log-init -u 999999 a'],
  ],
  DL3047: [
    ['RUN wget http://x', 'RUN wget -O a http://x'],
    [
      'RUN wget --progress=dot:giga x',
      'RUN wget -q x',
      'RUN wget -nv x',
      'RUN wget -qO- x',
      'RUN wget --quiet x',
      'RUN wget -o log x',
    ],
  ],
  DL3048: [
    ['LABEL A=b', 'LABEL com.docker.x=y', 'LABEL a..b=c', 'LABEL a_b=c', 'LABEL a.=b', 'LABEL "-a"=b'],
    ['LABEL a.b-c=d', 'LABEL org.opencontainers.image.source=x', 'LABEL $A=b', 'LABEL "a"=b'],
  ],
  DL3049: [
    ['RUN x', 'FROM a:1\nLABEL v=1\nFROM b:1'],
    ['LABEL v=1', 'FROM a:1 AS b\nLABEL v=1\nFROM b'],
  ],
  DL3050: [['LABEL v=1 w=2'], ['LABEL v=1']],
  DL3051: [
    ['LABEL v=""', 'LABEL v='],
    ['LABEL v=1.0.0', 'LABEL w=""'],
  ],
  DL3052: [
    ['LABEL v=x', 'LABEL v="not a url"'],
    ['LABEL v=https://x/y', 'LABEL v=$U'],
  ],
  DL3053: [
    ['LABEL v=2024-01-01', 'LABEL v=yesterday'],
    ['LABEL v=2024-01-01T00:00:00Z', 'LABEL v="2024-01-01T00:00:00.5+09:00"'],
  ],
  DL3054: [
    ['LABEL v=Mine', 'LABEL v="MIT OR Mine"'],
    [
      'LABEL v=MIT',
      'LABEL v="(Apache-2.0 OR GPL-2.0-only) AND MIT"',
      'LABEL v="GPL-2.0-only WITH Classpath-exception-2.0"',
      'LABEL v=LicenseRef-x',
    ],
  ],
  DL3055: [
    ['LABEL v=xyz', 'LABEL v=12345678'],
    ['LABEL v=1234567', `LABEL v=${'a'.repeat(40)}`],
  ],
  DL3056: [
    ['LABEL v=1.0', 'LABEL v=v1.0.0'],
    ['LABEL v=1.0.0-rc.1+build', 'LABEL v=1.2.3'],
  ],
  DL3057: [
    ['RUN x', 'FROM a:1\nHEALTHCHECK CMD x\nFROM b:1'],
    ['HEALTHCHECK CMD x', 'HEALTHCHECK NONE', 'FROM a:1 AS b\nHEALTHCHECK CMD x\nFROM b'],
  ],
  DL3058: [['LABEL v=me', 'LABEL v="a b@c"'], ['LABEL v=me@example.com']],
  DL3059: [
    ['RUN a\nRUN b', 'RUN a\n\n# c\nRUN b'],
    ['RUN a\nCOPY a /b\nRUN c', 'RUN a\nRUN --network=none b', 'RUN a\nRUN --mount=type=cache,target=/x b'],
  ],
  DL3060: [
    ['RUN yarn install'],
    [
      'RUN yarn install && yarn cache clean',
      'RUN --mount=type=cache,target=/root/.yarn yarn install',
      'RUN yarn build',
    ],
  ],
  DL3061: [['RUN a\nFROM b:1', 'LABEL a=b\nFROM c:1'], ['ARG A\n# c\nFROM b:1']],
  DL3062: [
    ['RUN go install example.com/a', 'RUN go install -ldflags x example.com/a/b'],
    ['RUN go install example.com/a@v1', 'RUN go install ./...', 'RUN go install', 'RUN go build example.com/a'],
  ],
  DL3063: [['FROM a:1 AS scratch', 'FROM a:1 AS context'], ['FROM a:1 AS b']],
  DL4000: [['MAINTAINER a'], ['LABEL maintainer=a']],
  DL4001: [
    ['RUN wget -q a\nRUN curl b', 'RUN curl a && wget b'],
    ['RUN wget a', 'RUN curl a && curl b', 'RUN apt-get install wget curl'],
  ],
  DL4003: [['CMD ["a"]\nCMD ["b"]'], ['CMD ["a"]', 'FROM a:1\nCMD ["a"]\nFROM b:1\nCMD ["a"]']],
  DL4004: [['ENTRYPOINT ["a"]\nENTRYPOINT ["b"]'], ['ENTRYPOINT ["a"]']],
  DL4005: [['RUN ln -sf /bin/bash /bin/sh'], ['SHELL ["/bin/bash", "-c"]', 'RUN ln -s /a /b']],
  DL4006: [
    ['RUN a | b', 'RUN x && a "|" | b', 'RUN <<E\na | b\nE', 'SHELL ["/bin/sh", "-c"]\nRUN a | b', 'RUN x=$(a | b)'],
    [
      'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN a | b',
      'FROM a:1 AS b\nSHELL ["bash", "-eo", "pipefail", "-c"]\nFROM b\nRUN a | b',
      'RUN set -o pipefail && a | b',
      'RUN a || b',
      "RUN echo 'a | b'",
      'SHELL ["pwsh", "-c"]\nRUN a | b',
      '# hadolint shell=powershell\nFROM a:1\nRUN a | b',
      'RUN ["a", "|", "b"]',
    ],
  ],
  KB1001: [['RUN a \\\n\n b'], ['RUN a \\\n# c\n b']],
  KB1002: [
    ['FROM a:$V', 'ARG V\nFROM a:$W', 'FROM --platform=$P a:1'],
    ['ARG V\nFROM a:$V', 'FROM a:${V:-1}', 'FROM --platform=$TARGETPLATFORM a:1'],
  ],
  KB1003: [
    ['ENV DB_PASSWORD=x', 'ARG NPM_TOKEN', 'ENV api_key=1'],
    ['ENV PASSWORD_FILE=/run/x', 'ENV A=password', 'ARG TOKENIZER=x'],
  ],
  KB1004: [
    ['ENV A b', 'LABEL a b c'],
    ['ENV A=b', 'LABEL "a"=b', 'ENV A='],
  ],
};

describe('lint rules', () => {
  for (const { id } of LINT_RULES) {
    it(`${id} finds what it is about, and nothing else`, () => {
      const [bad, good] = CASES[id] ?? assert.fail('the rule has no cases');
      const text = (lines: string) => (/^FROM|\nFROM|^#? ?empty|^RUNN/i.test(lines) ? lines : `FROM a:1\n${lines}`);
      for (const one of bad)
        assert.ok(rulesIn(text(one), OPTIONS[id]).includes(id), `nothing found in ${JSON.stringify(one)}`);
      for (const one of good)
        assert.ok(!rulesIn(text(one), OPTIONS[id]).includes(id), `found in ${JSON.stringify(one)}`);
    });
  }

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
