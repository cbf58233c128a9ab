import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { ContainerEngine } from '../../containers/index.ts';
import type { Builder, Images } from '../../images/index.ts';
import type { ContainerNetworks } from '../../network/index.ts';
import type { EventHistory } from '../events/event-history.ts';

/** What the Docker API stands on: each room is made when it is first asked for. */
export interface DockerRooms {
  engine(): Promise<ContainerEngine>;
  images(): Promise<Images>;
  networks(): Promise<ContainerNetworks>;
  builder(): Promise<Builder>;
}

/** What one API's operations share. */
export interface DockerHost extends DockerRooms {
  readonly events: EventHistory;
  /** Of Kobune. */
  readonly version: string;
  /** Name of the machine as `docker info` shows it. */
  readonly hostname: string;
  /** Short hexadecimal name of this Kobune, the same in every run. */
  readonly instance: string;
  /** `<data>/docker`: uploaded build contexts are unpacked below it, and `docker info` names it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
