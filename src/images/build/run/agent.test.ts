import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ScratchBuilder } from '../testing/scratch-builder.ts';
import { stepContainers } from '../testing/step-containers.ts';

const programs = ['ssh-agent', 'ssh-add', 'ssh-keygen'].map((name) => `/usr/bin/${name}`);
const skip =
  process.getuid?.() !== 0
    ? 'containers need root'
    : programs.every((program) => existsSync(program))
      ? false
      : 'ssh-agent is missing: apt-get install openssh-client';

/** `ssh-add` of this machine with the libraries that it is linked to, and how it is run. */
async function sshAdd(): Promise<{ readonly files: Record<string, Buffer>; readonly command: string }> {
  const libraries = [...execFileSync('ldd', ['/usr/bin/ssh-add'], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(
    ([, path]) => path!,
  );
  const files = Object.fromEntries(
    await Promise.all(
      ['/usr/bin/ssh-add', ...libraries].map(
        async (path) => [`opt/bin/${basename(path)}`, await readFile(path)] as const,
      ),
    ),
  );
  const loader = basename(libraries.find((path) => basename(path).startsWith('ld-'))!);
  return { files, command: `/opt/bin/${loader} --library-path /opt/bin /opt/bin/ssh-add` };
}

describe('RUN --mount=type=ssh with OpenSSH’s agent', { skip }, () => {
  let directory: string;
  let scratch: ScratchBuilder;
  let agent: ChildProcess;
  let socket: string;
  let command: string;
  let fingerprint: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-agent-'));
    socket = join(directory, 'agent.sock');
    agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    // It tells its address when it listens.
    await once(agent.stdout!, 'data');
    const key = join(directory, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'of the test', '-f', key]);
    await promisify(execFile)('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    [, fingerprint = ''] = execFileSync('ssh-keygen', ['-lf', `${key}.pub`], { encoding: 'utf8' }).split(' ');
    // Deeper than the address of a socket can be long.
    const deep = join(directory, 'data-'.repeat(20), 'of/a/builder');
    await mkdir(deep, { recursive: true });
    scratch = await ScratchBuilder.open(stepContainers, { directory: deep });
    const program = await sshAdd();
    command = program.command;
    await scratch.busybox('with-ssh', program.files);
  });
  after(async () => {
    await scratch?.[Symbol.asyncDispose]();
    if (agent?.kill()) await once(agent, 'exit');
    await rm(directory, { recursive: true, force: true });
  });

  const build = (lines: string, ssh = new Map([['default', socket]])) =>
    scratch.build(`FROM with-ssh\n${lines}`, { ssh, directory });

  it('lists its keys and signs with them, also for another user', async () => {
    const { output } = await build(
      `COPY key.pub /\nUSER app\nRUN --mount=type=ssh,uid=1001,required ${command} -l && ${command} -T /key.pub && echo signed`,
    );
    assert.match(output, /^256 \S+ of the test \(ED25519\)\nsigned\n$/);
    assert.ok(output.includes(fingerprint), output);
  });

  it('may be named by a link, as terminal multiplexers do', async () => {
    const link = join(directory, 'link');
    await symlink(socket, link);
    const ssh = new Map([['other', link]]);
    const lines = `RUN --mount=type=ssh,id=other,target=/agent SSH_AUTH_SOCK=/agent ${command} -l`;
    assert.ok((await build(lines, ssh)).output.includes(fingerprint));
  });

  it('that is not there, or none, is named', async () => {
    for (const [path, why] of [
      [join(directory, 'gone'), /Dockerfile:2: the SSH agent default cannot be used: \/.*gone is not there/],
      [join(directory, 'key'), /the SSH agent default cannot be used: \/.*key is no socket/],
    ] as const) {
      await assert.rejects(build('RUN --mount=type=ssh true', new Map([['default', path]])), why);
    }
  });

  it('serves several steps and connections at the same time', async () => {
    const stages = ['a', 'b', 'c'].map(
      (name) =>
        `FROM with-ssh AS ${name}\nRUN --mount=type=ssh for i in 1 2 3 4 5; do ${command} -l & done > /log; wait; cat /log`,
    );
    const copies = ['a', 'b', 'c'].map((name) => `COPY --from=${name} /log /${name}`);
    const { image } = await scratch.build([...stages, 'FROM scratch', ...copies].join('\n'), {
      ssh: new Map([['default', socket]]),
      directory,
    });
    for (const name of ['a', 'b', 'c']) {
      assert.equal((await scratch.read(image, name))!.split(fingerprint).length, 6, name);
    }
  });

  it('leaves nothing of it in the image, nor for the steps after', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
    const { image, output } = await build('RUN --mount=type=ssh true\nRUN echo ${SSH_AUTH_SOCK:-none}');
    assert.equal(output, 'none\n');
    assert.ok(!JSON.stringify(image.config).includes('SSH_AUTH_SOCK='));
    assert.deepEqual(
      [...(await scratch.list(image)).keys()].filter((path) => path.startsWith('run')),
      [],
    );
  });
});
