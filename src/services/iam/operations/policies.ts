import type * as Sdk from '@aws-sdk/client-iam';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, deleteConflict, limitExceeded, noSuchEntity, validationError } from '../errors.ts';
import { addTags, checkName, checkPath, encodeDocument, pageOf, sdkTags } from '../input.ts';
import { awsManagedPolicies } from '../managed-policies/index.ts';
import { compilePolicy } from '../policy/compiled-policy.ts';
import {
  type EntityKind,
  iamArn,
  newId,
  type PolicyRecord,
  type PolicyVersionRecord,
  policyKey,
  policyPrefix,
} from '../records.ts';
import { change, findPolicy, type IamState, listEntities } from '../state.ts';

/** IAM User Guide, "IAM and AWS STS quotas": characters without white space, and versions of a policy. */
const MAX_DOCUMENT = 6144;
const MAX_VERSIONS = 5;

function checkDocument(document: string): string {
  compilePolicy(document, 'identity');
  if (document.replace(/\s/g, '').length > MAX_DOCUMENT)
    throw limitExceeded(`Cannot exceed quota for PolicySize: ${MAX_DOCUMENT}`);
  return document;
}

/** How many entities a policy is attached to, and how many it bounds: by ARN. */
export interface PolicyUsage {
  readonly attachments: ReadonlyMap<string, number>;
  readonly boundaries: ReadonlyMap<string, number>;
}

export async function policyUsage(reader: Pick<Transaction, 'range'>, account: string): Promise<PolicyUsage> {
  const attachments = new Map<string, number>();
  const boundaries = new Map<string, number>();
  for (const kind of ['user', 'group', 'role'] as const) {
    for (const entity of await listEntities(reader, account, kind)) {
      for (const arn of entity.attached) attachments.set(arn, (attachments.get(arn) ?? 0) + 1);
      if (entity.boundary) boundaries.set(entity.boundary, (boundaries.get(entity.boundary) ?? 0) + 1);
    }
  }
  return { attachments, boundaries };
}

export function sdkPolicy(policy: PolicyRecord, usage: PolicyUsage): Sdk.Policy {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersion,
    AttachmentCount: usage.attachments.get(policy.arn) ?? 0,
    PermissionsBoundaryUsageCount: usage.boundaries.get(policy.arn) ?? 0,
    IsAttachable: true,
    CreateDate: new Date(policy.created),
    UpdateDate: new Date(policy.updated),
  };
}

export function sdkVersion(policy: PolicyRecord, version: PolicyVersionRecord): Sdk.PolicyVersion {
  return {
    VersionId: version.id,
    IsDefaultVersion: version.id === policy.defaultVersion,
    CreateDate: new Date(version.created),
  };
}

export async function createPolicy(state: IamState, input: Sdk.CreatePolicyCommandInput, context: RequestContext) {
  const { account } = context;
  const name = checkName(input.PolicyName!, 'policyName', 128);
  const path = checkPath(input.Path);
  const document = checkDocument(input.PolicyDocument!);
  const tags = addTags({}, input.Tags);
  const now = state.clock.now();
  const policy: PolicyRecord = {
    name,
    path,
    id: newId('ANPA', state.random),
    arn: iamArn(account, 'policy', path, name),
    description: input.Description,
    created: now,
    updated: now,
    tags,
    versions: [{ id: 'v1', document, created: now }],
    defaultVersion: 'v1',
    nextVersion: 2,
  };
  await change(state, context, async (transaction) => {
    if (await transaction.get(policyKey(account, name))) {
      throw alreadyExists(`A policy called ${name} already exists. Duplicate names are not allowed.`);
    }
    transaction.put(policyKey(account, name), policy);
  });
  const none: PolicyUsage = { attachments: new Map(), boundaries: new Map() };
  return { Policy: { ...sdkPolicy(policy, none), ...(input.Tags?.length ? { Tags: sdkTags(tags) } : {}) } };
}

