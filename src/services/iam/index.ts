import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { Authorizer, CredentialLookup, ServiceAccess } from '../authorization.ts';
import type { AwsService, Operation, RequestContext } from '../service.ts';
import { iamAuthorization } from './authorization.ts';
import { PolicyAuthorizer } from './authorizer.ts';
import { AccessKeys, UsageLog } from './credentials.ts';
import { noSuchEntity } from './errors.ts';
import { IamIdentities } from './identities.ts';
import * as accessKeys from './operations/access-keys.ts';
import * as account from './operations/account.ts';
import { entityPolicyOperations } from './operations/entity-policies.ts';
import * as groups from './operations/groups.ts';
import * as profiles from './operations/instance-profiles.ts';
import * as providers from './operations/oidc-providers.ts';
import * as policies from './operations/policies.ts';
import * as roles from './operations/roles.ts';
import * as simulation from './operations/simulate.ts';
import { tagOperations } from './operations/tags.ts';
import * as users from './operations/users.ts';
import { PrincipalPolicyCache } from './principal-policies.ts';
import { REFUSED } from './refused.ts';
import { PolicyServiceAccess } from './service-access.ts';
import { findEntity, type IamState } from './state.ts';

export { rootCredentials } from './credentials.ts';

export interface IamOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Iam {
  readonly service: AwsService;
  /** Decides requests in enforce mode. */
  readonly authorizer: Authorizer;
  /** Decides what services may do to each other's resources in enforce mode. */
  readonly serviceAccess: ServiceAccess;
  /** Long-term access keys; STS adds the temporary ones. */
  readonly accessKeys: CredentialLookup;
  /** What STS needs to know. */
  readonly identities: IamIdentities;
}

/** Identity and Access Management: who there is, what they may do, and the decision. */
export function createIam(options: IamOptions): Iam {
  const cache = new PrincipalPolicyCache(options.store, options.logger);
  const usage = new UsageLog(options);
  const state: IamState = { ...options, changed: () => cache.invalidate() };
  const service: AwsService = {
    name: 'iam',
    operations: { ...namedOperations(state, cache), ...sharedOperations(state) },
    refused: REFUSED,
    authorization: (operation, input, context) => iamAuthorization(options.store, operation, input, context),
    close: async () => cache.close(),
  };
  const authorizer = new PolicyAuthorizer(cache, options.clock, (principal, context) =>
    usage.record(principal, context),
  );
  const identities = new IamIdentities(options.store, cache);
  return {
    service,
    authorizer,
    serviceAccess: new PolicyServiceAccess(identities, authorizer),
    accessKeys: new AccessKeys(options.store),
    identities,
  };
}

type Bound<Input> = (state: IamState, input: Input, context: RequestContext) => Promise<object>;

/** What users, groups, roles and taggable things have in common. */
function sharedOperations(state: IamState): Record<string, Operation> {
  const all = {
    ...entityPolicyOperations('user'),
    ...entityPolicyOperations('group'),
    ...entityPolicyOperations('role'),
    ...tagOperations(),
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, operation]) => [
      name,
      (input: object, context: RequestContext) => operation(state, input, context),
    ]),
  );
}

