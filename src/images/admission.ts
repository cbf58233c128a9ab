import { ServiceError } from '../base/errors.ts';
import { parseConfig } from './documents/parse-config.ts';
import type { ImageStore, ImageToRecord } from './image-store.ts';
import type { Image } from './images.ts';
import { chainIds } from './layers/chain-id.ts';
import { imageError } from './layers/image-errors.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { Descriptor } from './oci.ts';

/** An image that has come from elsewhere. Its content is in the content store, leased by the caller. */
export interface ArrivedImage extends Pick<ImageToRecord, 'config' | 'names'> {
  /** Bottom first, as compressed as they came. */
  readonly layers: readonly Descriptor[];
}

/** Unpacks the layers of an image, which verifies them, and only then records it. What fails leaves nothing behind. */
export async function admitImage(
  images: ImageStore,
  layers: LayerStore,
  { config, layers: descriptors, names }: ArrivedImage,
  onProgress?: (diffId: string, descriptor: Descriptor, bytes: number) => void,
): Promise<Image> {
  const diffIds = parseConfig(config).rootfs.diff_ids;
  if (diffIds.length !== descriptors.length) {
    throw new ServiceError(
      'InvalidImage',
      `invalid rootfs in image configuration: it tells ${diffIds.length} layers, and there are ${descriptors.length}`,
    );
  }
  const packed = descriptors.map((descriptor, i) => ({ descriptor, diffId: diffIds[i]! }));
  try {
    const held = await layers.hold(packed, (diffId, bytes) => {
      const layer = packed.find((one) => one.diffId === diffId);
      if (layer) onProgress?.(diffId, layer.descriptor, bytes);
    });
    try {
      return await images.record({
        config,
        layers: packed.map((layer, i) => ({ ...layer, size: held.sizes[i]! })),
        names,
      });
    } finally {
      held.release();
    }
  } catch (error) {
    await layers.collect(chainIds(diffIds));
    throw imageError(error);
  }
}
