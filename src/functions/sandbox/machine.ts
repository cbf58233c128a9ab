import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Kernel, openKernel } from '../../network/index.ts';
import { baseFileSystem } from './base-files.ts';
import type { CgroupDriver } from './cgroup.ts';
import { openCgroups } from './cgroups.ts';
import { compileFilter } from './seccomp.ts';
import { createStage, type Stage } from './stage.ts';
import { createUserNamespace, type UserNamespace } from './user-namespace.ts';

/** What this machine lends to sandboxes. */
export interface Machine {
  readonly kernel: Kernel | undefined;
  /** There when mounts can be made. */
  readonly stage: Stage | undefined;
  readonly users: UserNamespace | undefined;
  readonly cgroups: CgroupDriver | undefined;
  /** File with the compiled filter. */
  readonly seccomp: string | undefined;
  /** One line for each thing that is missing: what, and what is lost without it. */
  readonly missing: readonly string[];
  close(): Promise<void>;
}

const SYSTEM_PATH = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** Tries what is there, keeping its files in `directory` and those of sandboxes in `base`; answers why no sandbox can be made at all otherwise. */
export async function exploreMachine(directory: string, base: string): Promise<Machine | string> {
  if (process.platform !== 'linux') return `sandboxes need Linux, this is ${process.platform}`;
  // As sandboxes begin: all of the machine's mounts cannot be shown while others come and go.
  const trial = ['--unshare-all', ...baseFileSystem(), '--', 'true'];
  const failure = await promisify(execFile)('bwrap', trial, { env: SYSTEM_PATH }).then(
    () => undefined,
    (error: NodeJS.ErrnoException & { stderr?: string }) =>
      error.code === 'ENOENT'
        ? 'bwrap is not installed (Debian package bubblewrap)'
        : `bwrap does not work here: ${(error.stderr ?? error.message).trim()}`,
  );
  if (failure) return failure;

  const missing: string[] = [];
  const root = process.getuid?.() === 0;
  const users = root ? await createUserNamespace().catch((error: Error) => error) : undefined;
  if (users instanceof Error) return `no user namespace can be made here: ${users.message}`;
  const kernel = openKernel();
  const stage = openStage(kernel, root, base, missing);
  const cgroups = findCgroups(directory, missing);
  const seccomp = writeFilter(directory, missing);
  return {
    kernel,
    stage,
    users,
    cgroups,
    seccomp,
    missing,
    async close() {
      users?.close();
      stage?.close();
      await cgroups?.close();
    },
  };
}

function openStage(kernel: Kernel | undefined, root: boolean, base: string, missing: string[]): Stage | undefined {
  const loss = 'code is linked into a sandbox instead of mounted, and /tmp keeps the size it started with';
  if (!kernel || !root) {
    missing.push(`${kernel ? 'root' : 'Node 26.1 or newer (node:ffi)'}: ${loss}`);
    return undefined;
  }
  try {
    return createStage(kernel, base);
  } catch (error) {
    missing.push(`mounting into sandboxes (${(error as Error).message}): ${loss}`);
    return undefined;
  }
}

function findCgroups(directory: string, missing: string[]): CgroupDriver | undefined {
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 12);
  const driver = openCgroups(`kobune-${hash}-${process.pid}`, join(directory, 'cgroups.json'));
  if (typeof driver !== 'string') return driver;
  missing.push(`control groups (${driver}): no limit of memory, processors and processes, no freezing`);
  return undefined;
}

function writeFilter(directory: string, missing: string[]): string | undefined {
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    missing.push(`a system call filter for ${process.arch}: functions may make every system call`);
    return undefined;
  }
  const path = join(directory, 'seccomp.bpf');
  writeFileSync(path, compileFilter(process.arch), { mode: 0o600 });
  return path;
}
