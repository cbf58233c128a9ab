import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP, NSSWITCH, PASSWD } from './base-files.ts';
import type { Bind } from './sandbox.ts';

/** The few files that the host keeps for one sandbox. */
export interface SandboxFiles {
  readonly directory: string;
  /** Seen inside as `/run/kobune`, read-only: only the host puts sockets there. */
  readonly exchange: string;
  /** Stand for `/var/task` and `/opt` where nothing can be mounted later. */
  readonly task: string;
  readonly opt: string;
  /** Both, and their place inside. */
  readonly code: readonly Bind[];
  /** `/etc` files and their place inside. */
  readonly configuration: readonly Bind[];
  remove(): void;
}

/** Writes them below `parent`. */
export function createSandboxFiles(
  parent: string,
  options: {
    readonly id: string;
    readonly hosts: Readonly<Record<string, string>>;
    readonly hostname: string;
    readonly nameserver: string | undefined;
  },
): SandboxFiles {
  const directory = join(parent, options.id);
  // Refuses an id that is in use, and one that climbs out.
  if (!/^[\w.-]{1,100}$/.test(options.id) || /^\.+$/.test(options.id)) throw new Error(`bad sandbox id ${options.id}`);
  mkdirSync(directory, { mode: 0o700 });
  const inside = (name: string) => {
    const path = join(directory, name);
    mkdirSync(path, { mode: 0o755 });
    return path;
  };
  const hosts = Object.entries({ localhost: '127.0.0.1', [options.hostname]: '127.0.0.1', ...options.hosts });
  const contents: Readonly<Record<string, string>> = {
    passwd: PASSWD,
    group: GROUP,
    'nsswitch.conf': NSSWITCH,
    hosts: hosts.map(([name, address]) => `${address} ${name}\n`).join(''),
    'resolv.conf': options.nameserver ? `nameserver ${options.nameserver}\noptions timeout:2 attempts:2\n` : '',
  };
  const etc = inside('etc');
  const configuration = Object.entries(contents).map(([name, text]) => {
    const source = join(etc, name);
    writeFileSync(source, text, { mode: 0o644 });
    return { source, target: `/etc/${name}`, readOnly: true };
  });
  const task = inside('task');
  const opt = inside('opt');
  return {
    directory,
    exchange: inside('x'),
    task,
    opt,
    code: [
      { source: task, target: '/var/task', readOnly: true },
      { source: opt, target: '/opt', readOnly: true },
    ],
    configuration,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
