import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the machine's control groups are. */
export interface Hierarchies {
  /** Version 1, also beside a version 2 hierarchy without controllers (hybrid). */
  readonly version: 1 | 2;
  /** Mount points of version 1, by controller; `name=systemd` and the like included. */
  readonly v1: ReadonlyMap<string, string>;
  /** Mount point of version 2. */
  readonly v2: string | undefined;
}

/** Reads the mounts of this process. Source: `cgroups(7)`. */
export function findHierarchies(mounts = readFileSync('/proc/self/mounts', 'utf8')): Hierarchies {
  const v1 = new Map<string, string>();
  let v2: string | undefined;
  for (const line of mounts.split('\n')) {
    const [, point = '', type = '', options = ''] = line.split(' ');
    if (type === 'cgroup2') v2 ??= point;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) if (!MOUNT_OPTIONS.has(option) && !v1.has(option)) v1.set(option, point);
  }
  return { version: v1.has('memory') || v2 === undefined ? 1 : 2, v1, v2 };
}

const MOUNT_OPTIONS = new Set([
  'rw',
  'ro',
  'relatime',
  'noatime',
  'nosuid',
  'nodev',
  'noexec',
  'xattr',
  'clone_children',
]);

/** The group at `path` (`/kobune-…/ID`) in each hierarchy. */
export function groupDirectories({ v1, v2 }: Hierarchies, path: string): readonly string[] {
  return [...new Set([...v1.values(), ...(v2 === undefined ? [] : [v2])])].map((mount) => join(mount, path));
}

/** The group's directory for one controller. */
export function controllerDirectory(hierarchies: Hierarchies, controller: string, path: string): string | undefined {
  const mount = hierarchies.version === 2 ? hierarchies.v2 : hierarchies.v1.get(controller);
  return mount === undefined ? undefined : join(mount, path);
}

/** Processes of the group and those below it. */
export function membersOf(directory: string): number[] {
  if (!existsSync(directory)) return [];
  const own = readText(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  const below = childGroups(directory).flatMap(membersOf);
  return [...own, ...below];
}

export function childGroups(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(directory, name));
  } catch {
    return [];
  }
}

/** The text of a control file; empty when the group has gone. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
