import type * as Sdk from '@aws-sdk/client-iam';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, deleteConflict, invalidInput, noSuchEntity, validationError } from '../errors.ts';
import { addTags, checkName, checkPath, encodeDocument, pageOf, sdkTags } from '../input.ts';
import { compilePolicy } from '../policy/compiled-policy.ts';
import {
  entityKey,
  type InstanceProfileRecord,
  iamArn,
  type LastUsed,
  lastUsedKey,
  newId,
  profilePrefix,
  type RoleRecord,
} from '../records.ts';
import { change, findEntity, findPolicy, type IamState, listEntities } from '../state.ts';
import { boundaryOf } from './users.ts';

const DEFAULT_SESSION_SECONDS = 3600;
const MAX_TRUST_POLICY = 4096;

export function sdkRole(role: RoleRecord): Sdk.Role {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: role.arn,
    CreateDate: new Date(role.created),
    AssumeRolePolicyDocument: encodeDocument(role.trustPolicy),
    ...(role.description === '' ? {} : { Description: role.description }),
    MaxSessionDuration: role.maxSessionDuration,
    ...boundaryOf(role),
  };
}

function checkTrustPolicy(document: string): string {
  compilePolicy(document, 'trust');
  // White space does not count (IAM User Guide, "IAM and AWS STS quotas").
  if (document.replace(/\s/g, '').length > MAX_TRUST_POLICY)
    throw validationError('Cannot exceed quota for ACLSizePerRole: 4096');
  return document;
}

function checkSessionDuration(seconds: number | undefined): number {
  const value = seconds ?? DEFAULT_SESSION_SECONDS;
  if (value >= 3600 && value <= 43_200) return value;
  throw validationError(
    `1 validation error detected: Value '${value}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200`,
  );
}

function checkDescription(text: string | undefined): string {
  if ((text?.length ?? 0) > 1000)
    throw validationError("Member 'description' must have length less than or equal to 1000");
  return text ?? '';
}

/** IAM API Reference, "CreateRole". */
export async function createRole(state: IamState, input: Sdk.CreateRoleCommandInput, context: RequestContext) {
  const path = checkPath(input.Path);
  if (path.startsWith('/aws-service-role/')) {
    throw invalidInput('Path /aws-service-role/ is reserved: use CreateServiceLinkedRole.');
  }
  const role = await putNewRole(state, context, {
    name: checkName(input.RoleName!, 'roleName', 64),
    path,
    tags: addTags({}, input.Tags),
    boundary: input.PermissionsBoundary,
    trustPolicy: checkTrustPolicy(input.AssumeRolePolicyDocument!),
    description: checkDescription(input.Description),
    maxSessionDuration: checkSessionDuration(input.MaxSessionDuration),
    attached: [],
  });
  return { Role: { ...sdkRole(role), ...(input.Tags?.length ? { Tags: sdkTags(role.tags) } : {}) } };
}

async function putNewRole(
  state: IamState,
  context: RequestContext,
  fields: Omit<RoleRecord, 'id' | 'arn' | 'created' | 'inline'>,
): Promise<RoleRecord> {
  return change(state, context, async (transaction) => {
    const key = entityKey(context.account, 'role', fields.name);
    if (await transaction.get(key)) throw alreadyExists(`Role with name ${fields.name} already exists.`);
    if (fields.boundary !== undefined && !(await findPolicy(transaction, context.account, fields.boundary))) {
      throw noSuchEntity(`Scope ARN: ${fields.boundary} does not exist or is not attachable.`);
    }
    const record: RoleRecord = {
      ...fields,
      id: newId('AROA', state.random),
      arn: iamArn(context.account, 'role', fields.path, fields.name),
      created: state.clock.now(),
      inline: {},
    };
    transaction.put(key, record);
    return record;
  });
}

/** `lambda.amazonaws.com` → a role under `/aws-service-role/`, trusted by that service only. */
export async function createServiceLinkedRole(
  state: IamState,
  input: Sdk.CreateServiceLinkedRoleCommandInput,
  context: RequestContext,
) {
  const service = input.AWSServiceName!;
  const match = /^([a-z0-9.-]+)\.amazonaws\.com$/.exec(service);
  if (!match) throw invalidInput(`Service role cannot be created for ${service}.`);
  const base = match[1]!
    .split(/[.-]/)
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
  const role = await putNewRole(state, context, {
    name: checkName(`AWSServiceRoleFor${base}${input.CustomSuffix ? `_${input.CustomSuffix}` : ''}`, 'roleName', 64),
    path: `/aws-service-role/${service}/`,
    tags: {},
    trustPolicy: JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: [service] }, Action: ['sts:AssumeRole'] }],
    }),
    description: checkDescription(input.Description),
    maxSessionDuration: DEFAULT_SESSION_SECONDS,
    attached: [],
  });
  return { Role: sdkRole(role) };
}

