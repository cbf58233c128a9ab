import { Readable } from 'node:stream';
import { sha256Of } from '../content/digest.ts';
import type { ContentStore } from '../content.ts';
import type { Image } from '../images.ts';
import { type Descriptor, type Manifest, MEDIA_TYPES } from '../oci.ts';
import { canonicalName, parseReference } from '../references/reference.ts';
import type { TarEntry } from '../tar/tar-entry.ts';
import { END_OF_ARCHIVE, paddingOf, tarHeader } from '../tar/tar-header.ts';

/** An image to be saved. */
export interface SavedImage {
  readonly image: Image;
  /** Familiar names, such as `busybox:latest`, that it is saved by. */
  readonly tags: readonly string[];
  /** Its manifest: the one that it was pulled by, or one made here. */
  readonly manifest: { readonly bytes: Uint8Array; readonly mediaType: string };
}

/** The manifest of an image that was made here; always the same for the same image. */
export function manifestOf(image: Image, layers: readonly Descriptor[], configSize: number): Uint8Array {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: MEDIA_TYPES.ociConfig, digest: image.id, size: configSize },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  return Buffer.from(JSON.stringify(manifest));
}

/**
 * An archive of images: an OCI layout that also has Docker's `manifest.json` unless told otherwise, as `docker save` writes it since
 * version 25. The same images give the same bytes.
 */
export function saveArchive(content: ContentStore, images: readonly SavedImage[], withDocker: boolean): Readable {
  return Readable.from(archiveParts(content, images, withDocker), { objectMode: false });
}

async function* archiveParts(
  content: ContentStore,
  images: readonly SavedImage[],
  withDocker: boolean,
): AsyncGenerator<Uint8Array> {
  const written = new Set<string>();
  yield header({ path: 'blobs/', type: 'directory', mode: 0o755 });
  yield header({ path: 'blobs/sha256/', type: 'directory', mode: 0o755 });
  for (const { image, manifest } of images) {
    for (const { descriptor } of image.layers) {
      if (!isNew(written, descriptor.digest)) continue;
      yield header({ path: blobPath(descriptor.digest), size: descriptor.size });
      yield* await content.open(descriptor.digest);
      yield Buffer.alloc(paddingOf(descriptor.size));
    }
    if (isNew(written, image.id)) yield file(blobPath(image.id), await content.read(image.id));
    const digest = sha256Of(manifest.bytes);
    if (isNew(written, digest)) yield file(blobPath(digest), manifest.bytes);
  }
  yield file('index.json', jsonOf(layoutIndex(images)));
  if (withDocker) yield file('manifest.json', jsonOf(dockerManifest(images)));
  yield file('oci-layout', jsonOf({ imageLayoutVersion: '1.0.0' }));
  yield END_OF_ARCHIVE;
}

function layoutIndex(images: readonly SavedImage[]): unknown {
  const manifests = images.flatMap(({ image, tags, manifest }) => {
    const { architecture, os, variant } = image.config;
    const descriptor: Descriptor = {
      mediaType: manifest.mediaType,
      digest: sha256Of(manifest.bytes),
      size: manifest.bytes.length,
      platform: { architecture, os, ...(variant && { variant }) },
    };
    if (tags.length === 0) return [descriptor];
    return tags.map((tag) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': canonicalName(parseReference(tag)),
        'org.opencontainers.image.ref.name': parseReference(tag).tag ?? '',
      },
    }));
  });
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
}

function dockerManifest(images: readonly SavedImage[]): unknown {
  return images.map(({ image, tags }) => ({
    Config: blobPath(image.id),
    RepoTags: tags.length > 0 ? tags : null,
    Layers: image.layers.map(({ descriptor }) => blobPath(descriptor.digest)),
  }));
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function isNew(written: Set<string>, digest: string): boolean {
  if (written.has(digest)) return false;
  written.add(digest);
  return true;
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function file(path: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([header({ path, size: bytes.length }), bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

function header(entry: Partial<TarEntry> & { readonly path: string }): Uint8Array {
  return tarHeader({
    type: 'file',
    size: 0,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    ...entry,
  });
}
