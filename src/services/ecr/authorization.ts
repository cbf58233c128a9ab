import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { parseRepositoryArn, registryOf, repositoryArn } from './names.ts';
import type { RepositoryId } from './records.ts';
import { accessTo } from './registry-view.ts';
import type { EcrState } from './state.ts';

interface EcrInput {
  readonly registryId?: string;
  readonly repositoryName?: string;
  readonly repositoryNames?: readonly string[];
  readonly resourceArn?: string;
  readonly tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  readonly tagKeys?: readonly string[];
}

/** Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Registry". */
export async function ecrAuthorization(
  state: EcrState,
  operation: string,
  input: EcrInput,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `ecr:${operation}`;
  const registry = registryOf(input, context);
  const names = input.repositoryNames ?? (input.repositoryName === undefined ? [] : [input.repositoryName]);
  const ids: readonly RepositoryId[] =
    input.resourceArn === undefined
      ? names.map((name) => ({ ...registry, name }))
      : [parseRepositoryArn(input.resourceArn)];
  if (ids.length === 0) return [{ action, resource: '*', resourceAccount: registry.account }];
  const requests = await Promise.all(ids.map((id) => onRepository(state, action, id, input)));
  // Tags that are given while a repository is made need the right to tag, too.
  if (operation !== 'CreateRepository' || !input.tags?.length) return requests;
  return [...requests, { ...requests[0]!, action: 'ecr:TagResource' }];
}

async function onRepository(
  state: EcrState,
  action: string,
  id: RepositoryId,
  input: EcrInput,
): Promise<AuthorizationRequest> {
  const { policy, conditions } = await accessTo(state, id);
  return {
    action,
    resource: repositoryArn(id),
    resourceAccount: id.account,
    resourcePolicy: policy,
    conditions: { ...conditions, ...requested(input) },
  };
}

function requested({ tags = [], tagKeys = [] }: EcrInput): Readonly<Record<string, readonly string[]>> {
  const keys = [...tags.map(({ Key: key = '' }) => key), ...tagKeys];
  return {
    ...(keys.length === 0 ? {} : { 'aws:TagKeys': keys }),
    ...Object.fromEntries(tags.map(({ Key: key = '', Value: value = '' }) => [`aws:RequestTag/${key}`, [value]])),
  };
}
