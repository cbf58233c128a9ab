import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { controllerDirectory, type Hierarchies, readText } from './hierarchies.ts';

/** Tries of a turn of the event loop each, before it counts as failed. */
const MOST_TRIES = 2000;

/** Resolves when every process of the group has stopped. Source: kernel documentation, "Cgroup Freezer", and "Control Group v2", `cgroup.freeze`. */
export async function freeze(hierarchies: Hierarchies, path: string): Promise<void> {
  const { directory, file, on } = controls(hierarchies, path);
  const isFrozen = () =>
    hierarchies.version === 2
      ? /^frozen 1/m.test(readText(join(directory, 'cgroup.events')))
      : readText(join(directory, file)).trim() === on;
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    // Written again: a process that was on its way somewhere else is only caught then.
    if (attempt % 100 === 0) writeFileSync(join(directory, file), on);
    if (isFrozen()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  thaw(hierarchies, path);
  throw new Error('the processes did not stop in time');
}

export function thaw(hierarchies: Hierarchies, path: string): void {
  const { directory, file, off } = controls(hierarchies, path);
  writeFileSync(join(directory, file), off);
}

function controls(hierarchies: Hierarchies, path: string) {
  const directory = controllerDirectory(hierarchies, 'freezer', path);
  if (directory === undefined) throw new Error('this machine has no freezer of control groups');
  return hierarchies.version === 2
    ? { directory, file: 'cgroup.freeze', on: '1', off: '0' }
    : { directory, file: 'freezer.state', on: 'FROZEN', off: 'THAWED' };
}
