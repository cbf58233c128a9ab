import { join } from 'node:path';
import { controllerDirectory, type Hierarchies, readText } from './hierarchies.ts';

/** How many processes of the group the kernel has killed for want of memory. */
export function oomKills(hierarchies: Hierarchies, path: string): number {
  const directory = controllerDirectory(hierarchies, 'memory', path);
  if (directory === undefined) return 0;
  const file = hierarchies.version === 2 ? 'memory.events' : 'memory.oom_control';
  return Number(/^oom_kill (\d+)/m.exec(readText(join(directory, file)))?.[1] ?? 0);
}
