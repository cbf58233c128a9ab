import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { createSandboxProvider } from './index.ts';
import { isRunning } from './proc.ts';
import { outcome, printed, SILENT, TrialGround, whyNoSandbox } from './test-support.ts';

const skip = await whyNoSandbox();

describe('sandbox life', { skip }, () => {
  let ground: TrialGround;
  before(async () => {
    ground = await TrialGround.open();
  });
  after(() => ground.close());

  const code = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const directory = await mkdtemp(join(ground.directory, 'code-'));
    await chmod(directory, 0o755);
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
    return directory;
  };
  const READER = `
    console.log('up');
    process.stdin.once('data', () => {
      for (const path of ['/var/task/name', '/opt/name'])
        try { console.log(fs.readFileSync(path, 'utf8')) } catch (error) { console.log(error.code) }
      process.exit();
    })`;

  it('tells how its command ended', async () => {
    const ends: [string, unknown][] = [
      ['exit 0', { code: 0, signal: undefined, outOfMemory: false }],
      ['exit 3', { code: 3, signal: undefined, outOfMemory: false }],
      ['kill -SEGV $$', { code: undefined, signal: 'SIGSEGV', outOfMemory: false }],
    ];
    for (const [script, end] of ends) assert.deepEqual((await ground.shell(script)).exit, end);
  });

  it('has outputs that can be opened by name', async (context) => {
    if (ground.provider.capabilities.missing.some((line) => line.includes('node:ffi')))
      return context.skip('no node:ffi');
    const { stdout, stderr } = await ground.shell('echo out > /dev/stdout; echo err > /dev/stderr');
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
  });

  it('gives out all that was printed, however fast it ended', async () => {
    const { stdout } = await ground.shell('head -c 1000000 /dev/zero | tr "\\0" x');
    assert.equal(stdout.length, 1_000_000);
  });

  it('shows code put in after the start, in both places', async () => {
    const sandbox = await ground.startNode(READER);
    await printed(sandbox, 'up');
    await sandbox.attach(await code({ name: 'task' }), '/var/task');
    await sandbox.attach(await code({ name: 'layer' }), '/opt');
    sandbox.stdin.write('.');
    assert.equal(await text(sandbox.stdout), 'task\nlayer\n');
  });

  it('shows each sandbox its own code', async () => {
    const sandboxes = await Promise.all(['a', 'b', 'c'].map(() => ground.startNode(READER)));
    const answers = sandboxes.map((sandbox) => text(sandbox.stdout));
    for (const [index, sandbox] of sandboxes.entries()) {
      await sandbox.attach(await code({ name: `code ${index}` }), '/var/task');
      sandbox.stdin.write('.');
    }
    assert.deepEqual(
      await Promise.all(answers),
      [0, 1, 2].map((index) => `up\ncode ${index}\nENOENT\n`),
    );
  });

  it('shows what is bound, read-only or not, and below closed directories too', async () => {
    const closed = await mkdtemp(join(ground.directory, 'closed-'));
    await mkdir(join(closed, 'in'));
    await writeFile(join(closed, 'in', 'file'), 'found');
    await writeFile(join(closed, 'authority.pem'), 'certificate');
    const { stdout } = await ground.shell(
      'cat /var/lang/file /etc/kobune/authority.pem; touch /var/lang/x 2>&1 | grep -o "Read-only"; grep cloud /etc/hosts',
      {
        binds: [
          { source: join(closed, 'in'), target: '/var/lang', readOnly: true },
          { source: join(closed, 'authority.pem'), target: '/etc/kobune/authority.pem', readOnly: true },
        ],
        hosts: { 'cloud.test': '169.254.100.1' },
      },
    );
    assert.equal(stdout, 'foundcertificateRead-only\n169.254.100.1 cloud.test\n');
  });

  it('goes on showing new directories, however many were shown before', async () => {
    for (let round = 0; round < 70; round += 10) {
      const found = await Promise.all(
        Array.from({ length: 10 }, async (_, index) => {
          const source = await code({ name: `${round + index}` });
          const { stdout } = await ground.shell('cat /var/lang/name', {
            binds: [{ source, target: '/var/lang', readOnly: true }],
          });
          return Number(stdout);
        }),
      );
      assert.deepEqual(
        found,
        Array.from({ length: 10 }, (_, index) => round + index),
      );
    }
  });

  it('says what is wrong with a sandbox that cannot be made, and leaves nothing of it', async () => {
    const before = readdirSync(join(ground.directory, 'run/s')).sort();
    const { stderr, exit } = await ground.shell('true', { workingDirectory: '/nowhere', id: 'x1' });
    assert.deepEqual([exit.code, /nowhere: No such file/.test(stderr)], [1, true]);
    await assert.rejects(
      ground.shell('true', { id: 'x3', binds: [{ source: '/etc', target: '/proc/nowhere', readOnly: true }] }),
      /bwrap ended with 1 before the command ran: bwrap: .*nowhere/,
    );
    await assert.rejects(ground.shell('true', { id: '../x' }), /bad sandbox id/);
    await assert.rejects(
      ground.shell('true', { id: 'x2', binds: [{ source: '/nowhere', target: '/var/lang', readOnly: true }] }),
      /ENOENT|nowhere/,
    );
    assert.deepEqual(readdirSync(join(ground.directory, 'run/s')).sort(), before);
  });

  it('ends politely when asked to', async () => {
    const sandbox = await ground.startNode(
      `process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); console.log('up'); setInterval(() => {}, 1000)`,
    );
    await printed(sandbox, 'up');
    sandbox.terminate();
    const { stdout, exit } = await outcome(sandbox);
    assert.deepEqual([stdout, exit.code], ['bye\n', 0]);
  });

  it('takes everything with it that it started, at once', async () => {
    const sandbox = await ground.start(['/bin/sh', '-c', 'setsid sleep 1000 & setsid sleep 1000 & echo up; wait']);
    await printed(sandbox, 'up');
    const inside = members(sandbox.pid);
    assert.ok(inside.length >= 4, String(inside));
    sandbox.kill();
    assert.equal((await sandbox.exited).signal, 'SIGKILL');
    for (const pid of inside) await ended(pid);
  });

  it('ends when it is killed, though a freeze is due or asked for at that moment', async () => {
    const sandbox = await ground.start(['/bin/sleep', '1000']);
    void sandbox.freeze({ afterMs: 1 });
    sandbox.kill();
    await sandbox.freeze();
    assert.equal((await sandbox.exited).signal, 'SIGKILL');
  });

  it('leaves no process behind that its command has left running', async () => {
    const sandbox = await ground.start(['/bin/sh', '-c', 'setsid sleep 1000 & echo up; read _']);
    await printed(sandbox, 'up');
    const inside = members(sandbox.pid);
    sandbox.stdin.end('\n');
    assert.equal((await sandbox.exited).code, 0);
    for (const pid of inside) await ended(pid);
  });

  it('makes many at the same time', async () => {
    const outcomes = await Promise.all(Array.from({ length: 12 }, (_, index) => ground.shell(`echo ${index}`)));
    assert.deepEqual(
      outcomes.map(({ stdout }) => stdout),
      Array.from({ length: 12 }, (_, index) => `${index}\n`),
    );
  });
});

