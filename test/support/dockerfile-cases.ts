// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles look like that.
import type { RunConfig } from '../../src/images/index.ts';

export interface DockerfileCase {
  readonly name: string;
  readonly dockerfile: string;
  readonly arguments?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Contents by id. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly ignore?: string;
  /** Paths that are not compared, with everything below them: why they differ. */
  readonly differs?: Readonly<Record<string, string>>;
}

/** What the Dockerfile reference says that comes out, where Debian's buildah is older than the reference. */
export interface ExpectedCase extends DockerfileCase {
  /** Paths and what is there; undefined: nothing. */
  readonly tree?: Readonly<Record<string, string | undefined>>;
  readonly config?: RunConfig;
}

const MOUNT_POINTS = 'buildah leaves directories of mount points, BuildKit removes them';
const SET_USER_ID = 'the reference keeps modes, buildah takes the set-user-ID bit off';

/** Dockerfiles that both builders build, and what comes out must be the same. `base` is the image of `dockerfile-context.ts`. */
export const SAME: readonly DockerfileCase[] = [
  { name: 'FROM alone', dockerfile: 'FROM base' },
  { name: 'FROM scratch', dockerfile: 'FROM scratch\nCOPY a.txt /' },
  {
    name: 'FROM an earlier stage',
    dockerfile: 'FROM base AS one\nENV A=1\nCOPY a.txt /\nFROM one\nENV B=2\nCOPY b.txt /',
  },
  { name: 'FROM with an ARG', dockerfile: 'ARG IMAGE=ba\nARG END=none\nFROM ${IMAGE}${END:+se}\nCOPY a.txt /' },
  { name: 'FROM with an ARG that is given', dockerfile: 'ARG IMAGE=none\nFROM $IMAGE', arguments: { IMAGE: 'base' } },
  { name: 'a global ARG in a stage', dockerfile: 'ARG V=1\nARG W=2\nFROM base\nARG V\nARG W=3\nENV X=$V-$W' },
  { name: 'a target', dockerfile: 'FROM base AS one\nCOPY a.txt /\nFROM one AS two\nCOPY b.txt /', target: 'one' },
  {
    name: 'COPY --from a stage by name',
    dockerfile:
      'FROM base AS one\nRUN mkdir /o && echo 1 > /o/f && chown 3:4 /o/f\nFROM scratch\nCOPY --from=one /o /p',
  },
  {
    name: 'COPY --from a stage by number',
    dockerfile: 'FROM base\nRUN echo 1 > /f\nFROM scratch\nCOPY --from=0 /f /g',
  },
  { name: 'COPY --from an image', dockerfile: 'FROM scratch\nCOPY --from=base /base/other /etc/passwd /x/' },
  {
    name: 'COPY --from with links and modes',
    dockerfile:
      'FROM base AS one\nRUN mkdir /o && cd /o && echo 1 > f && ln -s f s && chmod 4755 f && mkdir -m 700 d\nFROM scratch\nCOPY --from=one /o/ /p/',
  },

  {
    name: 'ENV in both forms',
    dockerfile: 'FROM base\nENV A=1 B="two words" C=three\\ words D=\nENV E  the rest = of "the line"',
  },
  {
    name: 'ENV with quotes and escapes',
    dockerfile: 'FROM base\nENV A=\'$HOME\' B="\\$HOME" C=\\$HOME D="a\\"b" E=\'a"b\' F="it\'s" G=a"b"c',
  },
  { name: 'ENV sees what was before', dockerfile: 'FROM base\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc' },
  {
    name: 'ENV with defaults and alternatives',
    dockerfile:
      'FROM base\nENV SET=x EMPTY=\nENV A=${SET:-d} B=${EMPTY:-d} C=${NONE:-d} D=${SET:+a} E=${NONE:+a} F=${NONE:-${SET}y}',
  },
  { name: 'ENV over what the base has', dockerfile: 'FROM base\nENV PATH=/x:$PATH\nENV BASE_VARIABLE=changed' },
  { name: 'ENV in RUN', dockerfile: 'FROM base\nENV A="b c"\nRUN echo "$A" > /a; echo $PATH > /path; pwd > /pwd' },
  {
    name: 'ARG in RUN, but not in the image',
    dockerfile: 'FROM base\nARG A=1\nARG B\nARG C=c\nRUN echo $A,$B,$C > /args',
    arguments: { B: 'given', C: 'other' },
  },
  {
    name: 'ENV over ARG',
    dockerfile: 'FROM base\nARG V\nENV V=v1.0.0\nRUN echo $V > /v\nENV W=${V:-none}',
    arguments: { V: 'v2.0.1' },
  },
  { name: 'ENV from ARG', dockerfile: 'FROM base\nARG V\nENV V=${V:-v1.0.0}\nRUN echo $V > /v' },
  {
    name: 'ARG counts from where it stands',
    dockerfile: 'FROM base\nLABEL before=${who:-nobody}\nARG who\nLABEL after=$who',
    arguments: { who: 'ada' },
  },
  {
    name: 'ARG in the words of others',
    dockerfile:
      'FROM base\nARG D=/made\nARG F=a.txt\nARG U=app\nWORKDIR $D\nCOPY $F ${D}/x\nUSER $U\nLABEL d=$D\nEXPOSE 80',
  },

  {
    name: 'LABEL',
    dockerfile:
      'FROM base\nLABEL "com.example.vendor"="ACME Incorporated" version="1.0" \\\n  text="spans \\\nlines"\nLABEL old the form',
  },
  { name: 'LABEL over what the base has', dockerfile: 'FROM base\nLABEL base-label=changed more=1\nLABEL more=2' },
  { name: 'MAINTAINER', dockerfile: 'FROM base\nMAINTAINER Ada <ada@example.com>' },
  { name: 'EXPOSE', dockerfile: 'FROM base\nENV P=9090\nEXPOSE 80 443/tcp 53/udp $P' },
  { name: 'CMD in exec form', dockerfile: 'FROM base\nCMD ["a", "b c", "\\u00e9\\n", ""]' },
  { name: 'CMD in shell form', dockerfile: 'FROM base\nCMD echo "$HOME"   x' },
  { name: 'CMD that is no JSON', dockerfile: "FROM base\nCMD ['a', 'b']" },
  { name: 'the last CMD', dockerfile: 'FROM base\nCMD ["a"]\nCMD ["b"]' },
  { name: 'ENTRYPOINT takes the CMD of the base away', dockerfile: 'FROM base\nENTRYPOINT ["e", "p"]' },
  { name: 'ENTRYPOINT leaves a CMD of this file', dockerfile: 'FROM base\nCMD ["c"]\nENTRYPOINT ["e"]' },
  { name: 'ENTRYPOINT in shell form', dockerfile: 'FROM base\nENTRYPOINT exec top -b\nCMD ["x"]' },
  { name: 'STOPSIGNAL', dockerfile: 'FROM base\nENV S=SIGQUIT\nSTOPSIGNAL $S' },
  { name: 'STOPSIGNAL as a number', dockerfile: 'FROM base\nSTOPSIGNAL 9' },
  {
    name: 'USER by name',
    dockerfile: 'FROM base\nUSER app\nRUN id -u > /tmp/u; id -g > /tmp/g; touch /tmp/f; id -G > /tmp/groups',
  },
  { name: 'USER and group by number', dockerfile: 'FROM base\nUSER 2000:3000\nRUN id -u > /tmp/u; id -g > /tmp/g' },
  { name: 'USER and group by name', dockerfile: 'FROM base\nUSER app:staff\nRUN id -u > /tmp/u; id -g > /tmp/g' },
  { name: 'USER back to root', dockerfile: 'FROM base\nUSER app\nRUN touch /tmp/1\nUSER root\nRUN touch /2' },
  { name: 'WORKDIR', dockerfile: 'FROM base\nWORKDIR /a\nWORKDIR b\nWORKDIR c\nRUN pwd > /where' },
  { name: 'WORKDIR with variables', dockerfile: 'FROM base\nENV DIRPATH=/path\nWORKDIR $DIRPATH/x\nRUN pwd > where' },
  { name: 'WORKDIR that is there', dockerfile: 'FROM base\nWORKDIR /base/inner' },
  {
    name: 'HEALTHCHECK',
    dockerfile:
      'FROM base\nHEALTHCHECK --interval=1m30s --timeout=3s --start-period=5s --retries=2 CMD curl -f x || exit 1',
  },
  { name: 'HEALTHCHECK in exec form', dockerfile: 'FROM base\nHEALTHCHECK CMD ["a", "b c"]' },
  { name: 'HEALTHCHECK NONE', dockerfile: 'FROM base\nHEALTHCHECK NONE' },
  { name: 'ONBUILD', dockerfile: 'FROM base\nONBUILD COPY a.txt /x\nONBUILD RUN echo "a  b"' },
  {
    name: 'ONBUILD of a stage',
    dockerfile: 'FROM base AS one\nONBUILD COPY a.txt /triggered\nONBUILD ENV T=1\nFROM one\nCOPY b.txt /',
    differs: {},
  },

  {
    name: 'RUN in shell form',
    dockerfile: 'FROM base\nRUN echo one > /1 && echo "two  $((1+1))" > /2; echo \'$x\' > /3',
  },
  {
    name: 'RUN in exec form',
    dockerfile:
      'FROM base\nRUN ["/bin/sh", "-c", "echo \\"a  b\\" > /x"]\nRUN ["touch", "/with space", "/$HOME"]'.replace(
        '/$HOME',
        '/dollar',
      ),
  },
  {
    name: 'RUN over lines with comments',
    dockerfile:
      'FROM base\nRUN echo hello \\\n# a comment\n   # another\n  world \\\n  > /x && \\\n  echo "a\\\n   b" > /y',
  },
  {
    name: 'RUN removes files of the base',
    dockerfile: 'FROM base\nRUN rm /base/file && rm -r /base/inner && rm /to-base',
  },
  {
    name: 'RUN makes a directory anew',
    dockerfile: 'FROM base\nRUN rm -r /base && mkdir /base && echo new > /base/new',
  },
  {
    name: 'RUN exchanges a directory for a file, and back',
    dockerfile: 'FROM base\nRUN rm -r /base/inner && echo x > /base/inner && rm /base/file && mkdir /base/file',
  },
  {
    name: 'RUN removes what an earlier one made',
    dockerfile: 'FROM base\nRUN mkdir /d && touch /d/1 /d/2\nRUN rm /d/1\nRUN rm -r /d && mkdir /d',
  },
  {
    name: 'RUN changes modes and owners',
    dockerfile:
      'FROM base\nRUN chmod 4711 /base/file && chown 9:9 /base /base/other && chmod 1777 /base/inner && mkdir -m 2770 /s',
  },
  {
    name: 'RUN makes links, pipes and devices',
    dockerfile:
      'FROM base\nRUN ln -s base/file /soft && ln /base/file /hard && mkfifo /pipe && echo 1 > /a && ln /a /b',
  },
  { name: 'RUN renames', dockerfile: 'FROM base\nRUN mv /base/file /base/moved && mv /base/inner /inner' },
  { name: 'RUN with a mask of modes', dockerfile: 'FROM base\nRUN umask > /mask; touch /f; mkdir /d' },
  { name: 'RUN with strange names', dockerfile: 'FROM base\nRUN touch "/a b" "/é 日本" /.wh-not "/new\\\\line" "/-x"' },
  {
    name: 'RUN --mount=type=secret',
    dockerfile: 'FROM base\nRUN --mount=type=secret,id=key cat /run/secrets/key > /k',
    secrets: { key: 'hush' },
  },

  { name: 'COPY of a file to a name', dockerfile: 'FROM base\nCOPY a.txt /x/y/z' },
  { name: 'COPY of a file into a directory', dockerfile: 'FROM base\nCOPY a.txt /x/\nCOPY b.txt /base' },
  { name: 'COPY of several files', dockerfile: 'FROM base\nCOPY a.txt b.txt run.sh /x/' },
  { name: 'COPY of a directory', dockerfile: 'FROM base\nCOPY dir /x\nCOPY dir/ /y/' },
  { name: 'COPY of several directories', dockerfile: 'FROM base\nCOPY dir tree /x/' },
  { name: 'COPY into a directory that is there', dockerfile: 'FROM base\nCOPY dir /base/\nCOPY data/ /base/inner' },
  { name: 'COPY of patterns', dockerfile: 'FROM base\nCOPY *.txt /x/\nCOPY data/[12].log /y/\nCOPY tree/?/a.txt /z/' },
  { name: 'COPY in JSON form', dockerfile: 'FROM base\nCOPY ["sp ace.txt", "a.txt", "/with space/"]' },
  { name: 'COPY of an empty directory', dockerfile: 'FROM base\nCOPY empty /x' },
  { name: 'COPY of links in a directory', dockerfile: 'FROM base\nCOPY dir /x' },
  {
    name: 'COPY through a link in the image',
    dockerfile: 'FROM base\nCOPY a.txt /to-base/a.txt\nCOPY b.txt /to-base/',
  },
  { name: 'COPY over a file', dockerfile: 'FROM base\nCOPY a.txt /base/file' },
  {
    name: 'COPY to a relative path',
    dockerfile: 'FROM base\nWORKDIR /w\nCOPY a.txt x\nCOPY b.txt ./\nCOPY dir/c.txt .',
  },
  {
    name: 'COPY of what begins with a slash or leads up',
    dockerfile: 'FROM base\nCOPY /a.txt /1\nCOPY ../b.txt /2\nCOPY dir/../dir/./c.txt /3',
  },
  { name: 'COPY --chown with numbers', dockerfile: 'FROM base\nCOPY --chown=3:4 dir /x\nCOPY --chown=5 a.txt /y' },
  {
    name: 'COPY --chown with names',
    dockerfile: 'FROM base\nCOPY --chown=app:staff a.txt /x\nCOPY --chown=app b.txt /y',
  },
  { name: 'COPY --chmod', dockerfile: 'FROM base\nCOPY --chmod=0640 a.txt run.sh /x/' },
  { name: 'COPY --chown after USER', dockerfile: 'FROM base\nUSER app\nCOPY a.txt /tmp/x' },

  { name: 'ADD of a file', dockerfile: 'FROM base\nADD a.txt /x/\nADD dir /y' },
  { name: 'ADD of an archive', dockerfile: 'FROM base\nADD archive.tar /x/' },
  { name: 'ADD of a compressed archive', dockerfile: 'FROM base\nADD archive.tar.gz /x' },
  { name: 'ADD of what only looks like an archive', dockerfile: 'FROM base\nADD not-an-archive.tar.gz /x/' },
  {
    name: 'ADD of an archive into a directory that is there',
    dockerfile: 'FROM base\nRUN mkdir /x /x/in && touch /x/in/old && chmod 711 /x\nADD archive.tar /x/',
  },
  { name: 'ADD of an archive and a file', dockerfile: 'FROM base\nADD archive.tar a.txt /x/' },

  { name: 'carriage returns', dockerfile: 'FROM base\r\nRUN echo a \\\r\n  b > /x\r\nENV A=1\r\n' },
  { name: 'instructions in small letters', dockerfile: 'from base\nrun touch /x\nenv A=1\ncmd ["x"]' },

  {
    name: 'VOLUME',
    dockerfile: 'FROM base\nVOLUME /a /b\nVOLUME ["/c d"]',
    differs: { '/c d': 'buildah makes the directory, BuildKit does not' },
  },
  {
    name: 'SHELL for RUN',
    dockerfile: 'FROM base\nSHELL ["/bin/busybox", "sh", "-e", "-c"]\nRUN echo $0 > /shell; echo $- > /flags',
  },
  { name: 'WORKDIR after USER', dockerfile: 'FROM base\nUSER app\nWORKDIR /w' },
  {
    name: 'RUN --mount=type=tmpfs',
    dockerfile: 'FROM base\nRUN --mount=type=tmpfs,target=/mnt/t touch /mnt/t/gone /stays',
    differs: { '/mnt': MOUNT_POINTS },
  },
  {
    name: 'RUN --mount=type=bind from the context',
    dockerfile:
      'FROM base\nRUN --mount=type=bind,source=dir,target=/mnt/d cat /mnt/d/c.txt > /c && cat /mnt/d/sub/d.txt > /d',
    differs: { '/mnt': MOUNT_POINTS },
  },
  {
    name: 'RUN --mount=type=bind from a stage',
    dockerfile:
      'FROM base AS one\nRUN mkdir /o && echo 1 > /o/f\nFROM base\nRUN --mount=type=bind,from=one,source=/o,target=/mnt/o cat /mnt/o/f > /f',
    differs: { '/mnt': MOUNT_POINTS },
  },
  {
    name: 'COPY keeps modes, and belongs to root',
    dockerfile: 'FROM base\nCOPY run.sh private.txt /x/\nCOPY closed/x /closed/',
  },
  {
    name: 'COPY of the whole context',
    dockerfile: 'FROM scratch\nCOPY . /c/',
    differs: { '/c/special/setuid': SET_USER_ID },
  },
  {
    name: 'COPY with a .dockerignore',
    dockerfile: 'FROM scratch\nCOPY . /c/',
    ignore: '# c\n*.txt\n!b.txt\n**/*.md\ntree/*/y\nclosed\n.hidden\nspecial/setuid\n',
  },
  {
    name: 'COPY with a .dockerignore of exceptions',
    dockerfile: 'FROM scratch\nCOPY . /c/',
    ignore: '*\n!dir\ndir/sub\n!data\n',
  },
  {
    name: 'ADD of an address',
    dockerfile:
      'FROM base\nARG URL\nADD $URL/one.txt /x/\nADD ${URL}/two.txt /named\nADD $URL/one.txt $URL/archive.tar.gz /y/',
  },
  { name: 'empty lines inside an instruction', dockerfile: 'FROM base\nRUN echo a \\\n\n  b > /x\n' },
  { name: 'a byte order mark', dockerfile: '\uFEFFFROM base\nENV A=1' },
  { name: 'a syntax directive', dockerfile: '# syntax=docker/dockerfile:1\nFROM base\nENV A=1' },
  {
    name: 'arguments of the platform',
    dockerfile:
      'FROM base\nARG TARGETARCH\nARG TARGETOS\nARG TARGETPLATFORM\nRUN echo $TARGETARCH $TARGETOS $TARGETPLATFORM > /p',
  },
  {
    name: 'an argument for a proxy, which needs no ARG',
    dockerfile: 'FROM base\nRUN echo "$HTTP_PROXY|$OTHER" > /p',
    arguments: { HTTP_PROXY: 'http://p:1' },
  },
  { name: 'LABEL with variables', dockerfile: 'FROM base\nARG A=x\nENV B=y\nLABEL a=$A b="${B} z" c=\'$A\'' },
];

