import type { Key, Store } from '../../store/index.ts';
import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { type EntityKind, entityKey, iamArn, profileKey } from './records.ts';

interface NamedInput {
  readonly UserName?: string;
  readonly GroupName?: string;
  readonly RoleName?: string;
  readonly PolicyArn?: string;
  readonly PolicyName?: string;
  readonly InstanceProfileName?: string;
  readonly OpenIDConnectProviderArn?: string;
  readonly Path?: string;
  readonly PermissionsBoundary?: string;
}

const ACTS_ON_POLICY = /^(Get|Delete|SetDefault|Create|List)Policy|^ListEntitiesForPolicy|^(Tag|Untag)Policy/;

/**
 * The resource that an operation acts on. Source: Service Authorization Reference, "Actions, resources, and condition keys for
 * AWS Identity and Access Management". What exists is named with its own path, what is to be made with the one given.
 */
export async function iamAuthorization(
  store: Store,
  operation: string,
  input: NamedInput,
  { account, principal }: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const arn = async (type: string, key: Key, name: string): Promise<string> => {
    const existing = await store.get<{ readonly arn: string }>(key);
    return existing?.value.arn ?? iamArn(account, type, input.Path ?? '/', name);
  };
  const entity = (kind: EntityKind, name: string): Promise<string> => arn(kind, entityKey(account, kind, name), name);
  const resource = async (): Promise<string> => {
    if (ACTS_ON_POLICY.test(operation)) {
      if (input.PolicyArn !== undefined) return input.PolicyArn;
      return input.PolicyName === undefined ? '*' : iamArn(account, 'policy', input.Path ?? '/', input.PolicyName);
    }
    if (input.InstanceProfileName !== undefined) {
      return arn('instance-profile', profileKey(account, input.InstanceProfileName), input.InstanceProfileName);
    }
    if (input.OpenIDConnectProviderArn !== undefined) return input.OpenIDConnectProviderArn;
    if (input.GroupName !== undefined) return entity('group', input.GroupName);
    if (input.RoleName !== undefined) return entity('role', input.RoleName);
    if (input.UserName !== undefined) return entity('user', input.UserName);
    // These are about the caller when no user is named.
    return principal.type === 'User' && /^(GetUser|.*AccessKeys?)$/.test(operation) ? principal.arn : '*';
  };
  const conditions: Record<string, readonly string[]> = {
    ...(input.PolicyArn !== undefined && !ACTS_ON_POLICY.test(operation) ? { 'iam:PolicyARN': [input.PolicyArn] } : {}),
    ...(input.PermissionsBoundary === undefined ? {} : { 'iam:PermissionsBoundary': [input.PermissionsBoundary] }),
  };
  const requests = [{ action: `iam:${operation}`, resource: await resource(), conditions }];
  // Putting a role into an instance profile hands it to EC2.
  if (operation === 'AddRoleToInstanceProfile' && input.RoleName !== undefined) {
    requests.push({
      action: 'iam:PassRole',
      resource: await entity('role', input.RoleName),
      conditions: { 'iam:PassedToService': ['ec2.amazonaws.com'] },
    });
  }
  return requests;
}
