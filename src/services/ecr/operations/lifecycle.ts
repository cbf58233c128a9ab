import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkIds, tagFilter } from '../images.ts';
import { evaluate } from '../lifecycle/evaluate.ts';
import { readLifecyclePolicy } from '../lifecycle/policy.ts';
import { plan, SETTLE_MS } from '../lifecycle/run.ts';
import { completeName, repositoryOf } from '../names.ts';
import { page, refusePaging } from '../paging.ts';
import { type PreviewRecord, type PreviewResult, previewKey, type RepositoryId } from '../records.ts';
import { type EcrState, existing, getRepository } from '../state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** A preview is kept this long. Source: Amazon ECR API Reference, "GetLifecyclePolicyPreview", status EXPIRED. */
const PREVIEW_MS = 24 * 3_600_000;
const PREVIEW_PAGE = { most: 100, usual: 100 };

export async function putLifecyclePolicy(
  state: EcrState,
  input: ecr.PutLifecyclePolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutLifecyclePolicyCommandOutput>> {
  const id = repositoryOf(input, context);
  const lifecycle = input.lifecyclePolicyText!;
  readLifecyclePolicy(lifecycle);
  const due = state.clock.now() + SETTLE_MS;
  await state.store.transact(async (transaction) => {
    const record = await getRepository(transaction, id);
    plan(state, transaction, id, { ...record, lifecycle }, due);
  });
  state.lifecycle.changed(due);
  return { registryId: id.account, repositoryName: id.name, lifecyclePolicyText: lifecycle };
}

export async function getLifecyclePolicy(
  { store }: EcrState,
  input: ecr.GetLifecyclePolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetLifecyclePolicyCommandOutput>> {
  const { id, record } = await existing(store, input, context);
  if (record.lifecycle === undefined) throw policyNotFound(id);
  return {
    registryId: id.account,
    repositoryName: id.name,
    lifecyclePolicyText: record.lifecycle,
    ...evaluatedAt(record.evaluatedAt),
  };
}

export async function deleteLifecyclePolicy(
  state: EcrState,
  input: ecr.DeleteLifecyclePolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DeleteLifecyclePolicyCommandOutput>> {
  const id = repositoryOf(input, context);
  const { text, time } = await state.store.transact(async (transaction) => {
    const { lifecycle, evaluatedAt: last, ...rest } = await getRepository(transaction, id);
    if (lifecycle === undefined) throw policyNotFound(id);
    plan(state, transaction, id, rest, undefined);
    return { text: lifecycle, time: last };
  });
  return { registryId: id.account, repositoryName: id.name, lifecyclePolicyText: text, ...evaluatedAt(time) };
}

/** Looks at the images at once; what AWS does meanwhile is not to be waited for. */
export async function startLifecyclePolicyPreview(
  { store, clock, repositories }: EcrState,
  input: ecr.StartLifecyclePolicyPreviewCommandInput,
  context: RequestContext,
): Promise<Output<ecr.StartLifecyclePolicyPreviewCommandOutput>> {
  const { id, record } = await existing(store, input, context);
  const text = input.lifecyclePolicyText ?? record.lifecycle;
  if (text === undefined) throw policyNotFound(id);
  const rules = readLifecyclePolicy(text);
  const now = clock.now();
  const { expiring } = evaluate(rules, await repositories.listManifests(completeName(id)), now);
  const preview: PreviewRecord = { text, madeAt: now, results: expiring };
  await store.transact(async (transaction) => {
    await getRepository(transaction, id);
    transaction.put(previewKey(id), preview);
  });
  return { registryId: id.account, repositoryName: id.name, lifecyclePolicyText: text, status: 'IN_PROGRESS' };
}

export async function getLifecyclePolicyPreview(
  { store, clock }: EcrState,
  input: ecr.GetLifecyclePolicyPreviewCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetLifecyclePolicyPreviewCommandOutput>> {
  const { id } = await existing(store, input, context);
  if (input.imageIds !== undefined) {
    checkIds(input.imageIds);
    refusePaging(input, 'imageIds');
  }
  const preview = (await store.get<PreviewRecord>(previewKey(id)))?.value;
  if (!preview) {
    throw new ServiceError(
      'LifecyclePolicyPreviewNotFoundException',
      `Lifecycle policy preview does not exist for the repository with name '${id.name}' in the registry with id '${id.account}'`,
    );
  }
  const about = { registryId: id.account, repositoryName: id.name, lifecyclePolicyText: preview.text };
  if (clock.now() - preview.madeAt >= PREVIEW_MS) return { ...about, status: 'EXPIRED' };
  const { items, nextToken } = page(select(preview.results, input), ({ order }) => order, input, PREVIEW_PAGE);
  return {
    ...about,
    status: 'COMPLETE',
    previewResults: items.map(({ result }) => describe(result)),
    nextToken,
    summary: { expiringImageTotalCount: preview.results.length },
  };
}

/** Results with what they are ordered by. */
function select(
  results: readonly PreviewResult[],
  { imageIds, filter }: Pick<ecr.GetLifecyclePolicyPreviewCommandInput, 'imageIds' | 'filter'>,
) {
  const fits = tagFilter(filter?.tagStatus);
  return results
    .map((result, i) => ({ result, order: String(i).padStart(9, '0') }))
    .filter(({ result }) => fits(result))
    .filter(
      ({ result }) =>
        imageIds === undefined ||
        imageIds.some(
          ({ imageDigest = result.digest, imageTag }) =>
            imageDigest === result.digest && (imageTag === undefined || result.tags.includes(imageTag)),
        ),
    );
}

function describe({ digest, tags, pushedAt, priority }: PreviewResult): ecr.LifecyclePolicyPreviewResult {
  return {
    ...(tags.length > 0 ? { imageTags: [...tags] } : {}),
    imageDigest: digest,
    imagePushedAt: new Date(pushedAt),
    action: { type: 'EXPIRE' },
    appliedRulePriority: priority,
    storageClass: 'STANDARD',
  };
}

const evaluatedAt = (time: number | undefined) => (time === undefined ? {} : { lastEvaluatedAt: new Date(time) });

function policyNotFound({ account, name }: RepositoryId): ServiceError {
  return new ServiceError(
    'LifecyclePolicyNotFoundException',
    `Lifecycle policy does not exist for the repository with name '${name}' in the registry with id '${account}'`,
  );
}
