import { describe } from 'node:test';
import { PACKAGE_RULES } from './package-rules.ts';
import { testRules } from './testing/rule-cases.ts';

describe('rules about packages', () => {
  testRules(PACKAGE_RULES, {
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
      [
        'RUN apk add --no-cache a',
        'RUN apk --no-cache add a',
        'RUN --mount=type=cache,target=/var/cache/apk apk add a',
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
    DL3041: [
      ['RUN dnf install -y a'],
      ['RUN dnf install -y a-1', 'RUN dnf install -y --setopt install_weak_deps=0 a-1'],
    ],
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
    DL3060: [
      ['RUN yarn install'],
      [
        'RUN yarn install && yarn cache clean',
        'RUN --mount=type=cache,target=/root/.yarn yarn install',
        'RUN yarn build',
      ],
    ],
    DL3062: [
      ['RUN go install example.com/a', 'RUN go install -ldflags x example.com/a/b'],
      ['RUN go install example.com/a@v1', 'RUN go install ./...', 'RUN go install', 'RUN go build example.com/a'],
    ],
  });
});