/** Dockerfiles that neither builds. */
export const REFUSED: readonly DockerfileCase[] = [
  { name: 'a RUN that fails', dockerfile: 'FROM base\nRUN exit 3' },
  { name: 'a program that is not there', dockerfile: 'FROM base\nRUN ["/nowhere"]' },
  { name: 'a file that is not there', dockerfile: 'FROM base\nCOPY nothing /' },
  { name: 'a file that is left out', dockerfile: 'FROM base\nCOPY a.txt /', ignore: 'a.txt' },
  { name: 'a base image that is not there', dockerfile: 'FROM localhost/nothing' },
  { name: 'a user that is not there', dockerfile: 'FROM base\nUSER nobody-here\nRUN true' },
  { name: 'an owner that is not there', dockerfile: 'FROM base\nCOPY --chown=nobody-here a.txt /' },
  { name: 'a flag that is not there', dockerfile: 'FROM base\nCOPY --nothing=1 a.txt /' },
  { name: 'an instruction that is not there', dockerfile: 'FROM base\nRUNN x' },
  { name: 'a target that is not there', dockerfile: 'FROM base AS one', target: 'two' },
  { name: 'nothing', dockerfile: '# nothing' },
  { name: 'a stage that is not there', dockerfile: 'FROM base\nCOPY --from=localhost/nothing /a /b' },
  { name: 'a directory over a file', dockerfile: 'FROM base\nCOPY dir /base/file' },
];