function namedOperations(state: IamState, cache: PrincipalPolicyCache): Record<string, Operation> {
  const bind =
    <Input>(operation: Bound<Input>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  /** Truthful for as long as none can be made. */
  const none =
    (member: string) =>
    async (input: { readonly UserName?: string }, context: RequestContext): Promise<object> => {
      if (input.UserName !== undefined) await findEntity(state.store, context.account, 'user', input.UserName);
      return { [member]: [], ...(member === 'SAMLProviderList' ? {} : { IsTruncated: false }) };
    };
  return {
    AddClientIDToOpenIDConnectProvider: bind(providers.addClientIDToOpenIDConnectProvider),
    AddRoleToInstanceProfile: bind(profiles.addRoleToInstanceProfile),
    AddUserToGroup: bind(groups.addUserToGroup),
    CreateAccessKey: bind(accessKeys.createAccessKey),
    CreateAccountAlias: bind(account.createAccountAlias),
    CreateGroup: bind(groups.createGroup),
    CreateInstanceProfile: bind(profiles.createInstanceProfile),
    CreateOpenIDConnectProvider: bind(providers.createOpenIDConnectProvider),
    CreatePolicy: bind(policies.createPolicy),
    CreatePolicyVersion: bind(policies.createPolicyVersion),
    CreateRole: bind(roles.createRole),
    CreateServiceLinkedRole: bind(roles.createServiceLinkedRole),
    CreateUser: bind(users.createUser),
    DeleteAccessKey: bind(accessKeys.deleteAccessKey),
    DeleteAccountAlias: bind(account.deleteAccountAlias),
    DeleteGroup: bind(groups.deleteGroup),
    DeleteInstanceProfile: bind(profiles.deleteInstanceProfile),
    DeleteOpenIDConnectProvider: bind(providers.deleteOpenIDConnectProvider),
    DeletePolicy: bind(policies.deletePolicy),
    DeletePolicyVersion: bind(policies.deletePolicyVersion),
    DeleteRole: bind(roles.deleteRole),
    DeleteServiceLinkedRole: bind(roles.deleteServiceLinkedRole),
    DeleteUser: bind(users.deleteUser),
    GetAccessKeyLastUsed: bind(accessKeys.getAccessKeyLastUsed),
    GetAccountAuthorizationDetails: bind(account.getAccountAuthorizationDetails),
    GetAccountSummary: bind(account.getAccountSummary),
    GetGroup: bind(groups.getGroup),
    GetInstanceProfile: bind(profiles.getInstanceProfile),
    GetLoginProfile: async (input: { readonly UserName?: string }, context) => {
      const { name } = await findEntity(state.store, context.account, 'user', users.userNameOf(input, context));
      throw noSuchEntity(`Login Profile for User ${name} cannot be found.`);
    },
    GetOpenIDConnectProvider: bind(providers.getOpenIDConnectProvider),
    GetPolicy: bind(policies.getPolicy),
    GetPolicyVersion: bind(policies.getPolicyVersion),
    GetRole: bind(roles.getRole),
    GetServiceLinkedRoleDeletionStatus: bind(roles.getServiceLinkedRoleDeletionStatus),
    GetUser: bind(users.getUser),
    ListAccessKeys: bind(accessKeys.listAccessKeys),
    ListAccountAliases: bind(account.listAccountAliases),
    ListEntitiesForPolicy: bind(policies.listEntitiesForPolicy),
    ListGroups: bind(groups.listGroups),
    ListGroupsForUser: bind(groups.listGroupsForUser),
    ListInstanceProfiles: bind(profiles.listInstanceProfiles),
    ListInstanceProfilesForRole: bind(profiles.listInstanceProfilesForRole),
    ListMFADevices: none('MFADevices'),
    ListOpenIDConnectProviders: bind(providers.listOpenIDConnectProviders),
    ListPolicies: bind(policies.listPolicies),
    ListPolicyVersions: bind(policies.listPolicyVersions),
    ListRoles: bind(roles.listRoles),
    ListSAMLProviders: none('SAMLProviderList'),
    ListSSHPublicKeys: none('SSHPublicKeys'),
    ListServerCertificates: none('ServerCertificateMetadataList'),
    ListServiceSpecificCredentials: none('ServiceSpecificCredentials'),
    ListSigningCertificates: none('Certificates'),
    ListUsers: bind(users.listUsers),
    ListVirtualMFADevices: none('VirtualMFADevices'),
    RemoveClientIDFromOpenIDConnectProvider: bind(providers.removeClientIDFromOpenIDConnectProvider),
    RemoveRoleFromInstanceProfile: bind(profiles.removeRoleFromInstanceProfile),
    RemoveUserFromGroup: bind(groups.removeUserFromGroup),
    SetDefaultPolicyVersion: bind(policies.setDefaultPolicyVersion),
    SimulateCustomPolicy: bind(simulation.simulateCustomPolicy),
    SimulatePrincipalPolicy: (input, context) => simulation.simulatePrincipalPolicy(state, input, context, cache),
    UpdateAccessKey: bind(accessKeys.updateAccessKey),
    UpdateAssumeRolePolicy: bind(roles.updateAssumeRolePolicy),
    UpdateGroup: bind(groups.updateGroup),
    UpdateOpenIDConnectProviderThumbprint: bind(providers.updateOpenIDConnectProviderThumbprint),
    UpdateRole: bind(roles.updateRole),
    UpdateRoleDescription: bind(roles.updateRoleDescription),
    UpdateUser: bind(users.updateUser),
  };
}
