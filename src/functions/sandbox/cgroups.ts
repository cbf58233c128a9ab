import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CgroupDriver, ownGroup } from './cgroup.ts';
import { cgroupsV1, type HierarchiesV1 } from './cgroup-v1.ts';
import { cgroupsV2, handsControllersDown } from './cgroup-v2.ts';

const CONTROLLERS = ['memory', 'cpu', 'pids', 'freezer'] as const;

/**
 * Finds the control groups of this machine that we may use and makes our own group, `name`, below them. Answers why
 * there is none otherwise. `name` is the same in every run with the same data directory, so that what a killed run left
 * is found: `ledger` remembers where it was.
 */
export function openCgroups(name: string, ledger: string): CgroupDriver | string {
  const remaining = removeLeftovers(ledger);
  const reasons: string[] = [];
  for (const open of [openV1, openV2]) {
    const result = open(name);
    if (typeof result === 'string') {
      reasons.push(result);
      continue;
    }
    writeFileSync(ledger, JSON.stringify([...remaining, ...result.directories]));
    return result.driver;
  }
  return reasons.join('; ');
}

interface Opened {
  readonly driver: CgroupDriver;
  readonly directories: readonly string[];
}

function openV1(name: string): Opened | string {
  const own: Partial<Record<keyof HierarchiesV1, string>> = {};
  for (const controller of CONTROLLERS) {
    const base = hierarchyV1(controller);
    if (base === undefined) return `no v1 ${controller} controller`;
    own[controller] = join(base, name);
  }
  const hierarchies = own as HierarchiesV1;
  const directories = [...new Set(Object.values(hierarchies) as string[])];
  const made: string[] = [];
  try {
    for (const directory of directories) {
      sweep(dirname(directory));
      mkdirSync(directory);
      made.push(directory);
    }
  } catch (error) {
    for (const directory of made) rmdirSync(directory);
    return `cannot make a control group: ${(error as Error).message}`;
  }
  return { driver: cgroupsV1(hierarchies), directories };
}

function openV2(name: string): Opened | string {
  const mount = mounts().find(({ type }) => type === 'cgroup2');
  if (!mount) return 'no v2 hierarchy';
  const own = join(mount.point, pathIn('') ?? '/');
  // Our own group has processes, so it can rarely hand controllers down: from the top to it, whoever can.
  const candidates = [mount.point, dirname(own), own].filter((path) => path.startsWith(mount.point));
  for (const parent of new Set(candidates)) {
    if (!existsSync(join(parent, 'cgroup.controllers')) || !handsControllersDown(parent)) continue;
    const directory = join(parent, name);
    sweep(parent);
    try {
      mkdirSync(directory);
    } catch {
      continue;
    }
    if (handsControllersDown(directory))
      return { driver: cgroupsV2(directory, ownGroup(own)), directories: [directory] };
    rmdirSync(directory);
  }
  return 'the v2 hierarchy hands down no memory, cpu and pids controllers to us';
}

/** Removes groups of Kobunes that were killed and will not come back: those of a scratch directory, of a test. */
function sweep(parent: string): void {
  for (const entry of readdirSync(parent)) {
    const directory = join(parent, entry);
    if (isOurs(directory) && !existsSync(`/proc/${entry.split('-').at(-1)}`)) removeTree(directory);
  }
}

/** Kills what still runs in groups that an earlier run listed, and removes them; answers those that it could not yet. */
function removeLeftovers(ledger: string): readonly string[] {
  let directories: unknown;
  try {
    directories = JSON.parse(readFileSync(ledger, 'utf8'));
  } catch {
    return []; // There was no earlier run, or it did not get that far.
  }
  const ours = (Array.isArray(directories) ? directories : []).filter(isOurs);
  for (const directory of ours) removeTree(directory);
  return ours.filter((directory) => existsSync(directory));
}

const isOurs = (directory: unknown): directory is string =>
  typeof directory === 'string' && /^\/sys\/fs\/cgroup\/.*\/kobune-[0-9a-f]+-\d+$/.test(directory);

function removeTree(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  }
  const members = readFileSync(join(directory, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean);
  // Shown as 0: processes of another process namespace. Then its Kobune may well live there.
  if (members.includes('0')) return;
  for (const pid of members) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
  const state = join(directory, 'freezer.state');
  if (existsSync(state)) writeFileSync(state, 'THAWED');
  try {
    rmdirSync(directory);
  } catch {
    // Its last process is still dying; the next start tries again.
  }
}

function hierarchyV1(controller: string): string | undefined {
  const mount = mounts().find(({ type, options }) => type === 'cgroup' && options.includes(controller));
  const path = pathIn(controller);
  if (!mount || path === undefined) return undefined;
  const own = join(mount.point, path);
  // In a container the path may be the host's, of which only our own part is mounted.
  return existsSync(own) ? own : mount.point;
}

/** Our group's path in a v1 controller's hierarchy, or in the v2 hierarchy (''). */
function pathIn(controller: string): string | undefined {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [number, controllers, ...rest] = line.split(':');
    if (controller === '' ? number === '0' : controllers?.split(',').includes(controller)) return rest.join(':');
  }
  return undefined;
}

function mounts(): { readonly point: string; readonly type: string; readonly options: readonly string[] }[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, point = '', type = '', options = ''] = line.split(' ');
      return { point, type, options: options.split(',') };
    });
}
