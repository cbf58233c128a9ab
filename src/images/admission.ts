import { ServiceError } from '../base/errors.ts';
import { parseConfig } from './documents/parse-config.ts';
import type { ImageStore, ImageToRecord } from './image-store.ts';
import type { Image } from './images.ts';
import { chainIds } from './layers/chain-id.ts';
import { imageError } from './layers/image-errors.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { Descriptor } from './oci.ts';

/** An image that has come from elsewhere. Its content is in the content store, leased by the caller. */
export interface ArrivedImage extends Pick<ImageToRecord, 'config' | 'names' | 'holder'> {
  /** Bottom first, as compressed as they came. */
  readonly layers: readonly Descriptor[];
}

export interface AdmissionOptions {
  /** Resolves for each layer once its archive is in the content store; all are there unless told. */
  readonly arrived?: readonly Promise<unknown>[];
  /** Told, for a layer by its place, how many more bytes of its archive were unpacked. */
  readonly onProgress?: (layer: number, bytes: number) => void;
  readonly onUnpacked?: (layer: number) => void;
}

/** Unpacks the layers of an image, which verifies them, and only then records it. What fails leaves nothing behind. */
export async function admitImage(
  images: ImageStore,
  layers: LayerStore,
  { config, layers: descriptors, names, holder }: ArrivedImage,
  { arrived, onProgress, onUnpacked }: AdmissionOptions = {},
): Promise<Image> {
  const diffIds = parseConfig(config).rootfs.diff_ids;
  if (diffIds.length !== descriptors.length) {
    throw new ServiceError(
      'InvalidImage',
      `invalid rootfs in image configuration: it tells ${diffIds.length} layers, and there are ${descriptors.length}`,
    );
  }
  const packed = descriptors.map((descriptor, i) => ({ descriptor, diffId: diffIds[i]! }));
  const awaited = packed.map((layer, i) => ({ ...layer, ...(arrived && { arrived: arrived[i]! }) }));
  try {
    const held = await layers.hold(awaited, { onProgress, onUnpacked });
    try {
      return await images.record({
        config,
        layers: packed.map((layer, i) => ({ ...layer, size: held.sizes[i]! })),
        names,
        holder,
      });
    } finally {
      held.release();
    }
  } catch (error) {
    await layers.collect(chainIds(diffIds));
    throw imageError(error);
  }
}
