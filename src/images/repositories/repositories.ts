import type { Readable } from 'node:stream';
import type { BlobRange, Transaction } from '../../store/index.ts';
import type { Descriptor } from '../oci.ts';

/** What a repository knows of a manifest, besides its bytes. */
export interface ManifestInfo {
  /** With `artifactType` and `annotations` as a list of referrers shows them. */
  readonly descriptor: Descriptor;
  /** Media type of the configuration; `undefined` for an index. */
  readonly configMediaType: string | undefined;
  /** Digest of the manifest that this one is about: a signature's image, say. */
  readonly subject: string | undefined;
  /** Manifests that an index lists; empty for an image. */
  readonly manifests: readonly string[];
  /** Epoch ms of the clock, for retention: when its bytes or its latest tag came. */
  readonly pushedAt: number;
  readonly lastPulledAt: number | undefined;
  /** Sum of the sizes of configuration and layers, each counted once. */
  readonly contentSize: number;
  /** Sorted. */
  readonly tags: readonly string[];
}

/** A manifest as it is kept in a repository: its very bytes, named by their digest. */
export interface StoredManifest extends ManifestInfo {
  readonly bytes: Uint8Array;
}

/** An upload under way; survives a restart. */
export interface Upload {
  readonly id: string;
  readonly repository: string;
  /** Bytes that have come. */
  readonly offset: number;
}

export interface RepositoryEvent {
  readonly action: 'push' | 'delete' | 'pull';
  readonly repository: string;
  readonly digest: string;
  /** `undefined`: the manifest itself, by its digest. */
  readonly tag: string | undefined;
  /** The tags that came or went with it. */
  readonly tags: readonly string[];
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  /** Who pushed it, where that was not a client: what a copy must not cause is more copies. */
  readonly cause?: string | undefined;
}

/** What a tag or manifest is about to become. */
export interface ManifestPush {
  readonly repository: string;
  readonly digest: string;
  readonly tag: string | undefined;
  /** What the tag names now. */
  readonly previousDigest: string | undefined;
  /** The repository has this manifest already. */
  readonly known: boolean;
}

/**
 * What holds for a repository beyond the specification. ECR's tag immutability and its events come in here. Asked and told within
 * transactions, so possibly again and again.
 */
export interface RepositoryPolicy {
  /** Whether a push may make this repository; yes unless told. */
  mayCreate?(repository: string): Promise<boolean>;
  /** Throws to refuse. */
  beforeManifest?(push: ManifestPush, transaction: Transaction): Promise<void>;
  /** A manifest or tag came or went. */
  changed?(event: RepositoryEvent, transaction: Transaction): Promise<void>;
}

export interface PutManifestOptions {
  /** Whether to go on, by the digest that the reference names now (HTTP's `If-Match`, `If-None-Match`). Asked in the transaction. */
  readonly ifCurrent?: (digest: string | undefined) => boolean;
  /** Told in the event. */
  readonly cause?: string;
  /** Of an index: what it lists need not be there (yet). */
  readonly sparse?: boolean;
}

export interface DeleteManifestOptions {
  /** Of a tag: the manifest goes too, if this was its last one. */
  readonly lastTag?: boolean;
  /** Of a digest: nothing happens when the manifest was pushed again, or got a tag, after this time (epoch ms). */
  readonly ifNotPushedSince?: number;
}

/**
 * The contents of the registry: repositories with manifests, tags, referrers and uploads. Used by the OCI front end and by ECR, which
 * keeps its own records beside it. A repository's name here is complete: ECR's are `<account>.dkr.ecr.<region>.amazonaws.com/<name>`,
 * all others are plain. Throws `ServiceError` with the codes of the OCI specification (`NAME_UNKNOWN`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN`,
 * `BLOB_UPLOAD_UNKNOWN`, `BLOB_UPLOAD_INVALID`, `DIGEST_INVALID`, `SIZE_INVALID`, `MANIFEST_INVALID`, `MANIFEST_BLOB_UNKNOWN`, `NAME_INVALID`, …).
 */
