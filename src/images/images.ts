import type { Readable } from 'node:stream';
import type { Blob, BlobLease } from '../store/index.ts';
import type { Descriptor, ImageConfig, Platform } from './oci.ts';
import type { Roots } from './roots.ts';

/** A layer of an image on this machine. */
export interface Layer {
  /** As the content store has it: compressed as it was pulled, plain when it was made here. */
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  /** Bytes of the uncompressed archive. */
  readonly size: number;
}

/** An image on this machine, for one platform. Immutable: a change makes another image. */
export interface Image {
  /** Digest of the configuration: `sha256:…`, which Docker calls the image's ID. */
  readonly id: string;
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly Layer[];
  /** Sum of the layers' uncompressed sizes, bytes. */
  readonly size: number;
  /** Familiar names with their tags, such as `busybox:latest`, sorted. */
  readonly tags: readonly string[];
  /** Familiar names with the digest of the manifest that was pulled or pushed: `busybox@sha256:…`. */
  readonly digests: readonly string[];
  /** Image that it was built upon here, if it is still there. */
  readonly parent?: string;
  /** Epoch ms of this machine's clock. */
  readonly lastTaggedAt: number;
}

/** Credentials for a registry, as `docker login` keeps them. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  /** A refresh token. */
  readonly identityToken?: string;
  /** A bearer token. */
  readonly registryToken?: string;
}

/** Progress of one layer, as Docker's clients show it. */
export interface TransferProgress {
  /** The layer's short digest, or the tag for messages about the whole. */
  readonly id?: string;
  /** `Pulling fs layer`, `Downloading`, `Extracting`, `Pull complete`, `Already exists`, `Pushing`, `Pushed`, `Mounted from x`, … */
  readonly status: string;
  /** Bytes. */
  readonly current?: number;
  readonly total?: number;
}

export interface TransferOptions {
  readonly auth?: RegistryAuth;
  /** The machine's own unless told. */
  readonly platform?: Platform;
  readonly onProgress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
  /** Pulling: who holds the image from its first moment on. It gets no name then, and nobody's names change. */
  readonly holder?: string;
}

/** Where registries are, when they are not where their name says. */
export interface RegistryLocations {
  /** `undefined`: the usual rules. `url` is the address to talk to, `host` the Host header, `ca` certificates to trust, PEM. */
  locate(host: string): { readonly url: string; readonly host?: string; readonly ca?: string } | undefined;
  /** Base URLs of registries to ask before the one that is named, when pulling. */
  mirrors?(host: string): readonly string[];
}

export interface RemovedImage {
  readonly untagged?: string;
  readonly deleted?: string;
}

