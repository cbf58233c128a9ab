import { describe } from 'node:test';
import { COMMAND_RULES } from './command-rules.ts';
import { testRules } from './testing/rule-cases.ts';

describe('rules about what RUN executes', () => {
  testRules(COMMAND_RULES, {
    DL3001: [
      ['RUN ssh x', 'RUN a && top', 'RUN ["/usr/bin/vim"]'],
      ['RUN echo ssh', 'RUN apt-get install vim'],
    ],
    DL3003: [
      ['RUN cd /a && b', 'RUN <<E\ncd /a\nE'],
      ['RUN echo cd', 'WORKDIR /a\nRUN b'],
    ],
    DL3004: [['RUN sudo x', 'RUN a; sudo b'], ['RUN apt-get install sudo']],
    DL3010: [
      ['COPY a.tar.gz /x/\nRUN tar -xzf /x/a.tar.gz', 'COPY b/a.tgz /x\nRUN y && tar xf a.tgz'],
      [
        'COPY a.tar.gz /x',
        'ADD a.tar.gz /x',
        'COPY --from=b a.tar.gz /x\nRUN tar xf /x/a.tar.gz',
        'COPY a.tar /x\nRUN tar cf b.tar',
      ],
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
    DL4001: [
      ['RUN wget -q a\nRUN curl b', 'RUN curl a && wget b'],
      ['RUN wget a', 'RUN curl a && curl b', 'RUN apt-get install wget curl'],
    ],
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
  });
});
