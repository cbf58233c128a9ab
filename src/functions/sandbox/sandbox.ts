import type { Readable, Writable } from 'node:stream';

/** A directory or file of the host shown inside the sandbox. */
export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface SandboxOptions {
  /** Unique; names the cgroup and the scratch directory. */
  readonly id: string;
  /** Program and arguments, as seen inside. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Host directory that is the inside's whole file system, read-only, in place of the base one: an image's. It has the
   * directories that things are shown at (`/proc`, `/dev`, `/tmp`, `/run/kobune`, …). Only where sandboxes are `bwrap`'s.
   */
  readonly root?: string;
  /** Shown besides the base file system (system libraries, CA certificates, `/etc/resolv.conf`). */
  readonly binds: readonly Bind[];
  readonly workingDirectory: string;
  /** Size limit of `/tmp`, MB. */
  readonly tmpMb: number;
  /** Memory limit, MB; CPU follows from it (1,769 MB = 1 vCPU). `undefined`: not limited yet (a pooled runtime). */
  readonly memoryMb: number | undefined;
  /** Names added to the inside's `/etc/hosts`, beyond what the DNS answers. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** A started process tree in namespaces of its own. */
export interface Sandbox {
  readonly id: string;
  /** Process id, as the host sees it, of the first process inside. */
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * A host directory that the inside sees as `/run/kobune`, read-only: sockets of ours live here. A socket's mode must
   * be 0666, since the user inside is nobody on the host; no one else on the host can reach the directory.
   */
  readonly exchangeDirectory: string;
  /** Shows `source` inside at `target` (one of `/var/task`, `/opt`) after the start. */
  attach(source: string, target: '/var/task' | '/opt'): Promise<void>;
  /** Sets memory (and so CPU) and `/tmp` limits of a pooled sandbox. May be called again. */
  limit(limits: SandboxLimits): Promise<void>;
  /**
   * Stops every process inside; resolves once the kernel has done it (some 0.2 ms). With `afterMs`, resolves at once
   * and stops them only if `thaw` was not called within that time, so that a busy sandbox pays nothing.
   */
  freeze(options?: { readonly afterMs?: number }): Promise<void>;
  /** Resumes them (some 0.13 ms), or calls off a stop that has not happened yet. */
  thaw(): Promise<void>;
  /**
   * Highest memory use since the last call, bytes. What the kernel charges to the sandbox: pages of the runtime's binary
   * and libraries are charged once, to whoever touched them first, and so are hardly ever in it.
   */
  peakMemory(): number;
  /** Memory in use now, bytes. */
  memory(): number;
  /** Kills everything inside, at once. `exited` resolves after. */
  kill(): void;
  /** Polite stop for extensions: SIGTERM to the first process. */
  terminate(): void;
  readonly exited: Promise<SandboxExit>;
}

export interface SandboxLimits {
  readonly memoryMb: number;
  readonly tmpMb: number;
  /** The memory whose share of the processors it gets; `memoryMb` unless told. `all`: no share, as while initialising. */
  readonly cpuMb?: number | 'all';
}

export interface SandboxExit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** The kernel killed something inside for memory. */
  readonly outOfMemory: boolean;
}

export interface SandboxProvider {
  /** What isolation this machine gives; `doctor` prints it. */
  readonly capabilities: SandboxCapabilities;
  create(options: SandboxOptions): Promise<Sandbox>;
  /** What commands inside are started with: with an own `root`, which need not have such programs, the host's. */
  programs(root: string | undefined): Promise<StartPrograms>;
  /** Kills and removes everything it made, also what a killed earlier run left behind. */
  close(): Promise<void>;
}

/** The first words of commands inside. */
export interface StartPrograms {
  /** A POSIX shell. */
  readonly shell: readonly string[];
  /** `env`: sets variables and becomes what follows. */
  readonly env: readonly string[];
}

export interface SandboxCapabilities {
  readonly kind: 'bwrap' | 'process';
  readonly cgroups: 'v1' | 'v2' | 'none';
  readonly network: 'namespace' | 'none';
  readonly seccomp: boolean;
  /** One line for each thing that is missing: what, and what is lost without it. */
  readonly missing: readonly string[];
}
