import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { invalidParameter } from '../errors.ts';
import { registryOf, repositoryArn, repositoryOf } from '../names.ts';
import { checkPolicy, policyForEvaluation } from '../policy-text.ts';
import { type RepositoryId, repositoryKey } from '../records.ts';
import { changeRegistry, changeRepository, type EcrState, existing, getRegistry, getRepository } from '../state.ts';

type Output<T> = Omit<T, '$metadata'>;

export async function setRepositoryPolicy(
  state: EcrState,
  input: ecr.SetRepositoryPolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.SetRepositoryPolicyCommandOutput>> {
  const id = repositoryOf(input, context);
  const policyText = input.policyText!;
  checkPolicy(policyText);
  if (input.force !== true) await checkNotLockedOut(state, id, policyText, context);
  await changeRepository(state, id, (record) => ({ ...record, policy: policyText }));
  return { registryId: id.account, repositoryName: id.name, policyText };
}

/** Who sets a policy must be able to set the next one, unless it is forced. */
async function checkNotLockedOut(state: EcrState, id: RepositoryId, text: string, context: RequestContext) {
  if (!state.enforce) return;
  const request = {
    action: 'ecr:SetRepositoryPolicy',
    resource: repositoryArn(id),
    resourceAccount: id.account,
    resourcePolicy: policyForEvaluation(text),
  };
  try {
    await state.authorizer.authorize(context.principal, [request], context);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.status !== 403) throw error;
    throw invalidParameter(
      'The new policy would not allow you to set a policy again. Use force=true to set it all the same.',
    );
  }
}

export async function getRepositoryPolicy(
  { store }: EcrState,
  input: ecr.GetRepositoryPolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetRepositoryPolicyCommandOutput>> {
  const { id, record } = await existing(store, input, context);
  if (record.policy === undefined) throw repositoryPolicyNotFound(id);
  return { registryId: id.account, repositoryName: id.name, policyText: record.policy };
}

export async function deleteRepositoryPolicy(
  { store }: EcrState,
  input: ecr.DeleteRepositoryPolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DeleteRepositoryPolicyCommandOutput>> {
  const id = repositoryOf(input, context);
  const policyText = await store.transact(async (transaction) => {
    const { policy, ...rest } = await getRepository(transaction, id);
    if (policy === undefined) throw repositoryPolicyNotFound(id);
    transaction.put(repositoryKey(id), rest);
    return policy;
  });
  return { registryId: id.account, repositoryName: id.name, policyText };
}

export async function putRegistryPolicy(
  state: EcrState,
  input: ecr.PutRegistryPolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutRegistryPolicyCommandOutput>> {
  const id = registryOf({}, context);
  const policyText = input.policyText!;
  checkPolicy(policyText);
  await changeRegistry(state, id, (record) => ({ ...record, policy: policyText }));
  return { registryId: id.account, policyText };
}

export async function getRegistryPolicy(
  { store }: EcrState,
  _input: ecr.GetRegistryPolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetRegistryPolicyCommandOutput>> {
  const id = registryOf({}, context);
  const { policy } = await getRegistry(store, id);
  if (policy === undefined) throw registryPolicyNotFound(id.account);
  return { registryId: id.account, policyText: policy };
}

export async function deleteRegistryPolicy(
  state: EcrState,
  _input: ecr.DeleteRegistryPolicyCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DeleteRegistryPolicyCommandOutput>> {
  const id = registryOf({}, context);
  const { policy } = await changeRegistry(state, id, ({ policy: text, ...rest }) => {
    if (text === undefined) throw registryPolicyNotFound(id.account);
    return rest;
  });
  return { registryId: id.account, policyText: policy };
}

function repositoryPolicyNotFound({ account, name }: RepositoryId): ServiceError {
  return new ServiceError(
    'RepositoryPolicyNotFoundException',
    `Repository policy does not exist for the repository with name '${name}' in the registry with id '${account}'`,
  );
}

function registryPolicyNotFound(account: string): ServiceError {
  return new ServiceError(
    'RegistryPolicyNotFoundException',
    `Registry policy does not exist in the registry with id '${account}'`,
  );
}
