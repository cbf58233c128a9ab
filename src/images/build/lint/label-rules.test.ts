// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import { describe } from 'node:test';
import { LABEL_RULES } from './label-rules.ts';
import { testRules } from './testing/rule-cases.ts';

describe('rules about labels', () => {
  testRules(
    LABEL_RULES,
    {
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
      DL3058: [['LABEL v=me', 'LABEL v="a b@c"'], ['LABEL v=me@example.com']],
    },
    {
      DL3049: { labels: new Map([['v', 'text']]) },
      DL3050: { labels: new Map([['v', 'text']]), strictLabels: true },
      DL3051: { labels: new Map([['v', 'semver']]) },
      DL3052: { labels: new Map([['v', 'url']]) },
      DL3053: { labels: new Map([['v', 'rfc3339']]) },
      DL3054: { labels: new Map([['v', 'spdx']]) },
      DL3055: { labels: new Map([['v', 'hash']]) },
      DL3056: { labels: new Map([['v', 'semver']]) },
      DL3058: { labels: new Map([['v', 'email']]) },
    },
  );
});
