import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Store } from '../store/index.ts';
import type { ContentStore } from './content.ts';
import type { ImageStore } from './image-store.ts';
import type { ImageEvent } from './images.ts';
import type { LayerStore } from './layers/layer-store.ts';

/** What the operations on images work with. */
export interface ImageParts {
  readonly store: Store;
  readonly content: ContentStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly images: ImageStore;
  readonly layers: LayerStore;
  tell(event: ImageEvent): void;
}
