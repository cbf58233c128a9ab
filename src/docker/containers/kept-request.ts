import type { Container, ContainerSpec } from '../../containers/index.ts';
import type { ContainerConfig, HostConfig } from './config-shape.ts';

/** Under which name a container keeps what its creator has sent. */
const KEY = 'docker';

interface Kept {
  readonly config: ContainerConfig;
  readonly host: HostConfig;
}

export function keptOf(config: ContainerConfig, host: HostConfig): ContainerSpec['annotations'] {
  return { [KEY]: { config, host } satisfies Kept };
}

/** What was sent for this container; `undefined` when it was made in another way than by this API. */
export function readKept(container: Container): Kept | undefined {
  return container.spec.annotations?.[KEY] as Kept | undefined;
}
