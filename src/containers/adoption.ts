import { LiveContainer } from './live-container.ts';
import type { EngineParts } from './parts.ts';

export async function adoptContainers(parts: EngineParts, add: (container: LiveContainer) => void): Promise<void> {
  for (const record of await parts.records.all()) add(new LiveContainer(parts, record));
}
