import type * as Sdk from '@aws-sdk/client-iam';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, deleteConflict } from '../errors.ts';
import { checkName, checkPath, pageOf } from '../input.ts';
import { entityKey, entityPrefix, type GroupRecord, iamArn, newId, type UserRecord } from '../records.ts';
import { change, findEntity, type IamState, listEntities } from '../state.ts';
import { sdkUser } from './users.ts';

export function sdkGroup(group: GroupRecord): Sdk.Group {
  return {
    Path: group.path,
    GroupName: group.name,
    GroupId: group.id,
    Arn: group.arn,
    CreateDate: new Date(group.created),
  };
}

export async function createGroup(state: IamState, input: Sdk.CreateGroupCommandInput, context: RequestContext) {
  const name = checkName(input.GroupName!, 'groupName', 128);
  const path = checkPath(input.Path);
  const group = await change(state, context, async (transaction) => {
    const key = entityKey(context.account, 'group', name);
    if (await transaction.get(key)) throw alreadyExists(`Group with name ${name} already exists.`);
    const record: GroupRecord = {
      name,
      path,
      id: newId('AGPA', state.random),
      arn: iamArn(context.account, 'group', path, name),
      created: state.clock.now(),
      tags: {},
      inline: {},
      attached: [],
    };
    transaction.put(key, record);
    return record;
  });
  return { Group: sdkGroup(group) };
}

export async function getGroup(state: IamState, input: Sdk.GetGroupCommandInput, { account }: RequestContext) {
  const group = await findEntity(state.store, account, 'group', input.GroupName!);
  const users = (await listEntities(state.store, account, 'user')).filter((user) => user.groups.includes(group.name));
  const { items, paging } = pageOf(users, input, (user) => user.name);
  return { Group: sdkGroup(group), Users: items.map(sdkUser), ...paging };
}

export async function listGroups(state: IamState, input: Sdk.ListGroupsCommandInput, { account }: RequestContext) {
  const groups = (await listEntities(state.store, account, 'group')).filter((group) =>
    group.path.startsWith(input.PathPrefix ?? '/'),
  );
  const { items, paging } = pageOf(groups, input, (group) => group.name);
  return { Groups: items.map(sdkGroup), ...paging };
}

export async function listGroupsForUser(
  state: IamState,
  input: Sdk.ListGroupsForUserCommandInput,
  { account }: RequestContext,
) {
  const user = await findEntity(state.store, account, 'user', input.UserName!);
  const groups = (await listEntities(state.store, account, 'group')).filter(({ name }) => user.groups.includes(name));
  const { items, paging } = pageOf(groups, input, (group) => group.name);
  return { Groups: items.map(sdkGroup), ...paging };
}

export async function updateGroup(state: IamState, input: Sdk.UpdateGroupCommandInput, context: RequestContext) {
  const name = input.GroupName!;
  const newName = checkName(input.NewGroupName ?? name, 'newGroupName', 128);
  const { account } = context;
  await change(state, context, async (transaction) => {
    const group = await findEntity(transaction, account, 'group', name);
    const path = input.NewPath === undefined ? group.path : checkPath(input.NewPath);
    if (newName.toLowerCase() !== name.toLowerCase()) {
      if (await transaction.get(entityKey(account, 'group', newName))) {
        throw alreadyExists(`Group with name ${newName} already exists.`);
      }
      transaction.delete(entityKey(account, 'group', name));
    }
    transaction.put(entityKey(account, 'group', newName), {
      ...group,
      name: newName,
      path,
      arn: iamArn(account, 'group', path, newName),
    });
    if (newName === name) return;
    for (const { key, value } of await transaction.range<UserRecord>({ prefix: entityPrefix(account, 'user') })) {
      if (!value.groups.includes(name)) continue;
      transaction.put(key, { ...value, groups: value.groups.map((other) => (other === name ? newName : other)) });
    }
  });
  return {};
}

export async function deleteGroup(state: IamState, input: Sdk.DeleteGroupCommandInput, context: RequestContext) {
  const name = input.GroupName!;
  await change(state, context, async (transaction) => {
    const group = await findEntity(transaction, context.account, 'group', name);
    if (group.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
    if (Object.keys(group.inline).length > 0) throw deleteConflict('Cannot delete entity, must delete policies first.');
    const users = await transaction.range<UserRecord>({ prefix: entityPrefix(context.account, 'user') });
    if (users.some(({ value }) => value.groups.includes(name))) {
      throw deleteConflict('Cannot delete entity, must remove users from group first.');
    }
    transaction.delete(entityKey(context.account, 'group', name));
  });
  return {};
}

export async function addUserToGroup(state: IamState, input: Sdk.AddUserToGroupCommandInput, context: RequestContext) {
  await changeMembership(state, context, input.UserName!, input.GroupName!, (groups, name) =>
    groups.includes(name) ? groups : [...groups, name],
  );
  return {};
}

export async function removeUserFromGroup(
  state: IamState,
  input: Sdk.RemoveUserFromGroupCommandInput,
  context: RequestContext,
) {
  await changeMembership(state, context, input.UserName!, input.GroupName!, (groups, name) =>
    groups.filter((group) => group !== name),
  );
  return {};
}

async function changeMembership(
  state: IamState,
  context: RequestContext,
  userName: string,
  groupName: string,
  apply: (groups: readonly string[], group: string) => readonly string[],
): Promise<void> {
  await change(state, context, async (transaction) => {
    const group = await findEntity(transaction, context.account, 'group', groupName);
    const user = await findEntity(transaction, context.account, 'user', userName);
    transaction.put(entityKey(context.account, 'user', userName), { ...user, groups: apply(user.groups, group.name) });
  });
}
