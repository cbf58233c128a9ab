import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CommandError } from './command-error.ts';
import { createProgram } from './program.ts';
import type { Terminal } from './terminal.ts';

const command = fileURLToPath(new URL('./kobune.ts', import.meta.url));

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('kobune lint', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-lint-'));
    await writeFile(join(directory, 'Dockerfile'), 'FROM debian\nRUN sudo x\n');
    await writeFile(join(directory, 'Good.Dockerfile'), 'FROM debian:12\nCMD ["x"]\n');
  });
  after(() => rm(directory, { recursive: true }));

  function lint(words: readonly string[], input = ''): Promise<Result> {
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [command, 'lint', ...words], { cwd: directory }, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err });
      });
      child.stdin!.end(input);
    });
  }

  /** The same in this process, which is quicker. */
  async function lintHere(words: readonly string[]): Promise<Result> {
    let out = '';
    const stream = new Writable({
      write(chunk, _, done) {
        out += String(chunk);
        done();
      },
    });
    const stdout = stream as unknown as Terminal['stdout'];
    const terminal: Terminal = { stdout, stderr: stdout, environment: {}, workingDirectory: directory };
    let code = 0;
    const program = createProgram(terminal, '0.0.0', (status) => {
      code = status;
    });
    try {
      await program.parseAsync(['lint', ...words], { from: 'user' });
      return { code, out, err: '' };
    } catch (error) {
      assert.ok(error instanceof CommandError, String(error));
      return { code: error.exitCode, out, err: error.message };
    }
  }

  it('prints what it finds, and ends with 1 for errors', async () => {
    const { code, out } = await lint([]);
    assert.equal(
      out,
      'Dockerfile:1 warning DL3006 debian is whatever is newest that day. Write a tag: debian:…\n' +
        'Dockerfile:2 error DL3004 sudo has no terminal and other rights here. Use USER, or gosu\n',
    );
    assert.equal(code, 1);
  });

  it('reads several files and standard input, and prints JSON', async () => {
    const { code, out } = await lint(['--json', 'Good.Dockerfile', '-'], 'FROM a\n');
    assert.equal(code, 0);
    const { findings } = JSON.parse(out);
    assert.deepEqual(
      findings.map(({ file, line, rule }: Record<string, unknown>) => [file, line, rule]),
      [['standard input', 1, 'DL3006']],
    );
  });

  it('shows no control characters of a file', async () => {
    await writeFile(join(directory, 'Odd.Dockerfile'), 'FROM a:1\nRUN\u001b[2J x\n');
    const { out } = await lintHere(['Odd.Dockerfile']);
    assert.match(out, /^Odd\.Dockerfile:2 error DL1000 unknown instruction: RUN\ufffd\[2J/);
  });

  it('takes other severities and a threshold', async () => {
    for (const [words, code] of [
      [['--fail-on', 'warning', 'Good.Dockerfile'], 0],
      [['--severity', 'DL3004=info'], 0],
      [['--severity', 'DL3004=info', '--fail-on', 'info'], 1],
      [['--ignore', 'DL3004,DL3006'], 0],
      [['--trusted-registry', 'quay.io', 'Good.Dockerfile'], 1],
      [['--label', 'v:semver', '--fail-on', 'info', 'Good.Dockerfile'], 1],
      [['--severity', 'DL3057=error', 'Good.Dockerfile'], 1],
    ] as const) {
      assert.equal((await lintHere(words)).code, code, words.join(' '));
    }
  });

  it('refuses rules, severities, kinds and files that there are not', async () => {
    for (const [words, message] of [
      [['--ignore', 'DL1'], /--ignore DL1: there is no such rule/],
      [['--severity', 'DL3004=bad'], /--severity takes error, warning, info, style, not bad/],
      [['--severity', 'DL3004'], /--severity DL3004 has no =/],
      [['--label', 'v:x'], /--label takes text, url/],
      [['nothing'], /cannot read nothing/],
    ] as const) {
      const { code, err } = await lintHere(words);
      assert.equal(code, 2, words.join(' '));
      assert.match(err, message);
    }
  });

  it('tells its rules', async () => {
    assert.match((await lintHere(['--rules'])).out, /^DL3008 +warning +apt-get install names versions$/m);
  });
});
