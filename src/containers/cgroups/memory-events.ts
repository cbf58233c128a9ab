import { join } from 'node:path';
import { controllerDirectory, type Hierarchies, readText } from './hierarchies.ts';

/** The file that tells what has happened to the memory of a group; it is notified of changes where groups are of version 2. */
export function memoryEvents(hierarchies: Hierarchies, path: string): string | undefined {
  const directory = controllerDirectory(hierarchies, 'memory', path);
  return directory && join(directory, hierarchies.version === 2 ? 'memory.events' : 'memory.oom_control');
}

/** How many processes of the group the kernel has killed for want of memory. */
export function oomKills(hierarchies: Hierarchies, path: string): number {
  const file = memoryEvents(hierarchies, path);
  return file === undefined ? 0 : Number(/^oom_kill (\d+)/m.exec(readText(file))?.[1] ?? 0);
}

/** Answers each time whether more were killed than the time before; with `toldBefore`, than now. */
export function newKills(hierarchies: Hierarchies, path: string, toldBefore: boolean): () => boolean {
  let seen = toldBefore ? oomKills(hierarchies, path) : 0;
  return () => {
    const kills = oomKills(hierarchies, path);
    const isNew = kills > seen;
    seen = Math.max(seen, kills);
    return isNew;
  };
}
