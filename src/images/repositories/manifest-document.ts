import { hash } from 'node:crypto';
import { type Descriptor, MEDIA_TYPES } from '../oci.ts';
import { manifestInvalid } from './errors.ts';
import { algorithmOf, isDigest } from './grammar.ts';

/** What a registry must know of a manifest. */
export interface ManifestDocument {
  readonly mediaType: string;
  /** Of a referrer's descriptor: an image without one is of its configuration's type. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly configMediaType: string | undefined;
  readonly subject: Descriptor | undefined;
  /** Configuration and layers that a registry must have, each once. */
  readonly blobs: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  /** For the client's user. */
  readonly warnings: readonly string[];
}

/** Source: OCI Distribution Specification 1.1, "Pushing Manifests": at least this must be taken. */
export const MAX_MANIFEST_SIZE = 4 * 1024 * 1024;
/** Source: Amazon ECR User Guide, "Amazon ECR service quotas", layers of an image. */
const MAX_DESCRIPTORS = 4200;

const IMAGES: readonly string[] = [MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest];
const INDEXES: readonly string[] = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList];
export const MANIFEST_TYPES: readonly string[] = [...IMAGES, ...INDEXES];
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
/** Layers that stay where their `urls` lead. Source: OCI Image Specification 1.0, "Non-Distributable Layers"; Docker's schema 2. */
const FOREIGN = /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

type Fields = Readonly<Record<string, unknown>>;

/** Reads a manifest. `contentType` is what the client calls it. Throws `MANIFEST_INVALID`. */
export function readManifest(bytes: Uint8Array, contentType: string | undefined): ManifestDocument {
  const fields = parse(bytes);
  const mediaType = typeOf(fields, contentType);
  if (fields.schemaVersion !== 2) throw manifestInvalid('schemaVersion must be 2');
  const subject =
    fields.subject === undefined || fields.subject === null ? undefined : descriptor(fields.subject, 'subject');
  const annotations = annotationsOf(fields.annotations, 'annotations');
  const artifactType = optionalType(fields.artifactType, 'artifactType');
  const common = { mediaType, subject, annotations };
  if (INDEXES.includes(mediaType)) {
    const manifests = unique(descriptors(fields.manifests, 'manifests'));
    return { ...common, artifactType, configMediaType: undefined, blobs: [], manifests, warnings: [] };
  }
  const config = descriptor(fields.config, 'config');
  // Written in Go, an artifact without layers may say null.
  const layers = descriptors(fields.layers ?? [], 'layers');
  const foreign = layers.some(({ mediaType: type }) => FOREIGN.test(type));
  return {
    ...common,
    artifactType: artifactType ?? config.mediaType,
    configMediaType: config.mediaType,
    blobs: unique([config, ...layers.filter(({ mediaType: type }) => !FOREIGN.test(type))]),
    manifests: [],
    warnings: foreign ? ['Non-distributable layers are deprecated; they are not kept in this registry.'] : [],
  };
}

function parse(bytes: Uint8Array): Fields {
  if (bytes.length > MAX_MANIFEST_SIZE) throw manifestInvalid(`it is larger than ${MAX_MANIFEST_SIZE} bytes`);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw manifestInvalid('it is not JSON');
  }
  if (!isObject(document)) throw manifestInvalid('it is not a JSON object');
  return document;
}

/**
 * The manifest's type: the client's name for it and its own must not differ, and it must not be readable as another
 * one. Source: OCI Image Specification, security advisory GHSA-77vh-xpmg-72qh.
 */
function typeOf(fields: Fields, contentType: string | undefined): string {
  const named = contentType?.split(';')[0]?.trim().toLowerCase();
  const given =
    named === '' || named === 'application/json' || named === 'application/octet-stream' ? undefined : named;
  const own = fields.mediaType;
  if (own !== undefined && typeof own !== 'string') throw manifestInvalid('mediaType is not a string');
  if (SCHEMA_1.test(given ?? own ?? '') || fields.schemaVersion === 1) {
    throw manifestInvalid('Docker image manifests of schema version 1 are not supported; push version 2, or OCI');
  }
  if (given !== undefined && own !== undefined && own !== given) {
    throw manifestInvalid(`its mediaType is not the one of the request's Content-Type`);
  }
  const isIndex = fields.manifests !== undefined;
  const mediaType = given ?? own ?? (isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest);
  if (!MANIFEST_TYPES.includes(mediaType)) {
    throw manifestInvalid(
      `media type ${mediaType.slice(0, 200)} is not supported; these are: ${MANIFEST_TYPES.join(', ')}`,
    );
  }
  const other = INDEXES.includes(mediaType) ? ['config', 'layers', 'fsLayers'] : ['manifests', 'fsLayers'];
  const wrong = other.find((name) => fields[name] !== undefined);
  if (wrong !== undefined) throw manifestInvalid(`a manifest of type ${mediaType} has no "${wrong}"`);
  return mediaType;
}

function descriptors(value: unknown, where: string): Descriptor[] {
  if (!Array.isArray(value)) throw manifestInvalid(`${where} is not a list`);
  if (value.length > MAX_DESCRIPTORS) throw manifestInvalid(`${where} has more than ${MAX_DESCRIPTORS} entries`);
  return value.map((item, i) => descriptor(item, `${where}[${i}]`));
}

function descriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw manifestInvalid(`${where} is not a descriptor`);
  const { digest, size, data } = value;
  const mediaType = optionalType(value.mediaType, `${where}.mediaType`);
  if (mediaType === undefined) throw manifestInvalid(`${where}.mediaType is missing`);
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw manifestInvalid(`${where}.digest is not a digest of algorithm sha256 or sha512`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw manifestInvalid(`${where}.size is not a number of bytes`);
  }
  annotationsOf(value.annotations, `${where}.annotations`);
  if (data !== undefined) checkData(data, { digest, size }, where);
  return { mediaType, digest, size };
}

/** Content that is embedded in its descriptor. Source: OCI Image Specification, "Embedded Content". */
function checkData(data: unknown, { digest, size }: Pick<Descriptor, 'digest' | 'size'>, where: string): void {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : undefined;
  const algorithm = algorithmOf(digest);
  if (bytes?.length !== size || `${algorithm}:${hash(algorithm, bytes)}` !== digest) {
    throw manifestInvalid(`${where}.data is not the content that the descriptor names`);
  }
}

function annotationsOf(value: unknown, where: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    throw manifestInvalid(`${where} is not an object of strings`);
  }
  return value as Readonly<Record<string, string>>;
}

function optionalType(value: unknown, where: string): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string' || !MEDIA_TYPE.test(value)) throw manifestInvalid(`${where} is not a media type`);
  return value;
}

function unique(list: readonly Descriptor[]): Descriptor[] {
  return [...new Map(list.map((item) => [item.digest, item])).values()];
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
