import type { Logger } from '../../base/logger.ts';
import type { Kernel } from '../../network/index.ts';
import type { HeldProcess } from './bwrap-process.ts';
import type { Cgroup } from './cgroup.ts';
import { linkTree } from './link-tree.ts';
import { mountInside, resizeTmp } from './mounts.ts';
import { childrenOf, exitStatus, residentMemory } from './proc.ts';
import type { Sandbox, SandboxExit } from './sandbox.ts';
import type { SandboxFiles } from './sandbox-files.ts';

export interface BwrapSandboxParts {
  readonly id: string;
  readonly process: HeldProcess;
  readonly files: SandboxFiles;
  readonly cgroup: Cgroup | undefined;
  /** With root and `node:ffi`: attach and limit by mounting inside. */
  readonly kernel: Kernel | undefined;
  readonly logger: Logger;
  /** Called once, after everything inside has ended. */
  onExit(): void;
}

/** A process tree started by bwrap. */
export class BwrapSandbox implements Sandbox {
  readonly id: string;
  readonly pid: number;
  readonly stdin: Sandbox['stdin'];
  readonly stdout: Sandbox['stdout'];
  readonly stderr: Sandbox['stderr'];
  readonly exchangeDirectory: string;
  readonly exited: Promise<SandboxExit>;
  readonly #parts: BwrapSandboxParts;
  #ended = false;
  #killed = false;

  constructor(parts: BwrapSandboxParts) {
    const { monitor, pid } = parts.process;
    this.#parts = parts;
    this.id = parts.id;
    this.pid = pid;
    this.stdin = monitor.stdin!;
    this.stdout = monitor.stdout!;
    this.stderr = monitor.stderr!;
    this.exchangeDirectory = parts.files.exchange;
    this.exited = new Promise((resolve) => {
      monitor.once('exit', (code, signal) => resolve(this.#end(code, signal)));
    });
  }

  async attach(source: string, target: '/var/task' | '/opt'): Promise<void> {
    if (this.#ended) throw new Error(`sandbox ${this.id} has ended`);
    const { kernel, files } = this.#parts;
    if (kernel) mountInside(kernel, this.pid, source, target);
    else await linkTree(source, target === '/opt' ? files.opt : files.task);
  }

  async limit({ memoryMb, tmpMb }: { readonly memoryMb: number; readonly tmpMb: number }): Promise<void> {
    const { kernel, cgroup } = this.#parts;
    cgroup?.limit(memoryMb);
    if (kernel) resizeTmp(kernel, this.pid, tmpMb);
  }

  async freeze(): Promise<void> {
    if (!this.#ended) await this.#parts.cgroup?.freeze();
  }

  async thaw(): Promise<void> {
    if (!this.#ended) this.#parts.cgroup?.thaw();
  }

  peakMemory(): number {
    return this.#parts.cgroup?.peakMemory() ?? residentMemory(this.pid, 'VmHWM');
  }

  memory(): number {
    return this.#parts.cgroup?.memory() ?? residentMemory(this.pid, 'VmRSS');
  }

  kill(): void {
    if (this.#ended) return;
    this.#killed = true;
    try {
      // The first process of a process namespace takes all others with it.
      process.kill(this.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    // A frozen process takes a signal only when it runs again (cgroup v1).
    this.#parts.cgroup?.thaw();
  }

  terminate(): void {
    if (this.#ended) return;
    for (const pid of childrenOf(this.pid)) {
      try {
        process.kill(pid, 'SIGTERM');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  #end(code: number | null, signal: string | null): SandboxExit {
    this.#ended = true;
    const outOfMemory = (this.#parts.cgroup?.outOfMemoryKills() ?? 0) > 0;
    this.#parts.onExit();
    if (this.#killed) return { code: undefined, signal: 'SIGKILL', outOfMemory };
    return { ...exitStatus(code, signal), outOfMemory };
  }
}
