import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Images } from '../images/index.ts';
import type { ContainerNetworks } from '../network/index.ts';
import type { Store } from '../store/index.ts';
import type { CloudAccess } from './parts.ts';

export interface ContainerEngineOptions {
  readonly images: Images;
  readonly networks: ContainerNetworks;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Files of containers (`containers/<id>`) and volumes (`volumes/<name>/_data`). */
  readonly directory: string;
  /** Short hex: the same in every run with the same data directory. */
  readonly instance: string;
  /** Containers end with this Kobune, also when it is killed: the next one on this machine sees to it. */
  readonly ephemeral: boolean;
  /** How containers on bridge networks reach this cloud; asked at each start. Without it they are not told. */
  readonly cloud?: () => Promise<CloudAccess | undefined>;
}
