import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { CommanderError } from 'commander';
import { DOCKER_28, noDockerReason, TestDocker } from '../../docker/testing/test-docker.ts';
import { CommandError } from '../command-error.ts';
import { EXIT } from '../exit-codes.ts';
import { createProgram } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { LiveDisplay } from './live-display.ts';

class Collected extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 60;
  readonly rows = 20;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('kobune build', { skip: noDockerReason(DOCKER_28) }, () => {
  let docker: TestDocker;
  let directory: string;
  before(async () => {
    docker = await TestDocker.open();
  });
  after(() => docker[Symbol.asyncDispose]());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-cli-build-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const files = async (all: Readonly<Record<string, string>>) => {
    for (const [path, content] of Object.entries(all)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), content);
      await chmod(join(directory, path), 0o644);
    }
  };

  async function build(words: readonly string[], options: { tty?: boolean; env?: Record<string, string> } = {}) {
    const [stdout, stderr] = [new Collected(false), new Collected(options.tty ?? false)];
    const terminal = {
      stdout: stdout as unknown as NodeJS.WriteStream,
      stderr: stderr as unknown as NodeJS.WriteStream,
      environment: { ...docker.environment, NO_COLOR: '1', ...options.env },
      workingDirectory: directory,
    };
    let status = 0;
    try {
      await createProgram(terminal, '0.0.0', () => undefined).parseAsync(['node', 'kobune', 'build', ...words]);
    } catch (error) {
      if (error instanceof CommanderError || !(error instanceof CommandError)) throw error;
      status = error.exitCode;
      stderr.text += `kobune: ${error.message}\n`;
    }
    return { status, out: stdout.text, err: stderr.text };
  }

  it('builds, names the image and prints its ID; the steps are told with why they ran', async () => {
    await files({
      Dockerfile: 'FROM busybox\nCOPY src /src\nRUN --network=none cat /src/a\nCMD ["x"]',
      'src/a': 'hello\n',
    });
    const first = await build(['-t', 'cli:1', '-t', 'cli:latest', '.']);
    assert.equal(first.status, 0, first.err);
    const image = await docker.at.images.get('cli:1');
    assert.equal(first.out, `${image.id}\n`);
    assert.deepEqual(image.tags, ['cli:1', 'cli:latest']);
    assert.match(first.err, /^\[2\/4 0\] COPY src \/src {2}\d+\.\d s, not cached: first build$/m);
    assert.match(first.err, /^3 \| hello$/m);
    const second = await build(['-t', 'cli:1', '.']);
    assert.match(second.err, /^\[3\/4 0\] RUN --network=none cat \/src\/a {2}cached$/m);
    assert.equal(second.out, first.out);
  });

  it('--explain tells of each step whether it was cached, and why not', async () => {
    await files({ Dockerfile: 'FROM busybox AS app\nCOPY src /src\nRUN --network=none true', 'src/a': '1' });
    await build(['-t', 'explained', '.']);
    await writeFile(join(directory, 'src/a'), '2');
    const { out } = await build(['-t', 'explained', '--explain', '-q', '.']);
    const lines = out.split('\n');
    assert.match(lines[0]!, /^STEP +STAGE +PLACE +INSTRUCTION +CACHE$/);
    assert.match(lines[2]!, /^2 +app +line 2 +COPY src \/src +file src\/a changed$/);
    assert.match(lines[3]!, /^3 +app +line 3 +RUN --network=none true +a parent step ran$/);
    assert.match(lines[4]!, /^The first step that had to run: line 2, because: file src\/a changed$/);
  });

  it('--json prints one object, and nothing else', async () => {
    await files({ Dockerfile: 'FROM busybox\nCOPY a /a', a: '1' });
    const { out, err } = await build(['--json', '--build-arg', 'UNUSED=1', '.']);
    assert.equal(err, '');
    const told = JSON.parse(out);
    assert.match(told.imageId, /^sha256:/);
    assert.deepEqual(
      told.steps.map(({ line, cached, miss }: { line: number; cached: boolean; miss?: string }) => [
        line,
        cached,
        miss,
      ]),
      [
        [1, true, undefined],
        [2, false, 'first build'],
      ],
    );
    assert.deepEqual(told.warnings, ['the build argument UNUSED was not used by any ARG']);
  });

  it('an error shows the place in the Dockerfile, and ends with status 1', async () => {
    await files({ 'docker/App.dockerfile': 'FROM busybox\n\n# fails\nRUN --network=none exit 3\nRUN true\n' });
    const failed = await build(['-f', 'docker/App.dockerfile', '.']);
    assert.equal(failed.status, EXIT.failure);
    assert.match(failed.err, /^ {2}3 \| # fails\n> 4 \| RUN --network=none exit 3\n {2}5 \| RUN true$/m);
    assert.match(failed.err, /^kobune: docker\/App\.dockerfile:4: .*returned a non-zero code: 3$/m);
    await files({ Dockerfile: 'FROM busybox\nRUM true\n' });
    const wrong = await build(['.']);
    assert.match(wrong.err, /^> 2 \| RUM true$/m);
    assert.equal(wrong.status, EXIT.failure);
  });

  it('hands over arguments, labels, targets, secrets and caches', async () => {
    await files({
      Dockerfile: [
        'FROM busybox AS one',
        'ARG A',
        'ARG B=default',
        'LABEL a=$A b=$B',
        'RUN --network=none --mount=type=secret,id=token --mount=type=secret,id=NAMED,env=NAMED cat /run/secrets/token; echo $NAMED',
        'FROM one',
        'RUN false',
      ].join('\n'),
      'token.txt': 'from a file\n',
    });
    const words = ['--target', 'one', '--build-arg', 'A', '--build-arg', 'B=given', '--label', 'c=d', '--no-cache'];
    const secrets = ['--secret', 'id=token,src=token.txt', '--secret', 'id=NAMED'];
    const cache = ['--cache-to', 'type=local,dest=cache,mode=max', '--iidfile', 'id'];
    const env = { A: 'from the environment', NAMED: 'from a variable' };
    const built = await build([...words, ...secrets, ...cache, '.'], { env });
    assert.equal(built.status, 0, built.err);
    const image = await docker.at.images.get((await readFile(join(directory, 'id'), 'utf8')).trim());
    assert.deepEqual(image.config.config!.Labels, { a: 'from the environment', b: 'given', c: 'd' });
    assert.match(built.err, /^5 \| from a file$/m);
    assert.match(built.err, /^5 \| from a variable$/m);
    assert.ok(await readFile(join(directory, 'cache/index.json'), 'utf8'));
    const again = await build([...words.slice(0, -1), ...secrets, '--cache-from', 'type=local,src=cache', '.'], {
      env,
    });
    assert.equal(again.status, 0, again.err);
  });

  it('--ssh hands over the agent of SSH_AUTH_SOCK, or that of a socket', async () => {
    await files({
      Dockerfile:
        'FROM busybox\nRUN --network=none --mount=type=ssh,required --mount=type=ssh,id=other,required ls -l /run/buildkit',
    });
    const agent = createServer().listen(join(directory, 'agent'));
    try {
      const env = { SSH_AUTH_SOCK: join(directory, 'agent') };
      const { status, err } = await build(['--ssh', 'default', '--ssh', 'other=agent', '.'], { env });
      assert.equal(status, 0, err);
      assert.match(err, /^2 \| srw-------.* ssh_agent\.0$/m);
      assert.match(err, /^2 \| srw-------.* ssh_agent\.1$/m);
    } finally {
      agent.close();
    }
  });

  it('tells its options, and no default of those that may be given several times', () => {
    const help = createProgram({} as Terminal, '0.0.0', () => undefined)
      .commands.find((one) => one.name() === 'build')!
      .helpInformation();
    assert.match(help, /--secret <id=name,src=file>/);
    assert.doesNotMatch(help, /default: (none|\[\])/);
  });

  it('a wrong command line ends with status 2, and says what is wrong', async () => {
    for (const [words, pattern] of [
      [['https://example.com/x.git'], /the context https:.* is not supported/],
      [['-'], /a context on standard input is not supported/],
      [['--secret', 'src=x', '.'], /--secret src=x has no id=/],
      [['--secret', 'id=gone', '.'], /--secret id=gone: ENOENT/],
      [['--ssh', 'default', '.'], /--ssh default needs an SSH agent/],
      [['--cache-to', 'type=s3,bucket=x', '.'], /--cache-to .* is not supported/],
      [['--ulimit', 'nofile', '.'], /--ulimit nofile is not of the form/],
      [['--shm-size', 'big', '.'], /--shm-size big is not a size/],
      [['--data', '', '.'], /--data must be the path of a directory/],
    ] as const) {
      const { status, err } = await build(words, { env: { SSH_AUTH_SOCK: '' } });
      assert.equal(status, EXIT.usage, err);
      assert.match(err, pattern);
    }
  });

  it('on a terminal keeps the end of a line that is very long', () => {
    const stderr = new Collected(true);
    const display = new LiveDisplay({ stderr: stderr as unknown as NodeJS.WriteStream, environment: {} } as Terminal);
    const step = { number: 1, total: 1, stage: '0', text: 'RUN x', line: 2 };
    display.take({ event: { kind: 'step', step, state: 'started' } });
    for (const text of ['begin'.repeat(1 << 18), 'e'.repeat(1 << 20), '\u001b[2J']) {
      const bytes = Buffer.from(text).toString('base64');
      display.take({ event: { kind: 'output', step, stream: 'stdout', bytes } });
    }
    display.end(true);
    assert.match(stderr.text, /RUN x\n {2}e+\n$/);
    assert.ok(stderr.text.length < 10_000, `${stderr.text.length} characters`);
  });

  it('on a terminal draws what runs, and leaves the steps that are done', async () => {
    await files({ Dockerfile: 'FROM busybox\nRUN --network=none printf "one\\033[2Jtwo\\n"; sleep 0.3; exit 4' });
    const { err } = await build(['--no-cache', '.'], { tty: true });
    const shown = stripVTControlCharacters(err);
    assert.match(shown, /^\[1\/2 0\] FROM busybox {2}cached$/m);
    // Drawn again and again, and shown as a whole in the end, as the command has failed.
    assert.ok(err.split('\u001b[0J').length > 3, err);
    assert.ok(!err.includes('\u001b[2J'));
    assert.match(shown, /^\[2\/2 0\] RUN .*exit 4\n {2}onetwo$/m);
    assert.match(err, /non-zero code: 4\n$/);
  });
});
