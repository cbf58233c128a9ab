import { hash } from 'node:crypto';
import { ServiceError } from '../../base/errors.ts';
import { BlobNotFoundError, type Transaction } from '../../store/index.ts';
import type { Descriptor } from '../oci.ts';
import {
  digestMalformed,
  digestMismatch,
  manifestBlobUnknown,
  manifestInvalid,
  manifestUnknown,
  nameUnknown,
} from './errors.ts';
import { algorithmOf, isDigest, isTag } from './grammar.ts';
import { type ManifestDocument, readManifest } from './manifest-document.ts';
import {
  type BlobLink,
  blobKey,
  descriptorOf,
  type ManifestRecord,
  manifestKey,
  manifestOwner,
  manifestPrefix,
  pulledKey,
  pulledPrefix,
  referrerKey,
  type TagRecord,
  tagKey,
  tagOfKey,
  tagOfPrefix,
  tagPrefix,
  useKey,
} from './records.ts';
import type {
  ManifestInfo,
  PutManifestOptions,
  RepositoryEvent,
  RepositoryPolicy,
  StoredManifest,
} from './repositories.ts';
import { getRepository, type RegistryState, repositoryForPush } from './state.ts';

/** Pulls within this time of the last one noted are not noted: a pull is a read, and stays one. */
const PULL_NOTE_MS = 60_000;

interface Found {
  readonly id: string;
  readonly digest: string;
  readonly record: ManifestRecord;
}

/** The manifests and tags of repositories. */
export class Manifests {
  readonly #state: RegistryState;

  constructor(state: RegistryState) {
    this.#state = state;
  }

  async get(repository: string, reference: string, pulled: boolean): Promise<StoredManifest> {
    const found = await this.#find(repository, reference);
    const bytes = await this.#read(found.digest);
    if (pulled) await this.#notePull(repository, reference, found);
    return { ...(await this.#info(found)), bytes };
  }

  async stat(repository: string, reference: string): Promise<ManifestInfo> {
    return this.#info(await this.#find(repository, reference));
  }

  async list(repository: string): Promise<readonly ManifestInfo[]> {
    const { store } = this.#state;
    const { id } = await getRepository(store, repository);
    const [manifests, tags, pulls] = await Promise.all([
      store.range<ManifestRecord>({ prefix: manifestPrefix(id) }),
      store.range<TagRecord>({ prefix: tagPrefix(id) }),
      store.range<number>({ prefix: pulledPrefix(id) }),
    ]);
    const tagsOf = Map.groupBy(tags, ({ value }) => value.digest);
    const pulledAt = new Map(pulls.map(({ key, value }) => [key.at(-1), value]));
    return manifests.map(({ key, value }) => {
      const digest = String(key.at(-1));
      const names = (tagsOf.get(digest) ?? []).map((tag) => String(tag.key.at(-1)));
      return infoOf(digest, value, names, pulledAt.get(digest));
    });
  }

  async put(
    repository: string,
    reference: string,
    manifest: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
    options: PutManifestOptions,
  ): Promise<{ descriptor: Descriptor; subject: string | undefined; warnings: readonly string[] }> {
    const { content, store } = this.#state;
    const { digest, tag } = target(reference, manifest.bytes);
    const document = readManifest(manifest.bytes, manifest.mediaType);
    const policy = await this.#state.policy(repository);
    const { id } = await repositoryForPush(this.#state, repository);
    const written = await content.write(manifest.bytes, { digest });
    const push: Push = { repository, id, digest, tag, document, size: manifest.bytes.length, options };
    try {
      await store.transact((transaction) => this.#put(transaction, push, policy));
    } finally {
      written.release();
    }
    this.#state.tell(pushOf(push));
    const { mediaType, subject, warnings } = document;
    return { descriptor: { mediaType, digest, size: push.size }, subject: subject?.digest, warnings };
  }

  async #put(transaction: Transaction, push: Push, policy: RepositoryPolicy | undefined): Promise<void> {
    const { repository, id, digest, tag, document } = push;
    if ((await getRepository(transaction, repository)).id !== id) throw nameUnknown(repository);
    const previous = tag === undefined ? undefined : (await transaction.get<TagRecord>(tagKey(id, tag)))?.value;
    const known = (await transaction.get<ManifestRecord>(manifestKey(id, digest)))?.value;
    checkConditions(push.options, previous?.digest ?? (tag === undefined && known ? digest : undefined));
    await policy?.beforeManifest?.(
      { repository, digest, tag, previousDigest: previous?.digest, known: known !== undefined },
      transaction,
    );
    await checkReferences(transaction, id, document, push.options.sparse === true);
    const { clock, content } = this.#state;
    const now = clock.now();
    const record: ManifestRecord = {
      ...typesOf(document),
      size: push.size,
      annotations: document.annotations,
      configMediaType: document.configMediaType,
      subject: document.subject?.digest,
      blobs: document.blobs.map((blob) => blob.digest),
      manifests: document.manifests.map((child) => child.digest),
      contentSize: document.blobs.reduce((sum, { size }) => sum + size, 0),
      pushedAt: now,
    };
    transaction.put(manifestKey(id, digest), record);
    content.reference(transaction, digest, manifestOwner(id));
    for (const part of [...record.blobs, ...record.manifests]) transaction.put(useKey(id, part, digest), true);
    if (record.subject !== undefined) {
      transaction.put(referrerKey(id, record.subject, digest), descriptorOf(digest, record));
    }
    if (tag !== undefined) {
      if (previous && previous.digest !== digest) transaction.delete(tagOfKey(id, previous.digest, tag));
      transaction.put(tagKey(id, tag), { digest, pushedAt: now } satisfies TagRecord);
      transaction.put(tagOfKey(id, digest, tag), true);
    }
    await policy?.changed?.(pushOf(push), transaction);
  }

  async #read(digest: string): Promise<Buffer> {
    try {
      return await this.#state.content.read(digest);
    } catch (error) {
      // It was deleted in this moment.
      if (error instanceof BlobNotFoundError) throw manifestUnknown(digest);
      throw error;
    }
  }

  async #find(repository: string, reference: string): Promise<Found> {
    const { store } = this.#state;
    const { id } = await getRepository(store, repository);
    let digest = reference;
    if (!reference.includes(':')) {
      const tag = isTag(reference) ? await store.get<TagRecord>(tagKey(id, reference)) : undefined;
      if (!tag) throw manifestUnknown(reference);
      digest = tag.value.digest;
    } else if (!isDigest(reference)) throw digestMalformed(reference);
    const manifest = await store.get<ManifestRecord>(manifestKey(id, digest));
    if (!manifest) throw manifestUnknown(reference);
    return { id, digest, record: manifest.value };
  }

  async #info({ id, digest, record }: Found): Promise<ManifestInfo> {
    const { store } = this.#state;
    const [tags, pulled] = await Promise.all([
      store.range({ prefix: tagOfPrefix(id, digest) }),
      store.get<number>(pulledKey(id, digest)),
    ]);
    const names = tags.map(({ key }) => String(key.at(-1)));
    return infoOf(digest, record, names, pulled?.value);
  }

