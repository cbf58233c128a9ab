import type { Logger } from '../../base/logger.ts';
import type { Kernel } from '../../network/index.ts';
import type { HeldProcess } from './bwrap-process.ts';
import type { Cgroup } from './cgroup.ts';
import { linkTree } from './link-tree.ts';
import { mountInside, resizeTmp } from './mounts.ts';
import { childrenOf, exitStatus, residentMemory, startTime } from './proc.ts';
import type { Sandbox, SandboxExit, SandboxLimits } from './sandbox.ts';
import type { SandboxFiles } from './sandbox-files.ts';

export interface BwrapSandboxParts {
  readonly id: string;
  readonly process: HeldProcess;
  readonly files: SandboxFiles;
  readonly cgroup: Cgroup | undefined;
  /** Where mounts can be made inside later. */
  readonly mounter: Kernel | undefined;
  readonly logger: Logger;
  /** Called once, when everything inside has ended. */
  onExit(ended: BwrapSandbox): void;
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
  /** Resolves when nothing of it is left on the host. */
  readonly removed: Promise<void>;
  readonly #parts: BwrapSandboxParts;
  readonly #startTime: string | undefined;
  #ended = false;
  #killed = false;
  #outOfMemory = false;
  #freezing: NodeJS.Timeout | undefined;

  constructor(parts: BwrapSandboxParts) {
    const { monitor, pid, stdin, stdout, stderr } = parts.process;
    this.#parts = parts;
    this.id = parts.id;
    this.pid = pid;
    this.#startTime = startTime(pid);
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.exchangeDirectory = parts.files.exchange;
    const { promise, resolve } = Promise.withResolvers<SandboxExit>();
    this.exited = promise;
    this.removed = new Promise((done) => {
      monitor.once('exit', (code, signal) => {
        const exit = this.#end(code, signal);
        // bwrap ends with the command; what else the command has started may be left.
        this.#killInside();
        resolve(exit);
        void this.#remove().then(done);
      });
    });
  }

  async attach(source: string, target: '/var/task' | '/opt'): Promise<void> {
    if (this.#ended) throw new Error(`sandbox ${this.id} has ended`);
    const { mounter, files } = this.#parts;
    if (mounter) mountInside(mounter, this.pid, source, target);
    else await linkTree(source, target === '/opt' ? files.opt : files.task);
  }

  async limit({ memoryMb, tmpMb, cpuMb = memoryMb }: SandboxLimits): Promise<void> {
    const { mounter, cgroup } = this.#parts;
    if (this.#ended) throw new Error(`sandbox ${this.id} has ended`);
    cgroup?.limit({ memoryMb, tmpMb, cpuMb: cpuMb === 'all' ? undefined : cpuMb });
    if (mounter) resizeTmp(mounter, this.pid, tmpMb);
  }

  async freeze({ afterMs = 0 }: { readonly afterMs?: number } = {}): Promise<void> {
    const { cgroup } = this.#parts;
    // A process that is frozen while it dies would never end.
    if (this.#ended || this.#killed || !cgroup) return;
    clearTimeout(this.#freezing);
    this.#freezing = undefined;
    if (afterMs <= 0) return cgroup.freeze();
    this.#freezing = setTimeout(() => {
      this.#freezing = undefined;
      void this.freeze();
    }, afterMs).unref();
  }

  async thaw(): Promise<void> {
    if (this.#freezing !== undefined) {
      clearTimeout(this.#freezing);
      this.#freezing = undefined;
    }
    if (!this.#ended) this.#parts.cgroup?.thaw();
  }

  peakMemory(): number {
    if (this.#ended) return 0;
    return this.#parts.cgroup?.peakMemory() ?? residentMemory(this.pid, 'VmHWM');
  }

  memory(): number {
    if (this.#ended) return 0;
    return this.#parts.cgroup?.memory() ?? residentMemory(this.pid, 'VmRSS');
  }

  kill(): void {
    if (this.#ended) return;
    this.#killed = true;
    clearTimeout(this.#freezing);
    this.#killInside();
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

  /** To be called now and then: on Lambda all of an environment ends, not only the process that the kernel chose. */
  endIfOutOfMemory(): void {
    const { cgroup } = this.#parts;
    if (this.#ended || this.#killed || !cgroup || cgroup.frozen) return;
    if (!cgroup.isOutOfMemory()) return;
    this.#outOfMemory = true;
    this.kill();
  }

  #killInside(): void {
    // Not another process that has got its number meanwhile.
    if (startTime(this.pid) !== this.#startTime) return;
    try {
      // The first process of a process namespace takes all others with it.
      process.kill(this.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  #end(code: number | null, signal: string | null): SandboxExit {
    this.#ended = true;
    clearTimeout(this.#freezing);
    const { cgroup, onExit } = this.#parts;
    const outOfMemory = this.#outOfMemory || (cgroup?.isOutOfMemory() ?? false);
    onExit(this);
    if (this.#killed) return { code: undefined, signal: 'SIGKILL', outOfMemory };
    return { ...exitStatus(code, signal), outOfMemory };
  }

  async #remove(): Promise<void> {
    const { cgroup, files, logger } = this.#parts;
    try {
      files.remove();
      await cgroup?.remove();
    } catch (error) {
      logger.warn('something of a sandbox was left behind', { id: this.id, error: (error as Error).message });
    }
  }
}
