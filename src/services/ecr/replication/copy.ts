import { ServiceError } from '../../../base/errors.ts';
import type { StoredManifest } from '../../../images/index.ts';
import type { Transaction } from '../../../store/index.ts';
import type { Principal, RequestContext } from '../../service.ts';
import { emitReplication } from '../image-events.ts';
import { completeName, repositoryArn } from '../names.ts';
import { policyForEvaluation } from '../policy-text.ts';
import { type RegistryId, type ReplicationRecord, type RepositoryId, replicationKey } from '../records.ts';
import { addRepository, type EcrState, findRepository, getRegistry } from '../state.ts';
import { settingsFor } from '../templates.ts';

/** What stands in the events of the pushes that copying makes. */
const CAUSE = 'replication';

/** Copies an image to another registry: within this Kobune, so its blobs are linked, not moved. */
export async function copyImage(state: EcrState, item: readonly string[], due: number): Promise<void> {
  const [toAccount, toRegion, account, region, name, digest, tag] = item as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const source: RepositoryId = { account, region, name };
  const to: RepositoryId = { account: toAccount, region: toRegion, name };
  let record: ReplicationRecord = { status: 'COMPLETE' };
  let told: { readonly result: 'SUCCESS' | 'FAILED'; readonly tag: string | undefined } | undefined;
  try {
    const current = await tagNow(state, source, digest, tag);
    await checkPermission(state, source, to);
    await ensureRepository(state, to);
    told = { result: 'SUCCESS', tag: await copyManifest(state, source, to, digest, current) };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    // Deleted meanwhile, or refused there: tried no more, as on AWS.
    record = { status: 'FAILED', failure: error.code };
    // An account that lets nobody in is not told of who came.
    if (error.status !== 403) told = { result: 'FAILED', tag: tag === '' ? undefined : tag };
    state.logger.warn('an image could not be replicated', { name, digest, to: toAccount, error: error.message });
  }
  await state.store.transact(async (transaction) => {
    state.replication.move(transaction, item, due, undefined);
    if (!(await isThere(transaction, source, digest, to))) return;
    transaction.put(replicationKey(source, digest, to), record);
    if (told) emitReplication(state, transaction, to, source, { digest, ...told });
  });
}

/** The tag that was pushed, unless another image has it by now: that one is copied with it, be it before or after this one. */
async function tagNow(
  { repositories }: EcrState,
  source: RepositoryId,
  digest: string,
  pushed: string,
): Promise<string | undefined> {
  const { tags } = await repositories.statManifest(completeName(source), digest);
  return tags.includes(pushed) ? pushed : undefined;
}

/** Its record goes with the image: then nothing is to be told any more. */
async function isThere(transaction: Transaction, source: RepositoryId, digest: string, to: RegistryId) {
  return (await transaction.get(replicationKey(source, digest, to))) !== undefined;
}

/** What an index lists comes first. Answers the tag that the copy has. */
async function copyManifest(
  state: EcrState,
  source: RepositoryId,
  to: RepositoryId,
  digest: string,
  tag: string | undefined,
): Promise<string | undefined> {
  const { repositories } = state;
  const manifest = await repositories.getManifest(completeName(source), digest);
  for (const child of manifest.manifests) await copyManifest(state, source, to, child, undefined);
  for (const blob of blobsOf(manifest)) await repositories.mountBlob(completeName(to), blob, completeName(source));
  const put = async (reference: string) => {
    const { mediaType } = manifest.descriptor;
    await repositories.putManifest(completeName(to), reference, { mediaType, bytes: manifest.bytes }, { cause: CAUSE });
  };
  try {
    await put(tag ?? digest);
    return tag;
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'ImageTagAlreadyExistsException') throw error;
    // Amazon ECR User Guide, "Private image replication": an image whose tag may not move comes without it.
    await put(digest);
    return undefined;
  }
}

function blobsOf({ bytes, manifests, configMediaType }: StoredManifest): readonly string[] {
  if (manifests.length > 0 || configMediaType === undefined) return [];
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    config: { digest: string };
    layers?: readonly { digest: string }[] | null;
  };
  return [config.digest, ...(layers ?? []).map((layer) => layer.digest)];
}

async function ensureRepository(state: EcrState, id: RepositoryId): Promise<void> {
  await state.store.transact(async (transaction) => {
    if (await findRepository(transaction, id)) return;
    await addRepository(state, transaction, id, await settingsFor(transaction, id, 'REPLICATION'));
  });
}

/**
 * Another account's registry policy must allow this one's account to copy to it. Source: Amazon ECR User Guide, "Private registry
 * permissions in Amazon ECR".
 */
async function checkPermission(state: EcrState, source: RegistryId, to: RepositoryId): Promise<void> {
  if (!state.enforce || source.account === to.account) return;
  const { policy } = await getRegistry(state.store, to);
  const exists = await findRepository(state.store, to);
  const principal = rootOf(source.account);
  const actions = ['ecr:ReplicateImage', ...(exists ? [] : ['ecr:CreateRepository'])];
  const about = {
    resource: repositoryArn(to),
    resourceAccount: to.account,
    resourcePolicy: policyForEvaluation(policy),
  };
  const requests = actions.map((action) => ({ action, ...about }));
  await state.authorizer.authorize(principal, requests, internalContext(principal, source.region));
}

export function rootOf(account: string): Principal {
  return {
    type: 'Root',
    account,
    arn: `arn:aws:iam::${account}:root`,
    userId: account,
    accessKeyId: undefined,
  };
}

/** The surroundings of what ECR asks on behalf of an account. */
export function internalContext(principal: Principal, region: string): RequestContext {
  return {
    service: 'ecr',
    operation: 'ReplicateImage',
    account: principal.account,
    region,
    requestId: '',
    principal,
    sourceIp: '127.0.0.1',
    userAgent: 'ecr.amazonaws.com',
    secure: true,
    headers: {},
    host: '',
    signal: new AbortController().signal,
    responseHeaders: {},
  };
}
