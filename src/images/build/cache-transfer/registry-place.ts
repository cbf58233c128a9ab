import { ServiceError } from '../../../base/errors.ts';
import type { ContentStore } from '../../content.ts';
import type { ArtifactRepository, Images, OpenRepositoryOptions } from '../../images.ts';
import { MEDIA_TYPES } from '../../oci.ts';
import type { CachePlace } from './cache-place.ts';

/** A cache under a tag of a registry, as an OCI artifact. */
export function registryPlace(
  images: Images,
  content: ContentStore,
  reference: string,
  options: OpenRepositoryOptions,
): CachePlace {
  let opened: Promise<ArtifactRepository> | undefined;
  const repository = () => {
    opened ??= images.openRepository(reference, options);
    return opened;
  };
  return {
    label: reference,
    manifest: async () => (await (await repository()).manifest())?.bytes,
    read: async (descriptor, maxSize) => {
      if (descriptor.size > maxSize) throw new ServiceError('InvalidCache', `the cache of ${reference} is too large`);
      const blob = await (await repository()).fetch(descriptor);
      try {
        return await content.read(blob.digest);
      } finally {
        blob.release();
      }
    },
    fetch: async (descriptor) => await (await repository()).fetch(descriptor),
    putLayer: async (layer) => await (await repository()).pushLayer(layer),
    putBlob: async (bytes, mediaType) => await (await repository()).pushBlob(bytes, mediaType),
    putManifest: async (bytes) => {
      await (await repository()).pushManifest(bytes, MEDIA_TYPES.ociManifest);
    },
  };
}
