import type * as Sdk from '@aws-sdk/client-iam';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, deleteConflict, limitExceeded, noSuchEntity } from '../errors.ts';
import { addTags, checkName, checkPath, pageOf, sdkTags } from '../input.ts';
import { type InstanceProfileRecord, iamArn, newId, profileKey, profilePrefix } from '../records.ts';
import { change, findEntity, type IamState, type Reader } from '../state.ts';
import { sdkRole } from './roles.ts';

export async function findProfile(reader: Reader, account: string, name: string): Promise<InstanceProfileRecord> {
  const profile = (await reader.get<InstanceProfileRecord>(profileKey(account, name)))?.value;
  if (profile?.name !== name) throw noSuchEntity(`Instance Profile ${name} cannot be found.`);
  return profile;
}

export async function sdkProfile(state: IamState, account: string, profile: InstanceProfileRecord) {
  const roles = await Promise.all(profile.roles.map((name) => findEntity(state.store, account, 'role', name)));
  return {
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: profile.arn,
    CreateDate: new Date(profile.created),
    Roles: roles.map(sdkRole),
  };
}

export async function createInstanceProfile(
  state: IamState,
  input: Sdk.CreateInstanceProfileCommandInput,
  context: RequestContext,
) {
  const { account } = context;
  const name = checkName(input.InstanceProfileName!, 'instanceProfileName', 128);
  const path = checkPath(input.Path);
  const profile: InstanceProfileRecord = {
    name,
    path,
    id: newId('AIPA', state.random),
    arn: iamArn(account, 'instance-profile', path, name),
    created: state.clock.now(),
    tags: addTags({}, input.Tags),
    roles: [],
  };
  await change(state, context, async (transaction) => {
    const key = profileKey(account, name);
    if (await transaction.get(key)) throw alreadyExists(`Instance Profile ${name} already exists.`);
    transaction.put(key, profile);
  });
  return {
    InstanceProfile: {
      ...(await sdkProfile(state, account, profile)),
      ...(input.Tags?.length ? { Tags: sdkTags(profile.tags) } : {}),
    },
  };
}

export async function getInstanceProfile(
  state: IamState,
  input: Sdk.GetInstanceProfileCommandInput,
  { account }: RequestContext,
) {
  const profile = await findProfile(state.store, account, input.InstanceProfileName!);
  return { InstanceProfile: { ...(await sdkProfile(state, account, profile)), Tags: sdkTags(profile.tags) } };
}

async function listProfiles(state: IamState, account: string): Promise<InstanceProfileRecord[]> {
  const entries = await state.store.range<InstanceProfileRecord>({ prefix: profilePrefix(account) });
  return entries.map(({ value }) => value);
}

export async function listInstanceProfiles(
  state: IamState,
  input: Sdk.ListInstanceProfilesCommandInput,
  { account }: RequestContext,
) {
  const profiles = (await listProfiles(state, account)).filter(({ path }) => path.startsWith(input.PathPrefix ?? '/'));
  const { items, paging } = pageOf(profiles, input, ({ name }) => name);
  return { InstanceProfiles: await Promise.all(items.map((item) => sdkProfile(state, account, item))), ...paging };
}

export async function listInstanceProfilesForRole(
  state: IamState,
  input: Sdk.ListInstanceProfilesForRoleCommandInput,
  { account }: RequestContext,
) {
  const role = await findEntity(state.store, account, 'role', input.RoleName!);
  const profiles = (await listProfiles(state, account)).filter(({ roles }) => roles.includes(role.name));
  const { items, paging } = pageOf(profiles, input, ({ name }) => name);
  return { InstanceProfiles: await Promise.all(items.map((item) => sdkProfile(state, account, item))), ...paging };
}

export async function addRoleToInstanceProfile(
  state: IamState,
  input: Sdk.AddRoleToInstanceProfileCommandInput,
  context: RequestContext,
) {
  await change(state, context, async (transaction) => {
    const profile = await findProfile(transaction, context.account, input.InstanceProfileName!);
    const role = await findEntity(transaction, context.account, 'role', input.RoleName!);
    if (profile.roles.length > 0) throw limitExceeded('Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1');
    transaction.put(profileKey(context.account, profile.name), { ...profile, roles: [role.name] });
  });
  return {};
}

export async function removeRoleFromInstanceProfile(
  state: IamState,
  input: Sdk.RemoveRoleFromInstanceProfileCommandInput,
  context: RequestContext,
) {
  await change(state, context, async (transaction) => {
    const profile = await findProfile(transaction, context.account, input.InstanceProfileName!);
    if (!profile.roles.includes(input.RoleName!)) {
      throw noSuchEntity(`The role with name ${input.RoleName} cannot be found.`);
    }
    transaction.put(profileKey(context.account, profile.name), { ...profile, roles: [] });
  });
  return {};
}

export async function deleteInstanceProfile(
  state: IamState,
  input: Sdk.DeleteInstanceProfileCommandInput,
  context: RequestContext,
) {
  await change(state, context, async (transaction) => {
    const profile = await findProfile(transaction, context.account, input.InstanceProfileName!);
    if (profile.roles.length > 0) {
      throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.');
    }
    transaction.delete(profileKey(context.account, profile.name));
  });
  return {};
}
