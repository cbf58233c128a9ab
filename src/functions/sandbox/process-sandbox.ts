import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { residentMemory } from './proc.ts';
import type { Sandbox, SandboxExit, SandboxOptions } from './sandbox.ts';

/**
 * A plain process, where the machine can do no better (macOS, or no bwrap): it sees the host's files, network and
 * processes and has no limits. Paths inside are paths of the host, so what a sandbox shows at a fixed place is found
 * through a variable: `KOBUNE_ROOT` holds `var/task`, `opt` and `run/kobune`.
 */
export async function startProcess(directory: string, options: SandboxOptions, onExit: () => void): Promise<Sandbox> {
  const root = join(directory, options.id);
  for (const path of ['run/kobune', 'var', 'tmp']) mkdirSync(join(root, path), { recursive: true, mode: 0o700 });
  const onHost = new Map(options.binds.map(({ source, target }) => [target, source]));
  const [program = '', ...args] = options.command.map((word) => hostPath(word, onHost));
  const workingDirectory = join(root, 'tmp');
  const child = spawn(program, args, {
    cwd: workingDirectory,
    env: { ...options.environment, KOBUNE_ROOT: root, TMPDIR: workingDirectory },
    // A group of its own, so that all of it can be ended at once.
    detached: true,
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
  return new ProcessSandbox(options.id, root, child, onExit);
}

/** The host's path for a path inside that is or lies in a bind. */
function hostPath(path: string, binds: ReadonlyMap<string, string>): string {
  for (const [target, source] of binds) {
    if (path === target || path.startsWith(`${target}/`)) return source + path.slice(target.length);
  }
  return path;
}

class ProcessSandbox implements Sandbox {
  readonly id: string;
  readonly pid: number;
  readonly stdin: Sandbox['stdin'];
  readonly stdout: Sandbox['stdout'];
  readonly stderr: Sandbox['stderr'];
  readonly exchangeDirectory: string;
  readonly exited: Promise<SandboxExit>;
  readonly #root: string;
  #ended = false;

  constructor(id: string, root: string, child: ChildProcess, onExit: () => void) {
    this.id = id;
    this.pid = child.pid!;
    this.stdin = child.stdin!;
    this.stdout = child.stdout!;
    this.stderr = child.stderr!;
    this.stdin.on('error', () => {});
    this.exchangeDirectory = join(root, 'run/kobune');
    this.#root = root;
    this.exited = once(child, 'exit').then(([code, signal]) => {
      this.#signal('SIGKILL'); // What it started must not outlive it.
      this.#ended = true;
      rmSync(root, { recursive: true, force: true });
      onExit();
      return { code: code ?? undefined, signal: signal ?? undefined, outOfMemory: false };
    });
  }

  async attach(source: string, target: '/var/task' | '/opt'): Promise<void> {
    if (this.#ended) throw new Error(`sandbox ${this.id} has ended`);
    const place = join(this.#root, target);
    if (readdirSync(join(place, '..')).includes(target.split('/').at(-1)!)) unlinkSync(place);
    symlinkSync(source, place);
  }

  async limit(): Promise<void> {}

  async freeze(): Promise<void> {
    this.#signal('SIGSTOP');
  }

  async thaw(): Promise<void> {
    this.#signal('SIGCONT');
  }

  peakMemory(): number {
    return residentMemory(this.pid, 'VmHWM');
  }

  memory(): number {
    return residentMemory(this.pid, 'VmRSS');
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  terminate(): void {
    if (!this.#ended) process.kill(this.pid, 'SIGTERM');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#ended) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
