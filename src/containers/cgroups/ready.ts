import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hierarchies } from './hierarchies.ts';

/**
 * The kernel moves a process between groups only after all processors have passed a quiet point: the first time, that takes 10 to 16 ms,
 * and for a while after it a tenth of one. Moving this process to where it is begins that wait while a container is being made.
 */
export function makeReadyForMoves(hierarchies: Hierarchies): void {
  const own = ownGroup(hierarchies);
  if (own !== undefined) writeFile(join(own, 'cgroup.procs'), '0').catch(() => {});
}

function ownGroup({ version, v1, v2 }: Hierarchies): string | undefined {
  const controller = version === 2 ? '' : 'pids';
  const mount = version === 2 ? v2 : v1.get(controller);
  if (mount === undefined) return undefined;
  const [, path] =
    readFileSync('/proc/self/cgroup', 'latin1').match(new RegExp(`^\\d+:${controller}:(/.*)$`, 'm')) ?? [];
  if (path === undefined) return undefined;
  const directory = join(mount, path);
  try {
    // Seen from within another root, the path may be somebody else's.
    const members = readFileSync(join(directory, 'cgroup.procs'), 'latin1').split('\n');
    return members.includes(String(process.pid)) ? directory : undefined;
  } catch {
    return undefined;
  }
}