export interface Repositories {
  /** Names in order. */
  list(options?: {
    readonly prefix?: string;
    readonly after?: string;
    readonly limit?: number;
  }): Promise<readonly string[]>;
  exists(repository: string): Promise<boolean>;
  /** Whether it has no manifests: as the transaction sees it, which then fails if one comes meanwhile. */
  isEmpty(repository: string, transaction: Transaction): Promise<boolean>;
  /** Makes it, in the caller's transaction if there is one; nothing happens when it is there. */
  create(repository: string, transaction?: Transaction): Promise<void>;
  /** Deletes it with all that is in it, in the caller's transaction if there is one; what it held is erased later. */
  delete(repository: string, transaction?: Transaction): Promise<void>;
  /** Keeps what it finds from being collected for a day: the client is about to refer to it. */
  statBlob(repository: string, digest: string): Promise<{ readonly size: number }>;
  openBlob(repository: string, digest: string, range?: BlobRange): Promise<Readable>;
  /** The file that holds it, which may go at any time: to be opened at once. */
  blobPath(repository: string, digest: string): Promise<string>;
  deleteBlob(repository: string, digest: string): Promise<void>;
  /** Repositories that have a blob. */
  repositoriesOfBlob(digest: string, limit: number): Promise<readonly string[]>;
  /** Links a blob that another repository has; false when it has not. */
  mountBlob(repository: string, digest: string, from: string): Promise<boolean>;
  putBlob(repository: string, digest: string, source: AsyncIterable<Uint8Array> | Uint8Array): Promise<Descriptor>;
  startUpload(repository: string): Promise<Upload>;
  getUpload(repository: string, id: string): Promise<Upload>;
  /**
   * Appends a chunk that must begin at `range.start` (the next byte when undefined). Whoever was appending before is cut off.
   * A chunk of known range comes as a whole or not at all, unless its source fails: then what came of it stays.
   */
  appendUpload(
    repository: string,
    id: string,
    source: AsyncIterable<Uint8Array>,
    range?: { readonly start: number; readonly end: number },
  ): Promise<Upload>;
  finishUpload(
    repository: string,
    id: string,
    digest: string,
    source?: AsyncIterable<Uint8Array>,
    range?: { readonly start: number; readonly end: number },
  ): Promise<Descriptor>;
  cancelUpload(repository: string, id: string): Promise<void>;
  /** By tag or digest. Counts as a pull with `pulled`. */
  getManifest(repository: string, reference: string, options?: { readonly pulled?: boolean }): Promise<StoredManifest>;
  /** The same without its bytes. */
  statManifest(repository: string, reference: string): Promise<ManifestInfo>;
  putManifest(
    repository: string,
    reference: string,
    manifest: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
    options?: PutManifestOptions,
  ): Promise<{
    readonly descriptor: Descriptor;
    readonly subject: string | undefined;
    readonly warnings: readonly string[];
  }>;
  /**
   * A digest: the manifest with its tags, and what is about it (signatures, SBOMs). A tag: the tag alone. Answers the
   * digests that are gone.
   */
  deleteManifest(repository: string, reference: string, options?: DeleteManifestOptions): Promise<readonly string[]>;
  listManifests(repository: string): Promise<readonly ManifestInfo[]>;
  listTags(
    repository: string,
    options?: { readonly after?: string; readonly limit?: number },
  ): Promise<{ readonly tags: readonly string[]; readonly more: boolean }>;
  /** In order of digests; empty for what is not there. */
  referrers(
    repository: string,
    digest: string,
    options?: { readonly artifactType?: string; readonly after?: string; readonly limit?: number },
  ): Promise<{ readonly descriptors: readonly Descriptor[]; readonly more: boolean }>;
  onEvent(listener: (event: RepositoryEvent) => void): () => void;
  /** Deletes uploads that stood still for a week, and blobs that nothing names. Never blocks a push. */
  collect(): Promise<{ readonly deleted: number; readonly bytes: number }>;
  close(): Promise<void>;
}
