import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Kernel } from '../../network/index.ts';
import { complaintOf, type OciRuntime } from './oci-runtime.ts';

/** Files of one run, in a directory of its own. Names are conmon's where it chooses them. */
export function runFiles(directory: string) {
  return {
    directory,
    spec: join(directory, 'config.json'),
    /** Open for writing as long as conmon lives. */
    alive: join(directory, 'alive'),
    spool: join(directory, 'spool'),
    checkpoint: join(directory, 'checkpoint'),
    attach: join(directory, 'attach'),
    control: join(directory, 'ctl'),
    /** conmon's own process. */
    monitor: join(directory, 'conmon.pid'),
    exits: join(directory, 'exits'),
    /** There when the kernel has ended a process for want of memory: conmon writes it where it was started, which is beside the exit codes. */
    outOfMemory: join(directory, 'exits', 'oom'),
  };
}

export type RunFiles = ReturnType<typeof runFiles>;

export interface MonitorOptions {
  readonly program: string;
  readonly runtime: OciRuntime;
  readonly id: string;
  readonly files: RunFiles;
  readonly kernel: Kernel;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  /** Standard input outlives who was attached to it. */
  readonly keepStdin: boolean;
  /** The spool begins anew past so many bytes; -1: never. */
  readonly spoolLimitBytes: number;
}

/** What is needed to follow a run. */
export interface MonitoredProcess {
  readonly pid: number;
  readonly monitorPid: number;
}

const SYNC_FD = 3;
/** Kind of a message on conmon's control fifo. */
const RESIZE = 1;

/**
 * Starts conmon, which makes the container with the runtime and then owns its input, output and exit status, whatever becomes of this
 * process. Resolves when the container's first process waits to be released. Rejects with the runtime's complaint.
 * Source: `conmon(8)`.
 */
export async function startMonitor(options: MonitorOptions): Promise<MonitoredProcess> {
  const { runtime, files, id } = options;
  options.kernel.call('mkfifo', files.alive, 0o600);
  const reader = openSync(files.alive, constants.O_RDONLY | constants.O_NONBLOCK);
  const alive = openSync(files.alive, constants.O_WRONLY);
  const args = [
    '--sync',
    ...['--api-version', '1', '-c', id, '-u', id, '-n', id, '-b', files.directory],
    ...['-r', runtime.path, '--runtime-arg', '--root', '--runtime-arg', runtime.stateDirectory],
    ...['-p', join(files.directory, 'pid'), '--exit-dir', files.exits, '-l', `k8s-file:${files.spool}`],
    ...['--no-sync-log', '--full-attach'],
    ...(options.spoolLimitBytes > 0 ? ['--log-size-max', String(options.spoolLimitBytes)] : []),
    ...(options.terminal ? ['-t'] : []),
    ...(options.openStdin ? ['-i'] : []),
    ...(options.openStdin && options.keepStdin ? ['--leave-stdin-open'] : []),
  ];
  try {
    const child = spawn(options.program, args, {
      cwd: files.exits,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', alive],
      // It writes local time otherwise.
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', TZ: 'UTC', _OCI_SYNCPIPE: String(SYNC_FD) },
    });
    const started = new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    child.unref();
    const sync = child.stdio[SYNC_FD] as Socket;
    const answer = await Promise.all([firstLine(sync), started]).then(([line]) => line);
    sync.destroy();
    const told = answer === '' ? {} : JSON.parse(answer);
    const pid = Number(told.data ?? told.pid ?? -1);
    if (pid <= 0) throw new Error(complaintOf(String(told.message ?? '')) || 'conmon ended without an answer');
    return { pid, monitorPid: child.pid! };
  } finally {
    closeSync(alive);
    closeSync(reader);
  }
}

/** Calls `ended` once conmon ends, or is about to; answers what stops waiting. */
export function onMonitorEnd(files: RunFiles, ended: () => void): () => void {
  const socket = new Socket({
    fd: openSync(files.alive, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  let stopped = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    if (!stopped) ended();
  });
  socket.resume();
  socket.unref();
  return () => {
    stopped = true;
    socket.destroy();
  };
}

/** Whether conmon has told since this was last asked that a process was ended for want of memory. It tells of it in `files.exits`. */
export function takeOutOfMemory(files: RunFiles): boolean {
  try {
    unlinkSync(files.outOfMemory);
    return true;
  } catch {
    return false;
  }
}

export interface RunEnd {
  readonly exitCode: number;
  /** Epoch ms. */
  readonly finishedAt: number;
}

/** How often it is looked whether a conmon that has let go of everything has ended, ms of the machine: at first, and later. */
const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 50;

/**
 * How a run has ended; `undefined` when conmon was killed before it could tell. It closes what it has inherited a moment before it
 * writes the code, so as long as it lives there may be one yet (seen with conmon 2.1.6).
 */
export async function readEnd(files: RunFiles, id: string, monitorLives: () => boolean): Promise<RunEnd | undefined> {
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LAST_LOOK_MS)) {
    // Asked first: what it has written in its last moment is there once it is gone.
    const lives = monitorLives();
    const end = readExit(join(files.exits, id));
    if (end || !lives) return end;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function readExit(path: string): RunEnd | undefined {
  try {
    const exitCode = Number.parseInt(readFileSync(path, 'latin1'), 10);
    return Number.isNaN(exitCode) ? undefined : { exitCode, finishedAt: Math.round(statSync(path).mtimeMs) };
  } catch {
    return undefined;
  }
}

/** Tells conmon the size of the terminal that it owns. */
export async function resizeTerminal(
  files: RunFiles,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const file = await open(files.control, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    await file.write(`${RESIZE} ${rows} ${columns}\n`);
  } finally {
    await file.close();
  }
}

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const finish = () => resolve(text.split('\n')[0]!);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
  });
}
