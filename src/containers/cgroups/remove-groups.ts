import { existsSync, rmdirSync, writeFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { childGroups, groupDirectories, type Hierarchies, membersOf } from './hierarchies.ts';

/** A process that was killed leaves its group when it has ended; that takes a moment. */
const ATTEMPTS = 50;
const PAUSE_MS = 10;

/** Kills what is left in a group and removes it, in every hierarchy. Answers whether it is gone. */
export async function removeGroups(hierarchies: Hierarchies, path: string): Promise<boolean> {
  const results = await Promise.all(groupDirectories(hierarchies, path).map(removeGroup));
  return results.every(Boolean);
}

/** Removes a group in which there is nothing; at once, so that nothing can come into it meanwhile. */
export function removeEmptyGroup(hierarchies: Hierarchies, path: string): void {
  for (const directory of groupDirectories(hierarchies, path)) {
    try {
      rmdirSync(directory);
    } catch {
      // It is used, or it was never made.
    }
  }
}

async function removeGroup(directory: string): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await rmdir(directory);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    }
    for (const child of childGroups(directory)) await removeGroup(child);
    thaw(directory);
    killMembers(directory);
    await new Promise((resolve) => setTimeout(resolve, attempt === 0 ? 1 : PAUSE_MS));
  }
  return !existsSync(directory);
}

/** Kills every process of a group and those below it. */
export function killMembers(directory: string): void {
  for (const pid of membersOf(directory)) kill(pid);
}

/** Frozen processes do not die. */
function thaw(directory: string): void {
  for (const [file, value] of [
    ['freezer.state', 'THAWED'],
    ['cgroup.freeze', '0'],
  ] as const) {
    try {
      writeFileSync(join(directory, file), value, { flag: 'r+' });
    } catch {
      // Another hierarchy's file, or the group has gone meanwhile.
    }
  }
}

function kill(pid: number): void {
  // 0: a process of another process namespace.
  if (pid <= 0) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