export type ImageEvent = {
  readonly action: 'pull' | 'push' | 'tag' | 'untag' | 'delete' | 'load' | 'save' | 'import' | 'prune';
  /** The image's ID, or the name for `pull` and `push`. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
};

/** A new image of a parent and what was changed; `layers` are in the content store already (leased). */
export interface NewImage {
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
  readonly parent?: string;
}

export interface OpenRepositoryOptions {
  /** Ask for the right to write, too. */
  readonly push?: boolean;
  readonly auth?: RegistryAuth;
  readonly signal?: AbortSignal;
}

/** A repository at its registry, seen as manifests and blobs. Throws `RegistryError` and `Unauthorized`. */
export interface ArtifactRepository {
  /** What the reference's tag or digest names; `undefined`: nothing. */
  manifest(): Promise<{ readonly bytes: Buffer; readonly mediaType: string | undefined } | undefined>;
  /** Brings a blob into the content store unless it is there; verified, and leased until `release`. */
  fetch(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Blob & BlobLease>;
  /** Sends a layer, compressed, unless the registry has it. Answers how it is there. */
  pushLayer(layer: Layer): Promise<Descriptor>;
  pushBlob(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
  /** Under the reference's tag or digest. */
  pushManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
}

/**
 * The images of this machine. References are what Docker's clients write: `busybox`, `busybox:1.36`, `host:5000/a/b@sha256:…`, an
 * ID or the beginning of one. Throws `ServiceError` with codes `ImageNotFound` (404), `InvalidReference` (400),
 * `AmbiguousId` (400), `ImageInUse` (409), `RegistryError` (502), `Unauthorized` (401), `NoSuchManifest` (404) and the
 * messages that Docker's users know (`No such image: x`).
 */
export interface Images {
  /** Root file systems made of layers. */
  readonly roots: Roots;
  find(reference: string): Promise<Image | undefined>;
  /** The same; throws `ImageNotFound`. */
  get(reference: string): Promise<Image>;
  list(): Promise<readonly Image[]>;
  pull(reference: string, options?: TransferOptions): Promise<Image>;
  /** Pushes the image that has this name (all its tags with `allTags`). Compresses plain layers, the same way every time. */
  push(
    reference: string,
    options?: TransferOptions & { readonly allTags?: boolean },
  ): Promise<readonly { readonly tag: string; readonly digest: string; readonly size: number }[]>;
  /** Platform manifests behind a reference at its registry, without pulling. */
  inspectRemote(
    reference: string,
    options?: TransferOptions,
  ): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }>;
  /** Tags that a repository has at its registry, of all pages. */
  remoteTags(repository: string, options?: TransferOptions): Promise<readonly string[]>;
  /** Checks credentials with a registry (`docker login`), which is named or given by its address; throws `Unauthorized` when it does not take them. */
  login(server: string, auth: RegistryAuth): Promise<void>;
  tag(source: string, target: string): Promise<void>;
  /** Untags; deletes when nothing names it any more. `force`: all its names, and although stopped containers use it. */
  remove(
    reference: string,
    options?: { readonly force?: boolean; readonly prune?: boolean },
  ): Promise<readonly RemovedImage[]>;
  /** Deletes images without a name (`all`: without a container) that nobody uses. */
  prune(options?: {
    readonly all?: boolean;
    /** Created before this, epoch ms. */
    readonly until?: number;
    readonly matches?: (image: Image) => boolean;
  }): Promise<{ readonly removed: readonly RemovedImage[]; readonly bytes: number }>;
  /** The repository that a reference names at its registry, for artifacts that are no images, such as build caches. */
  openRepository(reference: string, options?: OpenRepositoryOptions): Promise<ArtifactRepository>;
  /** A layer as registries get it: compressed, the same each time. Held until `release`. */
  compressedLayer(layer: Layer): Promise<{ readonly descriptor: Descriptor; release(): void }>;
  /** An archive that both Docker and OCI tools load (`docker save`; `format: 'oci'` leaves Docker's `manifest.json` out). */
  save(references: readonly string[], options?: { readonly format?: 'docker' | 'oci' }): Promise<Readable>;
  /** Reads a Docker or OCI archive (plain, gzip or zstd). Answers the names (or IDs) that were loaded. */
  load(
    archive: AsyncIterable<Uint8Array>,
    options?: Pick<TransferOptions, 'onProgress' | 'platform'>,
  ): Promise<readonly string[]>;
  /** Makes an image of one layer out of a file system's archive (`docker import`). */
  import(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly config?: Partial<ImageConfig>; readonly message?: string; readonly reference?: string },
  ): Promise<Image>;
  /** Registers an image made here (a build, `docker commit`) and gives it a name if told. */
  add(image: NewImage, reference?: string): Promise<Image>;
  /**
   * Says that `holder` uses the image, so that it is not deleted; survives a restart. A container's ID, or the name of somebody
   * else, against whom nothing is forced.
   */
  hold(imageId: string, holder: string): Promise<void>;
  /** IDs of what `holder` holds. */
  heldBy(holder: string): Promise<readonly string[]>;
  letGo(imageId: string, holder: string): Promise<void>;
  /** Containers that hold an image. */
  holders(imageId: string): Promise<readonly string[]>;
  /** Lets the container engine say whether a holder runs: its image cannot be deleted, even by force. */
  tellRunning(isRunning: (holder: string) => boolean): void;
  /** Tells what happens; returns the function that stops it. */
  onEvent(listener: (event: ImageEvent) => void): () => void;
  /** Bytes of unpacked layers, and of those that several images share. */
  usage(): Promise<{ readonly layersSize: number; readonly shared: ReadonlyMap<string, number> }>;
  close(): Promise<void>;
}
