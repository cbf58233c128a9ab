import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostsFile } from './configuration.ts';
import type { Bind } from './sandbox.ts';

/** The few files that the host keeps for one sandbox. */
export interface SandboxFiles {
  readonly directory: string;
  /** Seen inside as `/run/kobune`, read-only: only the host puts sockets there. */
  readonly exchange: string;
  /** Stand for `/var/task` and `/opt` where nothing can be mounted later. */
  readonly task: string;
  readonly opt: string;
  /** Everything of it that is shown inside. */
  readonly binds: readonly Bind[];
  remove(): void;
}

export interface SandboxFilesOptions {
  readonly id: string;
  readonly hostname: string;
  /** Names for `/etc/hosts` beyond those of all sandboxes. */
  readonly hosts: Readonly<Record<string, string>> | undefined;
  /** Whether code is mounted later, so that it needs no directories of the host. */
  readonly mounts: boolean;
}

/** Writes them below `parent`. */
export function createSandboxFiles(parent: string, options: SandboxFilesOptions): SandboxFiles {
  // Refuses an id that climbs out; mkdir refuses one that is in use.
  if (!/^\w[\w.-]{0,99}$/.test(options.id)) throw new Error(`bad sandbox id ${options.id}`);
  const directory = join(parent, options.id);
  mkdirSync(directory, { mode: 0o755 });
  const binds: Bind[] = [];
  const show = (name: string, target: string): string => {
    const source = join(directory, name);
    binds.push({ source, target, readOnly: true });
    return source;
  };
  const exchange = show('x', '/run/kobune');
  mkdirSync(exchange, { mode: 0o755 });
  if (options.hosts && Object.keys(options.hosts).length > 0) {
    writeFileSync(show('hosts', '/etc/hosts'), hostsFile(options.hostname, options.hosts), { mode: 0o644 });
  }
  const task = join(directory, 'task');
  const opt = join(directory, 'opt');
  if (!options.mounts) {
    mkdirSync(show('task', '/var/task'), { mode: 0o755 });
    mkdirSync(show('opt', '/opt'), { mode: 0o755 });
  }
  return { directory, exchange, task, opt, binds, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
