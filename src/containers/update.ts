import type { Resources, RestartPolicy } from './container.ts';
import { inUse, invalid } from './errors.ts';
import type { LiveContainer } from './live-container.ts';
import type { EngineParts } from './parts.ts';
import { checkResources, linuxResources } from './resources.ts';
import { updateResources } from './runtime/oci-runtime.ts';

/** Changes limits and the restart policy, of a running container at once. Answers warnings. Source: `docker update`. */
export function update(
  parts: EngineParts,
  container: LiveContainer,
  changes: { readonly resources?: Partial<Resources>; readonly restart?: RestartPolicy },
): Promise<readonly string[]> {
  return container.exclusively(async () => {
    const { spec, status } = container.record;
    if (status === 'removing' || status === 'dead') throw inUse(`container ${container.id} is marked for removal`);
    if (changes.restart && spec.autoRemove && changes.restart.name !== 'no') {
      throw invalid('Restart policy cannot be updated because AutoRemove is enabled for the container');
    }
    const resources = { ...spec.resources, ...changes.resources };
    const warnings = checkResources(resources, parts.hierarchies);
    if (container.running && changes.resources) {
      const wanted = linuxResources(resources, parts.hierarchies);
      const unlimited = resources.pidsLimit <= 0 && spec.resources.pidsLimit > 0;
      await updateResources(parts.runtime, container.id, { ...wanted, ...(unlimited ? { pids: { limit: -1 } } : {}) });
    }
    await container.save({ spec: { ...spec, resources, restart: changes.restart ?? spec.restart } });
    parts.emit('update', container.record);
    return warnings;
  });
}