  async #notePull(repository: string, reference: string, { id, digest, record }: Found): Promise<void> {
    const { clock, store } = this.#state;
    const { mediaType, artifactType } = record;
    const tag = reference.includes(':') ? undefined : reference;
    this.#state.tell({ action: 'pull', repository, digest, tag, tags: tagList(tag), mediaType, artifactType });
    const noted = await store.get<number>(pulledKey(id, digest));
    if (noted && clock.now() - noted.value < PULL_NOTE_MS) return;
    await store.transact(async (transaction) => {
      // Deleted meanwhile: nothing may stay behind.
      if (await transaction.get(manifestKey(id, digest))) transaction.put(pulledKey(id, digest), clock.now());
    });
  }
}

interface Push {
  readonly repository: string;
  readonly id: string;
  readonly digest: string;
  readonly tag: string | undefined;
  readonly document: ManifestDocument;
  readonly size: number;
  readonly options: PutManifestOptions;
}

/** What a reference names: a digest must be that of the bytes. */
function target(reference: string, bytes: Uint8Array): { digest: string; tag: string | undefined } {
  if (!reference.includes(':')) {
    if (!isTag(reference)) throw manifestInvalid(`"${reference.slice(0, 200)}" is neither a tag nor a digest`);
    return { digest: `sha256:${hash('sha256', bytes)}`, tag: reference };
  }
  if (!isDigest(reference)) throw digestMalformed(reference);
  const algorithm = algorithmOf(reference);
  if (`${algorithm}:${hash(algorithm, bytes)}` !== reference) throw digestMismatch(reference);
  return { digest: reference, tag: undefined };
}

/** Source: OCI Distribution Specification 1.1, "Referrers Tag Schema": clients may push conditionally. */
function checkConditions({ ifCurrent }: PutManifestOptions, current: string | undefined): void {
  if (!ifCurrent || ifCurrent(current)) return;
  throw new ServiceError('DENIED', 'the manifest has been changed by somebody else', { status: 412 });
}

/** Throws `MANIFEST_BLOB_UNKNOWN` with everything that is missing, `MANIFEST_INVALID` for a size that is not so. */
async function checkReferences(
  transaction: Transaction,
  id: string,
  document: ManifestDocument,
  sparse: boolean,
): Promise<void> {
  const missing: string[] = [];
  const check = (part: Descriptor, size: number | undefined) => {
    if (size === undefined) missing.push(part.digest);
    else if (size !== part.size) {
      throw manifestInvalid(`${part.digest} has ${size} bytes, not the ${part.size} that the descriptor says`);
    }
  };
  for (const part of document.blobs) {
    check(part, (await transaction.get<BlobLink>(blobKey(id, part.digest)))?.value.size);
  }
  for (const part of sparse ? [] : document.manifests) {
    check(part, (await transaction.get<ManifestRecord>(manifestKey(id, part.digest)))?.value.size);
  }
  if (missing.length > 0) throw manifestBlobUnknown(missing.slice(0, 100));
}

function infoOf(
  digest: string,
  record: ManifestRecord,
  tags: readonly string[],
  lastPulledAt: number | undefined,
): ManifestInfo {
  const { configMediaType, subject, manifests, pushedAt, contentSize } = record;
  const descriptor = descriptorOf(digest, record);
  return { descriptor, configMediaType, subject, manifests, pushedAt, lastPulledAt, contentSize, tags };
}

function pushOf({ repository, digest, tag, document, options }: Push): RepositoryEvent {
  const { cause } = options;
  return { action: 'push', repository, digest, tag, tags: tagList(tag), ...typesOf(document), cause };
}

const tagList = (tag: string | undefined): readonly string[] => (tag === undefined ? [] : [tag]);

const typesOf = ({ mediaType, artifactType }: { mediaType: string; artifactType: string | undefined }) => ({
  mediaType,
  artifactType,
});
