import { ServiceError } from '../../../base/errors.ts';
import { type Descriptor, type Manifest, MEDIA_TYPES } from '../../oci.ts';
import type { StepResult } from '../cache/step-records.ts';

export const CACHE_TYPE = 'application/vnd.kobune.build-cache.v1';
export const CACHE_CONFIG_TYPE = 'application/vnd.kobune.build-cache.config.v1+json';

/** What can be reached in a cache: results upon a base, the first ones first, each with the keys of the state after it. */
export interface CacheChain {
  readonly results: readonly StepResult[];
  /** For each result the keys by which it, with those before it, is found; none: it is only part of later ones. */
  readonly keys: readonly (readonly string[])[];
  readonly descriptions: readonly string[];
}

interface ConfigDocument {
  readonly version: 1;
  /** In the order of the manifest's layers. */
  readonly layers: readonly { readonly diffId: string; readonly size: number }[];
  readonly chains: readonly {
    readonly results: readonly { readonly created: number; readonly layer: number | null }[];
    readonly keys: readonly (readonly string[])[];
    readonly descriptions: readonly string[];
  }[];
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const KEY = /^[0-9a-f]{64}$/;
const MAX_LAYERS = 10_000;
/** Largest configuration that is read. */
export const MAX_CONFIG_SIZE = 32 << 20;

/** The configuration of a cache, and the layers for its manifest: each once. `stored` tells how a layer is there, by its diff ID. */
export function encodeCache(
  chains: readonly CacheChain[],
  stored: ReadonlyMap<string, Descriptor>,
): { readonly config: Uint8Array; readonly layers: readonly Descriptor[] } {
  const order = [...stored.keys()];
  const sizes = new Map(
    chains.flatMap(({ results }) =>
      results.flatMap(({ layer }) => (layer === undefined ? [] : [[layer.diffId, layer.size] as const])),
    ),
  );
  const document: ConfigDocument = {
    version: 1,
    layers: order.map((diffId) => ({ diffId, size: sizes.get(diffId)! })),
    chains: chains.map(({ results, keys, descriptions }) => ({
      results: results.map(({ created, layer }) => ({
        created,
        layer: layer === undefined ? null : order.indexOf(layer.diffId),
      })),
      keys,
      descriptions,
    })),
  };
  return { config: Buffer.from(JSON.stringify(document)), layers: order.map((diffId) => stored.get(diffId)!) };
}

export function cacheManifest(config: Descriptor, layers: readonly Descriptor[]): Uint8Array {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: CACHE_TYPE,
    config,
    layers,
  };
  return Buffer.from(JSON.stringify(manifest));
}

/** The manifest of a cache; undefined when it is something else, such as an image. */
export function parseCacheManifest(bytes: Uint8Array): Manifest | undefined {
  const manifest = parse(bytes) as Partial<Manifest> | null;
  if (manifest?.artifactType !== CACHE_TYPE || manifest.config?.mediaType !== CACHE_CONFIG_TYPE) return undefined;
  const descriptors = [manifest.config, ...(Array.isArray(manifest.layers) ? manifest.layers : [])];
  if (descriptors.length > MAX_LAYERS || !descriptors.every(isDescriptor)) throw damaged();
  return manifest as Manifest;
}

/** The chains of a cache, their layers as the manifest describes them. Throws `ServiceError` when it is damaged. */
export function decodeCache(config: Uint8Array, manifest: Manifest): readonly CacheChain[] {
  try {
    return decode(config, manifest);
  } catch (error) {
    // Something is missing, or there is nothing where there must be something.
    if (error instanceof TypeError) throw damaged();
    throw error;
  }
}

function decode(config: Uint8Array, { layers: descriptors }: Manifest): readonly CacheChain[] {
  const document = parse(config) as Partial<ConfigDocument> | null;
  if (document?.version !== 1 || !Array.isArray(document.layers) || !Array.isArray(document.chains)) throw damaged();
  const known = document.layers as ConfigDocument['layers'];
  if (known.length !== descriptors.length) throw damaged();
  const layers = known.map(({ diffId, size }, index) => {
    if (!DIGEST.test(diffId) || !Number.isSafeInteger(size) || size < 0) throw damaged();
    return { descriptor: descriptors[index]!, diffId, size };
  });
  return (document.chains as ConfigDocument['chains']).map(({ results, keys, descriptions }) => {
    if (![results, keys, descriptions].every((list) => Array.isArray(list) && list.length === results.length)) {
      throw damaged();
    }
    return {
      results: results.map(({ created, layer }) => {
        const found = layer === null || !Number.isSafeInteger(layer) ? undefined : layers[layer];
        if (!Number.isSafeInteger(created) || (layer !== null && found === undefined)) throw damaged();
        return { created, layer: found };
      }),
      keys: keys.map((list) => {
        if (!Array.isArray(list) || !list.every((key) => typeof key === 'string' && KEY.test(key))) throw damaged();
        return list;
      }),
      descriptions: descriptions.map((text) => String(text).slice(0, 4096)),
    };
  });
}

function isDescriptor(value: unknown): value is Descriptor {
  const { mediaType, digest, size } = (value ?? {}) as Partial<Descriptor>;
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    DIGEST.test(digest) &&
    Number.isSafeInteger(size) &&
    size! >= 0
  );
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    throw damaged();
  }
}

function damaged(): ServiceError {
  return new ServiceError('InvalidCache', 'the build cache is damaged');
}
