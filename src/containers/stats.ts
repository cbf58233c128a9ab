import { readGroupStats } from './cgroups/group-stats.ts';
import type { Stats } from './engine.ts';
import { notRunning } from './errors.ts';
import type { LiveContainer } from './live-container.ts';
import type { EngineParts } from './parts.ts';

/** What a running container uses. Throws `NotRunning`. */
export async function statsOf({ hierarchies, networks }: EngineParts, container: LiveContainer): Promise<Stats> {
  const { run, record } = container;
  if (!run) throw notRunning(container.id);
  const path = record.spec.network.mode === 'bridge' ? run.record.networkNamespace : undefined;
  const network = path === undefined ? {} : await networks.traffic({ path });
  return { read: Date.now(), ...readGroupStats(hierarchies, container.groupPath), network };
}
