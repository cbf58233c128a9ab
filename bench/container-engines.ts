/** Container engines that are measured side by side, each on directories of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { EngineApi } from './engine-api.ts';
import { program } from './server.ts';

export const run = promisify(execFile);

/** Where engines keep their state: a disk, also where `/tmp` is memory, and one directory for all of them. */
export const STATE = '/var/tmp';

/** An engine with a Docker Engine API. */
export interface Engine extends AsyncDisposable {
  readonly name: string;
  readonly api: EngineApi;
  /** Address of a registry that it reaches by loopback. */
  readonly registry: string;
  /** Ids of the processes that it has besides those inside containers: servers, shims, monitors. */
  processes(): Promise<readonly number[]>;
}

const START_MS = 20_000;

/** A released or checked-out Kobune, with state on disk. */
export async function startKobuneEngine(): Promise<Engine> {
  const data = await mkdtemp(join(STATE, 'kobune-bench-'));
  const kobune = async (...args: string[]) =>
    (
      await run(process.execPath, [...program(), ...args, '--data', data], {
        env: { PATH: process.env.PATH, HOME: data },
      })
    ).stdout;
  await kobune('up', '--detach', '--port', '0', '--log-level', 'warn');
  const { pid } = JSON.parse(await readFile(join(data, 'instance.json'), 'utf8')) as { pid: number };
  const registry = await startRegistry(undefined);
  return {
    name: 'Kobune',
    api: new EngineApi(join(data, 'docker.sock')),
    registry: registry.address,
    processes: async () => [pid, ...(await pidsOf('conmon', data))],
    async [Symbol.asyncDispose]() {
      // Containers that a failed measurement has left would go on.
      await kobune('reset');
      await kobune('down');
      await registry.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** Docker's own engine, in a network namespace of its own: its bridge and its firewall rules stay in there. */
export async function startDockerEngine(): Promise<Engine | undefined> {
  if (!existsSync('/usr/sbin/dockerd')) return undefined;
  const directory = await mkdtemp(join(STATE, 'dockerd-bench-'));
  const socket = join(directory, 'docker.sock');
  const daemon = spawn(
    'unshare',
    [
      ...['--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh', 'dockerd'],
      ...['--data-root', join(directory, 'root'), '--exec-root', join(directory, 'exec')],
      ...['--pidfile', join(directory, 'pid'), '-H', `unix://${socket}`],
    ],
    { stdio: 'ignore', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
  );
  await answers(socket);
  const registry = await startRegistry(daemon.pid);
  return {
    name: 'Docker',
    api: new EngineApi(socket),
    registry: registry.address,
    processes: async () => [
      daemon.pid!,
      ...(await pidsOf('containerd', directory)),
      ...(await pidsOf('containerd-shim-runc-v2', directory)),
      ...(await pidsOf('docker-proxy', '')),
    ],
    async [Symbol.asyncDispose]() {
      await registry.stop();
      await end(daemon);
      await unmountBelow(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface Registry {
  readonly address: string;
  stop(): Promise<void>;
}

/** Debian's docker-registry on loopback, in the network namespace of process `inside` if told. */
async function startRegistry(inside: number | undefined): Promise<Registry> {
  const directory = await mkdtemp(join(STATE, 'registry-bench-'));
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  await writeFile(
    join(directory, 'config.yml'),
    [
      'version: 0.1',
      'log: { level: error }',
      `storage: { filesystem: { rootdirectory: ${directory}/data }, delete: { enabled: true } }`,
      `http: { addr: "127.0.0.1:${port}" }`,
    ].join('\n'),
  );
  const words = ['docker-registry', 'serve', join(directory, 'config.yml')];
  const [command, ...args] = inside === undefined ? words : ['nsenter', '--target', String(inside), '--net', ...words];
  const server = spawn(command!, args, { stdio: 'ignore' });
  const probe = ['wget', '-q', '-O', '/dev/null', `http://127.0.0.1:${port}/v2/`];
  for (let waited = 0; waited < START_MS; waited += 50) {
    const busybox = ['busybox', ...probe];
    const [probeCommand, ...probeArgs] =
      inside === undefined ? busybox : ['nsenter', '--target', String(inside), '--net', ...busybox];
    const ready = await run(probeCommand!, probeArgs).then(
      () => true,
      () => false,
    );
    if (ready) break;
    await delay(50);
  }
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      await end(server);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function answers(socket: string): Promise<void> {
  for (let waited = 0; waited < START_MS; waited += 20) {
    const open = await new Promise<boolean>((resolve) => {
      const call = connect(socket);
      call.once('connect', () => {
        call.destroy();
        resolve(true);
      });
      call.once('error', () => resolve(false));
    });
    if (open) return;
    await delay(20);
  }
  throw new Error(`nothing answers at ${socket}`);
}

/** Processes of this program that have `word` in their command line. */
async function pidsOf(program: string, word: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    const [first = ''] = line.split('\0');
    if ((first === program || first.endsWith(`/${program}`)) && line.includes(word)) found.push(Number(name));
  }
  return found;
}

async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const point of mounts.filter((path) => path.startsWith(`${directory}/`)).toReversed()) {
    await run('umount', ['-l', point]).catch(() => undefined);
  }
}

/** Memory that a process has for itself and its part of what it shares, bytes. */
export async function proportionalMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
}

export interface BenchFile {
  readonly name: string;
  readonly content?: Uint8Array | string;
  readonly link?: string;
  readonly mode?: number;
}

/** A tar archive; names that end in a slash are directories. */
export function archiveOf(files: readonly BenchFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, content = '', link, mode } of files) {
    const mtime = new Date(0);
    if (link !== undefined) archive.entry({ name, type: 'symlink', linkname: link, mtime });
    else if (name.endsWith('/')) archive.entry({ name, type: 'directory', mode: mode ?? 0o755, mtime });
    else archive.entry({ name, mode: mode ?? 0o644, mtime }, Buffer.from(content));
  }
  archive.finalize();
  return buffer(archive);
}

/** A file system with busybox and nothing else. */
export async function busyboxArchive(): Promise<Buffer> {
  const binary = await readFile('/bin/busybox');
  const { stdout } = await run('/bin/busybox', ['--list']);
  return archiveOf([
    { name: 'bin/' },
    { name: 'bin/busybox', content: binary, mode: 0o755 },
    ...stdout
      .split('\n')
      .filter((applet) => applet !== '' && applet !== 'busybox')
      .map((applet) => ({ name: `bin/${applet}`, link: 'busybox' })),
    { name: 'etc/' },
    { name: 'etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\n' },
    { name: 'etc/group', content: 'root:x:0:\n' },
    { name: 'tmp/', mode: 0o1777 },
  ]);
}
