import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../../base/random.ts';
import { createManualClock, type ManualClock } from '../../../base/system-clock.ts';
import { createSeededRandom } from '../../../base/system-random.ts';
import { openBlobStore, openMemoryStore, type Store } from '../../../store/index.ts';
import { createContentStore } from '../../content/content-store.ts';
import type { ContentStore } from '../../content.ts';
import { MEDIA_TYPES } from '../../oci.ts';
import { createRepositories, type RepositoriesOptions } from '../create-repositories.ts';
import type { Repositories } from '../repositories.ts';

/** Says nothing. */
export const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** The registry's contents on a store in memory, at a time that stands still: for tests. */
export interface TestRepositories extends AsyncDisposable {
  readonly repositories: Repositories;
  readonly content: ContentStore;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly random: Random;
  readonly directory: string;
  /** Another instance on the same store and directory. */
  restart(): Promise<Repositories>;
  /** Names of the files that hold content. */
  files(): Promise<readonly string[]>;
  uploads(): Promise<readonly string[]>;
  /** Pushes an image of one layer, and of what else the manifest is to hold; answers its digest. */
  push(repository: string, reference: string | undefined, layer: string, more?: object): Promise<string>;
}

export const digestOf = (content: string | Uint8Array, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;

export const descriptorOf = (content: string | Uint8Array, mediaType: string) => ({
  mediaType,
  digest: digestOf(content),
  size: Buffer.byteLength(content),
});

export function imageOf(layer: string, more: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptorOf('{}', MEDIA_TYPES.ociConfig),
    layers: [descriptorOf(layer, MEDIA_TYPES.ociLayer)],
    ...more,
  });
}

export async function openTestRepositories(options: Partial<RepositoriesOptions> = {}): Promise<TestRepositories> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-repositories-'));
  const store = openMemoryStore();
  const clock = createManualClock();
  const random = createSeededRandom();
  const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random, durable: false });
  const content = createContentStore({ store, blobs });
  const make = () => createRepositories({ content, store, clock, random, logger: silent, directory, ...options });
  let repositories = make();
  return {
    get repositories() {
      return repositories;
    },
    content,
    store,
    clock,
    random,
    directory,
    restart: async () => {
      await repositories.close();
      repositories = make();
      return repositories;
    },
    files: async () => (await readdir(join(directory, 'blobs', 'sha256'))).sort(),
    uploads: async () => readdir(join(directory, 'uploads')).catch(() => []),
    push: async (repository, reference, layer, more) => {
      for (const part of ['{}', layer]) await repositories.putBlob(repository, digestOf(part), Buffer.from(part));
      const bytes = Buffer.from(imageOf(layer, more));
      const digest = digestOf(bytes);
      await repositories.putManifest(repository, reference ?? digest, { mediaType: undefined, bytes });
      return digest;
    },
    async [Symbol.asyncDispose]() {
      await repositories.close();
      await blobs.close();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}