async function mustFind(state: IamState, account: string, arn: string): Promise<PolicyRecord> {
  const policy = await findPolicy(state.store, account, arn);
  if (!policy) throw noSuchEntity(`Policy ${arn} was not found.`);
  return policy;
}

export async function getPolicy(state: IamState, input: Sdk.GetPolicyCommandInput, { account }: RequestContext) {
  const policy = await mustFind(state, account, input.PolicyArn!);
  const usage = await policyUsage(state.store, account);
  return {
    Policy: {
      ...sdkPolicy(policy, usage),
      ...(policy.description === undefined ? {} : { Description: policy.description }),
      Tags: sdkTags(policy.tags),
    },
  };
}

/** IAM API Reference, "ListPolicies". */
export async function listPolicies(state: IamState, input: Sdk.ListPoliciesCommandInput, { account }: RequestContext) {
  const own = await state.store.range<PolicyRecord>({ prefix: policyPrefix(account) });
  const usage = await policyUsage(state.store, account);
  const used =
    input.PolicyUsageFilter === 'PermissionsBoundary'
      ? usage.boundaries
      : input.PolicyUsageFilter === 'PermissionsPolicy'
        ? usage.attachments
        : undefined;
  const policies = [
    ...(input.Scope === 'AWS' ? [] : own.map(({ value }) => value)),
    ...(input.Scope === 'Local' ? [] : awsManagedPolicies()),
  ].filter(
    (policy) =>
      policy.path.startsWith(input.PathPrefix ?? '/') &&
      (!input.OnlyAttached || usage.attachments.has(policy.arn)) &&
      (used === undefined || used.has(policy.arn)),
  );
  const { items, paging } = pageOf(policies, input, (policy) => policy.arn);
  return { Policies: items.map((policy) => sdkPolicy(policy, usage)), ...paging };
}

export async function deletePolicy(state: IamState, input: Sdk.DeletePolicyCommandInput, context: RequestContext) {
  await changePolicy(state, context, input.PolicyArn!, async (policy, reader) => {
    const usage = await policyUsage(reader, context.account);
    if (usage.attachments.has(policy.arn) || usage.boundaries.has(policy.arn)) {
      throw deleteConflict('Cannot delete a policy attached to entities.');
    }
    if (policy.versions.length > 1) {
      throw deleteConflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
      );
    }
    return undefined;
  });
  return {};
}

export async function createPolicyVersion(
  state: IamState,
  input: Sdk.CreatePolicyVersionCommandInput,
  context: RequestContext,
) {
  const document = checkDocument(input.PolicyDocument!);
  const now = state.clock.now();
  const policy = await changePolicy(state, context, input.PolicyArn!, async (found) => {
    if (found.versions.length >= MAX_VERSIONS) {
      throw limitExceeded(
        'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
      );
    }
    const id = `v${found.nextVersion}`;
    return {
      ...found,
      versions: [...found.versions, { id, document, created: now }],
      nextVersion: found.nextVersion + 1,
      updated: now,
      ...(input.SetAsDefault ? { defaultVersion: id } : {}),
    };
  });
  return { PolicyVersion: sdkVersion(policy!, policy!.versions.at(-1)!) };
}

export async function getPolicyVersion(
  state: IamState,
  input: Sdk.GetPolicyVersionCommandInput,
  { account }: RequestContext,
) {
  const policy = await mustFind(state, account, input.PolicyArn!);
  const version = versionOf(policy, input.VersionId!);
  return { PolicyVersion: { Document: encodeDocument(version.document), ...sdkVersion(policy, version) } };
}

export async function listPolicyVersions(
  state: IamState,
  input: Sdk.ListPolicyVersionsCommandInput,
  { account }: RequestContext,
) {
  const policy = await mustFind(state, account, input.PolicyArn!);
  const newestFirst = (version: PolicyVersionRecord) => String(99_999 - Number(version.id.slice(1)));
  const { items, paging } = pageOf(policy.versions, input, newestFirst);
  return { Versions: items.map((version) => sdkVersion(policy, version)), ...paging };
}

