import { isAbsolute } from 'node:path';
import { ServiceError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import type { ContentStore } from '../../content.ts';
import type { Images } from '../../images.ts';
import type { BuildOptions, CacheLocation } from '../builder.ts';
import { registryOf } from '../registry-of.ts';
import type { CachePlace } from './cache-place.ts';
import { FolderPlace } from './folder-place.ts';
import { registryPlace } from './registry-place.ts';

export interface PlaceParts {
  readonly images: Images;
  readonly content: ContentStore;
  readonly random: Random;
}

/** The place of a cache that is to be read, or written. */
export function openPlace(
  { type, target }: CacheLocation,
  { images, content, random }: PlaceParts,
  { auth }: Pick<BuildOptions, 'auth'>,
  { push, signal }: { readonly push: boolean; readonly signal: AbortSignal },
): CachePlace {
  if (type === 'local') {
    if (!isAbsolute(target))
      throw new ServiceError('InvalidCache', `the folder of a build cache must be absolute: ${target}`);
    return new FolderPlace(target, images, content, random);
  }
  const credentials = auth?.(registryOf(target));
  return registryPlace(images, content, target, {
    push,
    signal,
    ...(credentials === undefined ? {} : { auth: credentials }),
  });
}
