import type * as Sdk from '@aws-sdk/client-iam';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, noSuchEntity, validationError } from '../errors.ts';
import { encodeDocument, pageOf, sdkTags } from '../input.ts';
import { awsManagedPolicies } from '../managed-policies/index.ts';
import {
  aliasKey,
  aliasOwnerKey,
  type EntityRecord,
  type InstanceProfileRecord,
  oidcPrefix,
  type PolicyRecord,
  policyPrefix,
  profilePrefix,
} from '../records.ts';
import { change, type IamState, listEntities } from '../state.ts';
import { sdkProfile } from './instance-profiles.ts';
import { policyUsage, sdkPolicy, sdkVersion } from './policies.ts';
import { sdkRole } from './roles.ts';
import { boundaryOf } from './users.ts';

export async function createAccountAlias(
  state: IamState,
  input: Sdk.CreateAccountAliasCommandInput,
  context: RequestContext,
) {
  const alias = input.AccountAlias!;
  if (!/^[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]$/.test(alias) || /^\d{12}$/.test(alias)) {
    throw validationError(`Invalid account alias: ${alias}`);
  }
  await change(state, context, async (transaction) => {
    // An alias is one account's only.
    const owner = await transaction.get<string>(aliasOwnerKey(alias));
    if (owner && owner.value !== context.account) throw alreadyExists(`The account alias ${alias} already exists.`);
    const previous = await transaction.get<string>(aliasKey(context.account));
    if (previous) transaction.delete(aliasOwnerKey(previous.value));
    transaction.put(aliasOwnerKey(alias), context.account);
    transaction.put(aliasKey(context.account), alias);
  });
  return {};
}

export async function deleteAccountAlias(
  state: IamState,
  input: Sdk.DeleteAccountAliasCommandInput,
  context: RequestContext,
) {
  await change(state, context, async (transaction) => {
    const alias = await transaction.get<string>(aliasKey(context.account));
    if (alias === undefined || alias.value !== input.AccountAlias) {
      throw noSuchEntity(`The account alias ${input.AccountAlias} cannot be found.`);
    }
    transaction.delete(aliasOwnerKey(alias.value));
    transaction.delete(aliasKey(context.account));
  });
  return {};
}

export async function listAccountAliases(
  state: IamState,
  _input: Sdk.ListAccountAliasesCommandInput,
  { account }: RequestContext,
) {
  const alias = await state.store.get<string>(aliasKey(account));
  return { AccountAliases: alias ? [alias.value] : [], IsTruncated: false };
}

/** IAM API Reference, "GetAccountSummary": what there is, and the quotas that are enforced here. */
export async function getAccountSummary(
  state: IamState,
  _input: Sdk.GetAccountSummaryCommandInput,
  { account }: RequestContext,
) {
  const count = async (prefix: readonly string[]): Promise<number> => (await state.store.range({ prefix })).length;
  const policies = await state.store.range<PolicyRecord>({ prefix: policyPrefix(account) });
  return {
    SummaryMap: {
      Users: (await listEntities(state.store, account, 'user')).length,
      Groups: (await listEntities(state.store, account, 'group')).length,
      Roles: (await listEntities(state.store, account, 'role')).length,
      Policies: policies.length,
      PolicyVersionsInUse: policies.reduce((sum, { value }) => sum + value.versions.length, 0),
      InstanceProfiles: (await state.store.range({ prefix: profilePrefix(account) })).length,
      Providers: await count(oidcPrefix(account) as string[]),
      AccessKeysPerUserQuota: 2,
      VersionsPerPolicyQuota: 5,
      AttachedPoliciesPerUserQuota: 10,
      AttachedPoliciesPerGroupQuota: 10,
      AttachedPoliciesPerRoleQuota: 10,
      PolicySizeQuota: 6144,
      UserPolicySizeQuota: 2048,
      GroupPolicySizeQuota: 5120,
      AssumeRolePolicySizeQuota: 4096,
      MFADevices: 0,
      MFADevicesInUse: 0,
      AccountMFAEnabled: 0,
      ServerCertificates: 0,
      AccountSigningCertificatesPresent: 0,
    },
  };
}

interface Detail {
  readonly order: string;
  readonly add: (answer: Details) => Promise<void> | void;
}

