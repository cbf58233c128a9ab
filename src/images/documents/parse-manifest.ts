import { isDigest } from '../content/digest.ts';
import { type Descriptor, type Index, type Manifest, MEDIA_TYPES, type Platform } from '../oci.ts';
import { Shape } from './shape.ts';

/** Largest manifest that is read, bytes. Source: OCI Distribution Specification 1.1, "Pushing Manifests". */
export const MAX_MANIFEST_SIZE = 4 * 1024 * 1024;
/** Layers of an image; overlayfs takes no more. */
const MAX_LAYERS = 500;
const MAX_MANIFESTS = 10_000;

export type ParsedManifest =
  | { readonly kind: 'image'; readonly mediaType: string; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly mediaType: string; readonly index: Index };

const IMAGES: readonly string[] = [MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest];
const INDEXES: readonly string[] = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList];
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
/** Media types that a registry is asked for. */
export const ACCEPTED_MANIFESTS: readonly string[] = [...IMAGES, ...INDEXES];
const LAYERS: readonly string[] = [
  MEDIA_TYPES.ociLayer,
  MEDIA_TYPES.ociLayerGzip,
  MEDIA_TYPES.ociLayerZstd,
  MEDIA_TYPES.dockerLayer,
  MEDIA_TYPES.dockerLayerGzip,
  // Written by some tools although Docker's specification has none such.
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
];
const FOREIGN = /nondistributable|\.foreign\./;

const shape = new Shape('the manifest', 'InvalidManifest');

/**
 * Reads an image's manifest or an index. `told` is the type by which it was served. What is not supported is refused by name: schema 1,
 * foreign layers, artifacts that are no images. Throws `InvalidManifest`.
 */
export function parseManifest(bytes: Uint8Array, told: string | undefined): ParsedManifest {
  if (bytes.length > MAX_MANIFEST_SIZE) throw shape.wrong(`is larger than ${MAX_MANIFEST_SIZE} bytes`);
  const document = shape.parse(bytes);
  const own = shape.optional(document.mediaType, (value) => shape.text(value, 'mediaType'));
  const type = told?.split(';')[0]?.trim().toLowerCase();
  if (document.schemaVersion === 1 || SCHEMA_1.test(own ?? '') || SCHEMA_1.test(type ?? '')) {
    throw shape.wrong('is of schema version 1, which is not supported; push the image anew with a current tool');
  }
  if (document.schemaVersion !== 2) throw shape.wrong(`has schemaVersion ${JSON.stringify(document.schemaVersion)}`);
  const mediaType = own ?? (type !== undefined && ACCEPTED_MANIFESTS.includes(type) ? type : guess(document));
  if (type !== undefined && ACCEPTED_MANIFESTS.includes(type) && mediaType !== type) {
    throw shape.wrong(`is served as ${type} but calls itself ${mediaType}`);
  }
  if (IMAGES.includes(mediaType)) {
    if (document.manifests !== undefined) throw shape.wrong('is of an image and has "manifests"');
    return { kind: 'image', mediaType, manifest: imageManifest(document) };
  }
  if (INDEXES.includes(mediaType)) {
    if (document.config !== undefined || document.layers !== undefined) {
      throw shape.wrong('is an index and has "config" or "layers"');
    }
    return { kind: 'index', mediaType, index: imageIndex(document) };
  }
  throw shape.wrong(`is of type ${mediaType}, which is not supported; these are: ${ACCEPTED_MANIFESTS.join(', ')}`);
}

/** Refuses what is no image that could be run: artifacts, foreign layers, layers of unknown type. */
export function checkImage({ config, layers }: Manifest): void {
  if (config.mediaType !== MEDIA_TYPES.ociConfig && config.mediaType !== MEDIA_TYPES.dockerConfig) {
    throw shape.wrong(`is of an artifact and not of an image: its configuration is ${config.mediaType}`);
  }
  for (const { mediaType, digest, urls } of layers) {
    if (FOREIGN.test(mediaType)) {
      throw shape.wrong(`has a layer that is kept elsewhere (${mediaType}), which is not supported: ${digest}`);
    }
    if (urls && urls.length > 0) {
      throw shape.wrong(`has a layer that is fetched from other addresses ("urls"), which is not supported: ${digest}`);
    }
    if (!LAYERS.includes(mediaType)) throw shape.wrong(`has a layer of type ${mediaType}, which is not supported`);
  }
}

function guess(document: Record<string, unknown>): string {
  return document.manifests === undefined ? MEDIA_TYPES.ociManifest : MEDIA_TYPES.ociIndex;
}

function imageManifest(document: Record<string, unknown>): Manifest {
  const layers = shape.array(document.layers ?? [], 'layers');
  if (layers.length > MAX_LAYERS) throw shape.wrong(`has more than ${MAX_LAYERS} layers`);
  return {
    schemaVersion: 2,
    config: descriptor(document.config, 'config'),
    layers: layers.map((item, i) => descriptor(item, `layers[${i}]`)),
  };
}

function imageIndex(document: Record<string, unknown>): Index {
  const manifests = shape.array(document.manifests ?? [], 'manifests');
  if (manifests.length > MAX_MANIFESTS) throw shape.wrong(`has more than ${MAX_MANIFESTS} entries`);
  return { schemaVersion: 2, manifests: manifests.map((item, i) => descriptor(item, `manifests[${i}]`)) };
}

function descriptor(value: unknown, member: string): Descriptor {
  const object = shape.object(value, member);
  const digest = shape.text(object.digest, `${member}.digest`);
  if (!isDigest(digest)) throw shape.wrong(`has ${member}.digest that is no SHA-256 or SHA-512 digest`);
  const urls = shape.optional(object.urls, (urls) => shape.texts(urls, `${member}.urls`));
  const annotations = shape.optional(object.annotations, (map) => shape.textMap(map, `${member}.annotations`));
  const platform = shape.optional(object.platform, (item) => platformOf(item, `${member}.platform`));
  return {
    mediaType: shape.optional(object.mediaType, (text) => shape.text(text, `${member}.mediaType`)) ?? '',
    digest,
    size: shape.size(object.size, `${member}.size`),
    ...(urls && { urls }),
    ...(annotations && { annotations }),
    ...(platform && { platform }),
  };
}

function platformOf(value: unknown, member: string): Platform {
  const object = shape.object(value, member);
  const text = (name: string) => shape.optional(object[name], (item) => shape.text(item, `${member}.${name}`));
  const [variant, version] = [text('variant'), text('os.version')];
  return {
    architecture: text('architecture') ?? '',
    os: text('os') ?? '',
    ...(variant && { variant }),
    ...(version && { 'os.version': version }),
  };
}
