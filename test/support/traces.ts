import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What a Kobune, or something that it ran, may have left on the machine. */
export interface Traces {
  /** Paths of files below its directory, but for the store's own and logs. */
  readonly files: readonly string[];
  /** Command lines of what descends from its process. */
  readonly processes: readonly string[];
  /** Directories of its control groups. */
  readonly groups: readonly string[];
  /** Mount points below its directory. */
  readonly mounts: readonly string[];
}

export const NO_TRACES: Traces = { files: [], processes: [], groups: [], mounts: [] };

/** Looks for what there is of the Kobune that runs, or ran, in process `pid` on `directory`. */
export function tracesOf(directory: string, pid = process.pid): Traces {
  return { files: filesOf(directory), processes: descendants(pid), groups: groupsOf(pid), mounts: mountsIn(directory) };
}

/** Files below a directory, as sorted relative paths; those that always change are left out. */
export function filesOf(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter(
      (path) =>
        !/^(?:store|tls|sandboxes)\/|^(?:lock|root-key\.json|instance\.json|kobune\.log|docker\.sock)$/.test(path),
    )
    .sort();
}

/** Processes that descend from `pid`, as command lines. */
export function descendants(pid: number): string[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state !== undefined && state !== 'Z') parents.set(Number(name), Number(parent));
  }
  const descends = (child: number): boolean => {
    const parent = parents.get(child);
    return parent !== undefined && (parent === pid || descends(parent));
  };
  return [...parents.keys()]
    .filter(descends)
    .map((child) => read(`/proc/${child}/cmdline`).replaceAll('\0', ' ').trim())
    .filter(Boolean);
}

function groupsOf(pid: number): string[] {
  return globSync(`/sys/fs/cgroup/**/kobune-*-${pid}`);
}

function mountsIn(directory: string): string[] {
  return read('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(directory));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
