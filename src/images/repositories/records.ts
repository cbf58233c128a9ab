import type { Key } from '../../store/index.ts';
import type { Descriptor } from '../oci.ts';

/** A repository's name leads to its id, under which everything in it is kept: deleting takes one write, the rest follows later. */
export interface RepositoryRecord {
  readonly id: string;
  /** Epoch ms. */
  readonly createdAt: number;
  /** A push has made it, and this is when something was last pushed to it, about, epoch ms: it goes when nothing is left in it. */
  readonly pushedTo?: number | undefined;
}

/** A repository has a blob. Holds a reference to the content. */
export interface BlobLink {
  readonly size: number;
  /** When it was last pushed or asked for, epoch ms: what nothing uses is kept for a while from here. */
  readonly touchedAt: number;
}

export interface ManifestRecord {
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly configMediaType: string | undefined;
  readonly subject: string | undefined;
  /** Configuration and layers that must be here. */
  readonly blobs: readonly string[];
  /** Of an index. */
  readonly manifests: readonly string[];
  readonly contentSize: number;
  readonly pushedAt: number;
}

export interface TagRecord {
  readonly digest: string;
  readonly pushedAt: number;
}

const ROOT = 'registry';

export const repositoryPrefix: Key = [ROOT, 'repository'];
export const repositoryKey = (name: string): Key => [ROOT, 'repository', name];
/** Repositories that were deleted and are yet to be erased. */
export const doomedPrefix: Key = [ROOT, 'doomed'];
export const doomedKey = (id: string): Key => [ROOT, 'doomed', id];

export const blobPrefix = (id: string): Key => [ROOT, 'blob', id];
export const blobKey = (id: string, digest: string): Key => [ROOT, 'blob', id, digest];
/** Which repositories have a blob; the value is the repository's name. */
export const blobPlacePrefix = (digest: string): Key => [ROOT, 'blob-place', digest];
export const blobPlaceKey = (digest: string, id: string): Key => [ROOT, 'blob-place', digest, id];

export const manifestPrefix = (id: string): Key => [ROOT, 'manifest', id];
export const manifestKey = (id: string, digest: string): Key => [ROOT, 'manifest', id, digest];
/** When a manifest was last pulled, epoch ms. */
export const pulledPrefix = (id: string): Key => [ROOT, 'pulled', id];
export const pulledKey = (id: string, digest: string): Key => [ROOT, 'pulled', id, digest];

export const tagPrefix = (id: string): Key => [ROOT, 'tag', id];
export const tagKey = (id: string, tag: string): Key => [ROOT, 'tag', id, tag];
/** Tags by what they name. */
export const tagOfPrefix = (id: string, digest: string): Key => [ROOT, 'tag-of', id, digest];
export const tagOfKey = (id: string, digest: string, tag: string): Key => [ROOT, 'tag-of', id, digest, tag];

/** Which manifests of a repository are made of a blob or manifest. */
export const usePrefix = (id: string, digest: string): Key => [ROOT, 'use', id, digest];
export const useKey = (id: string, digest: string, by: string): Key => [ROOT, 'use', id, digest, by];

/** Manifests by their subject; the value is their descriptor. */
export const referrerPrefix = (id: string, subject: string): Key => [ROOT, 'referrer', id, subject];
export const referrerKey = (id: string, subject: string, digest: string): Key => [
  ROOT,
  'referrer',
  id,
  subject,
  digest,
];

/** Everything that is kept under a repository's id, for erasing it. */
export const contentPrefixes = (id: string): readonly Key[] =>
  ['blob', 'manifest', 'pulled', 'tag', 'tag-of', 'use', 'referrer'].map((part) => [ROOT, part, id]);

/** Who refers to content: these are the owners' names. */
export const blobOwner = (id: string): readonly string[] => [ROOT, 'blob', id];
export const manifestOwner = (id: string): readonly string[] => [ROOT, 'manifest', id];

export function descriptorOf(digest: string, record: ManifestRecord): Descriptor {
  const { mediaType, size, artifactType, annotations } = record;
  return {
    mediaType,
    digest,
    size,
    ...(annotations ? { annotations } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}
