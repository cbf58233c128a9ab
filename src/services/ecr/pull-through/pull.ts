import { ServiceError } from '../../../base/errors.ts';
import { type Descriptor, readManifest } from '../../../images/index.ts';
import type { Principal } from '../../service.ts';
import { emitPullThrough } from '../image-events.ts';
import { completeName, repositoryArn } from '../names.ts';
import { policyForEvaluation } from '../policy-text.ts';
import { checkedKey, type PullThroughRule, type RepositoryId } from '../records.ts';
import { internalContext } from '../replication/copy.ts';
import { addRepository, type EcrState, findRepository, getRegistry } from '../state.ts';
import { settingsFor } from '../templates.ts';
import { readCredentials } from './credentials.ts';
import { ownUpstreams } from './own-registry.ts';
import { ownRegistry, ruleFor, upstreamName } from './rules.ts';
import type { SecretReader, UpstreamManifest, UpstreamRepository, Upstreams } from './upstream.ts';

/** Source: Amazon ECR User Guide, "Sync an upstream registry with an Amazon ECR private registry": a tag is compared once a day. */
const CHECK_INTERVAL_MS = 24 * 3_600_000;
const CAUSE = 'pull-through';

/** Brings images from upstream registries when they are asked for. */
export class PullThrough {
  readonly #state: EcrState;
  readonly #secrets: SecretReader;
  /** Who asks for the same at the same time waits for the same. */
  readonly #pulls = new Map<string, Promise<void>>();

  constructor(state: EcrState, secrets: SecretReader) {
    this.#state = state;
    this.#secrets = secrets;
  }

