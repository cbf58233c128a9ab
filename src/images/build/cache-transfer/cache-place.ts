import type { BlobLease } from '../../../store/index.ts';
import type { Layer } from '../../images.ts';
import type { Descriptor } from '../../oci.ts';

/** Where a build cache is kept outside of this machine's own: a registry, or a folder. */
export interface CachePlace {
  /** How messages call it. */
  readonly label: string;
  /** The manifest that is there; undefined: nothing. */
  manifest(): Promise<Uint8Array | undefined>;
  /** A small blob. */
  read(descriptor: Descriptor, maxSize: number): Promise<Uint8Array>;
  /** Brings a layer into the content store, held. */
  fetch(descriptor: Descriptor): Promise<BlobLease>;
  /** Keeps a layer there. Answers how. */
  putLayer(layer: Layer): Promise<Descriptor>;
  putBlob(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
  /** Makes what was put the cache that is there. */
  putManifest(bytes: Uint8Array): Promise<void>;
}
