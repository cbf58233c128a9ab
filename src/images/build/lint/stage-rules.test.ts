// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import { describe } from 'node:test';
import { STAGE_RULES } from './stage-rules.ts';
import { testRules } from './testing/rule-cases.ts';

describe('rules about FROM and stages', () => {
  testRules(
    STAGE_RULES,
    {
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
      DL3029: [['FROM --platform=linux/amd64 a:1'], ['FROM --platform=$BUILDPLATFORM a:1', 'FROM a:1']],
      DL3061: [['RUN a\nFROM b:1', 'LABEL a=b\nFROM c:1'], ['ARG A\n# c\nFROM b:1']],
      DL3063: [['FROM a:1 AS scratch', 'FROM a:1 AS context'], ['FROM a:1 AS b']],
      KB1002: [
        ['FROM a:$V', 'ARG V\nFROM a:$W', 'FROM --platform=$P a:1'],
        ['ARG V\nFROM a:$V', 'FROM a:${V:-1}', 'FROM --platform=$TARGETPLATFORM a:1'],
      ],
    },
    {
      DL3026: { registries: ['docker.io', '*.example.com', 'localhost:5000'] },
    },
  );
});
