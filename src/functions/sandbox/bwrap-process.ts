import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Duplex, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type Kernel, keepDescriptorsToOurselves } from '../../network/index.ts';
import { baseFileSystem, imageFileSystem, sealFileSystem } from './base-files.ts';
import { createOutputPipe } from './output-pipe.ts';
import { isRunning } from './proc.ts';
import type { Stage } from './stage.ts';
import { SANDBOX_GROUP, SANDBOX_USER, type UserNamespace } from './user-namespace.ts';

/** What bwrap is told for one sandbox. */
export interface BwrapPlan {
  /** The inside's whole file system, in place of the base one. */
  readonly root: string | undefined;
  /** A shell inside. */
  readonly shell: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly binds: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[];
  readonly workingDirectory: string;
  readonly tmpMb: number;
  /** `undefined` when we are not root and bwrap makes one of its own. */
  readonly users: UserNamespace | undefined;
  /** File with the compiled filter. */
  readonly seccomp: string | undefined;
  readonly hostname: string;
  readonly stage: Stage | undefined;
  readonly kernel: Kernel | undefined;
}

const wantToRead = () => {};

/** A sandbox that is made but has not run anything yet. */
export interface HeldProcess {
  /** bwrap itself, on the host's side: ends when the sandbox does, with its exit status. */
  readonly monitor: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** First process inside. Everything else is its child and dies with it. */
  readonly pid: number;
  /** Lets it go on to the command; resolves when all its mounts are in place. */
  release(): Promise<void>;
  /** Rejects with the reason why it could not be made: bwrap's own if it has ended, else `error`. */
  explain(error: unknown): Promise<never>;
}

/**
 * "File descriptors: 1,024" (Lambda Developer Guide, "Lambda quotas"); no core dumps, which the host would handle; and
 * without the two descriptors that bwrap leaves open.
 */
const CLEAN_START = ['-c', 'ulimit -c 0; ulimit -n 1024; exec "$@" 3<&- 6<&-', 'sh'];

/** Starts bwrap and waits until its namespaces are there; the command waits for `release()`. */
export async function startBwrap(plan: BwrapPlan): Promise<HeldProcess> {
  const descriptors: number[] = [];
  // Descriptors 0–2 are the command's own, 3–5 carry arguments, the answer and the go-ahead.
  const pass = (fd: number): string => String(5 + descriptors.push(fd));
  const { kernel, users } = plan;
  const pipes = kernel ? [createOutputPipe(kernel, users), createOutputPipe(kernel, users)] : [];
  const readers = pipes.map(({ reader }) => reader);
  const writers = pipes.map(({ writer }) => writer);
  try {
    const args = bwrapArguments(plan, pass);
    // Each ends in such a byte: one within would begin another argument.
    if (args.some((arg) => arg.includes('\0'))) throw new Error('a sandbox cannot be given text with a zero byte');
    // What this process was itself started with, or a library opened, is not for sandboxes.
    if (plan.kernel) keepDescriptorsToOurselves(plan.kernel);
    const [output = 'pipe', errors = 'pipe'] = writers;
    const start = () =>
      spawn('bwrap', ['--args', '3', '--', ...plan.shell, ...CLEAN_START, ...plan.command], {
        stdio: ['pipe', output, errors, 'pipe', 'pipe', 'pipe', ...descriptors],
        // The function's variables go by --args: a loader variable among them must not reach bwrap.
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        cwd: '/',
        // Node drops our supplementary groups with these.
        ...(plan.users && { uid: plan.users.hostUser, gid: plan.users.hostGroup }),
      });
    const monitor = plan.stage ? plan.stage.run(start) : start();
    // Its output ends when it does.
    for (const writer of writers.splice(0)) closeSync(writer);
    const [, , , argumentStream, info, goAhead] = monitor.stdio as unknown as [
      Writable,
      Readable,
      Readable,
      Writable,
      Readable,
      Duplex,
    ];
    const stdout = readers[0] ?? monitor.stdout!;
    const stderr = readers[1] ?? monitor.stderr!;
    for (const stream of [argumentStream, info, goAhead, monitor.stdin!]) stream.on('error', () => {});
    argumentStream.end(`${args.join('\0')}\0`);
    const failed = failure(monitor, stderr);
    failed.catch(() => {});
    // Node throws away what nobody has read when a process ends, unless somebody wants to.
    const outputs = [stdout, stderr];
    for (const output of outputs) output.on('readable', wantToRead);
    const pid = await Promise.race([readChildPid(info), failed]);
    return {
      monitor,
      stdin: monitor.stdin!,
      stdout,
      stderr,
      pid,
      async release() {
        if (!(await letGo(goAhead))) await failed;
        for (const output of outputs) output.off('readable', wantToRead);
      },
      explain: (error) => (isRunning(pid) ? Promise.reject(error) : failed),
    };
  } catch (error) {
    for (const reader of readers) reader.destroy();
    throw error;
  } finally {
    for (const writer of writers) closeSync(writer);
    for (const fd of descriptors) if (fd !== users?.fd) closeSync(fd);
  }
}