export async function deleteServiceLinkedRole(
  state: IamState,
  input: Sdk.DeleteServiceLinkedRoleCommandInput,
  context: RequestContext,
) {
  const name = input.RoleName!;
  const role = await change(state, context, async (transaction) => {
    const found = await findEntity(transaction, context.account, 'role', name);
    if (!found.path.startsWith('/aws-service-role/')) throw noSuchEntity(`The role with name ${name} cannot be found.`);
    transaction.delete(entityKey(context.account, 'role', name));
    return found;
  });
  return { DeletionTaskId: `task${role.path}${name}/${role.id}` };
}

/** The role is deleted at once, so a task that is named well has succeeded. */
export async function getServiceLinkedRoleDeletionStatus(
  _state: IamState,
  input: Sdk.GetServiceLinkedRoleDeletionStatusCommandInput,
) {
  if (!/^task\/aws-service-role\/[^/]+\/[^/]+\/AROA\w+$/.test(input.DeletionTaskId!)) {
    throw noSuchEntity(`The deletion task ${input.DeletionTaskId} cannot be found.`);
  }
  return { Status: 'SUCCEEDED' as Sdk.DeletionTaskStatusType };
}

export async function getRole(state: IamState, input: Sdk.GetRoleCommandInput, { account }: RequestContext) {
  const role = await findEntity(state.store, account, 'role', input.RoleName!);
  const used = (await state.store.get<LastUsed>(lastUsedKey(role.arn)))?.value;
  const tags = sdkTags(role.tags);
  return {
    Role: {
      ...sdkRole(role),
      ...(tags.length > 0 ? { Tags: tags } : {}),
      RoleLastUsed: used ? { LastUsedDate: new Date(used.time), Region: used.region } : {},
    },
  };
}

export async function listRoles(state: IamState, input: Sdk.ListRolesCommandInput, { account }: RequestContext) {
  const roles = (await listEntities(state.store, account, 'role')).filter((role) =>
    role.path.startsWith(input.PathPrefix ?? '/'),
  );
  const { items, paging } = pageOf(roles, input, (role) => role.name);
  return { Roles: items.map(sdkRole), ...paging };
}

export async function updateRole(state: IamState, input: Sdk.UpdateRoleCommandInput, context: RequestContext) {
  await changeRole(state, context, input.RoleName!, (role) => ({
    ...role,
    ...(input.Description === undefined ? {} : { description: checkDescription(input.Description) }),
    ...(input.MaxSessionDuration === undefined
      ? {}
      : { maxSessionDuration: checkSessionDuration(input.MaxSessionDuration) }),
  }));
  return {};
}

export async function updateRoleDescription(
  state: IamState,
  input: Sdk.UpdateRoleDescriptionCommandInput,
  context: RequestContext,
) {
  const description = checkDescription(input.Description);
  const role = await changeRole(state, context, input.RoleName!, (found) => ({ ...found, description }));
  return { Role: sdkRole(role) };
}

export async function updateAssumeRolePolicy(
  state: IamState,
  input: Sdk.UpdateAssumeRolePolicyCommandInput,
  context: RequestContext,
) {
  const trustPolicy = checkTrustPolicy(input.PolicyDocument!);
  await changeRole(state, context, input.RoleName!, (role) => ({ ...role, trustPolicy }));
  return {};
}

async function changeRole(
  state: IamState,
  context: RequestContext,
  name: string,
  apply: (role: RoleRecord) => RoleRecord,
): Promise<RoleRecord> {
  return change(state, context, async (transaction) => {
    const role = apply(await findEntity(transaction, context.account, 'role', name));
    transaction.put(entityKey(context.account, 'role', name), role);
    return role;
  });
}

export async function deleteRole(state: IamState, input: Sdk.DeleteRoleCommandInput, context: RequestContext) {
  const name = input.RoleName!;
  await change(state, context, async (transaction) => {
    const role = await findEntity(transaction, context.account, 'role', name);
    if (role.path.startsWith('/aws-service-role/')) {
      throw invalidInput(`Cannot perform the operation on the protected role '${name}' - use DeleteServiceLinkedRole.`);
    }
    if (role.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
    if (Object.keys(role.inline).length > 0) throw deleteConflict('Cannot delete entity, must delete policies first.');
    const profiles = await transaction.range<InstanceProfileRecord>({ prefix: profilePrefix(context.account) });
    if (profiles.some(({ value }) => value.roles.includes(name))) {
      throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.');
    }
    transaction.delete(entityKey(context.account, 'role', name));
    transaction.delete(lastUsedKey(role.arn));
  });
  return {};
}
