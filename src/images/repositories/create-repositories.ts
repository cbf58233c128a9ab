import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Key, Store } from '../../store/index.ts';
import type { ContentStore } from '../content.ts';
import type { Descriptor } from '../oci.ts';
import { Blobs } from './blobs.ts';
import { Collector } from './collector.ts';
import { deleteManifest } from './delete-manifest.ts';
import { digestMalformed } from './errors.ts';
import { isDigest } from './grammar.ts';
import { Manifests } from './manifests.ts';
import {
  manifestPrefix,
  referrerKey,
  referrerPrefix,
  repositoryKey,
  repositoryPrefix,
  tagKey,
  tagPrefix,
} from './records.ts';
import type { Repositories, RepositoryEvent, RepositoryPolicy } from './repositories.ts';
import { createRepository, findRepository, getRepository, type RegistryState, removeRepository } from './state.ts';
import { Uploads } from './uploads.ts';

export interface RepositoriesOptions {
  readonly content: ContentStore;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For uploads; made when it is first needed. */
  readonly directory: string;
  /** What holds for a repository beyond the specification, by its name. */
  readonly policy?: (repository: string) => Promise<RepositoryPolicy | undefined>;
}

/** The contents of the registry, over the content that images share. */
export function createRepositories(options: RepositoriesOptions): Repositories {
  const { content, store, clock, random, logger, directory } = options;
  const listeners = new Set<(event: RepositoryEvent) => void>();
  const state: RegistryState = {
    content,
    store,
    clock,
    random,
    logger,
    policy: async (repository) => options.policy?.(repository),
    tell: (event) => {
      for (const listener of listeners) listener(event);
    },
    collectLater: () => collector.later(),
  };
  const blobs = new Blobs(state);
  const uploads = new Uploads(state, blobs, join(directory, 'uploads'));
  const manifests = new Manifests(state);
  const collector = new Collector(state, uploads);
  // What an earlier run has left.
  collector.later();
  return {
    list: ({ prefix = '', after, limit } = {}) => listNames(store, prefix, after, limit),
    exists: async (repository) => (await findRepository(store, repository)) !== undefined,
    isEmpty: async (repository, transaction) => {
      const { id } = await getRepository(transaction, repository);
      return (await transaction.range({ prefix: manifestPrefix(id), limit: 1 })).length === 0;
    },
    create: async (repository, transaction) => {
      if (transaction) await createRepository(state, transaction, repository);
      else await store.transact((own) => createRepository(state, own, repository));
    },
    delete: async (repository, transaction) => {
      if (transaction) await removeRepository(transaction, repository);
      else await store.transact((own) => removeRepository(own, repository));
      collector.later();
    },
    statBlob: (repository, digest) => blobs.stat(repository, digest),
    openBlob: (repository, digest, range) => blobs.open(repository, digest, range),
    blobPath: (repository, digest) => blobs.path(repository, digest),
    deleteBlob: (repository, digest) => blobs.delete(repository, digest),
    repositoriesOfBlob: (digest, limit) => blobs.repositoriesOf(digest, limit),
    mountBlob: (repository, digest, from) => blobs.mount(repository, digest, from),
    putBlob: (repository, digest, source) => blobs.put(repository, digest, source),
    startUpload: (repository) => uploads.start(repository),
    getUpload: (repository, id) => uploads.get(repository, id),
    appendUpload: (repository, id, source, range) => uploads.append(repository, id, source, range),
    finishUpload: (repository, id, digest, source, range) => uploads.finish(repository, id, digest, source, range),
    cancelUpload: (repository, id) => uploads.cancel(repository, id),
    getManifest: (repository, reference, { pulled = false } = {}) => manifests.get(repository, reference, pulled),
    statManifest: (repository, reference) => manifests.stat(repository, reference),
    putManifest: (repository, reference, manifest, put = {}) => manifests.put(repository, reference, manifest, put),
    deleteManifest: (repository, reference, deletion = {}) => deleteManifest(state, repository, reference, deletion),
    listManifests: (repository) => manifests.list(repository),
    listTags: async (repository, { after, limit } = {}) => {
      const { id } = await getRepository(store, repository);
      const start = after === undefined ? undefined : tagKey(id, after);
      const { entries, more } = await readPage(store, tagPrefix(id), start, limit);
      return { tags: entries.map(({ key }) => String(key.at(-1))), more };
    },
    referrers: async (repository, digest, { artifactType, after, limit } = {}) => {
      if (!isDigest(digest)) throw digestMalformed(digest);
      const record = await findRepository(store, repository);
      if (!record) return { descriptors: [], more: false };
      const prefix = referrerPrefix(record.id, digest);
      const start = after === undefined ? undefined : referrerKey(record.id, digest, after);
      const all = await store.range<Descriptor>({ prefix, ...(start ? { after: start } : {}) });
      const found = all.map(({ value }) => value);
      const matching = artifactType === undefined ? found : found.filter((item) => item.artifactType === artifactType);
      return { descriptors: matching.slice(0, limit), more: limit !== undefined && matching.length > limit };
    },
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    collect: () => collector.collect(),
    close: async () => {
      await collector.close();
      await uploads.close();
    },
  };
}

async function listNames(
  store: Store,
  prefix: string,
  after: string | undefined,
  limit: number | undefined,
): Promise<readonly string[]> {
  const entries = await store.range({
    prefix: repositoryPrefix,
    ...(after !== undefined && after > prefix ? { after: repositoryKey(after) } : { from: repositoryKey(prefix) }),
    // No name has a character beyond this one.
    before: repositoryKey(`${prefix}\u{10ffff}`),
    ...(limit === undefined ? {} : { limit }),
  });
  return entries.map(({ key }) => String(key.at(-1)));
}

async function readPage(store: Store, prefix: Key, after: Key | undefined, limit: number | undefined) {
  const entries = await store.range({
    prefix,
    ...(after ? { after } : {}),
    ...(limit === undefined ? {} : { limit: limit + 1 }),
  });
  const more = limit !== undefined && entries.length > limit;
  return { entries: more ? entries.slice(0, limit) : entries, more };
}