function bwrapArguments(plan: BwrapPlan, pass: (fd: number) => string): string[] {
  const args = ['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'];
  if (plan.users) args.push('--userns', pass(plan.users.fd));
  else args.push('--unshare-user');
  args.push('--uid', String(SANDBOX_USER), '--gid', String(SANDBOX_GROUP), '--hostname', plan.hostname);
  args.push('--die-with-parent', '--new-session', '--info-fd', '4', '--block-fd', '5', '--clearenv');
  for (const [name, value] of Object.entries(plan.environment)) args.push('--setenv', name, value);
  if (plan.root === undefined) args.push(...baseFileSystem());
  else args.push(...imageFileSystem(plan.stage?.show(plan.root) ?? plan.root));
  args.push('--perms', '1777', '--size', String(plan.tmpMb * 1024 * 1024), '--tmpfs', '/tmp');
  for (const { source, target, readOnly } of plan.binds) {
    args.push(readOnly ? '--ro-bind' : '--bind', plan.stage?.show(source) ?? source, target);
  }
  if (plan.root === undefined) args.push(...sealFileSystem());
  args.push('--chdir', plan.workingDirectory);
  if (plan.seccomp !== undefined) args.push('--seccomp', pass(openSync(plan.seccomp, 'r')));
  return args;
}

/** The child's id, which bwrap tells as soon as the namespaces are there. */
async function readChildPid(info: Readable): Promise<number> {
  let answer = '';
  for await (const chunk of info) {
    answer += chunk;
    if (answer.includes('}')) return (JSON.parse(answer) as { 'child-pid': number })['child-pid'];
  }
  return new Promise(() => {}); // It ended without an answer; its exit is reported elsewhere.
}

/**
 * bwrap reads the go-ahead, and closes it, after its last mount and just before the command. Answers false when it has
 * given up: then the go-ahead cannot be written (EPIPE), or is closed unread (ECONNRESET).
 */
async function letGo(goAhead: Duplex): Promise<boolean> {
  const written = new Promise<boolean>((resolve) => {
    goAhead.once('error', () => resolve(false));
    goAhead.write('.', (error) => resolve(!error));
  });
  if (!(await written)) return false;
  return new Promise((resolve) => {
    goAhead.once('end', () => resolve(true));
    goAhead.once('error', () => resolve(false));
    goAhead.once('close', () => resolve(false));
    goAhead.resume();
    goAhead.end();
  });
}

/** Rejects when bwrap ends, with what it complained of. */
async function failure(monitor: ChildProcess, stderr: Readable): Promise<never> {
  const [code, signal] = (await once(monitor, 'exit')) as [number | null, string | null];
  const complaint = await text(stderr);
  throw new Error(`bwrap ended with ${code ?? signal} before the command ran: ${complaint.trim()}`);
}
