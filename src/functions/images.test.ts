import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { FunctionImage, FunctionSpec, ImageRoot } from './engine.ts';
import { busyboxRoot, runEvent } from './test-support/busybox-image.ts';
import { type EngineFixture, startEngine } from './test-support/engine-fixture.ts';

describe('functions from images', { timeout: 120_000 }, () => {
  const roots = new Map<string, ImageRoot>();
  let fixture: EngineFixture;
  before(async () => {
    fixture = await startEngine({ images: { open: async (id) => roots.get(id)! } });
  });
  after(() => fixture[Symbol.asyncDispose]());

  /** A function from an image that is busybox with changes. */
  async function specFor(
    root: { readonly files?: Readonly<Record<string, string>> } & Partial<ImageRoot> = {},
    image: Partial<FunctionImage> = {},
    changes: Partial<FunctionSpec> = {},
  ): Promise<FunctionSpec> {
    const { files, ...settings } = root;
    const made = await busyboxRoot(fixture.directory, files, settings);
    const id = `sha256:${roots.size}`;
    roots.set(id, made);
    return { ...(await fixture.spec({})), runtime: '', handler: '', image: { id, ...image }, ...changes };
  }

  async function run(spec: FunctionSpec, script: string) {
    const called = await fixture.call(spec, runEvent(script));
    const { value } = called;
    return { ...called, output: typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined };
  }

  /** Resolves when the function's log has it: what extensions print comes by a way of its own. */
  async function logged({ logging }: FunctionSpec, pattern: RegExp): Promise<void> {
    const lines = () =>
      [...fixture.logs.streams].filter(([key]) => key.startsWith(`${logging.group} `)).flatMap(([, all]) => all);
    while (!lines().some(({ message }) => pattern.test(message))) await setTimeout(5);
  }

  it('are started with entry point, command, directory and variables of the image', async () => {
    const spec = await specFor({
      entryPoint: ['/bin/sh', '/runtime'],
      command: ['one', 'two words', '-n'],
      workingDirectory: '/etc/kobune',
      environment: ['PATH=/bin', 'COLOUR=blue', 'SIZE=1', 'AWS_REGION=nowhere', 'EMPTY='],
    });
    const { output } = await run(
      { ...spec, environment: { SIZE: '2' } },
      'pwd; printf "<%s>" "$@"; echo; echo $COLOUR $SIZE $AWS_REGION $PATH; env | grep EMPTY; env | grep -c KOBUNE; env | grep OLDPWD',
    );
    assert.equal(output, '/etc/kobune\n<one><two words><-n>\nblue 2 us-east-1 /bin\nEMPTY=\n0\n');
  });
  it('are started with what replaces those', async () => {
    const spec = await specFor(
      { entryPoint: ['/nosuch'], command: ['x'], workingDirectory: '/nosuch' },
      { entryPoint: ['/runtime'], command: ['y'], workingDirectory: '/bin' },
    );
    assert.equal((await run(spec, 'pwd; echo "$@"')).output, '/bin\ny\n');
  });

  it('hand on variables that no shell has, or that mean something to what starts them', async () => {
    const spec = await specFor({
      environment: [
        'a.dotted-name=1',
        'LD_PRELOAD=/nosuch.so',
        'LD_LIBRARY_PATH=/nosuch',
        'e=own',
        't=own',
        '_=own',
        'IFS=:',
        'CDPATH=/bin',
        '-x=dash',
        'LINES=two\nlines',
        ...Array.from({ length: 3_000 }, (_, i) => `MANY_${i}=${i}`),
      ],
    });
    const { output } = await run(
      spec,
      "tr '\\0' '\\n' </proc/1/environ | grep -c MANY_; for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline | grep -q '^/bin/sh /runtime'; then tr '\\0' '\\n' <$p/environ; break; fi; done",
    );
    const lines = output!.split('\n');
    for (const line of [
      'a.dotted-name=1',
      'LD_PRELOAD=/nosuch.so',
      'LD_LIBRARY_PATH=/nosuch',
      'e=own',
      't=own',
      'IFS=:',
      '-x=dash',
      'lines',
      'MANY_2999=2999',
    ]) {
      assert.ok(lines.includes(line), `${line} in\n${lines.slice(0, 50).join('\n')}`);
    }
    assert.equal(lines.filter((line) => line.startsWith('MANY_')).length, 3_000);
  });

  it('hand on what a loader reads to the program alone, and as many variables as there are', async () => {
    const many = Array.from({ length: 1_500 }, (_, i) => `MANY_${i}=${i}`);
    const spec = await specFor({
      environment: ['PATH=/bin', 'LD_PRELOAD=/no such.so', 'LD_LIBRARY_PATH=two\nlines', ...many],
      command: ['$1', 'a b'],
    });
    const { output } = await run(
      spec,
      'printf "<%s>" "$@" "$LD_PRELOAD" "$LD_LIBRARY_PATH"; echo; env | grep -c ^MANY_; env | grep KOBUNE; tr "\\0" "\\n" </proc/1/environ | grep -c ^LD_',
    );
    assert.equal(output, '<$1><a b></no such.so><two\nlines>\n1500\n0\n');
  });

  type Failure = [string, Partial<ImageRoot> & { files?: Record<string, string> }, string, RegExp];
  const failures: readonly Failure[] = [
    [
      'an entry point that is not there',
      { entryPoint: ['/nosuch'] },
      'InvalidEntrypoint',
      /fork\/exec \/nosuch: no such file or directory$/,
    ],
    ['none at all', { entryPoint: [] }, 'InvalidEntrypoint', /fork\/exec : no such file or directory$/],
    [
      'an interpreter that is not there',
      { entryPoint: ['/app'], files: { 'app*': '#!/nosuch\n' } },
      'InvalidEntrypoint',
      /fork\/exec \/app: no such file or directory$/,
    ],
    [
      'an entry point that may not run',
      { entryPoint: ['/app'], files: { app: '#!/bin/sh\n' } },
      'InvalidEntrypoint',
      /fork\/exec \/app: permission denied$/,
    ],
    ...[
      ['/nosuch', 'no such file or directory'],
      ['nosuch', 'no such file or directory'],
      ['/app', 'permission denied'],
      ['/etc', 'permission denied'],
      ['/script', 'no such file or directory'],
    ].map(
      ([program, reason]): Failure => [
        `${program}, with a variable for loaders`,
        {
          entryPoint: [program!, 'x'],
          environment: ['PATH=/bin', 'LD_LIBRARY_PATH=/var/lang/lib'],
          files: { app: '#!/bin/sh\n', 'script*': '#!/nosuch\n' },
        },
        'InvalidEntrypoint',
        new RegExp(`fork/exec ${program}: ${reason}$`),
      ],
    ),
    ['a directory', { entryPoint: ['/etc'] }, 'InvalidEntrypoint', /fork\/exec \/etc: permission denied$/],
    [
      'a working directory that is not there',
      { workingDirectory: '/nosuch' },
      'InvalidWorkingDir',
      /chdir \/nosuch: no such file or directory$/,
    ],
    [
      'a working directory that is a file',
      { workingDirectory: '/runtime' },
      'InvalidWorkingDir',
      /chdir \/runtime: not a directory$/,
    ],
    [
      'a word that is too long',
      { command: ['x'.repeat(200_000)] },
      'InvalidEntrypoint',
      /fork\/exec \/runtime: argument list too long$/,
    ],
    [
      'too many words',
      { command: Array.from({ length: 200_000 }, () => 'word-of-words') },
      'InvalidEntrypoint',
      /argument list too long$/,
    ],
    [
      'a variable with a zero byte',
      { environment: ['A=b\0--bind\0/\0/mnt'] },
      'InvalidEntrypoint',
      /invalid argument$/,
    ],
    ['a directory with a zero byte', { workingDirectory: '/\0--bind' }, 'InvalidEntrypoint', /invalid argument$/],
    [
      'a program that ends at once',
      { entryPoint: ['/bin/sh', '-c', 'echo last words; exit 3'] },
      'ExitError',
      /exited with error: exit status 3$/,
    ],
    [
      'a program that ends as a shell does that finds none',
      { entryPoint: ['/bin/sh', '-c', '/nosuch'] },
      'ExitError',
      /exited with error: exit status 127$/,
    ],
    ['a program that ends well', { entryPoint: ['/bin/true'] }, 'ExitError', /exited without providing a reason$/],
  ];
  for (const [what, image, errorType, message] of failures) {
    it(`fail with Runtime.${errorType}: ${what}`, async () => {
      const { value, tail, result, requestId } = await run(await specFor(image), 'true');
      assert.equal(result.functionError, 'Unhandled');
      assert.equal(value.errorType, `Runtime.${errorType}`);
      assert.match(value.errorMessage, message);
      assert.ok(value.errorMessage.startsWith(`RequestId: ${requestId} Error: `));
      assert.match(tail, new RegExp(`Runtime.${errorType}`));
    });
  }

  it('take 10,000 words', async () => {
    const spec = await specFor({ command: Array.from({ length: 10_000 }, (_, i) => `w${i}`) });
    assert.equal((await run(spec, 'echo $# $9; shift 9999; echo $1')).output, '10000 w8\nw9999\n');
  });

  it('see nothing of this machine', async () => {
    const spec = await specFor({ files: { 'etc/own': '' } });
    const { output } = await run(
      spec,
      'ls /; ls /etc /dev /run; cut -d" " -f2 /proc/mounts | sort; id -u; hostname; cat /proc/*/cmdline | tr "\\0" "\\n" | grep -c "[n]ode"',
    );
    assert.deepEqual(output!.trim().split('\n'), [
      ...['bin', 'dev', 'etc', 'proc', 'run', 'runtime', 'tmp'],
      ...['/dev:', 'core', 'fd', 'full', 'null', 'ptmx', 'pts', 'random', 'shm'],
      ...['stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero', ''],
      ...['/etc:', 'hosts', 'kobune', 'own', 'resolv.conf', ''],
      ...['/run:', 'kobune', 'kobune-shell'],
      ...['/', '/dev', '/dev/full', '/dev/null', '/dev/pts', '/dev/random', '/dev/shm', '/dev/tty', '/dev/urandom'],
      ...['/dev/zero', '/etc/hosts', '/etc/resolv.conf', '/proc', '/run/kobune', '/run/kobune-shell'],
      ...['/tmp', '993', '169-254-100-2', '0'],
    ]);
  });

  it('can write to /tmp alone, and gain no rights by programs that would give them', async () => {
    const spec = await specFor();
    const root = roots.get(spec.image!.id)!.directory;
    await mkdir(join(root, 'rooted'));
    await copyFile('/bin/busybox', join(root, 'rooted/id'));
    await chmod(join(root, 'rooted/id'), 0o4755);
    await mkdir(join(root, 'open'));
    await chmod(join(root, 'open'), 0o1777);
    const { output } = await run(
      spec,
      'for d in / /open /etc /run /dev /dev/shm /opt /tmp; do touch $d/x 2>/dev/null && echo $d; done; /rooted/id -u; grep NoNewPrivs /proc/self/status; df -m /tmp | tail -1 | tr -s " " | cut -d" " -f2',
    );
    assert.equal(output, '/tmp\n993\nNoNewPrivs:\t1\n512\n');
  });

  it('end at their time-out and their memory limit', async () => {
    const image = await specFor();
    const slow = await run({ ...image, timeoutMs: 400, revision: 'slow' }, 'sleep 10');
    assert.equal(slow.result.report.status, 'timeout');
    assert.match(slow.value.errorMessage, /Task timed out after 0\.40 seconds$/);
    const large = await run(
      { ...image, memoryMb: 128, timeoutMs: 20_000, revision: 'large' },
      'dd if=/dev/zero of=/dev/null bs=200M count=1',
    );
    assert.equal(large.value.errorType, 'Runtime.OutOfMemory');
    assert.equal((await run({ ...image, revision: 'again' }, 'echo again')).output, 'again\n');
  });

  const EXTENSION = `#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
me=\${0##*/}
id=$(wget -S -q -O /dev/null --header "Lambda-Extension-Name: $me" --post-data '{"events":["INVOKE","SHUTDOWN"]}' $api/register 2>&1 |
  sed -n 's/^ *[Ll]ambda-[Ee]xtension-[Ii]dentifier: *//p' | tr -d '\\r')
echo "$me $(tr '\\0' '\\n' </proc/$$/environ | grep -e ^a.b= -e ^KOBUNE)"
while true; do
  event=$(wget -q -O - --header "Lambda-Extension-Identifier: $id" $api/event/next) || exit 1
  echo "$me got $event"
done
`;

  it('have the extensions that are in /opt/extensions', async () => {
    const files = { 'opt/extensions/watcher*': EXTENSION, 'opt/extensions/notes.txt': '' };
    const spec = await specFor({ files, environment: ['a.b=c', 'PATH=/bin'] });
    assert.equal((await run(spec, 'echo hello')).output, 'hello\n');
    await logged(spec, /watcher a\.b=c\n/);
    await logged(spec, /EXTENSION\tName: watcher\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]/);
    await logged(spec, /watcher got .*"eventType":"INVOKE"/);
  });

  it('have those that links within the image lead to, and never those of this machine', async () => {
    const inside = await specFor({ files: { 'srv/extensions/watcher*': EXTENSION } });
    await symlink('/srv', join(roots.get(inside.image!.id)!.directory, 'opt'));
    await run(inside, 'true');
    await logged(inside, /watcher got .*"eventType":"INVOKE"/);
    const outside = await specFor({ files: { 'opt/notes.txt': '' } });
    await symlink('/usr/bin', join(roots.get(outside.image!.id)!.directory, 'opt/extensions'));
    assert.equal((await run(outside, 'echo works')).output, 'works\n');
    const crashing = await specFor({ files: { 'opt/extensions/crash*': '#!/bin/sh\nexit 7\n' } });
    const { value } = await run(crashing, 'true');
    assert.equal(value.errorType, 'Extension.Crash');
    assert.match(value.errorMessage, /exit status 7/);
  });
});
