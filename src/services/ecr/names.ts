import { parseArn } from '../../base/arn.ts';
import { ecrRepository, isRepositoryName } from '../../images/index.ts';
import type { RequestContext } from '../service.ts';
import { constraint, invalidParameter } from './errors.ts';
import type { RegistryId, RepositoryId } from './records.ts';

/** Source: Amazon ECR API Reference, "CreateRepository". */
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);
const NAME_RULE = `must satisfy regular expression '${PART}(?:/${PART})*'`;

/** The registry that a request is about: the caller's own unless it names another account's. */
export function registryOf(
  input: { readonly registryId?: string | undefined },
  { account, region }: Pick<RequestContext, 'account' | 'region'>,
): RegistryId {
  if (input.registryId === undefined) return { account, region };
  if (!/^\d{12}$/.test(input.registryId)) throw constraint('registryId', "must satisfy regular expression '[0-9]{12}'");
  return { account: input.registryId, region };
}

/** The repository that a request names. Throws InvalidParameterException for what is no name. */
export function repositoryOf(
  input: { readonly registryId?: string | undefined; readonly repositoryName: string | undefined },
  context: Pick<RequestContext, 'account' | 'region'>,
): RepositoryId {
  return { ...registryOf(input, context), name: checkName(input.repositoryName ?? '') };
}

export function checkName(name: string, member = 'repositoryName'): string {
  if (name.length < 2 || name.length > 256) throw constraint(member, 'must have length between 2 and 256');
  if (!NAME.test(name)) throw constraint(member, NAME_RULE);
  return name;
}

/** Whether a name below the registry's host is one that the registry's contents can be kept under. */
export const fits = (id: RepositoryId): boolean => isRepositoryName(ecrRepository(id, id.name));

export function repositoryArn({ account, region, name }: RepositoryId): string {
  const partition = region.startsWith('cn-') ? 'aws-cn' : 'aws';
  return `arn:${partition}:ecr:${region}:${account}:repository/${name}`;
}

export function parseRepositoryArn(arn: string): RepositoryId {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'ecr' || !parsed.resource.startsWith('repository/')) {
    throw invalidParameter(`Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'`);
  }
  const { account, region } = parsed;
  return { account, region, name: parsed.resource.slice('repository/'.length) };
}

/** The name under which the registry keeps a repository's contents. */
export const completeName = (id: RepositoryId): string => ecrRepository(id, id.name);
