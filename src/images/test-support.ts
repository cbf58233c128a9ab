/** For tests of this room and of those above it: images in a scratch directory, and a small base image to begin with. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { createManualClock } from '../base/system-clock.ts';
import { createSystemRandom } from '../base/system-random.ts';
import { type BlobStore, openBlobStore, openLmdbStore, openMemoryStore, type Store } from '../store/index.ts';
import { createContentStore } from './content/content-store.ts';
import type { ContentStore } from './content.ts';
import { createImages } from './create-images.ts';
import type { Image, Images, Layer, RegistryLocations } from './images.ts';
import { type ImageConfig, MEDIA_TYPES, type RunConfig } from './oci.ts';
import type { TarEntry } from './tar/tar-entry.ts';
import { END_OF_ARCHIVE, paddingOf, tarHeader } from './tar/tar-header.ts';
import { TarReader } from './tar/tar-reader.ts';

const BUSYBOX = '/bin/busybox';

/** Why no root file system can be made here, in `doctor`'s words; `undefined` when it can. */
export const noRootsReason: string | undefined =
  process.getuid?.() === 0
    ? existsSync(BUSYBOX)
      ? undefined
      : 'busybox is missing: apt-get install busybox-static'
    : 'containers need root';

export interface TestImages extends AsyncDisposable {
  readonly directory: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly content: ContentStore;
  readonly clock: Clock;
  readonly images: Images;
}

/** Images in a directory of their own, which goes with all mounts when it is disposed of. */
export async function openTestImages(
  registries?: RegistryLocations,
  clock: Clock = createManualClock(Date.UTC(2026, 0, 1)),
): Promise<TestImages> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-images-'));
  const store = openMemoryStore();
  const at = await openImages({ directory, store, clock, durable: false, registries });
  return {
    ...at,
    async [Symbol.asyncDispose]() {
      for (const id of await at.images.roots.list()) await (await at.images.roots.open(id))?.remove();
      await at.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Images in a directory that stays, with a store on disk. Roots stay mounted. */
export async function openImagesIn(directory: string): Promise<TestImages> {
  const store = await openLmdbStore({ directory: join(directory, 'store') });
  const at = await openImages({ directory, store, clock: createManualClock(), durable: true, registries: undefined });
  return { ...at, [Symbol.asyncDispose]: at.close };
}

interface OpenOptions {
  readonly directory: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly durable: boolean;
  readonly registries: RegistryLocations | undefined;
}

async function openImages({ directory, store, clock, durable, registries }: OpenOptions) {
  const random = createSystemRandom();
  const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random, durable });
  const content = createContentStore({ store, blobs });
  const images = await createImages({
    content,
    store,
    clock,
    random,
    logger: silentLogger,
    directory: join(directory, 'images'),
    durable,
    ...(registries && { registries }),
    retries: { attempts: 5, firstDelayMs: 5, maxDelayMs: 20 },
  });
  const close = async () => {
    await images.close();
    await blobs.close();
    await store.close();
  };
  return { directory, store, blobs, content, clock, images, close };
}

/** An error with this code, whose message is so. */
export const refusedWith = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof ServiceError && error.code === code && message.test(error.message);

/** That nothing stays of what failed: no image, layer, root, blob or half of one. */
export async function assertNothingKept(at: TestImages): Promise<void> {
  assert.deepEqual(await at.images.list(), []);
  for (const name of ['images/layers', 'images/unpacking', 'images/packing', 'images/roots', 'blobs/temporary']) {
    assert.deepEqual(await readdir(join(at.directory, name)), [], name);
  }
  await at.content.collect();
  assert.deepEqual(await readdir(join(at.directory, 'blobs/sha256')), []);
}

/** Logs nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/** A file of an archive: its content, and what differs from an ordinary file of root's. */
export type ArchiveFile = Partial<TarEntry> & { readonly path: string; readonly content?: Uint8Array | string };

/** A tar archive of these files, in this order. */
export function makeArchive(files: readonly ArchiveFile[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const { content = '', ...given } of files) {
    const bytes = Buffer.from(content as string);
    const type = given.type ?? (given.path.endsWith('/') ? 'directory' : 'file');
    parts.push(
      tarHeader({
        type,
        size: bytes.length,
        mode: type === 'directory' ? 0o755 : 0o644,
        uid: 0,
        gid: 0,
        mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
        linkTarget: '',
        deviceMajor: 0,
        deviceMinor: 0,
        xattrs: new Map(),
        ...given,
      }),
      bytes,
      Buffer.alloc(paddingOf(bytes.length)),
    );
  }
  return Buffer.concat([...parts, END_OF_ARCHIVE]);
}

/** What an archive holds. */
export function readEntries(archive: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({ begin: (entry) => void entries.push(entry), write() {}, end() {} });
  reader.write(archive);
  reader.finish();
  return entries;
}

/** Adds a plain archive as a layer; it is held until `release`. */
export async function addLayer(
  content: ContentStore,
  archive: Uint8Array,
): Promise<{ readonly layer: Layer; release(): void }> {
  const { digest, size, release } = await content.write(archive);
  return { layer: { descriptor: { mediaType: MEDIA_TYPES.ociLayer, digest, size }, diffId: digest, size }, release };
}

/** Adds an image of plain archives, bottom first. */
export async function addImage(
  { content, images }: Pick<TestImages, 'content' | 'images'>,
  reference: string | undefined,
  archives: readonly Uint8Array[],
  options: { readonly config?: RunConfig; readonly parent?: string; readonly created?: string } = {},
): Promise<Image> {
  const added = await Promise.all(archives.map((archive) => addLayer(content, archive)));
  const layers = added.map(({ layer }) => layer);
  const config: ImageConfig = {
    created: options.created ?? '2026-01-01T00:00:00Z',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: options.config ?? {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'test' })),
  };
  try {
    return await images.add({ config, layers, ...(options.parent && { parent: options.parent }) }, reference);
  } finally {
    for (const { release } of added) release();
  }
}

let busybox: Buffer | undefined;

/** The layer of a small Linux: busybox with all its applets, the usual directories, users `root` and `nobody`. */
export function busyboxLayer(): Buffer {
  if (busybox) return busybox;
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const directories = [
    'bin/',
    'dev/',
    'etc/',
    'home/',
    'proc/',
    'sbin/',
    'sys/',
    'usr/',
    'usr/bin/',
    'usr/sbin/',
    'var/',
  ];
  busybox = makeArchive([
    ...directories.map((path) => ({ path })),
    { path: 'root/', mode: 0o700 },
    { path: 'tmp/', mode: 0o1777 },
    { path: 'bin/busybox', mode: 0o755, content: readFileSync(BUSYBOX) },
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name): ArchiveFile => ({ path: `bin/${name}`, type: 'symlink', mode: 0o777, linkTarget: 'busybox' })),
    { path: 'usr/bin/env', type: 'symlink', mode: 0o777, linkTarget: '../../bin/busybox' },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' },
    { path: 'etc/group', content: 'root:x:0:\nnogroup:x:65534:\n' },
  ]);
  return busybox;
}

/** Adds an image of {@link busyboxLayer} that starts a shell. */
export function addBusybox(at: Pick<TestImages, 'content' | 'images'>, reference = 'busybox:latest'): Promise<Image> {
  const config = { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] };
  return addImage(at, reference, [busyboxLayer()], { config });
}
