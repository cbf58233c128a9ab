import type { FileGrant } from '../model/service-parts.ts';
import type { ProjectService } from './project.ts';

type Mounted = Pick<ProjectService, 'read_only' | 'tmpfs' | 'volumes'>;

/**
 * Why no file can be copied to `target` in a container that does not run yet: `undefined` when one can. What is in memory is only there
 * once the container runs, and hides what was copied below it.
 */
export function copyingObstacle(
  { read_only: isReadOnly, tmpfs = [], volumes = [] }: Mounted,
  { target }: Pick<FileGrant, 'target'>,
): string | undefined {
  if (isReadOnly === true) return 'the container is read_only';
  const inMemory = [
    ...tmpfs.map((entry) => entry.split(':')[0]!),
    ...volumes.flatMap((mount) => (mount.type === 'tmpfs' ? [mount.target] : [])),
  ];
  const hiding = inMemory.find((path) => target.startsWith(path.endsWith('/') ? path : `${path}/`));
  return hiding === undefined ? undefined : `the container has a tmpfs at ${hiding}`;
}