  /** Sees to it that what a rule covers is here. Throws when it is not, and cannot be brought. */
  async ensure(id: RepositoryId, reference: string, principal: Principal | undefined): Promise<void> {
    const rule = await ruleFor(this.#state.store, id);
    if (!rule) return;
    const have = await this.#have(id, reference);
    if (have && (reference.includes(':') || (await this.#isFresh(id, reference)))) return;
    try {
      await this.#authorize(id, principal);
      await this.#pullOnce(rule, id, reference);
    } catch (error) {
      // What is here is better than nothing while its upstream cannot be reached.
      if (!have || !(error instanceof ServiceError)) throw error;
      this.#state.logger.warn('an image could not be compared with its upstream', { reference, error: error.message });
    }
  }

  /** Resolves when nothing is being brought. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#pulls.values());
  }

  async #have(id: RepositoryId, reference: string): Promise<string | undefined> {
    try {
      const { descriptor } = await this.#state.repositories.statManifest(completeName(id), reference);
      return descriptor.digest;
    } catch (error) {
      if (error instanceof ServiceError && (error.status === 404 || error.status === 400)) return undefined;
      throw error;
    }
  }

  async #isFresh(id: RepositoryId, tag: string): Promise<boolean> {
    const { store, clock } = this.#state;
    const checked = (await store.get<number>(checkedKey(id, tag)))?.value;
    return checked !== undefined && clock.now() - checked < CHECK_INTERVAL_MS;
  }

  #pullOnce(rule: PullThroughRule, id: RepositoryId, reference: string): Promise<void> {
    const key = `${completeName(id)} ${reference}`;
    let pull = this.#pulls.get(key);
    if (!pull) {
      pull = this.#pull(rule, id, reference).finally(() => this.#pulls.delete(key));
      this.#pulls.set(key, pull);
    }
    return pull;
  }

  async #pull(rule: PullThroughRule, id: RepositoryId, reference: string): Promise<void> {
    const { store } = this.#state;
    const upstreams = this.#upstreams(rule, id);
    const credentials = await readCredentials(this.#secrets, rule.credentialArn, id);
    const from = { url: rule.url, repository: upstreamName(rule, id.name), credentials, local: rule.local };
    const tag = reference.includes(':') ? undefined : reference;
    const have = await this.#have(id, reference);
    const manifest = await upstreams.manifest(from, reference);
    // Gone there: what is here stays. Or the same as here.
    if (!manifest || manifest.digest === have) {
      return have && tag !== undefined ? this.#noteCheck(id, tag) : undefined;
    }
    await this.#ensureRepository(id);
    await this.#keep(upstreams, from, id, manifest, tag);
    await store.transact(async (transaction) => {
      if (tag !== undefined) transaction.put(checkedKey(id, tag), this.#state.clock.now());
      const { prefix, url } = rule;
      emitPullThrough(this.#state, transaction, id, { prefix, url: new URL(url).host, tag, digest: manifest.digest });
    });
  }

  /** Layers first. Of an index, what it lists comes when it is asked for: a client wants one platform of many. */
  async #keep(
    upstreams: Upstreams,
    from: UpstreamRepository,
    id: RepositoryId,
    { bytes, mediaType, digest }: UpstreamManifest,
    tag: string | undefined,
  ): Promise<void> {
    const { repositories } = this.#state;
    const name = completeName(id);
    try {
      for (const blob of readManifest(bytes, mediaType).blobs) {
        if (await this.#hasBlob(name, blob.digest)) continue;
        await repositories.putBlob(name, blob.digest, download(upstreams, from, blob));
      }
      await repositories.putManifest(name, tag ?? digest, { mediaType, bytes }, { cause: CAUSE, sparse: true });
    } catch (error) {
      const wrong = error instanceof ServiceError && ['MANIFEST_INVALID', 'DIGEST_INVALID'].includes(error.code);
      throw wrong ? upstreamFault(from, error.message) : error;
    }
  }

  /** Another registry of this Kobune is read directly. */
  #upstreams(rule: PullThroughRule, { account }: RepositoryId): Upstreams {
    return ownRegistry(rule) ? ownUpstreams(this.#state, account) : this.#state.upstreams;
  }

  async #hasBlob(name: string, digest: string): Promise<boolean> {
    try {
      await this.#state.repositories.statBlob(name, digest);
      return true;
    } catch (error) {
      if (error instanceof ServiceError && error.status === 404) return false;
      throw error;
    }
  }

  #noteCheck(id: RepositoryId, tag: string): Promise<void> {
    const { store, clock } = this.#state;
    return store.transact(async (transaction) => {
      if (await findRepository(transaction, id)) transaction.put(checkedKey(id, tag), clock.now());
    });
  }

  async #ensureRepository(id: RepositoryId): Promise<void> {
    await this.#state.store.transact(async (transaction) => {
      if (await findRepository(transaction, id)) return;
      const settings = await settingsFor(transaction, id, 'PULL_THROUGH_CACHE');
      await addRepository(this.#state, transaction, id, settings);
    });
  }

  /** Source: Amazon ECR User Guide, "IAM permissions required to sync an upstream registry with an Amazon ECR private registry". */
  async #authorize(id: RepositoryId, principal: Principal | undefined): Promise<void> {
    const { enforce, authorizer, store } = this.#state;
    if (!enforce || !principal) return;
    const there = await findRepository(store, id);
    const { policy } = await getRegistry(store, id);
    const actions = ['ecr:BatchImportUpstreamImage', ...(there ? [] : ['ecr:CreateRepository'])];
    const about = {
      resource: repositoryArn(id),
      resourceAccount: id.account,
      resourcePolicy: policyForEvaluation(policy),
    };
    const requests = actions.map((action) => ({ action, ...about }));
    await authorizer.authorize(principal, requests, internalContext(principal, id.region));
  }
}

/** A blob as it comes; asked for when it is read, and not read beyond the size that it is to have. */
async function* download(
  upstreams: Upstreams,
  from: UpstreamRepository,
  { digest, size }: Descriptor,
): AsyncGenerator<Uint8Array> {
  let left = size;
  for await (const chunk of await upstreams.blob(from, digest)) {
    left -= chunk.length;
    if (left < 0) throw upstreamFault(from, `${digest} has more than the ${size} bytes that its manifest says`);
    yield chunk;
  }
}

/** What an upstream has sent is not what it should be: its fault, not that of the client. */
function upstreamFault({ url }: UpstreamRepository, problem: string): ServiceError {
  return new ServiceError('UpstreamUnavailable', `${new URL(url).host}: ${problem}`, { status: 502 });
}