interface Details {
  readonly UserDetailList: Sdk.UserDetail[];
  readonly GroupDetailList: Sdk.GroupDetail[];
  readonly RoleDetailList: Sdk.RoleDetail[];
  readonly Policies: Sdk.ManagedPolicyDetail[];
}

/** IAM API Reference, "GetAccountAuthorizationDetails": everything about permissions, page by page. */
export async function getAccountAuthorizationDetails(
  state: IamState,
  input: Sdk.GetAccountAuthorizationDetailsCommandInput,
  { account }: RequestContext,
) {
  const wanted = new Set<string>(input.Filter ?? []);
  const wants = (type: string): boolean => wanted.size === 0 || wanted.has(type);
  const details: Detail[] = [];
  if (wants('User')) details.push(...(await userDetails(state, account)));
  if (wants('Group')) details.push(...(await groupDetails(state, account)));
  if (wants('Role')) details.push(...(await roleDetails(state, account)));
  details.push(...(await policyDetails(state, account, wants)));
  const { items, paging } = pageOf(details, input, ({ order }) => order);
  const answer: Details = { UserDetailList: [], GroupDetailList: [], RoleDetailList: [], Policies: [] };
  for (const { add } of items) await add(answer);
  return { ...answer, ...paging };
}

function common(entity: EntityRecord) {
  return {
    Path: entity.path,
    Arn: entity.arn,
    CreateDate: new Date(entity.created),
    AttachedManagedPolicies: entity.attached.map((arn) => ({
      PolicyName: arn.slice(arn.lastIndexOf('/') + 1),
      PolicyArn: arn,
    })),
  };
}

function inlinePolicies(entity: EntityRecord): Sdk.PolicyDetail[] {
  return Object.entries(entity.inline).map(([PolicyName, document]) => ({
    PolicyName,
    PolicyDocument: encodeDocument(document),
  }));
}

async function userDetails(state: IamState, account: string): Promise<Detail[]> {
  return (await listEntities(state.store, account, 'user')).map((user) => ({
    order: `1/${user.name}`,
    add: (answer) => {
      answer.UserDetailList.push({
        ...common(user),
        UserName: user.name,
        UserId: user.id,
        UserPolicyList: inlinePolicies(user),
        GroupList: [...user.groups],
        Tags: sdkTags(user.tags),
        ...boundaryOf(user),
      });
    },
  }));
}

async function groupDetails(state: IamState, account: string): Promise<Detail[]> {
  return (await listEntities(state.store, account, 'group')).map((group) => ({
    order: `2/${group.name}`,
    add: (answer) => {
      answer.GroupDetailList.push({
        ...common(group),
        GroupName: group.name,
        GroupId: group.id,
        GroupPolicyList: inlinePolicies(group),
      });
    },
  }));
}

async function roleDetails(state: IamState, account: string): Promise<Detail[]> {
  const entries = await state.store.range<InstanceProfileRecord>({ prefix: profilePrefix(account) });
  return (await listEntities(state.store, account, 'role')).map((role) => ({
    order: `3/${role.name}`,
    add: async (answer) => {
      const profiles = entries.filter(({ value }) => value.roles.includes(role.name));
      answer.RoleDetailList.push({
        ...common(role),
        RoleName: role.name,
        RoleId: role.id,
        AssumeRolePolicyDocument: sdkRole(role).AssumeRolePolicyDocument,
        InstanceProfileList: await Promise.all(profiles.map(({ value }) => sdkProfile(state, account, value))),
        RolePolicyList: inlinePolicies(role),
        Tags: sdkTags(role.tags),
        ...boundaryOf(role),
      });
    },
  }));
}

async function policyDetails(state: IamState, account: string, wants: (type: string) => boolean): Promise<Detail[]> {
  const usage = await policyUsage(state.store, account);
  const own = await state.store.range<PolicyRecord>({ prefix: policyPrefix(account) });
  const policies = [
    ...(wants('LocalManagedPolicy') ? own.map(({ value }) => value) : []),
    ...(wants('AWSManagedPolicy') ? awsManagedPolicies().filter(({ arn }) => usage.attachments.has(arn)) : []),
  ];
  return policies.map((policy) => ({
    order: `4/${policy.arn}`,
    add: (answer) => {
      answer.Policies.push({
        ...sdkPolicy(policy, usage),
        PolicyVersionList: policy.versions.map((version) => ({
          ...sdkVersion(policy, version),
          Document: encodeDocument(version.document),
        })),
      });
    },
  }));
}
