import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, watch } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { Kernel } from '../../network/index.ts';
import type { TerminalSize } from '../container.ts';
import type { AttachedStreams } from '../engine.ts';
import { OutputQueue } from '../output/output-queue.ts';
import { consoleSize } from '../runtime/make-spec.ts';
import { complaintOf, type OciRuntime } from '../runtime/oci-runtime.ts';
import type { ProcessSpec } from '../runtime/oci-spec.ts';
import { identify, type ProcessIdentity, sendSignal } from '../runtime/processes.ts';
import { startError } from '../runtime/start-error.ts';
import { LineEnds, Terminal } from './terminal.ts';

export interface ExecProcessOptions {
  readonly kernel: Kernel;
  readonly runtime: OciRuntime;
  readonly containerId: string;
  readonly process: ProcessSpec;
  readonly attachStdin: boolean;
  readonly size?: TerminalSize | undefined;
  /** Beginning of the names of its files. */
  readonly files: string;
  /** Told the exit code, before its output ends. */
  readonly onExit: (exitCode: number) => void;
}

/** A reader that has so much to read already stops the process from writing more. */
const CONGESTED_BYTES = 1024 * 1024;
/** What the process has started may hold its output open; it is waited for so long. */
const LINGER_MS = 500;
const SIGKILLED = 137;
/** A terminal's size when nobody tells one. */
const USUAL_SIZE: TerminalSize = { rows: 24, columns: 80 };

/** A further process in a running container: the runtime runs as long as it does. */
export class ExecProcess {
  readonly pid: number;
  readonly streams: AttachedStreams;
  readonly #terminal: Terminal | undefined;
  readonly #child: ChildProcess;
  readonly #process: ProcessIdentity | undefined;

  private constructor(child: ChildProcess, pid: number, streams: AttachedStreams, terminal: Terminal | undefined) {
    this.#child = child;
    this.pid = pid;
    this.#process = identify(pid);
    this.streams = streams;
    this.#terminal = terminal;
  }

  /** Resolves when it runs. Rejects with `CannotStart`. */
  static async start(options: ExecProcessOptions): Promise<ExecProcess> {
    const { runtime, containerId, files } = options;
    const [spec, pidFile] = [`${files}.json`, `${files}.pid`];
    const { size = USUAL_SIZE } = options;
    const own = options.process.terminal ? { ...options.process, ...consoleSize(size) } : options.process;
    await writeFile(spec, JSON.stringify(own), { mode: 0o600 });
    const terminal = own.terminal ? new Terminal(options.kernel) : undefined;
    terminal?.resize(size);
    const args = ['--root', runtime.stateDirectory, 'exec', '--process', spec, '--pid-file', pidFile, containerId];
    const plain = [options.attachStdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] as const;
    const child = spawn(runtime.path, args, {
      stdio: terminal ? [terminal.far, terminal.far, terminal.far] : [...plain],
      detached: true,
    });
    terminal?.giveAway();
    const output = new ExecOutput(() => existsSync(pidFile));
    if (terminal) output.read(terminal.stream, 'stdout', new LineEnds());
    else for (const stream of ['stdout', 'stderr'] as const) output.read(child[stream]!, stream);
    const exited = exitOf(child);
    await appearance(pidFile, exited);
    if (!existsSync(pidFile)) {
      await drained(child, terminal, output);
      await removeFiles(files);
      throw startError(complaintOf(output.held()) || 'the process could not be started', own.args[0] ?? '');
    }
    output.release();
    const pid = Number(readFileSync(pidFile, 'latin1'));
    void exited.then(async (exitCode) => {
      await drained(child, terminal, output);
      await removeFiles(files);
      options.onExit(exitCode);
      output.queue.end();
    });
    const input = terminal?.stream ?? child.stdin;
    const stdin = options.attachStdin && input ? inputOf(input) : undefined;
    const detach = () => {
      stdin?.destroy();
      output.queue.discard();
    };
    return new ExecProcess(child, pid, { stdin, output: output.queue, detach }, terminal);
  }

  /** Ends it, whatever it does. */
  kill(): void {
    if (this.#process) sendSignal(this.#process, 'SIGKILL');
  }

  resize(size: TerminalSize): void {
    this.#terminal?.resize(size);
    // The far end is not the controlling terminal of the runtime, which passes the size on.
    if (this.#terminal) this.#child.kill('SIGWINCH');
  }
}

/** What the process writes. Until it runs, it is the runtime that writes, and what it writes is held back. */
class ExecOutput {
  readonly queue = new OutputQueue(() => this.#resume());
  readonly #running: () => boolean;
  readonly #readers: Readable[] = [];
  #held: { readonly stream: 'stdout' | 'stderr'; readonly bytes: Buffer }[] = [];
  #released = false;
  #hasPaused = false;

  constructor(running: () => boolean) {
    this.#running = running;
  }

  read(reader: Readable, stream: 'stdout' | 'stderr', lineEnds?: LineEnds): void {
    this.#readers.push(reader);
    reader.on('error', () => {});
    reader.on('data', (read: Buffer) => {
      const bytes = lineEnds?.complete(read) ?? read;
      if (!this.#released && this.#running()) this.release();
      if (!this.#released) this.#held.push({ stream, bytes });
      else this.queue.push({ stream, bytes });
      if (this.queue.bytes < CONGESTED_BYTES) return;
      reader.pause();
      this.#hasPaused = true;
    });
  }

  /** Whether somebody who reads slowly has kept it from going on since this was last asked, or does so now. */
  takePause(): boolean {
    const paused = this.#hasPaused;
    this.#hasPaused = this.#readers.some((reader) => reader.isPaused());
    return paused;
  }

  held(): string {
    return Buffer.concat(this.#held.map(({ bytes }) => bytes)).toString();
  }

  release(): void {
    this.#released = true;
    for (const chunk of this.#held) this.queue.push(chunk);
    this.#held = [];
  }

  #resume(): void {
    if (this.queue.bytes < CONGESTED_BYTES) for (const reader of this.#readers) reader.resume();
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.on('error', () => resolve(SIGKILLED));
    child.on('exit', (code) => resolve(code ?? SIGKILLED));
  });
}

/** Resolves when the file is there, or `ended` has. */
async function appearance(path: string, ended: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
    if (name === basename(path)) resolve();
  });
  watcher.on('error', () => resolve());
  if (existsSync(path)) resolve();
  try {
    await Promise.race([promise, ended]);
  } finally {
    watcher.close();
  }
}

/** Everything that was written has been read. */
async function drained(child: ChildProcess, terminal: Terminal | undefined, output: ExecOutput): Promise<void> {
  const streams = [child.stdout, child.stderr, terminal?.stream].flatMap((stream) =>
    stream && !stream.closed ? [stream] : [],
  );
  const closed = Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
  for (let waiting = true; waiting; ) {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timeout = setTimeout(() => resolve(output.takePause()), LINGER_MS);
    waiting = await Promise.race([closed.then(() => false), late]);
    clearTimeout(timeout);
  }
  for (const stream of streams) stream.destroy();
}

/** Errors of writing to a process that has ended are not the writer's. */
function inputOf(target: Writable): Writable {
  const stream = new PassThrough();
  stream.on('error', () => {});
  target.on('error', () => stream.destroy());
  stream.pipe(target);
  return stream;
}

async function removeFiles(files: string): Promise<void> {
  await Promise.all(['json', 'pid'].map((end) => rm(`${files}.${end}`, { force: true })));
}
