import type { Transaction } from '../../store/index.ts';
import { digestMalformed, inUse, manifestUnknown } from './errors.ts';
import { isDigest, isTag } from './grammar.ts';
import {
  type ManifestRecord,
  manifestKey,
  manifestOwner,
  pulledKey,
  referrerKey,
  referrerPrefix,
  type TagRecord,
  tagKey,
  tagOfKey,
  tagOfPrefix,
  useKey,
  usePrefix,
} from './records.ts';
import type { DeleteManifestOptions, RepositoryEvent, RepositoryPolicy } from './repositories.ts';
import { getRepository, type RegistryState } from './state.ts';

/**
 * Deletes a tag, or a manifest with its tags and with what is about it: manifests whose subject it is, and those that
 * are tied to it by their tag alone. Answers the digests that are gone.
 */
export async function deleteManifest(
  state: RegistryState,
  repository: string,
  reference: string,
  options: DeleteManifestOptions,
): Promise<readonly string[]> {
  const policy = await state.policy(repository);
  const events = await state.store.transact(async (transaction) => {
    const { id } = await getRepository(transaction, repository);
    const deletion = new Deletion(state, transaction, { id, repository, policy });
    if (reference.includes(':')) await deletion.manifest(reference, options.ifNotPushedSince);
    else await deletion.tag(reference, options.lastTag === true);
    return deletion.events;
  });
  for (const event of events) state.tell(event);
  state.collectLater();
  return events.filter(({ tag }) => tag === undefined).map(({ digest }) => digest);
}

interface Place {
  readonly id: string;
  readonly repository: string;
  readonly policy: RepositoryPolicy | undefined;
}

class Deletion {
  readonly events: RepositoryEvent[] = [];
  readonly #state: RegistryState;
  readonly #transaction: Transaction;
  readonly #place: Place;

  constructor(state: RegistryState, transaction: Transaction, place: Place) {
    this.#state = state;
    this.#transaction = transaction;
    this.#place = place;
  }

  async tag(tag: string, withLast: boolean): Promise<void> {
    const { id } = this.#place;
    const record = isTag(tag) ? (await this.#transaction.get<TagRecord>(tagKey(id, tag)))?.value : undefined;
    if (!record) throw manifestUnknown(tag);
    const { digest } = record;
    if (withLast) {
      const tags = await this.#transaction.range({ prefix: tagOfPrefix(id, digest), limit: 2 });
      if (tags.length === 1) return this.manifest(digest);
    }
    const manifest = (await this.#transaction.get<ManifestRecord>(manifestKey(id, digest)))?.value;
    this.#untag(tag, digest);
    if (manifest) await this.#tell(digest, tag, manifest, [tag]);
  }

  /** Throws `MANIFEST_UNKNOWN`, and `DENIED` while an index lists it. */
  async manifest(digest: string, ifNotPushedSince = Number.POSITIVE_INFINITY): Promise<void> {
    const { id } = this.#place;
    if (!isDigest(digest)) throw digestMalformed(digest);
    const record = (await this.#transaction.get<ManifestRecord>(manifestKey(id, digest)))?.value;
    if (!record) throw manifestUnknown(digest);
    if (record.pushedAt > ifNotPushedSince) return;
    const parent = await this.#parentOf(digest);
    if (parent !== undefined) throw inUse('this manifest', parent);
    await this.#remove(digest, record);
  }

  async #remove(digest: string, record: ManifestRecord): Promise<void> {
    const { id } = this.#place;
    const transaction = this.#transaction;
    transaction.delete(manifestKey(id, digest));
    transaction.delete(pulledKey(id, digest));
    this.#state.content.dereference(transaction, digest, manifestOwner(id));
    for (const part of [...record.blobs, ...record.manifests]) transaction.delete(useKey(id, part, digest));
    if (record.subject !== undefined) transaction.delete(referrerKey(id, record.subject, digest));
    const tags = (await transaction.range({ prefix: tagOfPrefix(id, digest) })).map(({ key }) => String(key.at(-1)));
    for (const tag of tags) this.#untag(tag, digest);
    await this.#tell(digest, undefined, record, tags);
    await this.#removeAttached(digest);
  }

  /** What is about a manifest that is gone goes with it. */
  async #removeAttached(subject: string): Promise<void> {
    const { id } = this.#place;
    const transaction = this.#transaction;
    const tied: string[] = [];
    // Lists of referrers come first: what they list is free to go then.
    for (const tag of tiedTags(subject)) {
      const record = (await transaction.get<TagRecord>(tagKey(id, tag)))?.value;
      if (!record) continue;
      const others = await transaction.range({ prefix: tagOfPrefix(id, record.digest), limit: 2 });
      if (others.length === 1) tied.push(record.digest);
      else this.#untag(tag, record.digest);
    }
    for (const { key } of await transaction.range({ prefix: referrerPrefix(id, subject) })) {
      tied.push(String(key.at(-1)));
    }
    for (const digest of new Set(tied)) {
      const record = (await transaction.get<ManifestRecord>(manifestKey(id, digest)))?.value;
      // Part of an index that stays, it stays.
      if (record && (await this.#parentOf(digest)) === undefined) await this.#remove(digest, record);
    }
  }

  #untag(tag: string, digest: string): void {
    const { id } = this.#place;
    this.#transaction.delete(tagKey(id, tag));
    this.#transaction.delete(tagOfKey(id, digest, tag));
  }

  /** An index that lists it. */
  async #parentOf(digest: string): Promise<string | undefined> {
    const [use] = await this.#transaction.range({ prefix: usePrefix(this.#place.id, digest), limit: 1 });
    return use && String(use.key.at(-1));
  }

  async #tell(digest: string, tag: string | undefined, record: ManifestRecord, tags: readonly string[]): Promise<void> {
    const { repository, policy } = this.#place;
    const { mediaType, artifactType } = record;
    const event: RepositoryEvent = { action: 'delete', repository, digest, tag, tags, mediaType, artifactType };
    this.events.push(event);
    await policy?.changed?.(event, this.#transaction);
  }
}

/**
 * Tags by which clients tie something to a manifest without naming it as the subject: the list of referrers of clients that
 * find no such API, and cosign's signatures, attestations and SBOMs. Sources: OCI Distribution Specification 1.1,
 * "Referrers Tag Schema"; sigstore/cosign, "specs/SIGNATURE_SPEC.md".
 */
function tiedTags(digest: string): readonly string[] {
  const [algorithm, encoded] = digest.split(':') as [string, string];
  const base = `${algorithm}-${encoded.slice(0, 64)}`;
  return [base, `${base}.sig`, `${base}.att`, `${base}.sbom`];
}

/** The digest (or its beginning) that a tag is tied to, as `algorithm:encoded`; `undefined` for any other tag. */
export function tiedTo(tag: string): string | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/.exec(tag);
  return match ? `${match[1]}:${match[2]}` : undefined;
}