export async function deletePolicyVersion(
  state: IamState,
  input: Sdk.DeletePolicyVersionCommandInput,
  context: RequestContext,
) {
  await changePolicy(state, context, input.PolicyArn!, async (policy) => {
    const version = versionOf(policy, input.VersionId!);
    if (version.id === policy.defaultVersion) throw deleteConflict('Cannot delete the default version of a policy.');
    return { ...policy, versions: policy.versions.filter(({ id }) => id !== version.id) };
  });
  return {};
}

export async function setDefaultPolicyVersion(
  state: IamState,
  input: Sdk.SetDefaultPolicyVersionCommandInput,
  context: RequestContext,
) {
  const updated = state.clock.now();
  await changePolicy(state, context, input.PolicyArn!, async (policy) => ({
    ...policy,
    defaultVersion: versionOf(policy, input.VersionId!).id,
    updated,
  }));
  return {};
}

function versionOf(policy: PolicyRecord, versionId: string): PolicyVersionRecord {
  const version = policy.versions.find(({ id }) => id === versionId);
  if (!version) throw noSuchEntity(`Policy ${policy.arn} version ${versionId} does not exist or is not attachable.`);
  return version;
}

/** Rewrites (or with `undefined` deletes) a customer's policy. AWS's own cannot be changed. */
export async function changePolicy(
  state: IamState,
  context: RequestContext,
  arn: string,
  apply: (policy: PolicyRecord, reader: Pick<Transaction, 'range'>) => Promise<PolicyRecord | undefined>,
): Promise<PolicyRecord | undefined> {
  const { account } = context;
  return change(state, context, async (transaction) => {
    const policy = await findPolicy(transaction, account, arn);
    if (!policy) throw noSuchEntity(`Policy ${arn} was not found.`);
    if (arn.startsWith('arn:aws:iam::aws:'))
      throw validationError(`Policy ${arn} is managed by AWS and cannot be changed.`);
    const changed = await apply(policy, transaction);
    if (changed) transaction.put(policyKey(account, policy.name), changed);
    else transaction.delete(policyKey(account, policy.name));
    return changed;
  });
}

/** IAM API Reference, "ListEntitiesForPolicy". */
export async function listEntitiesForPolicy(
  state: IamState,
  input: Sdk.ListEntitiesForPolicyCommandInput,
  { account }: RequestContext,
) {
  const policy = await mustFind(state, account, input.PolicyArn!);
  const kinds: Readonly<Record<string, readonly EntityKind[]>> = { User: ['user'], Group: ['group'], Role: ['role'] };
  const wanted = kinds[input.EntityFilter ?? ''] ?? ['group', 'role', 'user'];
  const found: { kind: EntityKind; name: string; id: string }[] = [];
  for (const kind of wanted) {
    for (const entity of await listEntities(state.store, account, kind)) {
      const uses =
        (input.PolicyUsageFilter !== 'PermissionsBoundary' && entity.attached.includes(policy.arn)) ||
        (input.PolicyUsageFilter !== 'PermissionsPolicy' && entity.boundary === policy.arn);
      if (uses && entity.path.startsWith(input.PathPrefix ?? '/'))
        found.push({ kind, name: entity.name, id: entity.id });
    }
  }
  const { items, paging } = pageOf(found, input, ({ kind, name }) => `${kind}/${name}`);
  const of = (kind: EntityKind) => items.filter((item) => item.kind === kind);
  return {
    PolicyGroups: of('group').map(({ name, id }) => ({ GroupName: name, GroupId: id })),
    PolicyUsers: of('user').map(({ name, id }) => ({ UserName: name, UserId: id })),
    PolicyRoles: of('role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
    ...paging,
  };
}
