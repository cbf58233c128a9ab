// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of Dockerfiles look like that.
import { describe } from 'node:test';
import { INSTRUCTION_RULES } from './instruction-rules.ts';
import { testRules } from './testing/rule-cases.ts';

describe('rules about single instructions', () => {
  testRules(
    INSTRUCTION_RULES,
    {
      DL3000: [
        ['WORKDIR a', 'WORKDIR "a"'],
        ['WORKDIR /a', 'WORKDIR "/a"', 'WORKDIR $A', 'WORKDIR c:\\x'],
      ],
      DL3002: [
        ['USER root', 'USER a\nUSER 0:0', 'FROM a:1\nUSER a\nFROM a:1\nUSER root'],
        ['USER a', 'USER root\nRUN x\nUSER a', 'FROM a:1\nUSER root\nFROM a:1\nUSER a', 'USER rooted'],
      ],
      DL3011: [
        ['EXPOSE 80000', 'EXPOSE 1-70000/udp'],
        ['EXPOSE 80 65535/udp', 'EXPOSE $P'],
      ],
      DL3012: [
        ['HEALTHCHECK CMD a\nHEALTHCHECK CMD b'],
        ['HEALTHCHECK CMD a', 'FROM a:1\nHEALTHCHECK CMD a\nFROM b:1\nHEALTHCHECK CMD a'],
      ],
      DL3020: [
        ['ADD a /b', 'ADD . /b', 'ADD <<E /b\nx\nE'],
        [
          'ADD a.tar.gz /b',
          'ADD https://x/y /b',
          'ADD git@x:y /b',
          'ADD $A /b',
          'COPY a /b',
          'ADD https://x/y.git#v1 /b',
        ],
      ],
      DL3021: [
        ['COPY a b /c', 'COPY ["a", "b", "c"]'],
        ['COPY a b /c/', 'COPY a b .', 'COPY a b ./', 'COPY a /c', 'COPY a b $C'],
      ],
      DL3025: [
        ['CMD a b', 'ENTRYPOINT a'],
        ['CMD ["a"]', 'ENTRYPOINT []', 'HEALTHCHECK CMD a', 'RUN a'],
      ],
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
        [
          'WORKDIR /x\nCOPY a b',
          'COPY a /b',
          'COPY a $B',
          'FROM a:1 AS b\nWORKDIR /x\nFROM b\nCOPY a c',
          'COPY a "/b"',
        ],
      ],
      DL3057: [
        ['RUN x', 'FROM a:1\nHEALTHCHECK CMD x\nFROM b:1'],
        ['HEALTHCHECK CMD x', 'HEALTHCHECK NONE', 'FROM a:1 AS b\nHEALTHCHECK CMD x\nFROM b'],
      ],
      DL3059: [
        ['RUN a\nRUN b', 'RUN a\n\n# c\nRUN b'],
        ['RUN a\nCOPY a /b\nRUN c', 'RUN a\nRUN --network=none b', 'RUN a\nRUN --mount=type=cache,target=/x b'],
      ],
      DL4000: [['MAINTAINER a'], ['LABEL maintainer=a']],
      DL4003: [['CMD ["a"]\nCMD ["b"]'], ['CMD ["a"]', 'FROM a:1\nCMD ["a"]\nFROM b:1\nCMD ["a"]']],
      DL4004: [['ENTRYPOINT ["a"]\nENTRYPOINT ["b"]'], ['ENTRYPOINT ["a"]']],
      KB1001: [['RUN a \\\n\n b'], ['RUN a \\\n# c\n b']],
      KB1003: [
        ['ENV DB_PASSWORD=x', 'ARG NPM_TOKEN', 'ENV api_key=1'],
        ['ENV PASSWORD_FILE=/run/x', 'ENV A=password', 'ARG TOKENIZER=x'],
      ],
      KB1004: [
        ['ENV A b', 'LABEL a b c'],
        ['ENV A=b', 'LABEL "a"=b', 'ENV A='],
      ],
    },
    {
      DL3057: { severities: new Map([['DL3057', 'warning']]) },
    },
  );
});
