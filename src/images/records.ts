import type { Layer } from './images.ts';

/** First part of the keys of images and their roots. */
export const IMAGES = 'images';

/** An image. Its configuration is content, named by its ID. */
export interface ImageRecord {
  readonly layers: readonly Layer[];
  /** Image that it was built upon. */
  readonly parent?: string;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly lastTaggedAt: number;
}

/** What a name leads to: `docker.io/library/busybox:latest`, or `docker.io/library/busybox@sha256:…`. */
export interface NameRecord {
  readonly id: string;
  /** Of names with a digest: the manifest, which is content. */
  readonly manifest?: { readonly mediaType: string; readonly digest: string; readonly size: number };
}

/** An unpacked layer. */
export interface LayerRecord {
  readonly diffId: string;
  /** Chain ID of the layer below. */
  readonly parent: string | undefined;
  /** Bytes of the uncompressed archive. */
  readonly size: number;
  /** Boot of the machine in which it was unpacked, as long as it is not known to be on the disk. */
  readonly boot?: string;
}

/** A root file system. */
export interface RootRecord {
  /** Chain IDs of its layers, bottom first. */
  readonly chains: readonly string[];
  /** The same layers, as they can be unpacked. */
  readonly layers: readonly Pick<Layer, 'descriptor' | 'diffId'>[];
  readonly readOnly: boolean;
  readonly volatile: boolean;
}

/** How a plain layer was compressed when it was pushed; the same the next time. */
export interface CompressedRecord {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export const imageKey = (id: string) => [IMAGES, 'image', id] as const;
export const nameKey = (name: string) => [IMAGES, 'name', name] as const;
/** Names of an image, found by its ID. */
export const namedKey = (id: string, name: string) => [IMAGES, 'named', id, name] as const;
export const holderKey = (id: string, holder: string) => [IMAGES, 'holder', id, holder] as const;
export const layerKey = (chain: string) => [IMAGES, 'layer', chain] as const;
export const rootKey = (id: string) => [IMAGES, 'root', id] as const;
export const compressedKey = (diffId: string) => [IMAGES, 'compressed', diffId] as const;
