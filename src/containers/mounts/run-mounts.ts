import type { ContainerFiles } from '../directories.ts';
import type { EngineParts } from '../parts.ts';
import type { ContainerRecord } from '../records.ts';

/** What was mounted on this machine for one run. */
export interface RunMounts {
  readonly sources: ReadonlyMap<string, string>;
  readonly shm: string | undefined;
  release(): Promise<void>;
}

export async function prepareMounts(
  _parts: EngineParts,
  _record: ContainerRecord,
  _files: ContainerFiles,
): Promise<RunMounts> {
  return { sources: new Map(), shm: undefined, release: async () => {} };
}
