import { execFile, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { rm, unlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { LinuxResources } from './oci-spec.ts';
import { isAlive, type ProcessIdentity } from './processes.ts';

/** The program that makes containers: `runc`, or `crun` where control groups are of version 2 alone. */
export interface OciRuntime {
  readonly name: 'runc' | 'crun';
  readonly path: string;
  /** Where it keeps what it knows of containers. */
  readonly stateDirectory: string;
}

/** The first of `names` that the search path has. */
export function findProgram(...names: readonly string[]): string | undefined {
  const directories = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/usr/local/bin',
  ];
  for (const name of names) {
    for (const directory of directories) {
      if (directory && existsSync(join(directory, name))) return join(directory, name);
    }
  }
  return undefined;
}

/** What the runtime knows of one Kobune's containers, or of its build steps. */
export const stateDirectoryOf = (kind: 'containers' | 'steps', instance: string) => join('/run/kobune', kind, instance);

/**
 * The runtime to use with control groups of `version`; why there is none otherwise. Its state is lost with a reboot, as
 * the containers are. `instance` keeps those of several Kobunes apart.
 */
export function findRuntime(
  instance: string,
  version: 1 | 2,
  kind: 'containers' | 'steps' = 'containers',
): OciRuntime | string {
  const stateDirectory = stateDirectoryOf(kind, instance);
  for (const name of version === 1 ? (['runc'] as const) : (['crun', 'runc'] as const)) {
    const path = findProgram(name);
    if (path !== undefined) return { name, path, stateDirectory };
  }
  return version === 1 ? 'runc is not installed' : 'neither crun nor runc is installed';
}

/** Runs the runtime with `args`; rejects with what it complained of. */
export async function runRuntime(runtime: OciRuntime, args: readonly string[], input?: string): Promise<void> {
  const child = spawn(runtime.path, ['--root', runtime.stateDirectory, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
  });
  child.stdin?.end(input);
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < 4096) complaint += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(complaintOf(complaint) || `${runtime.name} ${args[0]} ended with code ${code}`);
}

/** The message of the last line that a runtime wrote: plain, or in its log's form. */
export function complaintOf(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  const [, quoted] = /msg="((?:[^"\\]|\\.)*)"/.exec(line) ?? [];
  const message = quoted === undefined ? line : quoted.replace(/\\(.)/g, '$1');
  return message.replace(/^(runc|crun) \w+ failed: /, '');
}

/** Lets a created container's process go. Rejects when it has ended meanwhile. */
export async function releaseProcess(runtime: OciRuntime, id: string, process_: ProcessIdentity): Promise<void> {
  if (runtime.name !== 'runc') return runRuntime(runtime, ['start', id]);
  // `runc start` does just this, after 12 ms of its own start: the process waits until its fifo is read.
  const fifo = join(runtime.stateDirectory, id, 'exec.fifo');
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (;;) {
      // Asked first: a process that was let go and has ended at once has still written.
      const lives = isAlive(process_);
      if (tryRead(fd)) break;
      if (!lives) throw new Error('the process ended before it was started');
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    closeSync(fd);
  }
  await unlink(fifo);
}

/** Whether there was something: nothing comes before the other side has opened it. */
function tryRead(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
}

/** Whether a created container's process was let go. */
export async function wasReleased(runtime: OciRuntime, id: string): Promise<boolean> {
  if (runtime.name === 'runc') return !existsSync(join(runtime.stateDirectory, id, 'exec.fifo'));
  const { stdout } = await promisify(execFile)(runtime.path, ['--root', runtime.stateDirectory, 'state', id]);
  return JSON.parse(stdout).status !== 'created';
}

/** Changes limits of a running container. */
export function updateResources(runtime: OciRuntime, id: string, resources: LinuxResources): Promise<void> {
  return runRuntime(runtime, ['update', '--resources', '-', id], JSON.stringify(resources));
}

/** The container's processes have ended: forgets it. Its control groups are removed by who made their path. */
export function forget(runtime: OciRuntime, id: string): Promise<void> {
  return rm(join(runtime.stateDirectory, id), { recursive: true, force: true });
}