describe('sandbox provider', { skip }, () => {
  it('leaves nothing behind when closed', async () => {
    const before = traces();
    const ground = await TrialGround.open();
    const sandboxes = await Promise.all([1, 2, 3].map(() => ground.start(['/bin/sleep', '1000'])));
    await sandboxes[0]!.freeze();
    await ground.close();
    assert.deepEqual(traces(), before);
    assert.deepEqual(
      sandboxes.map(({ pid }) => isRunning(pid)),
      [false, false, false],
    );
  });

  it('takes its sandboxes with it when it is killed, and the next one removes what is left', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-killed-'));
    const before = traces();
    const script = `
      import { createSandboxProvider } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
      const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
      const provider = await createSandboxProvider({ directory: ${JSON.stringify(join(directory, 'run'))}, logger: log });
      const make = (id) => provider.create({ id, command: ['/bin/sh', '-c', 'echo up; exec sleep 1000'],
        environment: {}, binds: [], workingDirectory: '/', tmpMb: 1, memoryMb: undefined });
      const running = await make('running'); const frozen = await make('frozen');
      for (const { stdout } of [running, frozen]) await new Promise((resolve) => stdout.once('data', resolve));
      await frozen.freeze();
      console.log(running.pid + ' ' + frozen.pid);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const [running, frozen] = line.split(' ').map(Number) as [number, number];
      child.kill('SIGKILL');
      await once(child, 'exit');
      await ended(running);
      const next = await createSandboxProvider({ directory: join(directory, 'run'), logger: SILENT });
      await ended(frozen);
      await next.close();
      assert.equal(existsSync(join(directory, 'run')), false);
      const again = await createSandboxProvider({ directory: join(directory, 'run'), logger: SILENT });
      await again.close();
      assert.deepEqual(traces(), before);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/** Waits for the end of a process that is being killed. */
async function ended(pid: number): Promise<void> {
  const { setTimeout } = await import('node:timers/promises');
  for (let round = 0; isRunning(pid); round++) {
    assert.ok(round < 500, `process ${pid} still runs`);
    await setTimeout(10);
  }
}

/** All processes of the process namespace of `pid`. */
function members(pid: number): number[] {
  const parentOf = new Map<number, number>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = readFileSync(`/proc/${entry}/stat`, 'latin1').split(') ').at(-1)!.split(' ')[1];
      parentOf.set(Number(entry), Number(parent));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [pid];
  for (const member of found) for (const [child, parent] of parentOf) if (parent === member) found.push(child);
  return found;
}

/** What sandboxes of this process leave on the host: mounts. Groups are named for their owner. */
function traces(): { readonly mounts: string; readonly groups: readonly string[] } {
  const groups = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => / cgroup2? /.test(line))
    .flatMap((line) => ourGroups(line.split(' ')[1]!, 4));
  // Root file systems of containers come and go beside: overlays are never a sandbox's.
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return {
    mounts: lines
      .filter((line) => !/ - (?:overlay|nsfs|tmpfs kobune) |\/run\/kobune\/|(?:podman|buildah|dockerd)/.test(line))
      .join('\n'),
    groups,
  };
}

function ourGroups(directory: string, depth: number): string[] {
  if (depth === 0) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = join(directory, name);
      const owner = /^kobune-[0-9a-f]+-(\d+)$/.exec(name)?.[1];
      // Of another program that runs at the same time.
      if (owner !== undefined) return Number(owner) === process.pid || !isRunning(Number(owner)) ? [path] : [];
      return ourGroups(path, depth - 1);
    });
}
