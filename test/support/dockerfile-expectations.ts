// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles look like that.
import type { ExpectedCase } from './dockerfile-cases.ts';

/** Dockerfiles that Debian's buildah 1.28 does not know, or takes otherwise than the Dockerfile reference says; with what the reference says. */
export const EXPECTED: readonly ExpectedCase[] = [
  {
    name: 'FROM a stage in other case',
    dockerfile: 'FROM base AS One\nCOPY a.txt /\nFROM ONE\nCOPY b.txt /',
    tree: { '/a.txt': 'file 644 0:0 "A\\n"', '/b.txt': 'file 644 0:0 "B\\n"' },
  },
  {
    name: 'stages that nobody needs are not built',
    dockerfile: 'FROM base AS unneeded\nRUN false\nFROM base\nCOPY a.txt /',
    tree: { '/a.txt': 'file 644 0:0 "A\\n"' },
  },
  {
    name: 'the removal and replacement of patterns',
    dockerfile:
      'FROM scratch\nCOPY a.txt /\nENV str=foobarbaz\nENV A=${str#f*b} B=${str##f*b} C=${str%b*} D=${str%%b*} E=${str/ba/fo} F=${str//ba/fo}',
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'str=foobarbaz',
        'A=arbaz',
        'B=az',
        'C=foobar',
        'D=foo',
        'E=fooforbaz',
        'F=fooforfoz',
      ],
    },
  },
  {
    name: 'an escape that is no backslash, in words too',
    dockerfile: '# escape=`\nFROM base\nENV A=c:\\x B=`$A\nRUN echo a `\n  b > /x\nLABEL a="`"q`""',
    tree: { '/x': 'file 644 0:0 "a b\\n"' },
    config: {
      Env: ['PATH=/bin:/usr/bin', 'BASE_VARIABLE=from the base', 'A=c:\\x', 'B=$A'],
      Labels: { 'base-label': 'from the base', a: '"q"' },
    },
  },
  {
    name: 'SHELL for CMD and ENTRYPOINT',
    dockerfile: 'FROM base\nSHELL ["/bin/busybox", "sh", "-c"]\nENTRYPOINT a b\nCMD c d',
    config: {
      Shell: ['/bin/busybox', 'sh', '-c'],
      Entrypoint: ['/bin/busybox', 'sh', '-c', 'a b'],
      Cmd: ['/bin/busybox', 'sh', '-c', 'c d'],
    },
  },
  {
    name: 'WORKDIR with dots and slashes',
    dockerfile: 'FROM base\nWORKDIR /a/./b/../c//d/\nRUN pwd > /where',
    tree: { '/where': 'file 644 0:0 "/a/c/d\\n"', '/a/b': undefined, '/a/c/d': 'directory 755 0:0' },
    config: { WorkingDir: '/a/c/d' },
  },
  {
    name: 'VOLUME keeps what is written after it',
    dockerfile: 'FROM base\nENV V=/v\nVOLUME $V\nRUN mkdir -p /v && echo 1 > /v/f',
    tree: { '/v/f': 'file 644 0:0 "1\\n"' },
    config: { Volumes: { '/v': {} } },
  },
  {
    name: 'EXPOSE of a range',
    dockerfile: 'FROM base\nEXPOSE 8000-8002/udp',
    config: { ExposedPorts: { '8000/udp': {}, '8001/udp': {}, '8002/udp': {} } },
  },
  {
    name: 'ARG with several parameters',
    dockerfile: 'FROM base\nARG A=1 B C="x y"\nLABEL l="$A|$B|$C"',
    arguments: { B: 'b' },
    config: { Labels: { 'base-label': 'from the base', l: '1|b|x y' } },
  },
  {
    name: 'HEALTHCHECK with a start interval',
    dockerfile: 'FROM base\nHEALTHCHECK --start-period=10s --start-interval=100ms --retries=5 CMD x',
    config: { Healthcheck: { Test: ['CMD-SHELL', 'x'], StartPeriod: 10e9, StartInterval: 100e6, Retries: 5 } },
  },
  {
    name: 'ONBUILD with a here-document',
    dockerfile:
      'FROM base AS one\nONBUILD RUN <<EOF\necho triggered > /t\nEOF\nONBUILD COPY <<-E /u\n\t$BASE_VARIABLE\n\tE\nFROM one',
    tree: { '/t': 'file 644 0:0 "triggered\\n"', '/u': 'file 644 0:0 "from the base\\n"' },
    config: { OnBuild: undefined },
  },

  {
    name: 'RUN of a here-document',
    dockerfile: 'FROM base\nENV X=x\nRUN <<EOF\necho "$X" > /1\n# a comment\necho \\\n  two > /2\nEOF',
    tree: { '/1': 'file 644 0:0 "x\\n"', '/2': 'file 644 0:0 "two\\n"' },
  },
  {
    name: 'RUN of a here-document without expansion by the shell',
    dockerfile: "FROM base\nENV X=x\nRUN cat <<'EOF' > /1\n$X \\$X\nEOF\nRUN cat <<EOF > /2\n$X \\$X\nEOF",
    tree: { '/1': 'file 644 0:0 "$X \\\\$X\\n"', '/2': 'file 644 0:0 "x $X\\n"' },
  },
  {
    name: 'RUN of a here-document with an interpreter',
    dockerfile: 'FROM base\nRUN <<EOT\n#!/bin/awk -f\nBEGIN { print "awk" > "/x" }\nEOT',
    tree: { '/x': 'file 644 0:0 "awk\\n"', '/dev/pipes': undefined },
  },
  {
    name: 'RUN of several here-documents',
    dockerfile:
      'FROM base\nRUN <<FILE1 cat > file1 && <<-FILE2 cat > file2\nI am\nfirst\nFILE1\n\tI am\n\tsecond\n\tFILE2',
    tree: { '/file1': 'file 644 0:0 "I am\\nfirst\\n"', '/file2': 'file 644 0:0 "I am\\nsecond\\n"' },
  },
  {
    name: 'RUN with a here-document for a program',
    dockerfile: 'FROM base\nRUN <<EOT sh -e\n  echo one > /x\n  true\n  echo two > /x\nEOT\n',
    tree: { '/x': 'file 644 0:0 "two\\n"' },
  },
  {
    name: 'RUN --network=none has no way out',
    dockerfile: 'FROM base\nRUN --network=none ls /sys/class/net > /x',
    tree: { '/x': 'file 644 0:0 "lo\\n"' },
  },
  {
    name: 'RUN --mount=type=cache is not in the image, and stays',
    dockerfile:
      'FROM base AS one\nRUN --mount=type=cache,target=/cache,id=c echo 1 > /cache/f && echo 1 > /done\nFROM base\nCOPY --from=one /done /\nRUN --mount=type=cache,target=/cache,id=c,ro cp /cache/f /got',
    tree: { '/got': 'file 644 0:0 "1\\n"', '/cache': undefined },
  },
  {
    name: 'RUN --mount=type=cache with owner and mode',
    dockerfile:
      'FROM base\nUSER app\nRUN --mount=type=cache,target=/tmp/c,uid=1001,gid=50,mode=0710 stat -c "%a %u:%g" /tmp/c > /tmp/x',
    tree: { '/tmp/x': 'file 644 1001:1002 "710 1001:50\\n"' },
  },
  {
    name: 'RUN --mount=type=bind that is written to',
    dockerfile:
      'FROM base\nRUN --mount=source=dir,target=/m,rw echo 1 > /m/new && cat /m/new /m/c.txt > /x\nRUN --mount=source=dir,target=/m ! touch /m/y && ls /m > /y',
    tree: { '/x': 'file 644 0:0 "1\\nC\\n"', '/y': 'file 644 0:0 "c.txt\\nlink\\nsub\\nup\\n"', '/m': undefined },
  },
  {
    name: 'RUN --mount=type=bind of a file, over a file',
    dockerfile: 'FROM base\nRUN --mount=type=bind,source=a.txt,target=/base/file cat /base/file > /x',
    tree: { '/x': 'file 644 0:0 "A\\n"', '/base/file': 'file 640 7:8 "base\\n"' },
  },
  {
    name: 'RUN --mount=type=tmpfs over what is there',
    dockerfile: 'FROM base\nRUN --mount=type=tmpfs,target=/base,size=1m touch /base/gone && ls /base > /x',
    tree: { '/x': 'file 644 0:0 "gone\\n"', '/base/file': 'file 640 7:8 "base\\n"', '/base/gone': undefined },
  },
  {
    name: 'RUN --mount=type=secret in a variable, and with a mode',
    dockerfile:
      'FROM base\nRUN --mount=type=secret,id=key,env=KEY echo $KEY > /1\nRUN --mount=type=secret,id=key,target=/s,mode=0444,uid=5 stat -c "%a %u" /s > /2\nRUN --mount=type=secret,id=none test ! -e /run/secrets/none',
    secrets: { key: 'hush' },
    tree: {
      '/1': 'file 644 0:0 "hush\\n"',
      '/2': 'file 644 0:0 "444 5\\n"',
      '/s': undefined,
      '/run/secrets/key': undefined,
    },
  },
  {
    name: 'RUN --mount with variables',
    dockerfile: 'FROM base\nARG D=dir\nENV T=/m\nRUN --mount=source=$D,target=${T}/x cat /m/x/c.txt > /c',
    tree: { '/c': 'file 644 0:0 "C\\n"' },
  },

  {
    name: 'COPY of here-documents',
    dockerfile:
      'FROM base\nENV X=x\nCOPY <<greeting.txt <<-"script.sh" /d/\nhello ${X} "$X" \'$X\' \\$X \\n\ngreeting.txt\n\t#!/bin/sh\n\techo $X\n\tscript.sh',
    tree: {
      '/d/greeting.txt': 'file 644 0:0 "hello x \\"x\\" \'x\' $X \\\\n\\n"',
      '/d/script.sh': 'file 644 0:0 "#!/bin/sh\\necho $X\\n"',
    },
  },
  {
    name: 'COPY of a here-document to a name, with owner and mode',
    dockerfile: 'FROM base\nWORKDIR /w\nCOPY --chown=app:staff --chmod=755 <<EOF run.sh\nx\nEOF\nADD <<EOF /empty\nEOF',
    tree: { '/w/run.sh': 'file 755 1001:50 "x\\n"', '/empty': 'file 644 0:0 ""' },
  },
  {
    name: 'COPY --chmod in symbols',
    dockerfile:
      'FROM base\nCOPY --chmod=u=rwX,go=rX dir run.sh private.txt /x/\nCOPY --chmod=+x a.txt /y\nCOPY --chmod=g=u,o= a.txt /z',
    tree: {
      '/x/sub': 'directory 755 0:0',
      '/x/c.txt': 'file 644 0:0 "C\\n"',
      '/x/private.txt': 'file 644 0:0 "P\\n"',
      '/y': 'file 755 0:0 "A\\n"',
      '/z': 'file 660 0:0 "A\\n"',
    },
  },
  {
    name: 'COPY keeps every bit of a mode',
    dockerfile: 'FROM base\nCOPY special/setuid /x/',
    tree: { '/x/setuid': 'file 4755 0:0 "S\\n"' },
  },
  {
    name: 'COPY of names that look like patterns',
    dockerfile: 'FROM base\nCOPY special/arr[[]0].txt /x/',
    tree: { '/x/arr[0].txt': 'file 644 0:0 "brackets\\n"' },
  },
  {
    name: 'COPY --link',
    dockerfile: 'FROM base\nCOPY --link a.txt /to-base/a.txt\nCOPY --link --chown=3:4 dir /linked',
    // It does not look at what is there: the link becomes a directory.
    tree: {
      '/to-base': 'directory 755 0:0',
      '/to-base/a.txt': 'file 644 0:0 "A\\n"',
      '/base/a.txt': undefined,
      '/linked/c.txt': 'file 644 3:4 "C\\n"',
    },
  },
  {
    name: 'COPY --parents',
    dockerfile:
      'FROM scratch\nCOPY ./tree/x/a.txt ./tree/y/a.txt /no/\nCOPY --parents ./tree/x/a.txt ./tree/y/a.txt /all/\nCOPY --parents ./tree/./x/a.txt /some/\nCOPY --parents tree/**/*.txt /deep/',
    tree: {
      '/no/a.txt': 'file 644 0:0 "ya\\n"',
      '/all/tree/x/a.txt': 'file 644 0:0 "xa\\n"',
      '/all/tree/y/a.txt': 'file 644 0:0 "ya\\n"',
      '/some/x/a.txt': 'file 644 0:0 "xa\\n"',
      '/some/tree': undefined,
      '/deep/tree/x/a.txt': 'file 644 0:0 "xa\\n"',
      '/deep/tree/x/y/b.txt': 'file 644 0:0 "xyb\\n"',
      '/deep/tree/y/a.txt': 'file 644 0:0 "ya\\n"',
    },
  },
  {
    name: 'COPY --exclude',
    dockerfile:
      'FROM scratch\nCOPY --exclude=*.md --exclude=2.* --exclude=1-* data /d/\nCOPY --exclude=*.txt *.txt run.sh /e/\nCOPY --exclude=**/a.txt tree /t/',
    tree: {
      '/d/1.log': 'file 644 0:0 "1\\n"',
      '/d/2.log': undefined,
      '/d/x.md': undefined,
      '/e/a.txt': undefined,
      '/e/run.sh': 'file 755 0:0 "#!/bin/sh\\necho ran > /ran\\n"',
      '/t/x/y/b.txt': 'file 644 0:0 "xyb\\n"',
      '/t/x/a.txt': undefined,
    },
  },
  {
    name: 'COPY with a .dockerignore of exceptions below others',
    dockerfile: 'FROM scratch\nCOPY . /c/',
    ignore: '*\n!tree/**/a.txt\n!dir\ndir/sub\n',
    tree: {
      '/c/tree/x/a.txt': 'file 644 0:0 "xa\\n"',
      '/c/tree/x/y/b.txt': undefined,
      '/c/dir/c.txt': 'file 644 0:0 "C\\n"',
      '/c/dir/sub': undefined,
      '/c/a.txt': undefined,
    },
  },
  {
    name: 'COPY of a pattern that matches nothing',
    dockerfile: 'FROM scratch\nCOPY *.nothing a.txt /x/',
    tree: { '/x/a.txt': 'file 644 0:0 "A\\n"' },
  },
  {
    name: 'ADD of an archive that zstd compressed, and one as it is',
    dockerfile: 'FROM base\nADD archive.tar.zst /x/\nADD --unpack=false archive.tar /y/\nADD empty.tar /z/',
    tree: {
      '/x/in/file': 'file 640 5:6 "archived\\n"',
      '/x/in/hard': 'the same as /x/in/file',
      '/x/top': 'file 4711 0:0 "top\\n"',
      '/y/in': undefined,
      '/z/empty.tar': 'file 644 0:0 ""',
    },
  },
  {
    name: 'ADD of an address that is unpacked',
    dockerfile: 'FROM base\nARG URL\nADD --unpack $URL/archive.tar.gz /x/',
    tree: { '/x/in/file': 'file 640 5:6 "archived\\n"' },
  },
  {
    name: 'ADD --checksum',
    dockerfile:
      'FROM base\nARG URL\nADD --checksum=sha256:3f425d6e4255295571081ba3155df48730e537bfdf498c9e7d5e6b44430fe6a9 $URL/one.txt /x',
    tree: { '/x': 'file 600 0:0 "content of one.txt\\n"' },
  },
];
