import type { Readable } from 'node:stream';
import type { BlobRange } from '../../store/index.ts';
import type { Descriptor } from '../oci.ts';

/** A manifest as it is kept in a repository: its very bytes, named by their digest. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** Epoch ms of the clock, for retention. */
  readonly pushedAt: number;
  readonly lastPulledAt: number | undefined;
  /** Sum of the sizes of configuration and layers. */
  readonly contentSize: number;
  readonly tags: readonly string[];
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
  readonly tag: string | undefined;
  readonly mediaType: string;
}

/** What a repository refuses beyond the specification: asked in the transaction of a push. ECR's tag immutability comes in here. */
export interface PushPolicy {
  /** Throws to refuse. */
  beforeManifest?(push: {
    readonly repository: string;
    readonly digest: string;
    readonly tag: string | undefined;
    readonly previousDigest: string | undefined;
  }): Promise<void>;
  /** Whether a push may make this repository. */
  mayCreate?(repository: string): Promise<boolean>;
}

/**
 * The contents of the registry: repositories with manifests, tags, referrers and uploads. Used by the OCI front end and by ECR, which
 * keeps its own records beside it. A repository's name here is complete: ECR's are `<account>.dkr.ecr.<region>.amazonaws.com/<name>`,
 * all others are plain. Throws `ServiceError` with the codes of the OCI specification (`NAME_UNKNOWN`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN`,
 * `BLOB_UPLOAD_UNKNOWN`, `BLOB_UPLOAD_INVALID`, `DIGEST_INVALID`, `SIZE_INVALID`, `MANIFEST_INVALID`, `MANIFEST_BLOB_UNKNOWN`, `NAME_INVALID`, …).
 */
export interface Repositories {
  list(options?: {
    readonly prefix?: string;
    readonly after?: string;
    readonly limit?: number;
  }): Promise<readonly string[]>;
  exists(repository: string): Promise<boolean>;
  create(repository: string): Promise<void>;
  /** Deletes it with all that is in it. */
  delete(repository: string): Promise<void>;
  statBlob(repository: string, digest: string): Promise<{ readonly size: number }>;
  openBlob(repository: string, digest: string, range?: BlobRange): Promise<Readable>;
  deleteBlob(repository: string, digest: string): Promise<void>;
  /** Links a blob that another repository has; false when it has not. `from` undefined: any repository. */
  mountBlob(repository: string, digest: string, from: string | undefined): Promise<boolean>;
  putBlob(repository: string, digest: string, source: AsyncIterable<Uint8Array> | Uint8Array): Promise<Descriptor>;
  startUpload(repository: string): Promise<Upload>;
  getUpload(repository: string, id: string): Promise<Upload>;
  /** Appends a chunk that must begin at `offset` (the next byte when undefined). */
  appendUpload(
    repository: string,
    id: string,
    source: AsyncIterable<Uint8Array>,
    range?: { readonly start: number; readonly end: number },
  ): Promise<Upload>;
  finishUpload(repository: string, id: string, digest: string, source?: AsyncIterable<Uint8Array>): Promise<Descriptor>;
  cancelUpload(repository: string, id: string): Promise<void>;
  /** By tag or digest. Counts as a pull with `pulled`. */
  getManifest(repository: string, reference: string, options?: { readonly pulled?: boolean }): Promise<StoredManifest>;
  putManifest(
    repository: string,
    reference: string,
    manifest: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
  ): Promise<{ readonly descriptor: Descriptor; readonly subject: string | undefined }>;
  /** A digest: the manifest with its tags; a tag: the tag alone. */
  deleteManifest(repository: string, reference: string): Promise<void>;
  listManifests(repository: string): Promise<readonly StoredManifest[]>;
  listTags(
    repository: string,
    options?: { readonly after?: string; readonly limit?: number },
  ): Promise<{ readonly tags: readonly string[]; readonly more: boolean }>;
  referrers(repository: string, digest: string, artifactType?: string): Promise<readonly Descriptor[]>;
  setPushPolicy(policy: PushPolicy): void;
  onEvent(listener: (event: RepositoryEvent) => void): () => void;
  /** Deletes uploads that stood still for a week, and blobs that nothing names. Never blocks a push. */
  collect(): Promise<{ readonly deleted: number; readonly bytes: number }>;
  close(): Promise<void>;
}
