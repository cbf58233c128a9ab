import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem } from 'node:os';

/** What `docker info` tells of the machine. */
export interface Machine {
  readonly kernel: string;
  readonly operatingSystem: string;
  readonly version: string;
  /** As `uname -m` has it. */
  readonly architecture: string;
  readonly processors: number;
  readonly memory: number;
  readonly cgroupVersion: '1' | '2';
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ia32: 'i686',
  arm: 'armv7l',
};

export function readMachine(): Machine {
  const system = osRelease();
  return {
    kernel: release(),
    operatingSystem: system.get('PRETTY_NAME') ?? 'Linux',
    version: system.get('VERSION_ID') ?? '',
    architecture: ARCHITECTURES[arch()] ?? arch(),
    processors: availableParallelism(),
    memory: totalmem(),
    cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? '2' : '1',
  };
}

/** Go's name of the architecture, as platforms have it. */
export function goArchitecture(): string {
  return arch() === 'x64' ? 'amd64' : arch() === 'ia32' ? '386' : arch();
}

function osRelease(): ReadonlyMap<string, string> {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
    return new Map(
      lines.flatMap((line) => {
        const [, name, value] = /^([A-Z_]+)="?(.*?)"?$/.exec(line) ?? [];
        return name === undefined ? [] : [[name, value!] as const];
      }),
    );
  } catch {
    return new Map();
  }
}
